//! What people say of themselves, and what is told without words.

use std::time::Duration;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use undertone_client::ProfileChange;

use super::{Context, Sink};
use crate::{
    failure::{Failure, Kind},
    output::Line,
};

/// A process that lives for one command leaves its line so much time to go out.
const TOLD: Duration = Duration::from_millis(500);

/// What to say of ourselves from now on.
#[derive(Clone, Serialize, Deserialize)]
pub struct Said {
    /// What we call ourselves.
    pub name: Option<String>,
    /// What we say about ourselves.
    pub about: Option<String>,
    /// An image, in base64.
    pub avatar: Option<String>,
    /// Nothing of what was said before.
    pub clear: bool,
}

/// Somebody's profile, or our own.
pub async fn profile(context: &Context, who: Option<&str>, sink: &mut impl Sink) -> Result<(), Failure> {
    let engine = context.engine();
    let profile = match who {
        Some(who) => engine.profile_of(who)?,
        None => engine.profile()?,
    };
    sink.print(&profile.into()).await
}

/// Changes our own.
pub async fn set_profile(context: &Context, said: &Said, sink: &mut impl Sink) -> Result<(), Failure> {
    let Said { name, about, avatar, clear } = said.clone();
    let avatar = avatar.map(|text| BASE64.decode(text.as_bytes())).transpose();
    let avatar = avatar.map_err(|_| Failure::new(Kind::Usage, "this is no image"))?;
    let profile = context.engine().set_profile(&ProfileChange { clear, name, about, avatar })?;
    sink.print(&profile.into()).await
}

/// Shows what is told without words, and changes it.
pub async fn settings(
    context: &Context,
    receipts: Option<bool>,
    typing: Option<bool>,
    sink: &mut impl Sink,
) -> Result<(), Failure> {
    let engine = context.engine();
    let mut settings = engine.settings()?;
    settings.receipts = receipts.unwrap_or(settings.receipts);
    settings.typing = typing.unwrap_or(settings.typing);
    engine.set_settings(settings)?;
    sink.print(&settings.into()).await
}

/// Tells somebody that we write. Whether it arrives, nobody knows.
pub async fn typing(context: &Context, who: &str, typing: bool, sink: &mut impl Sink) -> Result<(), Failure> {
    let engine = context.engine();
    let was_driven = context.is_driven();
    if !was_driven {
        context.drive();
        engine.sync().await?;
    }
    engine.typing(who, typing)?;
    if !was_driven {
        tokio::time::sleep(TOLD).await;
    }
    let account = engine.profile_of(who)?.account;
    sink.print(&Line::told(account, typing)).await
}

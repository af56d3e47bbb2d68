//! The devices of an account, from the first link to the end of the account.

use undertone_client::ClientError;

use super::{Context, Sink};
use crate::{
    failure::{Failure, Kind},
    output::Line,
    question::Question,
};

/// The old device: shows a link, then a code, and hands over once its person has compared that.
pub async fn link(context: &Context, sink: &mut impl Sink) -> Result<(), Failure> {
    let mut offer = context.engine().link_offer().await?;
    sink.print(&Line::link(offer.text())).await?;
    let code = offer.code().await?;
    if let Err(failure) = compared(code, sink).await {
        offer.cancel().await;
        return Err(failure);
    }
    let device = offer.confirm().await?;
    sink.print(&Line::linked(device)).await
}

/// The new device: answers the link, shows the code, and takes over once its person has compared that.
pub async fn join(context: &Context, link: &str, sink: &mut impl Sink) -> Result<(), Failure> {
    // Asked for, it is seen neither by other users of the machine nor by the shell's history.
    let typed = if link == "-" { Some(sink.ask(Question::Link).await?) } else { None };
    let link = typed.as_ref().map_or(link, |typed| typed.text());
    let mut request = context.engine().link(link).await?;
    let code = request.code().await?;
    if let Err(failure) = compared(code, sink).await {
        request.cancel().await;
        return Err(failure);
    }
    let me = request.confirm().await?;
    sink.print(&me.into()).await
}

/// Has the person compare the code with that of the other device.
async fn compared(code: String, sink: &mut impl Sink) -> Result<(), Failure> {
    sink.print(&Line::code(code)).await?;
    if sink.ask(Question::SameCode).await?.is_yes() {
        return Ok(());
    }
    let message = "the code was not confirmed, so nothing was linked; if it differs, somebody else has the link";
    Err(Failure::new(Kind::Refused, message))
}

/// Removes another device.
pub async fn remove(context: &Context, number: u32, sink: &mut impl Sink) -> Result<(), Failure> {
    let engine = context.engine();
    if !engine.devices()?.iter().any(|device| device.number == number) {
        return Err(ClientError::NoSuchDevice(number).into());
    }
    let words = sink.ask(Question::Words).await?;
    context.drive();
    engine.remove_device(number, words.text()).await.map_err(|error| match error.kind() {
        Kind::Network => {
            let kept = "the removal is kept, and done with the next command or `receive --follow`";
            Failure::new(Kind::Network, format!("{kept}: {error}"))
        }
        _ => error.into(),
    })?;
    sink.print(&Line::removed(number)).await
}

/// Brings an account back by its words.
pub async fn recover(context: &Context, service: &str, name: &str, sink: &mut impl Sink) -> Result<(), Failure> {
    let words = sink.ask(Question::Words).await?;
    let me = context.engine().recover(service, words.text(), name).await?;
    sink.print(&me.into()).await
}

/// Deletes the account.
pub async fn delete_account(context: &Context, sure: bool, sink: &mut impl Sink) -> Result<(), Failure> {
    let engine = context.engine();
    let me = engine.whoami()?;
    if !sure && sink.ask(Question::Name).await?.text() != me.name {
        return Err(Failure::new(Kind::Refused, "that is not the name of this account, so nothing was deleted"));
    }
    engine.delete_account().await?;
    sink.print(&Line::deleted(me.account)).await
}

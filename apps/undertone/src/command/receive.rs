//! `receive`: each new message is printed, flushed, and only then marked as shown, one by one.

use std::{pin::pin, time::Duration};

use tokio::sync::watch;
use undertone_client::ClientError;

use super::{Context, Sink, Until};
use crate::{
    failure::{Failure, Kind},
    output::Line,
};

/// Prints what is new, until that is enough.
pub async fn receive(context: &Context, until: Until, sink: &mut impl Sink) -> Result<(), Failure> {
    context.engine().whoami()?;
    context.drive();
    let mut warned = None;
    warn(context, &mut warned, sink).await?;
    match until {
        Until::Synced => {
            let synced = context.engine().sync().await;
            print_new(context, sink).await?;
            warn(context, &mut warned, sink).await?;
            Ok(synced?)
        }
        Until::First { seconds } => {
            first(context, seconds, sink).await?;
            warn(context, &mut warned, sink).await
        }
        Until::Ended => follow(context, warned, sink).await,
    }
}

/// Tells the person what the service does that it should not, where that is not what was told last.
async fn warn(context: &Context, warned: &mut Option<&'static str>, sink: &mut impl Sink) -> Result<(), Failure> {
    let trouble = context.engine().service_trouble()?;
    if let Some(text) = trouble.filter(|_| trouble != *warned) {
        sink.note(&format!("the service may be cheating: {text}")).await?;
    }
    *warned = trouble;
    Ok(())
}

/// Prints what is new now. True: there was something.
async fn print_new(context: &Context, sink: &mut impl Sink) -> Result<bool, Failure> {
    let mut any = false;
    while let Some(taken) = context.showing().take(context.engine())? {
        sink.print(&Line::received(taken.message())).await?;
        taken.set_shown()?;
        any = true;
    }
    Ok(any)
}

async fn first(context: &Context, seconds: u32, sink: &mut impl Sink) -> Result<(), Failure> {
    let mut news = News::of(context);
    let mut synced = pin!(context.engine().sync());
    let mut outcome = None;
    let mut deadline = pin!(tokio::time::sleep(Duration::from_secs(seconds.into())));
    loop {
        if print_new(context, sink).await? {
            return Ok(());
        }
        tokio::select! {
            result = &mut synced, if outcome.is_none() => outcome = Some(tolerate_offline(result)?),
            () = news.come() => {}
            () = &mut deadline => break,
        }
    }
    match outcome {
        // Nobody was there all the time: that is not the same as no news.
        Some(Err(error)) if !news.online() => Err(error.into()),
        _ => Ok(()),
    }
}

async fn follow(context: &Context, mut warned: Option<&'static str>, sink: &mut impl Sink) -> Result<(), Failure> {
    let mut news = News::of(context);
    let mut synced = pin!(context.engine().sync());
    let mut done = false;
    let mut was_online = true;
    let mut typings = context.engine().typings();
    loop {
        print_new(context, sink).await?;
        warn(context, &mut warned, sink).await?;
        tokio::select! {
            // Of the moment: for programs, which can take it back, and not for a page of text.
            // Where some were too many, the next ones come.
            typing = typings.recv(), if sink.is_for_program() => if let Ok(typing) = typing {
                sink.print(&typing.into()).await?;
            },
            result = &mut synced, if !done => {
                done = true;
                let _ = tolerate_offline(result)?;
            }
            () = news.come() => {}
        }
        if news.online() != was_online {
            was_online = !was_online;
            let text = if was_online { "the service is back" } else { "the service cannot be reached; trying again" };
            sink.note(text).await?;
        }
    }
}

/// A service that is away may come back. Anything else that keeps us from it is an error now.
fn tolerate_offline(result: Result<(), ClientError>) -> Result<Result<(), ClientError>, Failure> {
    match result {
        Err(error) if error.kind() != Kind::Network => Err(error.into()),
        result => Ok(result),
    }
}

/// Whatever may mean that there is something to print or to tell.
struct News {
    changes: watch::Receiver<u64>,
    given_back: watch::Receiver<u64>,
    online: watch::Receiver<bool>,
}

impl News {
    /// From now on: what is here already is no news.
    fn of(context: &Context) -> Self {
        let engine = context.engine();
        Self { changes: engine.changes(), given_back: context.showing().given_back(), online: engine.online() }
    }

    /// Waits for some. The engine, which we hold, keeps the senders.
    async fn come(&mut self) {
        tokio::select! {
            _ = self.changes.changed() => {}
            _ = self.given_back.changed() => {}
            _ = self.online.changed() => {}
        }
    }

    /// Whether the service was reached when last tried.
    fn online(&self) -> bool {
        *self.online.borrow()
    }
}

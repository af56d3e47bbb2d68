//! Who of an address book is here, and by what others find us.

use std::{collections::HashMap, pin::pin};

use tokio::sync::watch;
use undertone_client::{ClientError, ListingState, LookupStep};
use undertone_wire::Identifier;

use super::{Context, Sink};
use crate::{
    contacts::{read_identifier, shown},
    failure::{Failure, Kind},
    output::Line,
    question::Question,
};

/// Looks an address book up, once its person has been told what that tells.
pub async fn discover(
    context: &Context,
    contacts: &[(String, String)],
    sure: bool,
    sink: &mut impl Sink,
) -> Result<(), Failure> {
    let engine = context.engine();
    let contacts: Vec<_> =
        contacts.iter().map(|(contact, text)| Ok((contact.clone(), spelled(text)?))).collect::<Result<_, Failure>>()?;
    if !sure {
        let plan = engine.lookup_plan(&contacts)?;
        for text in what_it_tells(contacts.len(), plan.new, plan.shown) {
            sink.note(&text).await?;
        }
        if !sink.ask(Question::LookUp).await?.is_yes() {
            return Err(Failure::new(Kind::Refused, "nobody was looked up, and nothing was told"));
        }
    }
    let step = watch::Sender::new(LookupStep::default());
    let mut steps = step.subscribe();
    let mut looking = pin!(engine.look_up(&contacts, &step));
    let mut told = String::new();
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut looking => break outcome,
            Ok(()) = steps.changed() => {
                let text = how_far(*steps.borrow_and_update());
                if text != told {
                    sink.note(&text).await?;
                    told = text;
                }
            }
        }
    };
    let waits = match outcome {
        Err(error @ ClientError::LookupsUsedUp) => Some(error),
        outcome => {
            outcome?;
            None
        }
    };
    let book = engine.address_book()?;
    let mut found: HashMap<_, _> =
        book.into_iter().map(|found| ((found.contact.clone(), found.identifier.clone()), found)).collect();
    for asked in &contacts {
        if let Some(found) = found.remove(asked) {
            sink.print(&found.into()).await?;
        }
    }
    waits.map_or(Ok(()), |error| Err(error.into()))
}

/// Everything that a lookup tells, and to whom.
fn what_it_tells(all: usize, new: usize, shown: usize) -> Vec<String> {
    let mut texts = vec![format!("this looks up {all} identifiers; {new} of them for the first time")];
    if new > 0 {
        texts.push(format!(
            "the service learns that somebody at your address looks people up now, and as how many new ones they show: \
             {shown}, whoever they are (sizes are 32, 256 and 1,600); it learns neither whom, nor who is found, nor that it \
             is your account"
        ));
        texts.push(
            "before that, your account may ask for the right to look people up: so the service learns that this account \
             does, around this time. It may look up 1,600 at first, and 96 more each day"
                .to_owned(),
        );
    } else {
        texts.push("the service learns that somebody at your address asks what has changed; not for whom".to_owned());
    }
    texts.push(
        "nobody else learns anything, those whom you look up neither; the address book stays in this home".to_owned(),
    );
    texts
}

/// How far a lookup is, in quarters.
fn how_far(step: LookupStep) -> String {
    let quarters = |done: usize, of: usize| done.saturating_mul(4).checked_div(of).unwrap_or(4).min(4) * 25;
    match step {
        LookupStep::Begun => "looking up".to_owned(),
        LookupStep::Paying => "asking for the right to look people up".to_owned(),
        LookupStep::Waiting(seconds) => {
            format!("waiting {seconds} s, so that nothing follows the visit to your account at once")
        }
        LookupStep::Evaluating(done, of) => format!("hiding identifiers: {done} of {of}"),
        LookupStep::Downloading(done, of) => format!("downloading what everybody downloads: {} %", quarters(done, of)),
        LookupStep::Asking(done, of) => format!("asking, encrypted: {} %", quarters(done, of)),
        LookupStep::Queued => "the service is busy; waiting for a place".to_owned(),
    }
}

/// Has a code sent; under a username we are listed at once.
pub async fn add(context: &Context, identifier: &str, words: bool, sink: &mut impl Sink) -> Result<(), Failure> {
    let identifier = spelled(identifier)?;
    if matches!(identifier, Identifier::Username(_)) {
        return list(context, &identifier, "", words, sink).await;
    }
    context.engine().send_code(&identifier).await?;
    sink.print(&Line::listing(&identifier, ListingState::Sent)).await
}

/// Lists us, by the code that was sent.
pub async fn confirm(
    context: &Context,
    identifier: &str,
    code: &str,
    words: bool,
    sink: &mut impl Sink,
) -> Result<(), Failure> {
    list(context, &spelled(identifier)?, code, words, sink).await
}

async fn list(
    context: &Context,
    identifier: &Identifier,
    code: &str,
    words: bool,
    sink: &mut impl Sink,
) -> Result<(), Failure> {
    let words = if words { Some(sink.ask(Question::Words).await?) } else { None };
    let words = words.as_ref().map(|words| words.text());
    let state = context.engine().list(identifier, code.trim(), words).await?;
    sink.print(&Line::listing(identifier, state)).await
}

/// Takes us from there.
pub async fn remove(context: &Context, identifier: &str, sink: &mut impl Sink) -> Result<(), Failure> {
    let identifier = spelled(identifier)?;
    context.engine().unlist(&identifier).await?;
    sink.print(&Line::unlisted(&identifier)).await
}

/// An identifier as the command line has spelled it.
fn spelled(text: &str) -> Result<Identifier, Failure> {
    let identifier = read_identifier(text, None).map_err(|error| Failure::new(Kind::Usage, error.to_string()))?;
    if shown(&identifier) == text {
        Ok(identifier)
    } else {
        Err(Failure::new(Kind::Usage, "this is not the one spelling of an identifier"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_what_is_told() {
        let texts = what_it_tells(40, 33, 256).join("\n");
        for said in ["40 identifiers", "33 of them", "256", "nor who is found", "your account", "nobody else"] {
            assert!(texts.contains(said), "{said}");
        }
        assert!(!what_it_tells(40, 0, 0).join("").contains("right to look people up"));
    }

    #[test]
    fn progress_is_told_in_quarters() {
        let asking = |done| how_far(LookupStep::Asking(done, 1_000));
        assert_eq!([asking(0), asking(249), asking(250)].map(|text| text.ends_with(": 0 %")), [true, true, false]);
        assert!(asking(1_000).ends_with("100 %") && how_far(LookupStep::Asking(0, 0)).ends_with("100 %"));
    }

    #[test]
    fn one_spelling_comes_from_the_command_line() {
        for text in ["+41791234567", "@ana", "ana@example.org"] {
            assert!(spelled(text).is_ok());
        }
        for text in ["079 123 45 67", "Ana@example.org", "ana", ""] {
            assert_eq!(spelled(text).err().map(|failure| failure.exit_code()), Some(2));
        }
    }
}

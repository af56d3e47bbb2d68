//! What was written, and what was shown of it: the invariants that hold at any moment.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{bail, ensure};
use undertone_client::Message;

use super::home::Fate;

/// A device, as (person, device).
pub type Author = (usize, usize);
/// Two people who talk, the smaller number first; the same twice for a note to oneself.
pub type Pair = (usize, usize);

/// Where something is said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Between two.
    Chat(Pair),
    /// In the so-manieth group.
    Group(usize),
}

impl From<Pair> for Place {
    fn from(pair: Pair) -> Self {
        Self::Chat(pair)
    }
}

impl Place {
    /// Whether it is nobody's but one person's.
    fn is_of_one(self) -> bool {
        matches!(self, Self::Chat((one, other)) if one == other)
    }
}

/// A message as it was written.
pub struct Line {
    /// Who wrote it.
    pub by: Author,
    /// Where.
    pub place: Place,
    /// What the writer knows of it.
    pub fate: Fate,
    /// Its writer was removed before his other devices had it. Where it went by letter, only who got that can tell them; and
    /// nobody hears any more what a removed device says.
    pub untold: bool,
}

/// Everything that was written in a world.
#[derive(Default)]
pub struct Chronicle {
    lines: Vec<Line>,
    /// Where a text stands among the lines. No text is written twice.
    by_text: BTreeMap<String, usize>,
}

/// What one device has shown.
#[derive(Default)]
pub struct Shown {
    ids: BTreeSet<String>,
    numbers: BTreeSet<usize>,
    /// The last line shown of each author in each place.
    last: BTreeMap<(Author, Place), usize>,
}

impl Shown {
    /// Whether it has shown this message.
    pub fn has(&self, number: usize) -> bool {
        self.numbers.contains(&number)
    }
}

/// How strictly messages that were shown are judged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Nobody lies: nothing is missing between two messages of one device.
    Honest,
    /// The service lies, or another device has shown something: it may be missing here, and that is all.
    Partial,
}

impl Chronicle {
    /// Notes that somebody is about to write. Returns the number of the message, and its text.
    pub fn begin(&mut self, by: Author, place: Place, filler: usize) -> (u64, String) {
        let number = self.lines.len();
        let text = format!("{number} {}", "x".repeat(filler));
        self.by_text.insert(text.clone(), number);
        self.lines.push(Line { by, place, fate: Fate::Kept, untold: false });
        (number as u64, text)
    }

    /// Notes what became of it.
    pub fn note(&mut self, fates: impl IntoIterator<Item = (u64, Fate)>) {
        for (number, fate) in fates {
            if let Some(line) = usize::try_from(number).ok().and_then(|number| self.lines.get_mut(number)) {
                // What was given up is not taken back by what came later.
                if line.fate != Fate::Unknown || fate == Fate::Acknowledged {
                    line.fate = fate;
                }
            }
        }
    }

    /// A device is gone: what it has kept and the service did not acknowledge may never come.
    pub fn leave(&mut self, by: Author) {
        let lines = self.lines.iter_mut().filter(|line| line.by == by && line.fate == Fate::Kept);
        lines.for_each(|line| line.fate = Fate::Unknown);
    }

    /// Who wrote a message.
    pub fn author(&self, number: usize) -> Option<Author> {
        self.lines.get(number).map(|line| line.by)
    }

    /// How many messages were written.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// How many of them the service has acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.lines.iter().filter(|line| line.fate == Fate::Acknowledged).count()
    }

    /// The line of a text.
    pub fn line(&self, text: &str) -> Option<(usize, &Line)> {
        let number = *self.by_text.get(text)?;
        self.lines.get(number).map(|line| (number, line))
    }

    /// The messages of a chat that must be there in the end.
    pub fn expected(&self, pair: Pair) -> BTreeSet<usize> {
        let kept = |line: &Line| matches!(line.fate, Fate::Kept | Fate::Acknowledged);
        self.said(pair.into()).filter(|(_, line)| kept(line)).map(|(number, _)| number).collect()
    }

    /// All that was written somewhere.
    pub fn said(&self, place: Place) -> impl Iterator<Item = (usize, &Line)> {
        self.lines.iter().enumerate().filter(move |(_, line)| line.place == place)
    }

    /// Whether a message may be missing on one of its writer's own devices.
    pub fn is_untold(&self, number: usize) -> bool {
        self.lines.get(number).is_some_and(|line| line.untold)
    }

    /// A device is removed: what its person's other devices do not have, it may never have told them.
    pub fn part(&mut self, by: Author, known: &BTreeSet<usize>) {
        let lines = self.lines.iter_mut().enumerate();
        let unknown =
            lines.filter(|(number, line)| line.by == by && !line.place.is_of_one() && !known.contains(number));
        unknown.for_each(|(_, line)| line.untold = true);
    }

    /// Holds a message that was shown against what was written: it was, by whom it says, where it says; it was not shown
    /// before; and nothing that its device wrote before it is missing.
    pub fn judge(&self, shown: &mut Shown, message: &Message, judgement: Judgement) -> anyhow::Result<()> {
        ensure!(shown.ids.insert(message.id.clone()), "a message was shown twice");
        let Some((number, line)) = message.body.as_deref().and_then(|body| self.line(body)) else {
            bail!("a message was shown that nobody wrote");
        };
        ensure!(line.fate != Fate::Refused, "message {number} was shown, and had been taken back");
        shown.numbers.insert(number);
        let last = shown.last.insert((line.by, line.place), number);
        ensure!(last.is_none_or(|last| last < number), "message {number} was shown after a later one");
        if judgement == Judgement::Honest {
            let from = last.map_or(0, |last| last + 1);
            let between = self.lines.get(from..number).unwrap_or_default();
            let missing = between.iter().position(|between| {
                (between.by, between.place) == (line.by, line.place)
                    && matches!(between.fate, Fate::Kept | Fate::Acknowledged)
            });
            if let Some(missing) = missing {
                bail!("message {number} was shown before message {}", from + missing);
            }
        }
        Ok(())
    }
}

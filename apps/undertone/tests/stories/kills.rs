//! Exactly once, whatever is killed.
//!
//! Ana and Bo each write 2,000 messages to the other, all at once. Meanwhile the service is killed 10 times and all of
//! each client 5 times, by SIGKILL, at counts of messages that a seed chooses. What a client had put into its history
//! must be printed by the other, by id, exactly once and in order; only a kill between printing and marking may have
//! one printed again.

use std::{
    collections::HashSet,
    io::{BufRead as _, BufReader, Read, Write as _},
    process::Stdio,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use serde_json::Value;

use crate::{
    offline::in_contact,
    support::{Chance, Home, PATIENCE, Running, Service},
};

const MESSAGES: usize = 2_000;
const SERVICE_KILLS: usize = 10;
const CLIENT_KILLS: usize = 5;
/// A sender that ends early, because its home was taken from it, is started anew; not for ever.
const STARTS_MAX: usize = 100;

#[test]
fn every_message_arrives_once_through_kills() {
    let mut chance = Chance::of_seed();
    let mut service = Service::open();
    let (ana, bo) = in_contact(&service);
    let (before_ana, before_bo) = (ana.history("Bo").len(), bo.history("Ana").len());

    let (events, coming) = channel();
    let mut sides = [Side::new(0, &ana, "Bo", &events), Side::new(1, &bo, "Ana", &events)];
    let mut service_kills = chance.counts(SERVICE_KILLS, 2 * MESSAGES);
    let mut client_kills = [chance.counts(CLIENT_KILLS, MESSAGES), chance.counts(CLIENT_KILLS, MESSAGES)];
    sides.iter_mut().for_each(Side::start);

    while sides.iter().any(|side| side.given < MESSAGES) {
        take(&coming, &mut sides);
        if service_kills.pop_if(|count| *count <= sides[0].given + sides[1].given).is_some() {
            service.kill();
            service.restart();
        }
        for number in 0..sides.len() {
            let given = sides[number].given;
            let killed = client_kills[number].pop_if(|count| *count <= given).is_some();
            if killed || (sides[number].ended && given < MESSAGES) {
                kill(&coming, &mut sides, number);
                sides[number].start();
            }
        }
    }
    assert!(service_kills.is_empty() && client_kills.iter().all(Vec::is_empty), "all kills have happened");

    // What a home has in its history, it wants delivered; a line may stand there twice if it was given twice.
    let wanted = [written(&ana, "Bo", before_ana), written(&bo, "Ana", before_bo)];
    while sides[1].missing(&wanted[0]) || sides[0].missing(&wanted[1]) {
        take(&coming, &mut sides);
    }
    for number in 0..sides.len() {
        kill(&coming, &mut sides, number);
    }
    ana.run(&["receive"]).must();
    bo.run(&["receive"]).must();
    assert_eq!(shared(&ana.history("Bo")), shared(&bo.history("Ana")), "both see the same chat");
    sides[1].check(&wanted[0]);
    sides[0].check(&wanted[1]);
}

/// Messages of its own in somebody's history, as (id, body): each line at least once, in the order of writing.
fn written(home: &Home, peer: &str, before: usize) -> Vec<(String, String)> {
    let mine: Vec<(String, String)> = home
        .history(peer)
        .iter()
        .skip(before)
        .filter(|entry| entry["from"] == home.account().as_str())
        .map(|entry| (text(entry, "id"), text(entry, "body")))
        .collect();
    let mut numbers: Vec<usize> = mine.iter().map(|(_, body)| body.parse().unwrap()).collect();
    assert!(numbers.is_sorted(), "written in order");
    numbers.dedup();
    assert_eq!(numbers, Vec::from_iter(0..MESSAGES), "nothing that was given is missing");
    mine
}

/// What both sides of a chat must agree on.
fn shared(history: &[Value]) -> Vec<(String, String, Value)> {
    history.iter().map(|entry| (text(entry, "id"), text(entry, "body"), entry["seq"].clone())).collect()
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap().to_owned()
}

/// Something happened on a side, in its so-manieth life.
struct Event {
    side: usize,
    life: usize,
    what: What,
}

enum What {
    Received(Value),
    Sent,
    SenderEnded,
}

fn take(coming: &Receiver<Event>, sides: &mut [Side<'_>; 2]) {
    let Event { side, life, what } = coming.recv_timeout(PATIENCE).expect("nothing happens any more");
    let side = &mut sides[side];
    assert!(life == side.life || matches!(what, What::Received(_)), "a sender of a former life is done with");
    match what {
        What::Received(message) => side.printed.push((text(&message, "id"), text(&message, "body"))),
        What::Sent => side.given += 1,
        What::SenderEnded => side.ended = true,
    }
}

/// SIGKILL to all of a client. What its sender had printed counts, so that is waited for.
fn kill(coming: &Receiver<Event>, sides: &mut [Side<'_>; 2], number: usize) {
    sides[number].running.drain(..).for_each(Running::kill);
    while !sides[number].ended {
        take(coming, sides);
    }
}

/// A client: one process that receives, and one that is given lines to send.
struct Side<'a> {
    number: usize,
    home: &'a Home,
    peer: &'static str,
    events: Sender<Event>,
    life: usize,
    running: Vec<Running>,
    /// Nothing more comes from the sender of this life.
    ended: bool,
    /// Lines whose result a sender has printed.
    given: usize,
    /// (id, body) of all that was ever printed as received.
    printed: Vec<(String, String)>,
}

impl<'a> Side<'a> {
    fn new(number: usize, home: &'a Home, peer: &'static str, events: &Sender<Event>) -> Self {
        let events = events.clone();
        Self { number, home, peer, events, life: 0, running: Vec::new(), ended: false, given: 0, printed: Vec::new() }
    }

    fn start(&mut self) {
        self.life += 1;
        self.ended = false;
        assert!(self.life < STARTS_MAX, "the sender ends again and again");
        let mut receiver = self.home.command(&["receive", "--follow"]);
        let mut receiver = receiver.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        self.report(receiver.stdout.take().unwrap(), |line| What::Received(serde_json::from_str(line).unwrap()), None);

        let mut sender = self.home.command(&["send", self.peer, "--lines"]);
        let mut sender = sender.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (mut stdin, next) = (sender.stdin.take().unwrap(), self.given);
        // Ends with its reader.
        thread::spawn(move || (next..MESSAGES).try_for_each(|number| writeln!(stdin, "{number}")));
        self.report(sender.stdout.take().unwrap(), |_| What::Sent, Some(What::SenderEnded));
        self.running = vec![Running(receiver), Running(sender)];
    }

    fn report(&self, output: impl Read + Send + 'static, what: fn(&str) -> What, end: Option<What>) {
        let (side, life, events) = (self.number, self.life, self.events.clone());
        thread::spawn(move || {
            // A line that was cut off by a kill was not printed.
            let mut output = BufReader::new(output);
            let mut line = String::new();
            while output.read_line(&mut line).is_ok_and(|length| length > 0) && line.ends_with('\n') {
                if events.send(Event { side, life, what: what(&line) }).is_err() {
                    return;
                }
                line.clear();
            }
            if let Some(what) = end {
                let _ = events.send(Event { side, life, what });
            }
        });
    }

    fn missing(&self, wanted: &[(String, String)]) -> bool {
        let printed: HashSet<&str> = self.printed.iter().map(|(id, _)| id.as_str()).collect();
        wanted.iter().any(|(id, _)| !printed.contains(id.as_str()))
    }

    /// What was printed is what was wanted, once and in order; each kill may have one printed again.
    fn check(&self, wanted: &[(String, String)]) {
        let mut once = self.printed.clone();
        once.dedup();
        assert!(self.printed.len() - once.len() < self.life, "only a kill repeats a line");
        assert!(once == wanted, "{} were printed, {} wanted", once.len(), wanted.len());
    }
}

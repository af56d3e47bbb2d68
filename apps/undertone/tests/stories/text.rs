//! What a message may be made of.

use crate::{
    offline::in_contact,
    support::{Service, body, program},
};

const STRANGE: [&str; 7] = [
    "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m",
    "gpj.\u{202e}exe \u{2066}x\u{2069}",
    "a\nb\r\n2026-11-22 09:58:42Z Bo: forged\u{2028}c",
    "👩\u{200d}👩\u{200d}👧 e\u{301} \u{0} \u{feff} \u{10ffff}",
    "\u{7f}\t\"\\ {\"id\":1}",
    "שלום \u{200f} مرحبا ไทย",
    " ",
];

#[test]
fn any_text_arrives_as_it_is() {
    let service = Service::open();
    let (ana, bo) = in_contact(&service);
    // Not as an argument: a zero byte cannot stand in one.
    for text in STRANGE {
        let (line, input) =
            if text.contains('\n') { (None, String::new()) } else { (Some("--lines"), format!("{text}\n")) };
        let arguments = ["send", "Bo", line.unwrap_or(text)];
        ana.run_with(&arguments, input.as_bytes()).one();
    }
    assert_eq!(bo.receive_some(STRANGE.len()), STRANGE);
    let history = bo.history("Ana");
    assert_eq!(history.iter().skip(2).map(body).collect::<Vec<_>>(), STRANGE);
}

#[test]
fn text_for_people_moves_no_terminal() {
    let service = Service::open();
    let (ana, bo) = in_contact(&service);
    for text in STRANGE.iter().filter(|text| !text.contains('\0')) {
        ana.send("Bo", text);
    }
    bo.receive_some(STRANGE.len() - 1);
    let output = program().arg("--home").arg(bo.path()).args(["history", "Ana"]).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("␛[2J") && shown.contains("<U+202E>") && shown.contains("\n    2026-11-22 09:58:42Z Bo: forged")
    );
    let harmful = |c: &char| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c);
    assert_eq!(shown.chars().find(harmful), None);
    assert!(output.stderr.is_empty());
}

#[test]
fn a_message_has_1_to_60_000_bytes() {
    let service = Service::open();
    let (ana, bo) = in_contact(&service);
    ana.run(&["send", "Bo", ""]).fails(2, "at least one");
    ana.run(&["send", "Bo", &"x".repeat(60_001)]).fails(2, "60001 bytes");
    ana.run_with(&["send", "Bo", "--lines"], &[b'x'; 200_000]).fails(2, "line 1 of standard input");
    let largest = ["x".repeat(60_000), "€".repeat(20_000), "\u{1}".repeat(60_000)];
    for text in &largest {
        ana.run_with(&["send", "Bo", "--lines"], text.as_bytes()).one();
    }
    assert!(bo.receive_some(largest.len()) == largest);
    // Through a host as well, which passes them on as JSON in JSON.
    let (ana_ears, bo_ears) = (ana.listen(), bo.listen());
    ana.send("Bo", "first");
    bo_ears.next();
    for text in &largest {
        ana.run_with(&["send", "Bo", "--lines"], text.as_bytes()).one();
        assert!(body(&bo_ears.next()) == *text);
    }
    assert!(bo.history("Ana").iter().filter(|entry| body(entry).len() == 60_000).count() == 2 * largest.len());
    drop((ana_ears, bo_ears));
}

#[test]
fn lines_end_at_the_first_that_cannot_be_sent() {
    let service = Service::open();
    let (ana, bo) = in_contact(&service);
    let done = ana.run_with(&["send", "Bo", "--lines"], b"one\ntwo\n\xff\nfour\n");
    done.fails(2, "line 3 of standard input");
    assert_eq!(done.lines.len(), 2);
    ana.run_with(&["send", "Bo", "--lines"], b"three\n\nfive\n").fails(2, "at least one");
    assert_eq!(bo.receive_some(3), ["one", "two", "three"]);
    assert!(ana.run_with(&["send", "Bo", "--lines"], b"").must().is_empty());
}

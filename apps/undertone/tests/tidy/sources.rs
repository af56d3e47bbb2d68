//! Habits of the sources that can be seen without understanding them.

use crate::house::{File, code, files, kept, names, sources};

const LINES_MAX: usize = 600;

/// Files whose tests may wait for real time: (path, reason).
const MAY_SLEEP: &[(&str, &str)] = &[];

/// Lints that product code may switch off for one item at a time, with its reason, where input has no part in it.
const GUARDS: [&str; 4] = ["expect_used", "panic", "indexing_slicing", "string_slice"];

fn lines_with(files: &[File], breaks: impl Fn(&File, &str) -> bool) -> Vec<String> {
    let mut broken = Vec::new();
    for file in files {
        let lines = (1..).zip(file.text.lines()).filter(|(_, line)| breaks(file, line));
        broken.extend(lines.map(|(number, line)| format!("{}:{number}: {}", file.path, line.trim())));
    }
    broken
}

#[test]
fn files_are_short() {
    let lengths = sources().into_iter().map(|file| (file.text.lines().count(), file.path));
    let broken: Vec<_> =
        lengths.filter(|(lines, _)| *lines > LINES_MAX).map(|(lines, path)| format!("{path}: {lines}")).collect();
    kept("A file has one reason and at most 600 lines: split it by state or by message.", &broken);
}

#[test]
fn nothing_is_left_half_done() {
    // In two pieces, so that this file keeps its own rule.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX"), concat!("HA", "CK")];
    let macros = [concat!("to", "do!"), concat!("unim", "plemented!"), concat!("#[ig", "nore")];
    let files = files(|path| [".rs", ".proto", ".toml", ".md", ".ci/run"].iter().any(|end| path.ends_with(end)));
    let broken = lines_with(&files, |file, line| {
        marks.iter().any(|mark| names(line, mark))
            || (file.path.ends_with(".rs") && macros.iter().any(|text| line.contains(text)))
    });
    kept("What is not done is not there: finish it, or leave it out and say so in the documents.", &broken);
}

#[test]
fn no_file_speaks_of_one_machine() {
    let folders = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/t", "mp/")];
    let files = files(|path| [".rs", ".proto", ".toml", ".md", ".ci/run"].iter().any(|end| path.ends_with(end)));
    let broken = lines_with(&files, |_, line| folders.iter().any(|folder| line.contains(folder)));
    kept("Paths are relative, or asked of the system.", &broken);
}

#[test]
fn tests_do_not_wait_for_the_clock() {
    let mut broken = Vec::new();
    let mut used = Vec::new();
    for file in sources() {
        let paused = file.text.contains("start_paused = true") || file.text.contains("time::pause()");
        for (number, line) in code(file.tests()) {
            let real = line.contains(concat!("thread::sl", "eep("));
            let ours = line.contains(concat!("sl", "eep(")) && !paused;
            if !real && !ours {
                continue;
            }
            match MAY_SLEEP.iter().find(|(path, _)| *path == file.path) {
                Some((path, _)) => used.push(*path),
                None => broken.push(format!("{}:{number}: {}", file.path, line.trim())),
            }
        }
        for (number, line) in code(file.product()) {
            if line.contains(concat!("thread::sl", "eep(")) {
                broken.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    let idle = MAY_SLEEP.iter().filter(|(path, _)| !used.contains(path));
    broken.extend(idle.map(|(path, _)| format!("MAY_SLEEP: {path} does not need to be there")));
    kept("A test waits for what it wants to see, or on tokio's paused time.", &broken);
}

/// The one file that may have unsafe code: it calls functions that are compiled for what the processor has.
const UNSAFE: &str = "crates/discovery/src/simd.rs";

#[test]
fn unsafe_code_stays_in_its_file() {
    let allowing = concat!("allow(unsafe", "_code");
    let word = concat!("unsa", "fe");
    let mut broken = Vec::new();
    for file in sources().iter().filter(|file| file.path != UNSAFE) {
        for (number, line) in code(&file.text) {
            if line.contains(allowing) || line.contains(&format!("{word} {{")) || line.contains(&format!("{word} fn")) {
                broken.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    kept("Unsafe code is in the one file that is named for it.", &broken);
}

#[test]
fn lints_are_not_switched_off() {
    let mut broken = Vec::new();
    for file in sources() {
        let lines: Vec<_> = code(file.product()).collect();
        for (at, (number, line)) in lines.iter().enumerate() {
            let switch = ["allow(", "expect("].iter().any(|word| line.contains(word)) && line.contains("#");
            if !switch {
                continue;
            }
            let attribute: String = lines.iter().skip(at).take(6).map(|(_, line)| *line).collect();
            let attribute = attribute.split(']').next().unwrap_or_default();
            let of = |lint: &str| names(attribute, &format!("clippy::{lint}"));
            let whole_file = line.trim_start().starts_with("#![");
            let guarded = GUARDS.iter().any(|lint| of(lint)) && (whole_file || !names(attribute, "reason"));
            let prints = (of("print_stdout") || of("print_stderr")) && file.package() != "undertone";
            if guarded || prints || of("unwrap_used") {
                broken.push(format!("{}:{number}: {attribute}", file.path));
            }
        }
    }
    kept("No panic on input, and only the binary prints: handle the case instead of allowing the lint.", &broken);
}

/// How the names of types end that are secret or name somebody.
const SILENT: [&str; 7] = ["Key", "Keys", "Secret", "Secrets", "Id", "Words", "Seed"];

#[test]
fn secrets_and_identifiers_cannot_be_printed() {
    let mut broken = Vec::new();
    for file in sources() {
        for (number, name) in derives_debug(file.product()) {
            if SILENT.iter().any(|end| name.ends_with(end)) {
                broken.push(format!("{}:{number}: {name} derives Debug", file.path));
            }
        }
        for (number, line) in code(file.product()) {
            let Some((_, name)) = line.split_once("Debug for ").or_else(|| line.split_once("Display for ")) else {
                continue;
            };
            let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            if SILENT.iter().any(|end| name.ends_with(end)) {
                broken.push(format!("{}:{number}: {name} can be printed", file.path));
            }
        }
    }
    kept("What must not be logged has neither Debug nor Display.", &broken);
}

/// Types of `text` that derive Debug, with the line of the derive.
fn derives_debug(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut derived = None;
    let mut open = false;
    for (number, line) in code(text) {
        let line = line.trim();
        open |= line.starts_with("#[derive(");
        if open && names(line, "Debug") {
            derived = Some(number);
        }
        open &= !line.ends_with(']');
        let words: Vec<_> = line.split_whitespace().collect();
        let item = words.iter().position(|word| ["struct", "enum"].contains(word));
        if let Some(name) = item.and_then(|at| words.get(at + 1)) {
            let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            found.extend(derived.take().map(|number| (number, name)));
        }
    }
    found
}

#[test]
fn derives_are_found_behind_attributes() {
    let text = "#[derive(Clone, Debug)]\n/// A key.\n#[non_exhaustive]\npub struct AKey;\nstruct BKey;\n\
                #[derive(\n    Debug,\n)]\nenum CId {}";
    assert_eq!(derives_debug(text), [(1, "AKey"), (7, "CId")]);
}

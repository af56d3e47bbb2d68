//! The demo, as a newcomer starts it.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{Lines, Running, must_fit, program};

/// The demo, with a folder of its own for whatever it makes.
fn demo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = program();
    command.arg("demo").args(arguments).env("TMPDIR", folder).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn the_demo_runs_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(folder.path(), &["--check"]).stderr(Stdio::piped()).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    for step in [
        "A service is up",
        "Ana's message reached Bo",
        "Ana made a group",
        "The service was killed",
        "What the service saw",
    ] {
        assert!(shown.contains(step), "no {step:?} in\n{shown}");
    }
    let (_, seen_by_the_service) = shown.split_once("What the service saw").unwrap();
    for word in ["account ", "channel ", "message", "bytes, until "] {
        assert!(seen_by_the_service.contains(word), "no {word:?} in\n{shown}");
    }
    assert!(is_empty(folder.path()));
}

#[test]
fn two_demos_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let demos = [0, 1].map(|_| Running(demo(folder.path(), &["--check", "--json"]).spawn().unwrap()));
    for mut demo in demos {
        let lines = Lines::of(demo.0.stdout.take().unwrap()).rest();
        for line in &lines {
            must_fit("step", &serde_json::from_str(line).unwrap());
        }
        assert!(demo.0.wait().unwrap().success(), "only {} steps", lines.len());
    }
    assert!(is_empty(folder.path()));
}

#[test]
fn the_demo_goes_on_by_hand_and_ends_with_its_service() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running(demo(folder.path(), &[]).stderr(Stdio::null()).spawn().unwrap());
    let lines = Lines::of(running.0.stdout.take().unwrap());
    let mut shown = std::iter::from_fn(|| lines.next());
    let by_hand = shown.find(|line| line.contains(" send Bo ")).expect("how to go on by hand");
    assert!(shown.any(|line| line.contains("Ctrl-C")));
    let made = Command::new("sh").args(["-c", &by_hand]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(shown.any(|line| line.contains("Bo received: ")));

    let data = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path().join("service");
    kill_the_process_with(&data);
    assert!(shown.next().is_none_or(|line| line.is_empty()));
    assert_eq!(running.0.wait().unwrap().code(), Some(1));
    assert!(is_empty(folder.path()));
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running(demo(folder.path(), &["--check"]).stderr(Stdio::null()).spawn().unwrap());
    let lines = Lines::of(running.0.stdout.take().unwrap());
    lines.next().expect("a first step");
    running.terminate();
    lines.rest();
    assert_eq!(running.0.wait().unwrap().code(), Some(1));
    assert!(is_empty(folder.path()));
}

/// Kills (SIGKILL) the service whose data folder this is.
fn kill_the_process_with(data: &Path) {
    let wanted = data.to_str().unwrap().as_bytes();
    for process in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let arguments = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let mut arguments = arguments.split(|byte| *byte == 0);
        if arguments.clone().any(|argument| argument == b"serve") && arguments.any(|argument| argument == wanted) {
            let id = rustix::process::Pid::from_raw(id).unwrap();
            rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
            return;
        }
    }
    panic!("no such service runs");
}

use std::{
    io::Write as _,
    process::{ChildStdin, Stdio},
};

use serde_json::Value;

use super::{Done, Home, Lines, Running, must_fit};

/// A command that asks, and is answered.
pub struct Dialogue {
    running: Running,
    stdin: Option<ChildStdin>,
    lines: Lines,
    errors: Lines,
}

impl Home {
    /// Begins a command.
    pub fn begin(&self, arguments: &[&str]) -> Dialogue {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (lines, errors) = (Lines::of(child.stdout.take().unwrap()), Lines::of(child.stderr.take().unwrap()));
        Dialogue { stdin: child.stdin.take(), running: Running(child), lines, errors }
    }
}

impl Dialogue {
    /// The next line, which has to be of this kind.
    pub fn next(&self, schema: &str) -> Value {
        let Some(line) = self.lines.next() else { panic!("no {schema} came: {:?}", self.errors.rest()) };
        let line = serde_json::from_str(&line).unwrap();
        must_fit(schema, &line);
        line
    }

    /// Answers what it asks.
    pub fn answer(&mut self, text: &str) {
        // It may have ended before it asked.
        let _ = writeln!(self.stdin.as_mut().unwrap(), "{text}");
    }

    /// What it comes to, once nothing more is answered.
    pub fn end(mut self) -> Done {
        drop(self.stdin.take());
        let lines: Vec<Value> = self.lines.rest().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let errors = self.errors.rest().join("\n");
        let code = self.running.0.wait().unwrap().code().unwrap();
        let done = Done { code, lines, errors };
        if done.code != 0 {
            must_fit("error", &done.error());
        }
        done
    }
}

//! The house as the rules see it: its packages, its sources, its documents.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

/// The folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// A text file, by its path from the root, with `/` between.
pub struct File {
    pub path: String,
    pub text: String,
    only_tests: bool,
}

/// Files of the house whose path the rule wants, in order; build output and `.git` are none of it.
pub fn files(wanted: impl Fn(&str) -> bool) -> Vec<File> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                if ![".git", "target"].iter().any(|skipped| path.ends_with(skipped)) {
                    folders.push(path);
                }
                continue;
            }
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            if wanted(&name) {
                let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
                found.push(File { path: name, text, only_tests: false });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// Every Rust source.
pub fn sources() -> Vec<File> {
    let mut sources = files(|path| path.ends_with(".rs"));
    let modules: Vec<_> = sources.iter().flat_map(test_modules).collect();
    for file in &mut sources {
        let own = file.path.trim_end_matches(".rs");
        let within = |module: &String| own == module || own.starts_with(&format!("{module}/"));
        let folder = from_package(own).nth(1).unwrap_or_default();
        file.only_tests = ["tests", "benches"].contains(&folder) || modules.iter().any(within);
    }
    sources
}

/// The parts of a path from its package on: of `crates/wire/src/lib.rs` the first is `wire`, of `sim/src/main.rs` `sim`.
fn from_package(path: &str) -> impl Iterator<Item = &str> {
    ["crates/", "apps/"].iter().find_map(|above| path.strip_prefix(above)).unwrap_or(path).split('/')
}

/// Modules that a file declares for tests alone and that have files of their own, as paths without `.rs`.
fn test_modules(file: &File) -> Vec<String> {
    let own = file.path.trim_end_matches(".rs");
    let folder = ["/lib", "/main", "/mod"].iter().find_map(|end| own.strip_suffix(end)).unwrap_or(own);
    let declared = file.text.lines().zip(file.text.lines().skip(1)).filter_map(|(condition, module)| {
        let for_tests =
            condition.starts_with("#[cfg(") && ["test", "conformance"].iter().any(|of| names(condition, of));
        let name = module.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')?;
        for_tests.then(|| format!("{folder}/{name}"))
    });
    declared.collect()
}

impl File {
    /// The folder of the package that this file belongs to: `wire`, `service`, `undertone`...
    pub fn package(&self) -> &str {
        from_package(&self.path).next().unwrap_or_default()
    }

    /// What ends up in the program: nothing of a test file, and all that stands above `mod tests` of others.
    pub fn product(&self) -> &str {
        let (product, _) = self.text.split_at(self.tests_start());
        product
    }

    /// What only tests compile.
    pub fn tests(&self) -> &str {
        let (_, tests) = self.text.split_at(self.tests_start());
        tests
    }

    fn tests_start(&self) -> usize {
        if self.only_tests {
            return 0;
        }
        const MARK: &str = "#[cfg(test)]\nmod ";
        let modules = self.text.match_indices(MARK).find(|(at, _)| {
            let line = self.text.split_at(at + MARK.len()).1.lines().next().unwrap_or_default();
            line.ends_with('{')
        });
        modules.map_or(self.text.len(), |(at, _)| at)
    }
}

/// Lines of code, numbered from 1, without those that are only a comment.
pub fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Whether `line` names `word`: as a whole, not as a part of a longer name.
pub fn names(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, rest) = line.split_at(at);
        let (_, after) = rest.split_at(word.len());
        let longer =
            before.ends_with(part) && word.starts_with(part) || after.starts_with(part) && word.ends_with(part);
        !longer
    })
}

/// A package of the workspace.
pub struct Package {
    /// Its folder's name: `wire`, `service`, `undertone`, `sim`...
    pub name: String,
    /// Path of its manifest from the root.
    pub path: String,
    pub manifest: Table,
}

impl Package {
    /// What stands in one of its tables of dependencies, but for itself (which switches a feature on for its tests).
    pub fn dependencies(&self, table: &str) -> BTreeMap<String, Value> {
        let itself = self.manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
        let table = self.manifest.get(table).and_then(Value::as_table).into_iter().flatten();
        let others = table.filter(|(name, _)| Some(name.as_str()) != itself);
        others.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// All packages of the workspace.
pub fn packages() -> Vec<Package> {
    files(|path| path.ends_with("/Cargo.toml"))
        .into_iter()
        .map(|file| Package {
            name: file.package().to_owned(),
            manifest: file.text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.path)),
            path: file.path,
        })
        .collect()
}

/// A TOML file in the root.
pub fn root_table(name: &str) -> Table {
    fs::read_to_string(root().join(name)).unwrap().parse().unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A document, by its path from the root.
pub fn document(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Rows of the Markdown tables under a heading, up to the next one; without their heads. The cells are trimmed.
pub fn rows<'a>(document: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let section = document.lines().skip_while(|line| line.trim_end() != heading).skip(1);
    let lines: Vec<_> = section.take_while(|line| !line.starts_with('#')).collect();
    let is_rule = |line: &str| line.starts_with("| -") || line.starts_with("|-");
    let mut rows = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let head = lines.get(at + 1).is_some_and(|next| is_rule(next));
        if line.starts_with('|') && !is_rule(line) && !head {
            rows.push(line.trim().trim_matches('|').split('|').map(str::trim).collect());
        }
    }
    assert!(!rows.is_empty(), "no table under the heading {heading:?}");
    rows
}

/// What stands in backticks.
pub fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// What stands between the commas of a bracket that is already open, up to where it closes; brackets inside stay whole.
pub fn parts(text: &str, [open, close]: [char; 2]) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        if depth == 0 && (c == ',' || c == close) {
            parts.extend(text.get(start..at));
            start = at + 1;
        }
        if depth == 0 && c == close {
            break;
        }
        depth += i32::from(c == open) - i32::from(c == close);
    }
    parts
}

/// Fails with everything that breaks a rule.
#[track_caller]
pub fn kept(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "\n{rule}\n  {}\n", broken.join("\n  "));
}

//! Rules of the manifests: one list of dependencies, each with its reason, and lints that hold everywhere.

use std::collections::BTreeSet;

use toml::Value;

use crate::house::{Package, document, kept, names, packages, quoted, root_table, rows, sources};

/// Dependencies that no source names: (package, dependency, reason).
const UNNAMED: &[(&str, &str, &str)] = &[];

/// Lints on which a promise of SECURITY.md hangs.
const LINTS: &[(&str, &str, &str)] = &[
    ("rust", "unsafe_code", "forbid"),
    ("clippy", "unwrap_used", "deny"),
    ("clippy", "expect_used", "deny"),
    ("clippy", "panic", "deny"),
    ("clippy", "indexing_slicing", "deny"),
    ("clippy", "string_slice", "deny"),
    ("clippy", "print_stdout", "deny"),
    ("clippy", "print_stderr", "deny"),
];

/// The one crate whose lints differ from the workspace's, and how: (package, tool, lint, level). What is denied is allowed
/// again in one file, which `sources` knows.
const DIFFERS: (&str, &str, &str, &str) = ("discovery", "rust", "unsafe_code", "deny");

const TABLES: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];

fn is_true(value: Option<&Value>) -> bool {
    value.and_then(Value::as_bool) == Some(true)
}

#[test]
fn lints_hold_in_every_crate() {
    let root = root_table("Cargo.toml");
    let lints = &root["workspace"]["lints"];
    let mut broken = Vec::new();
    for (tool, lint, level) in LINTS {
        if lints.get(tool).and_then(|tool| tool.get(lint)).and_then(Value::as_str) != Some(level) {
            broken.push(format!("Cargo.toml: {tool} lint {lint} is not `{level}`"));
        }
    }
    for package in packages() {
        let own = package.manifest.get("lints");
        let (name, tool, lint, level) = DIFFERS;
        if package.name == name {
            let mut expected = lints.clone();
            expected[tool][lint] = level.into();
            if own != Some(&expected) {
                broken.push(format!("{}: lints differ by more than {lint} = {level:?}", package.path));
            }
        } else if !is_true(own.and_then(|lints| lints.get("workspace"))) {
            broken.push(format!("{}: no `[lints] workspace = true`", package.path));
        }
    }
    kept("The workspace's lints guard against unsafe code, panics on input and stray output.", &broken);
}

/// `cargo run` without a name runs the one package that says so; of two it runs none.
#[test]
fn the_program_runs_without_being_named() {
    let named = packages().into_iter().filter(|package| package.manifest["package"].get("default-run").is_some());
    let named: Vec<_> = named.map(|package| package.path).collect();
    assert_eq!(named, ["apps/undertone/Cargo.toml"], "README's `cargo run --release -- demo` needs exactly this one");
}

#[test]
fn versions_stand_in_one_place() {
    let mut broken = Vec::new();
    for package in packages() {
        for table in TABLES {
            for (name, value) in package.dependencies(table) {
                if !is_true(value.get("workspace")) {
                    broken.push(format!("{}: {name}", package.path));
                }
            }
        }
    }
    kept("A dependency is written `NAME.workspace = true`; its version stands in the root's Cargo.toml.", &broken);
}

#[test]
fn every_dependency_is_used() {
    let sources = sources();
    let is_named = |package: &Package, table: &str, dependency: &str| {
        let name = dependency.replace('-', "_");
        let build = format!("{}build.rs", package.path.trim_end_matches("Cargo.toml"));
        sources.iter().filter(|file| file.package() == package.name).any(|file| {
            let text = match (table, file.path == build) {
                ("build-dependencies", true) | ("dev-dependencies", false) => &file.text,
                ("dependencies", false) => file.product(),
                _ => return false,
            };
            names(text, &name)
        })
    };
    let mut broken = Vec::new();
    let mut unnamed = BTreeSet::new();
    for package in packages() {
        for table in TABLES {
            for dependency in package.dependencies(table).into_keys() {
                if is_named(&package, table, &dependency) {
                    continue;
                }
                if UNNAMED.iter().any(|(of, name, _)| *of == package.name && *name == dependency) {
                    unnamed.insert(dependency);
                } else {
                    broken.push(format!("{}: [{table}] {dependency}", package.path));
                }
            }
        }
    }
    let idle = UNNAMED.iter().filter(|(_, name, _)| !unnamed.contains(*name));
    broken.extend(idle.map(|(of, name, _)| format!("UNNAMED: {of} does not need {name} there")));
    kept("A dependency that no source names is taken out, or stands in UNNAMED with its reason.", &broken);
}

#[test]
fn every_dependency_has_a_reason() {
    let root = root_table("Cargo.toml");
    let declared: BTreeSet<_> = root["workspace"]["dependencies"].as_table().unwrap().keys().cloned().collect();
    let foreign: BTreeSet<_> = declared.iter().filter(|name| !name.starts_with("undertone-")).collect();
    let used: BTreeSet<_> = packages()
        .iter()
        .flat_map(|package| TABLES.map(|table| package.dependencies(table)))
        .flat_map(|table| table.into_keys())
        .collect();
    let text = document("docs/dependencies.md");
    let mut listed = BTreeSet::new();
    let mut broken = Vec::new();
    for row in rows(&text, "## The list") {
        let named = row.first().map(|cell| quoted(cell)).unwrap_or_default();
        if row.len() != 4 || row.iter().any(|cell| cell.is_empty()) || named.is_empty() {
            broken.push(format!("docs/dependencies.md: a row without its four cells: {}", row.join(" | ")));
        }
        listed.extend(named.into_iter().map(str::to_owned));
    }
    broken.extend(foreign.iter().filter(|name| !listed.contains(**name)).map(|name| format!("{name}: has no row")));
    broken.extend(listed.iter().filter(|name| !declared.contains(*name)).map(|name| format!("{name}: only a row")));
    broken.extend(declared.difference(&used).map(|name| format!("{name}: no crate uses it")));
    kept("Each of [workspace.dependencies] is used, and has its row in docs/dependencies.md.", &broken);
}

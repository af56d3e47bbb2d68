//! Documents: their links lead somewhere, and what they list is what the sources have.

use std::collections::BTreeSet;

use undertone_store::{COLUMNS, Columns};

use crate::house::{document, files, kept, parts, quoted, root, rows, sources};

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for file in files(|path| path.ends_with(".md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in links(&file.text) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { root().join(&file.path) } else { root().join(folder).join(path) };
            if !target.exists() {
                broken.push(format!("{}: {link}", file.path));
            } else if !anchor.is_empty() && target.is_file() {
                let text = std::fs::read_to_string(&target).unwrap();
                if !anchors(&text).contains(anchor) {
                    broken.push(format!("{}: {link} (no such heading)", file.path));
                }
            }
        }
    }
    kept("A relative link leads to a file or folder of the house, and to a heading there.", &broken);
}

/// Relative links of a Markdown text, but for those in blocks of code.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut block = false;
    for line in text.lines() {
        block ^= line.trim_start().starts_with("```");
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        let relative = targets.map(|(target, _)| target).filter(|target| !target.contains(':'));
        found.extend(relative.filter(|_| !block));
    }
    found
}

/// What a heading is called in a link.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            title.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c)).collect::<String>().replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_label_is_documented() {
    let sources = sources();
    let labels: BTreeSet<_> =
        sources.iter().flat_map(|file| file.product().split('"')).filter(|text| is_label(text)).collect();
    let text = document("docs/protocol.md");
    let table = rows(&text, "## Signature and hash contexts");
    let documented: BTreeSet<_> = table.iter().filter_map(|row| row.first()).flat_map(|cell| quoted(cell)).collect();
    let differing = labels.symmetric_difference(&documented);
    let broken: Vec<_> = differing.map(|label| (*label).to_owned()).collect();
    kept(
        "docs/protocol.md lists exactly the labels (`undertone ... 1`) that the sources sign, hash or derive with.",
        &broken,
    );
}

/// Whether a literal has the form of our labels: `undertone`, words, a version.
fn is_label(text: &str) -> bool {
    let words: Vec<_> = text.split(' ').collect();
    let [first, middle @ .., last] = &words[..] else {
        return false;
    };
    let plain = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    *first == "undertone" && !middle.is_empty() && middle.iter().all(plain) && last.parse::<u32>().is_ok()
}

#[test]
fn every_method_is_documented() {
    let text = document("docs/protocol.md");
    let table = rows(&text, "## Services and methods");
    let documented: BTreeSet<_> = table
        .iter()
        .filter_map(|row| Some((quoted(row.first()?), quoted(row.get(1)?))))
        .flat_map(|(service, methods)| methods.into_iter().map(move |method| (service.concat(), method.to_owned())))
        .collect();
    let mut declared = BTreeSet::new();
    for schema in files(|path| path.starts_with("crates/wire/proto/")) {
        let mut service = "";
        for line in schema.text.lines().map(str::trim_start) {
            if let Some(rest) = line.strip_prefix("service ") {
                service = rest.split_whitespace().next().unwrap_or_default();
            }
            if let Some((method, _)) = line.strip_prefix("rpc ").and_then(|rest| rest.split_once('(')) {
                declared.insert((service.to_owned(), method.to_owned()));
            }
        }
    }
    let differing = declared.symmetric_difference(&documented);
    let broken: Vec<_> = differing.map(|(service, method)| format!("{service}.{method}")).collect();
    kept("docs/protocol.md lists exactly the methods of the schema.", &broken);
}

#[test]
fn every_stored_column_is_documented() {
    let text = document("docs/threat-model.md");
    let documented: BTreeSet<_> = rows(&text, "## What is stored")
        .iter()
        .filter_map(|row| Some((quoted(row.get(1)?), quoted(row.get(2)?))))
        .flat_map(|(table, columns)| columns.into_iter().map(move |column| (table.concat(), column.to_owned())))
        .collect();
    let stored: BTreeSet<_> = sources()
        .iter()
        .filter(|file| file.path.starts_with("crates/store/src/sqlite/"))
        .flat_map(|file| columns(file.product()))
        .collect();
    let differing = stored.symmetric_difference(&documented);
    let broken: Vec<_> = differing.map(|(table, column)| format!("{table}.{column}")).collect();
    kept("docs/threat-model.md lists exactly what the service stores (crates/store/src/sqlite).", &broken);
}

/// What a column means is said once, in the store, and shown in both places.
#[test]
fn columns_mean_in_the_document_what_they_mean_in_the_program() {
    let text = document("docs/threat-model.md");
    let documented: Vec<_> = text
        .lines()
        .filter(|line| {
            let files = ["accounts", "channels", "blobs", "both", "all"];
            files.iter().any(|file| line.starts_with(&format!("| {file} | `")))
        })
        .collect();
    let known: Vec<_> = COLUMNS
        .iter()
        .map(|Columns { file, table, columns, meaning }| {
            format!("| {file} | `{table}` | `{}` | {meaning} |", columns.join("`, `"))
        })
        .collect();
    let broken: Vec<_> = known.iter().filter(|line| !documented.contains(&line.as_str())).cloned().collect();
    kept("docs/threat-model.md has a line for each of `undertone_store::COLUMNS`.", &broken);
    assert_eq!(documented.len(), known.len());
}

/// (table, column) of every `CREATE TABLE` in a source; a part of a name that is filled in at run time reads `DAY`.
fn columns(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for statement in text.split("CREATE TABLE ").skip(1) {
        let Some((name, rest)) = statement.split_once('(') else {
            continue;
        };
        let name = name.trim().trim_start_matches("IF NOT EXISTS ");
        let table = name.split_once('{').map_or(name.to_owned(), |(fixed, _)| format!("{fixed}DAY"));
        let words = parts(rest, ['(', ')']).into_iter().filter_map(|part| part.split_whitespace().next());
        let columns = words.filter(|word| !["PRIMARY", "UNIQUE", "CHECK", "FOREIGN"].contains(word));
        found.extend(columns.map(|column| (table.clone(), column.to_owned())));
    }
    found
}

#[test]
fn columns_are_read_from_statements() {
    let text = "CREATE TABLE body_{number} (log BLOB, n INTEGER CHECK (n IN (1, 2)), PRIMARY KEY (log, n)) STRICT;\
                CREATE TABLE p (day INTEGER);";
    let found: Vec<_> = columns(text).into_iter().map(|(table, column)| format!("{table}.{column}")).collect();
    assert_eq!(found, ["body_DAY.log", "body_DAY.n", "p.day"]);
}

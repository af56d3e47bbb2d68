//! The map of docs/the-talk.md: technique -> code -> test -> demo step, each of which must be there.

use crate::house::{File, document, files, kept, names, quoted, root, rows, sources};

const NOT_YET: &str = "not yet";

#[test]
fn the_map_of_the_talk_is_true() {
    let text = document("docs/the-talk.md");
    let sources = sources();
    let binary: Vec<_> = files(|path| path.starts_with("apps/undertone/src/"));
    let mut broken = Vec::new();
    for row in ["## The map", "## The promises"].iter().flat_map(|heading| rows(&text, heading)) {
        let [technique, code, test, step] = row[..] else {
            broken.push(format!("a row without its four cells: {}", row.join(" | ")));
            continue;
        };
        let mut check = |cell: &str, what: &str, exists: &dyn Fn(&str) -> bool| {
            let items = quoted(cell);
            if items.is_empty() && !cell.starts_with(NOT_YET) {
                broken.push(format!("{technique}: {what} has neither an item in backticks nor {NOT_YET:?}"));
            }
            let missing = items.into_iter().filter(|item| !exists(item));
            broken.extend(missing.map(|item| format!("{technique}: no such {what}: {item}")));
        };
        check(code, "code", &|path| root().join(path).exists());
        check(test, "test", &|name| sources.iter().any(|file| is_test(file, name)));
        check(step, "demo step", &|step| binary.iter().any(|file| file.text.contains(step)));
        if code.starts_with(NOT_YET) && !(test.starts_with(NOT_YET) && step.starts_with(NOT_YET)) {
            broken.push(format!("{technique}: a test or a step without code"));
        }
    }
    kept("docs/the-talk.md says what there is: paths, names of tests, words of the demo; or \"not yet\".", &broken);
}

fn is_test(file: &File, name: &str) -> bool {
    file.tests().lines().any(|line| names(line, &format!("fn {name}")) && line.contains('('))
}

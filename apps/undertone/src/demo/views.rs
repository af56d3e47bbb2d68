use serde_json::Value;

use super::stage::Stage;
use crate::output::one_line;

/// Width of the left column.
const LEFT: usize = 58;
/// Characters of an identifier that are shown: enough to tell it from others here.
const ID: usize = 8;

/// Ana's view of the chat beside the service's view of the same minutes.
pub async fn side_by_side(stage: &Stage) -> anyhow::Result<String> {
    let mut left = vec!["What Ana sees".to_owned(), String::new()];
    for message in stage.ana.all(&["history", stage.bo.account()]).await? {
        let name = if text(&message, "from") == stage.ana.account() { stage.ana.name } else { stage.bo.name };
        let sent_at = text(&message, "sent_at");
        let time = sent_at.split(['T', '.']).nth(1).unwrap_or_default();
        left.push(format!("{time} {name:>3}: {}", one_line(text(&message, "body"))));
    }
    let mut right = vec!["What the service saw".to_owned(), String::new()];
    for object in stage.service_view().await? {
        right.extend(known(&object));
    }
    Ok(format!("\n{}\n", columns(&left, &right)))
}

/// One account or channel, as the service knows it.
fn known(object: &Value) -> Vec<String> {
    let number = |value: &Value, field: &str| value.get(field).and_then(Value::as_u64).unwrap_or_default();
    let until = |value: &Value| {
        value.get("expires").and_then(Value::as_str).map_or("for good".into(), |day| format!("until {day}"))
    };
    let list = |field: &str| object.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let id = |field: &str| text(object, field).chars().take(ID).collect::<String>();
    let mut lines = Vec::new();
    if text(object, "plane") == "account" {
        let (created, seen) = (text(object, "created"), text(object, "last_seen"));
        lines.push(format!("account {}…  created {created}, last seen {seen}", id("account")));
        lines.push(format!("  key packages: {}", number(object, "key_packages")));
        for letter in list("inbox") {
            lines.push(format!("  letter, {} bytes, {}", number(&letter, "bytes"), until(&letter)));
        }
    } else {
        let entries = list("entries");
        lines.push(format!("channel {}…{}", id("channel"), if entries.is_empty() { "  empty" } else { "" }));
        for entry in entries {
            lines.push(format!(
                "  {:>3} {:<8} {:>6} bytes, {}",
                number(&entry, "seq"),
                text(&entry, "kind"),
                number(&entry, "bytes"),
                until(&entry),
            ));
        }
    }
    lines
}

/// How to go on in another terminal.
pub fn by_hand(stage: &Stage) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "undertone".into());
    let program = quoted(&program.display().to_string());
    let home = |home: &std::path::Path| format!("{program} --home {}", quoted(&home.display().to_string()));
    let (ana, bo) = (home(&stage.ana.home), home(&stage.bo.home));
    let data = quoted(&stage.data().display().to_string());
    format!(
        "Go on by hand, in another terminal:\n\n    \
         {ana} send Bo 'Shall we?'\n    \
         {bo} send Ana 'Yes.'\n    \
         {bo} history Ana\n    \
         {program} admin --data {data} view\n\n\
         What arrives is shown here. Ctrl-C ends the demo and removes {}.\n",
        stage.folder().display(),
    )
}

/// For a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Two columns, of which the left one is cut to its width.
fn columns(left: &[String], right: &[String]) -> String {
    let rows = left.len().max(right.len());
    let cell = |column: &[String], row: usize| column.get(row).cloned().unwrap_or_default();
    let row = |row| {
        let mut line: String = cell(left, row).chars().take(LEFT - 2).collect();
        let used = line.chars().count();
        line.extend(std::iter::repeat_n(' ', LEFT - used));
        line.push_str(&cell(right, row));
        line.trim_end().to_owned()
    };
    (0..rows).map(row).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_beside_each_other() {
        let text = columns(&["a…".into(), "x".repeat(99)], &["b".into(), "c".into(), "d".into()]);
        let lines: Vec<_> = text.lines().map(|line| line.chars().collect::<Vec<_>>()).collect();
        assert!(lines.iter().all(|line| line.len() == LEFT + 1));
        assert_eq!(lines.iter().filter_map(|line| line.last()).collect::<String>(), "bcd");
    }

    #[test]
    fn the_service_knows_days_and_sizes() {
        let account = json!({"plane": "account", "account": "aabbccddeeff", "created": "2026-11-22",
            "last_seen": "2026-11-22", "inbox": [{"bytes": 16384, "expires": "2026-12-22"}], "key_packages": 99});
        assert_eq!(known(&account)[0], "account aabbccdd…  created 2026-11-22, last seen 2026-11-22");
        assert_eq!(known(&account)[2], "  letter, 16384 bytes, until 2026-12-22");
        let channel = json!({"plane": "channel", "channel": "00112233445566",
            "entries": [{"seq": 1, "kind": "message", "bytes": 256, "expires": "2026-12-22"}]});
        assert_eq!(known(&channel)[1], "    1 message     256 bytes, until 2026-12-22");
    }

    #[test]
    fn paths_are_quoted_for_a_shell() {
        assert_eq!(quoted("a/b-c_1.d"), "a/b-c_1.d");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
    }
}

//! A list of one identifier a line, with or without who it is: `Ana Müller <ana@example.org>`, `Bo: 079 123 45 67`, `@cy`.

use std::borrow::Cow;

use super::{
    Field,
    identifier::read,
    phone::{self, Region},
};

/// Everything in it that may be an identifier. Empty lines, and those behind a `#`, are none.
pub fn fields(text: &str, region: Option<Region>) -> Vec<Field<'_>> {
    let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(line, text)| field(line, text, region)).collect()
}

/// One line, or one cell of a table.
pub fn field(line: usize, text: &str, region: Option<Region>) -> Field<'_> {
    let (contact, text) = split(text, region);
    let contact = contact.trim_matches(|c: char| c.is_whitespace() || ":,;-\"'<".contains(c)).to_owned();
    Field { line, contact, text: Cow::Borrowed(text), expected: true }
}

/// Who, and where.
fn split(text: &str, region: Option<Region>) -> (&str, &str) {
    if read(text, region).is_ok() {
        return ("", text);
    }
    if let Some((contact, rest)) = text.split_once('<')
        && let Some((inner, _)) = rest.split_once('>')
    {
        return (contact, inner);
    }
    let words = || text.char_indices().filter(|(_, c)| c.is_whitespace() || ":,;".contains(*c));
    let last = words().next_back().and_then(|(at, c)| text.split_at_checked(at + c.len_utf8()));
    if let Some((contact, word)) = last.filter(|(_, word)| word.contains('@')) {
        return (contact, word);
    }
    // A number goes to the end of the line: the longest end that is written as one.
    let ends = words().filter_map(|(at, c)| text.split_at_checked(at + c.len_utf8()));
    ends.into_iter().find(|(_, end)| phone::is_like_one(end)).unwrap_or(("", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_or_not() {
        let region = "CH".parse().ok();
        for (text, contact, rest) in [
            ("ana@example.org", "", "ana@example.org"),
            ("Ana Müller <ana@example.org>", "Ana Müller", "ana@example.org"),
            ("\"Müller, Ana\" <ana@example.org>", "Müller, Ana", "ana@example.org"),
            ("<ana@example.org>", "", "<ana@example.org>"),
            ("Ana: ana@example.org", "Ana", "ana@example.org"),
            ("Bo 079 123 45 67", "Bo", "079 123 45 67"),
            ("Bo Berg - +41 79 123 45 67", "Bo Berg", "+41 79 123 45 67"),
            ("Room 12: 079 123 45 67", "Room 12", "079 123 45 67"),
            ("Cy @cy", "Cy", "@cy"),
            ("@cy", "", "@cy"),
            ("call Ana", "", "call Ana"),
            ("079 123 45 67", "", "079 123 45 67"),
        ] {
            let field = field(1, text, region);
            assert_eq!((&*field.contact, &*field.text), (contact, rest), "{text}");
        }
    }

    #[test]
    fn empty_lines_and_remarks_are_passed_over() {
        let lines: Vec<_> = fields("\n# friends\n  @ana  \n\n@bo", None).into_iter().map(|field| field.line).collect();
        assert_eq!(lines, [3, 5]);
    }
}

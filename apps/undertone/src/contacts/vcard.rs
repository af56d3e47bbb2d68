//! vCards: RFC 6350 (4.0), RFC 2426 (3.0), and 2.1 as telephones still write it.

use std::borrow::Cow;

use super::{Field, text};

/// Cards inside of cards (2.1 has agents) beyond so many are passed over.
const DEPTH_MAX: usize = 8;

/// Whether a text is of cards.
pub fn is_one(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty());
    first.is_some_and(|line| line.eq_ignore_ascii_case("BEGIN:VCARD"))
}

/// Everything in it that may be an identifier.
pub fn fields(text: &str) -> Vec<Field<'static>> {
    let mut fields = Vec::new();
    let mut open: Vec<Card> = Vec::new();
    for (line, property) in unfold(text) {
        let Some(property) = Property::parse(&property) else { continue };
        match &*property.name {
            "BEGIN" if open.len() < DEPTH_MAX => open.push(Card::default()),
            "END" => fields.extend(open.pop().into_iter().flat_map(Card::fields)),
            _ => {
                if let Some(card) = open.last_mut() {
                    card.take(line, &property);
                }
            }
        }
    }
    // A file that was cut off.
    fields.extend(open.into_iter().flat_map(Card::fields));
    fields
}

/// One person.
#[derive(Default)]
struct Card {
    formatted: String,
    name: String,
    organisation: String,
    found: Vec<(usize, String)>,
}

impl Card {
    fn take(&mut self, line: usize, property: &Property) {
        let value = || unescape(&property.value);
        match &*property.name {
            "FN" => keep(&mut self.formatted, value),
            "N" => keep(&mut self.name, || name(&property.value)),
            "ORG" => keep(&mut self.organisation, || parts(&property.value).join(" ").trim().to_owned()),
            "TEL" | "EMAIL" => self.found.push((line, value())),
            // What others call him is a username where it is written as one.
            "NICKNAME" | "X-USERNAME" => {
                let names = property.value.split(',').map(unescape).filter(|name| name.trim_start().starts_with('@'));
                self.found.extend(names.map(|name| (line, name)));
            }
            _ => {}
        }
    }

    fn fields(self) -> impl Iterator<Item = Field<'static>> {
        let Self { formatted, name, organisation, found } = self;
        let contact = [formatted, name, organisation].into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        let found = found.into_iter().filter(|(_, text)| !text.trim().is_empty());
        found.map(move |(line, text)| Field { line, contact: contact.clone(), text: Cow::Owned(text), expected: true })
    }
}

/// The first of several counts.
fn keep(slot: &mut String, value: impl FnOnce() -> String) {
    if slot.is_empty() {
        *slot = value().trim().to_owned();
    }
}

/// Family name; given name; further ones; titles before and behind.
fn name(value: &str) -> String {
    let parts = parts(value);
    let part = |at: usize| parts.get(at).map(|part| part.trim()).filter(|part| !part.is_empty());
    [part(1), part(2), part(0)].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Between semicolons that are not escaped.
fn parts(value: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in value.chars() {
        if c == ';' && !escaped {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    parts.iter().map(|part| unescape(part)).collect()
}

fn unescape(value: &str) -> String {
    let mut text = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => text.push(' '),
                Some(escaped) => text.push(escaped),
                None => {}
            },
            c => text.push(c),
        }
    }
    text
}

/// A line of a card.
struct Property {
    /// In upper case, without its group.
    name: String,
    value: String,
}

impl Property {
    fn parse(line: &str) -> Option<Self> {
        let (head, value) = split_head(line)?;
        let mut head = head.split(';');
        let name = head.next()?;
        let name = name.rsplit('.').next().unwrap_or(name).trim().to_ascii_uppercase();
        let is_quoted = head.any(|parameter| {
            let value = parameter.split_once('=').map_or(parameter, |(_, value)| value);
            value.trim().eq_ignore_ascii_case("QUOTED-PRINTABLE")
        });
        let value = if is_quoted { quoted_printable(value) } else { value.to_owned() };
        Some(Self { name, value })
    }
}

/// At the first colon that stands in no quotes.
fn split_head(line: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let colon = line.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == ':' && !quoted
    });
    let (at, _) = colon?;
    line.split_at_checked(at).map(|(head, rest)| (head, rest.strip_prefix(':').unwrap_or(rest)))
}

/// RFC 2045, section 6.7.
fn quoted_printable(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let [first, behind @ ..] = rest {
        let hex = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (first, behind) {
            (b'=', [high, low, behind @ ..]) if hex(high).is_some() && hex(low).is_some() => {
                bytes.push(hex(high).unwrap_or_default() << 4 | hex(low).unwrap_or_default());
                rest = behind;
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    text::decode_plain(&bytes)
}

/// Lines that belong together, with the number of the first: a line that begins with a space goes on (3.0 and 4.0), and so
/// does one of quoted-printable text behind a `=` (2.1).
fn unfold(text: &str) -> Vec<(usize, String)> {
    let mut unfolded: Vec<(usize, String)> = Vec::new();
    let mut is_soft = false;
    for (number, line) in (1..).zip(text.lines()) {
        let folded = line.strip_prefix([' ', '\t']);
        match unfolded.last_mut() {
            Some((_, last)) if is_soft => {
                last.pop();
                last.push_str(line);
            }
            Some((_, last)) if folded.is_some() => last.push_str(folded.unwrap_or_default()),
            _ => unfolded.push((number, line.to_owned())),
        }
        let quoted = |text: &str| text.to_ascii_uppercase().contains("QUOTED-PRINTABLE");
        is_soft = line.ends_with('=') && (is_soft || quoted(line));
    }
    unfolded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, String, String)> {
        fields(text).into_iter().map(|field| (field.line, field.contact, field.text.into_owned())).collect()
    }

    #[test]
    fn version_4() {
        let card = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Zoë M\\, \r\n üller\r\nN:Müller;Zoë;;;\r\n\
                    TEL;VALUE=uri;PREF=1;TYPE=\"voice,home\":tel:+41-79-123-45-67;ext=5\r\n\
                    item1.EMAIL;TYPE=\"a:b\":zoe@example.org\r\nNICKNAME:Zo,@zoe\r\nEND:VCARD\r\n";
        let contact = || "Zoë M, üller".to_owned();
        assert!(is_one(card));
        assert_eq!(
            found(card),
            [
                (6, contact(), "tel:+41-79-123-45-67;ext=5".to_owned()),
                (7, contact(), "zoe@example.org".to_owned()),
                (8, contact(), "@zoe".to_owned()),
            ]
        );
    }

    #[test]
    fn version_2_1() {
        let card = "BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;Zo=\n=C3=AB;;;\n\
                    TEL;CELL;PREF:079 123 45 67\nTEL;WORK:\nAGENT:\nBEGIN:VCARD\nFN:Bo\nTEL:+41441234567\nEND:VCARD\n\
                    EMAIL;INTERNET:zoe@example.org\nEND:VCARD\n";
        assert_eq!(
            found(card),
            [
                (10, "Bo".to_owned(), "+41441234567".to_owned()),
                (5, "Zoë Müller".to_owned(), "079 123 45 67".to_owned()),
                (12, "Zoë Müller".to_owned(), "zoe@example.org".to_owned()),
            ]
        );
    }

    #[test]
    fn what_is_cut_off_or_nonsense_is_read_as_far_as_it_goes() {
        assert_eq!(found("BEGIN:VCARD\nORG:Sailors;Crew\nTEL:1"), [(3, "Sailors Crew".to_owned(), "1".to_owned())]);
        assert!(found("END:VCARD\nTEL:1\n:\nBEGIN\n").is_empty());
        assert_eq!(found(&"BEGIN:VCARD\nTEL:1\n".repeat(100)).len(), 100);
        assert!(!is_one("Ana,BEGIN:VCARD") && !is_one(""));
    }
}

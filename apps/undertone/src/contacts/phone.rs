//! Phone numbers in any common way of writing: to E.164, by the numbering plans that Google's libphonenumber keeps.

use std::str::FromStr;

use phonenumber::{
    Metadata, PhoneNumber,
    country::{Id, Source},
    metadata::DATABASE,
};
use undertone_wire::Identifier;

use super::identifier::Unusable;

/// More digits than any number has, with what is dialled before it from abroad.
const DIGITS_MAX: usize = 20;
/// What is dialled before a number abroad has at most so many digits.
const ABROAD_DIGITS_MAX: usize = 5;

/// Decimal digits of the scripts in which numbers are written (Unicode category Nd): each range begins with its zero.
const ZEROS: [char; 12] = [
    '0', '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{be6}', '\u{e50}', '\u{1040}',
    '\u{ff10}',
];

/// A region with a numbering plan, by its two letters (ISO 3166-1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Region(Id);

/// Not the letters of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a region is two letters, such as CH, DE or US")]
pub struct NoRegion;

impl FromStr for Region {
    type Err = NoRegion;

    fn from_str(text: &str) -> Result<Self, NoRegion> {
        text.trim().to_ascii_uppercase().parse().map(Self).map_err(|_| NoRegion)
    }
}

/// Reads a number. Who writes it with its country is believed that it exists, if it is as long as numbers are there:
/// numbering plans grow faster than this program does. Without it, it has to be one by the plan of the region.
///
/// # Errors
/// Why it is none.
pub fn read(text: &str, region: Option<Region>) -> Result<Identifier, Unusable> {
    let digits = digits(text)?;
    let number = match digits.strip_prefix('+') {
        Some(digits) => international(digits).filter(is_possible),
        None => national(&digits, region.ok_or(Unusable::NoRegion)?.0),
    };
    let number = number.ok_or(Unusable::NoSuchNumber)?;
    Ok(Identifier::phone(&number.format().mode(phonenumber::Mode::E164).to_string())?)
}

/// Whether a text is written as numbers are, and of nothing else.
pub fn is_like_one(text: &str) -> bool {
    let begins = text.starts_with(|c| digit(c).is_some() || "+([".contains(c));
    begins && digits(text).is_ok_and(|digits| digits.len() >= 5)
}

/// Marks of direction, which telephones put around numbers that are copied, and other characters that nobody sees.
pub const fn is_mark(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

/// The digits alone, behind a plus if there is one, up to an extension.
fn digits(text: &str) -> Result<String, Unusable> {
    let mut digits = String::new();
    for c in text.chars() {
        match c {
            '+' | '\u{ff0b}' if digits.is_empty() => digits.push('+'),
            _ if digit(c).is_some() => digits.extend(digit(c)),
            // Whom the house's own exchange calls then: not who is meant by the number.
            'x' | 'X' | 'e' | 'E' | '#' | ';' | ',' | 'p' | 'w' if digits.len() > 3 => break,
            _ if c.is_whitespace() || is_mark(c) || is_between(c) => {}
            _ => return Err(Unusable::Nothing),
        }
    }
    let count = digits.trim_start_matches('+').len();
    match count {
        0 => Err(Unusable::Nothing),
        1..=DIGITS_MAX => Ok(digits),
        _ => Err(Unusable::NoSuchNumber),
    }
}

fn digit(c: char) -> Option<char> {
    let value = ZEROS.iter().filter_map(|zero| u32::from(c).checked_sub(u32::from(*zero))).find(|value| *value < 10)?;
    char::from_digit(value, 10)
}

/// What people write between digits.
const fn is_between(c: char) -> bool {
    matches!(
        c,
        '-' | '.' | '/' | '(' | ')' | '[' | ']' | '~' | '\'' | '\u{b7}' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30fc}'
            | '\u{ff08}' | '\u{ff09}' | '\u{ff0d}'..='\u{ff0f}'
    )
}

/// Of a number with its country's code. No region has a say in it: what one dials before its own numbers is part of another's.
fn international(digits: &str) -> Option<PhoneNumber> {
    phonenumber::parse(None, format!("+{digits}")).ok()
}

/// Of a number as it is dialled in a region: one abroad, or one of its own.
fn national(digits: &str, region: Id) -> Option<PhoneNumber> {
    let dialled = phonenumber::parse(Some(region), digits).ok();
    if let Some(number) = dialled.as_ref().filter(|number| number.code().source() == Source::Idd) {
        return abroad(digits, number.code().value());
    }
    // A number of its own may begin as its country's code does.
    let code = DATABASE.by_id(region.as_ref())?.country_code();
    let own = international(&format!("{code}{digits}"));
    [own, dialled].into_iter().flatten().find(PhoneNumber::is_valid)
}

/// Without what is dialled before a number of the country with this code.
fn abroad(digits: &str, code: u16) -> Option<PhoneNumber> {
    let code = code.to_string();
    let behind = (1..=ABROAD_DIGITS_MAX).filter_map(|dialled| digits.get(dialled..));
    behind.filter(|rest| rest.starts_with(&code)).filter_map(international).find(PhoneNumber::is_valid)
}

/// Whether numbers of its country are as long.
fn is_possible(number: &PhoneNumber) -> bool {
    let written = number.format().mode(phonenumber::Mode::E164).to_string();
    let code = number.code().value();
    let length = written.len().saturating_sub(1 + code.to_string().len());
    let plans = DATABASE.by_code(&code).unwrap_or_default();
    plans.iter().flat_map(|plan| lengths(plan)).any(|possible| usize::from(*possible) == length)
}

/// Lengths of a plan's numbers that somebody may have.
fn lengths(plan: &Metadata) -> impl Iterator<Item = &u16> {
    let of = plan.descriptors();
    let kinds =
        [of.mobile(), of.fixed_line(), of.voip(), of.personal_number(), of.uan(), of.toll_free(), of.shared_cost()];
    kinds.into_iter().flatten().flat_map(|kind| kind.possible_length())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn e164(text: &str, region: &str) -> Result<String, Unusable> {
        read(text, region.parse().ok()).map(|identifier| identifier.text().to_owned())
    }

    #[test]
    fn the_same_number_in_many_ways() {
        for (region, expected, ways) in [
            (
                "CH",
                "+41791234567",
                &[
                    "079 123 45 67",
                    "+41 (0)79 123 45 67",
                    "0041791234567",
                    "+41-79-123-45-67",
                    "079/123.45.67",
                    "\u{202a}+41 79 123 45 67\u{202c}",
                    "+41\u{a0}79\u{2011}123\u{2011}45\u{2011}67",
                    "＋４１７９１２３４５６７",
                    "٠٧٩١٢٣٤٥٦٧",
                    "079 123 45 67 ext. 12",
                    "+41791234567;ext=12",
                    "+41 79 123 45 67 x3",
                    "[079] 123 45 67",
                ][..],
            ),
            ("US", "+16502530000", &["(650) 253-0000", "1-650-253-0000", "650.253.0000", "+1 650 253 0000 x7"]),
            ("US", "+41791234567", &["011 41 79 123 45 67", "+41 79 123 45 67"]),
            // What one dials at home before the number belongs to the number abroad, and the other way round.
            ("CH", "+390669812345", &["+39 06 698 12345", "0039 06 698 12345"]),
            ("US", "+4915123456789", &["+49 1512 3456789", "011 49 (0) 1512 3456789", "+49 (0)1512/3456789"]),
            ("RU", "+79123456789", &["8 (912) 345-67-89", "+7 912 345-67-89"]),
            ("RU", "+818012345678", &["+81 80-1234-5678"]),
            ("AR", "+5491123456789", &["011 15-2345-6789", "+54 9 11 2345-6789"]),
            ("BR", "+5511961234567", &["(11) 96123-4567", "0 11 96123 4567"]),
            ("HU", "+36201234567", &["06 20 123 4567"]),
            ("IT", "+390669812345", &["06 698 12345"]),
            ("GB", "+447400123456", &["07400 123456", "+44 (0) 7400 123456 ext 3", "00 44 7400 123456"]),
        ] {
            for way in ways {
                assert_eq!(e164(way, region).as_deref(), Ok(expected), "{way} in {region}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_told_from_what_does_not_say_enough() {
        assert_eq!(e164("079 123 45 67", ""), Err(Unusable::NoRegion));
        for text in ["", "+", "Ana", "call me", "79a123", "1++2", "--", "12:30"] {
            assert_eq!(e164(text, "CH"), Err(Unusable::Nothing), "{text}");
        }
        for text in
            ["1", "117", "079 123 45", "+41 79 123 45", "+999 123 45 67 89", "1234567890123456789012", "00000000"]
        {
            assert_eq!(e164(text, "CH"), Err(Unusable::NoSuchNumber), "{text}");
        }
        // Newer than the plan, perhaps: whoever wrote its country knows.
        assert_eq!(e164("+1 555 000 0001", "CH").as_deref(), Ok("+15550000001"));
        assert_eq!(e164("555 000 0001", "US"), Err(Unusable::NoSuchNumber));
    }

    #[test]
    fn regions_are_two_letters() {
        assert!(["ch", " CH", "US", "gb"].iter().all(|text| text.parse::<Region>().is_ok()));
        assert!(["", "CHE", "XX", "c", "1"].iter().all(|text| text.parse::<Region>().is_err()));
    }

    /// Example numbers of a plan, without the country's code.
    fn examples(plan: &Metadata) -> impl Iterator<Item = &str> {
        let plans = plan.descriptors();
        [plans.mobile(), plans.fixed_line()].into_iter().flatten().filter_map(|descriptor| descriptor.example())
    }

    /// Every plan there is, as it is written at home and elsewhere.
    #[test]
    fn numbers_of_all_regions_are_the_same_at_home_and_abroad() {
        let (mut read, mut dialled_as_well) = (0, 0);
        for plan in DATABASE.iter().filter(|plan| plan.id().len() == 2) {
            for example in examples(plan) {
                let expected = format!("+{}{example}", plan.country_code());
                for elsewhere in ["CH", "US", "RU", "IT", plan.id()] {
                    assert_eq!(e164(&expected, elsewhere).as_deref(), Ok(&*expected), "{elsewhere}");
                }
                let spaced: String = example.chars().flat_map(|digit| [digit, ' ']).collect();
                let abroad = format!("00{} {spaced}", plan.country_code());
                assert_eq!(e164(&abroad, "CH").as_deref(), Ok(&*expected), "{abroad}");
                assert_eq!(e164(example, plan.id()).as_deref(), Ok(&*expected), "{example} in {}", plan.id());
                // Not all of them are dialled with what stands before numbers there as a rule; none becomes another's.
                let prefix = plan.national_prefix().unwrap_or_default();
                let dialled = e164(&format!("{prefix}{spaced}"), plan.id());
                assert!(dialled.as_ref().map_or(true, |read| *read == expected), "{prefix}{spaced} in {}", plan.id());
                dialled_as_well += u32::from(dialled.is_ok());
                read += 1;
            }
        }
        assert!(read > 400 && dialled_as_well * 100 > read * 97, "{dialled_as_well} of {read}");
    }
}

//! Whole files, and files of anything.

use proptest::prelude::*;

use super::*;

fn entries(book: &AddressBook) -> Vec<(String, String)> {
    book.entries.iter().map(|entry| (entry.contact.clone(), shown(&entry.identifier))).collect()
}

fn of(contact: &str, identifier: &str) -> (String, String) {
    (contact.to_owned(), identifier.to_owned())
}

#[test]
fn the_same_people_from_every_format() {
    let expected = [of("Ana", "+41791234567"), of("Ana", "ana@example.org"), of("Bo", "@bob")];
    let card = "BEGIN:VCARD\nFN:Ana\nTEL:079 123 45 67\nTEL:+41 79 123 45 67\nEMAIL:Ana@Example.org\nEND:VCARD\n\
                BEGIN:VCARD\nFN:Bo\nNICKNAME:@Bob\nTEL:12\nEND:VCARD\n";
    let table = "who,phone,mail,username\nAna,079 123 45 67,ana@example.org,\nAna,0041 79 123 45 67,,\nBo,12,,@bob\n";
    let list = "Ana: 079 123 45 67\nAna 079/1234567\nAna <ANA@example.org>\nBo @bob\nBo: 12\n";
    for file in [card, table, list] {
        let book = read(file.as_bytes(), "CH".parse().ok());
        assert_eq!(entries(&book), expected, "{file}");
        let [skipped] = &book.skipped[..] else { panic!("{file}") };
        assert!(skipped.text.ends_with("12"));
    }
}

#[test]
fn what_is_skipped_is_said_with_its_line() {
    let book = read(b"@ana\n\n0791234567\nhello\n@x\nana@\n", None);
    let skipped: Vec<_> = book.skipped.iter().map(|skipped| (skipped.line, &*skipped.text, skipped.reason)).collect();
    assert_eq!(entries(&book), [of("@ana", "@ana")]);
    assert_eq!(skipped[0], (3, "0791234567", Unusable::NoRegion));
    assert_eq!(skipped[1], (4, "hello", Unusable::Nothing));
    assert!(matches!(skipped[2..], [(5, "@x", Unusable::Spelling(_)), (6, "ana@", Unusable::Spelling(_))]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anything_is_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes, "CH".parse().ok());
    }

    #[test]
    fn anything_like_an_address_book_is_read(
        text in "(BEGIN:VCARD|END:VCARD|TEL|EMAIL|FN|N|;|:|,|\n|\r\n|\"|=|=C3|QUOTED-PRINTABLE|@|\\+|[0-9]{1,12}|[a-zé ]{1,5}|<|>|\\\\|\t){0,60}",
        region in prop::option::of(prop::sample::select(vec!["CH", "US", "IT", "AR", "RU"])),
    ) {
        let region = region.and_then(|region| region.parse().ok());
        for text in [text.clone(), format!("BEGIN:VCARD\n{text}")] {
            let book = read(text.as_bytes(), region);
            for entry in book.entries {
                // What was read once is read the same again.
                prop_assert!(read_identifier(&shown(&entry.identifier), region).is_ok_and(|again| again == entry.identifier));
            }
        }
    }

    #[test]
    fn a_number_is_read_however_it_is_spaced(
        national in "7[5-9][0-9]{7}",
        between in prop::collection::vec(prop::sample::select(vec!["", " ", "-", ".", "/", "\u{a0}", "  ", ")", "("]), 9),
    ) {
        let spaced: String = national.chars().zip(between).map(|(digit, between)| format!("{digit}{between}")).collect();
        let expected = Identifier::phone(&format!("+41{national}")).ok();
        for text in [format!("0{spaced}"), format!("+41 {spaced}"), format!("+41 (0) {spaced}"), format!("0041{spaced}")] {
            prop_assert!(read_identifier(&text, "CH".parse().ok()).ok() == expected, "{}", text);
        }
    }
}

//! Tables: CSV (RFC 4180) with commas, semicolons, tabs or bars between the cells, and with any header or none.

use std::borrow::Cow;

use super::{Field, identifier::read, lines, phone::Region};

/// Lines by which it is seen what stands between the cells.
const LOOKED_AT: usize = 50;
const BETWEEN: [char; 4] = [',', ';', '\t', '|'];

/// A row, with the line on which it begins.
pub struct Row {
    line: usize,
    cells: Vec<String>,
}

/// Rows of a text that is a table: most of those at its beginning have as many cells as the first, two at least.
pub fn parse(text: &str) -> Option<Vec<Row>> {
    let looked_at = |between: char| {
        let rows: Vec<_> = rows(text, between).take(LOOKED_AT).collect();
        let width = rows.first()?.cells.len();
        let alike = rows.iter().filter(|row| row.cells.len() == width).count();
        (width > 1 && 2 * alike > rows.len()).then_some((alike * width, between))
    };
    let (_, between) = BETWEEN.into_iter().filter_map(looked_at).max_by_key(|(cells, _)| *cells)?;
    Some(rows(text, between).collect())
}

/// Everything in a table that may be an identifier.
pub fn fields(table: &[Row], region: Option<Region>) -> Vec<Field<'static>> {
    let header = table.first().map(|row| row.cells.iter().map(|cell| Column::of(cell)).collect::<Vec<_>>());
    let is_known = |columns: &Vec<Column>| columns.contains(&Column::Identifier);
    let says_more = table.first().is_some_and(|row| row.cells.iter().all(|cell| read(cell, region).is_err()));
    match header.filter(|columns| says_more && is_known(columns)) {
        Some(columns) => table.iter().skip(1).flat_map(|row| of_row(row, &columns, region)).collect(),
        None => {
            let columns = guess(table, region);
            let of_first = |row: &Row| says_more && std::ptr::eq(row, table.first().unwrap_or(row));
            table.iter().filter(|row| !of_first(row)).flat_map(|row| of_row(row, &columns, region)).collect()
        }
    }
}

/// What a column has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    /// A whole name.
    Name,
    /// A part of one.
    NamePart,
    /// Who somebody works for.
    Organisation,
    Identifier,
    Other,
}

impl Column {
    /// By its header, as programs write it in the larger languages of Europe.
    fn of(header: &str) -> Self {
        let header = header.trim().to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| header.contains(word));
        let is = |words: &[&str]| words.contains(&&*header);
        if has(&["label", "type", "kind", "fax", "phonetic", "yomi", "etikett", "ringtone", "photo"]) {
            return Self::Other;
        }
        if has(&["mail", "courriel", "correo", "phone", "mobil", "cell", "telef", "handy", "natel", "gsm", "móvil"])
            || has(&["celular", "portable", "username", "user name", "undertone", "handle", "identifier", "pager"])
            || is(&["tel", "tel.", "tél", "tél.", "number", "numéro", "nummer", "número", "numero", "rufnummer"])
        {
            return Self::Identifier;
        }
        if has(&["company", "organi", "firma", "société", "empresa", "azienda"]) {
            return Self::Organisation;
        }
        if is(&["name", "display name", "full name", "fn", "contact", "nom complet", "anzeigename", "file as", "label"])
            || is(&["nom", "nombre", "nome", "who", "person"])
        {
            return Self::Name;
        }
        let part = [
            "first", "given", "vorname", "prénom", "middle", "last", "family", "surname", "nachname", "apellido",
            "cognome",
        ];
        if has(&part) { Self::NamePart } else { Self::Other }
    }
}

/// What the columns have, by what stands in them: where most cells are identifiers, all are to be.
fn guess(table: &[Row], region: Option<Region>) -> Vec<Column> {
    let width = table.iter().map(|row| row.cells.len()).max().unwrap_or_default();
    let mut columns: Vec<_> = (0..width).map(|at| guess_one(table, at, region)).collect();
    if let Some(name) = columns.iter_mut().find(|column| **column == Column::Other) {
        *name = Column::Name;
    }
    columns
}

fn guess_one(table: &[Row], at: usize, region: Option<Region>) -> Column {
    let cells = || table.iter().filter_map(|row| row.cells.get(at)).filter(|cell| !cell.trim().is_empty());
    let is_one = |cell: &&String| pieces(cell).any(|piece| read(&lines::field(0, piece, region).text, region).is_ok());
    let found = cells().filter(is_one).count();
    // A header may stand above them.
    if found > 0 && 2 * found >= cells().count().saturating_sub(1) { Column::Identifier } else { Column::Other }
}

fn of_row(row: &Row, columns: &[Column], region: Option<Region>) -> Vec<Field<'static>> {
    let cells = || row.cells.iter().zip(columns).map(|(cell, column)| (cell.trim(), *column));
    let of = |wanted: Column| {
        cells().filter(move |(cell, column)| *column == wanted && !cell.is_empty()).map(|(cell, _)| cell)
    };
    let parts = of(Column::NamePart).collect::<Vec<_>>().join(" ");
    let names = of(Column::Name).next().map(str::to_owned).into_iter().chain([parts]);
    let mut names = names.chain(of(Column::Organisation).next().map(str::to_owned)).filter(|name| !name.is_empty());
    let name = names.next().unwrap_or_default();
    of(Column::Identifier)
        .flat_map(pieces)
        .map(|piece| {
            let field = lines::field(row.line, piece, region);
            let contact = if name.is_empty() { field.contact } else { name.clone() };
            Field { contact, text: Cow::Owned(field.text.into_owned()), line: row.line, expected: true }
        })
        .collect()
}

/// Several identifiers in one cell.
fn pieces(cell: &str) -> impl Iterator<Item = &str> {
    // One address has one; a number has none, and may have commas and semicolons before an extension.
    let addresses = cell.matches('@').count() > 1;
    let pieces = cell.split(":::").flat_map(|piece| piece.split(['\n', '\r']));
    let pieces = pieces.flat_map(move |piece| piece.split(move |c: char| addresses && ",;".contains(c)));
    pieces.map(str::trim).filter(|piece| !piece.is_empty())
}

/// Rows of a text with this between its cells; empty ones are passed over.
fn rows(text: &str, between: char) -> impl Iterator<Item = Row> {
    let mut chars = text.chars().peekable();
    let mut line = 1;
    std::iter::from_fn(move || {
        loop {
            chars.peek()?;
            let mut row = Row { line, cells: vec![String::new()] };
            let mut quoted = false;
            while let Some(c) = chars.next() {
                line += usize::from(c == '\n');
                let Some(cell) = row.cells.last_mut() else { break };
                match c {
                    '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
                    '"' if quoted || cell.trim().is_empty() => quoted = !quoted,
                    _ if quoted => cell.push(c),
                    '\n' => break,
                    '\r' => {}
                    c if c == between => row.cells.push(String::new()),
                    c => cell.push(c),
                }
            }
            if row.cells.iter().any(|cell| !cell.trim().is_empty()) {
                return Some(row);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, String, String)> {
        let table = parse(text).expect("a table");
        let fields = fields(&table, "CH".parse().ok());
        fields.into_iter().map(|field| (field.line, field.contact, field.text.into_owned())).collect()
    }

    fn of(line: usize, contact: &str, text: &str) -> (usize, String, String) {
        (line, contact.to_owned(), text.to_owned())
    }

    #[test]
    fn as_google_and_outlook_write_it() {
        let google = "First Name,Middle Name,Last Name,Phonetic First Name,Organization Name,Birthday,E-mail 1 - Label,\
                      E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value\r\n\
                      Ana,,Müller,,,1990-01-02,* Home,ana@example.org ::: a@example.org,Mobile,079 123 45 67\r\n\
                      ,,,,Sailors,,,,Work,\"044 123\n45 67\"\r\n";
        assert_eq!(
            found(google),
            [
                of(2, "Ana Müller", "ana@example.org"),
                of(2, "Ana Müller", "a@example.org"),
                of(2, "Ana Müller", "079 123 45 67"),
                of(3, "Sailors", "044 123"),
                of(3, "Sailors", "45 67"),
            ]
        );
        let outlook = "\"Vorname\";\"Nachname\";\"E-Mail-Adresse\";\"Telefon (privat)\";\"Fax\"\n\
                       \"Bo \"\"B\"\"\";\"Berg\";\"\";\"079 222 33 44\";\"044 1\"\n";
        assert_eq!(found(outlook), [of(2, "Bo \"B\" Berg", "079 222 33 44")]);
    }

    #[test]
    fn with_a_header_that_nobody_knows_or_none() {
        let foreign = "imię\tnumer\nAna\t079 123 45 67\nBo\t\nCy\tnone\nDi\t079 222 33 44\n";
        assert_eq!(found(foreign), [of(2, "Ana", "079 123 45 67"), of(4, "Cy", "none"), of(5, "Di", "079 222 33 44")]);
        let none = "Ana,ana@example.org,1990-01-02\nBo,bo@example.org,\n";
        assert_eq!(found(none), [of(1, "Ana", "ana@example.org"), of(2, "Bo", "bo@example.org")]);
        assert_eq!(found("@ana|x\n@bo|y\n"), [of(1, "x", "@ana"), of(2, "y", "@bo")]);
        assert_eq!(found("name,username\nAna,@ana\nBo,bo@b@c\n"), [of(2, "Ana", "@ana"), of(3, "Bo", "bo@b@c")]);
    }

    #[test]
    fn what_is_no_table_is_a_list() {
        for text in ["", "@ana\n@bo\n", "Ana <a@b.org>\nMüller, Bo <b@b.org>\nCy <c@b.org>\n"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn quotes_that_never_end_and_rows_of_any_width_are_read() {
        for text in ["a,\"b\nc,d", "a,b\nc,d\ne\nf,g,h\n", ",\n,\n\"", "\"\"\"\",x\ny,z\n"] {
            if let Some(table) = parse(text) {
                assert!(fields(&table, None).len() < 10);
            }
        }
    }
}

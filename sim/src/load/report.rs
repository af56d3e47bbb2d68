//! Figures as tables.

use std::fmt::{self, Display};

use super::figures::{Figure, Report, Section};

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, day, machine, took_s, others_percent, sections } = self;
        writeln!(f, "{command}, {day}, {:.0} s, others had {others_percent:.0} % of all processors", took_s)?;
        writeln!(f, "{} of {}, {} MiB, {}", machine.processors, machine.processor, machine.memory_mib, machine.system)?;
        for section in sections {
            writeln!(f, "\n{section}")?;
        }
        if cfg!(debug_assertions) {
            writeln!(f, "A debug build: these figures say nothing. Build with --release.")?;
        }
        Ok(())
    }
}

impl Display for Section {
    /// A Markdown table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self.figures.iter().map(row).collect();
        table(f, &[self.name.as_str(), "figure", "aimed at", ""], &rows)
    }
}

/// What it is, the figure, what is aimed at, whether that is met.
fn row(figure: &Figure) -> [String; 4] {
    let Figure { what, value, unit, target, .. } = figure;
    [
        what.clone(),
        unit.text(*value),
        target.map(|target| unit.text(target)).unwrap_or_default(),
        met(figure).to_owned(),
    ]
}

/// In a word.
pub fn met(figure: &Figure) -> &'static str {
    match figure.target {
        Some(target) if figure.value <= target => "met",
        Some(_) => "missed",
        None => "",
    }
}

/// A Markdown table; all columns but the first to the right.
pub fn table<const COLUMNS: usize>(
    f: &mut impl fmt::Write,
    head: &[&str; COLUMNS],
    rows: &[[String; COLUMNS]],
) -> fmt::Result {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column).map(|cell| cell.chars().count()));
        cells.chain(head.get(column).map(|cell| cell.chars().count())).max().unwrap_or(0).max(3)
    };
    let widths: Vec<_> = (0..COLUMNS).map(width).collect();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| -> fmt::Result {
        f.write_str("|")?;
        for (column, (cell, width)) in cells.zip(&widths).enumerate() {
            match column {
                0 => write!(f, " {cell:width$} |")?,
                _ => write!(f, " {cell:>width$} |")?,
            }
        }
        f.write_str("\n")
    };
    line(&mut head.iter().copied())?;
    let rules: Vec<_> = widths
        .iter()
        .enumerate()
        .map(|(column, width)| {
            "-".repeat(if column == 0 { *width } else { width - 1 }) + if column == 0 { "" } else { ":" }
        })
        .collect();
    line(&mut rules.iter().map(String::as_str))?;
    rows.iter().try_for_each(|row| line(&mut row.iter().map(String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Unit;

    #[test]
    fn a_section_is_a_table() {
        let mut section = Section::new("starts");
        section.add("ready_ms", "start", 81.25, Unit::Ms).target(300.0);
        section.add("rss_mib", "memory", 41.0, Unit::Mib).target(40.0);
        section.add("n", "things", 1_234.0, Unit::Count);
        let expected = "\
| starts |   figure | aimed at |        |
| ------ | -------: | -------: | -----: |
| start  |  81.2 ms |   300 ms |    met |
| memory | 41.0 MiB | 40.0 MiB | missed |
| things |    1,234 |          |        |
";
        assert_eq!(section.to_string(), expected);
    }
}

//! What a run gives: figures in sections. Tables, charts and the page are made of these alone, and so of a file of them.

use serde::{Deserialize, Serialize};

use crate::latencies::Quantiles;

/// One figure.
#[derive(Clone, Serialize, Deserialize)]
pub struct Figure {
    /// Its name, unique in a run: `section.figure` in the page and in calculations.
    pub name: String,
    /// What it is, for people.
    pub what: String,
    /// The figure.
    pub value: f64,
    /// Of what.
    pub unit: Unit,
    /// It is aimed at so much or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
}

/// What a figure counts.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Bytes.
    Bytes,
    /// 1,024 bytes.
    Kib,
    /// 1,048,576 bytes.
    Mib,
    /// Things a second.
    PerSecond,
    /// Things.
    Count,
    /// Hundredths.
    Percent,
}

impl Unit {
    /// A value of it, as people read it.
    pub fn text(self, value: f64) -> String {
        let number = match value.abs() {
            _ if self == Self::Count || self == Self::Bytes => grouped(value),
            large if large >= 1_000.0 => grouped(value),
            large if large >= 100.0 => format!("{value:.0}"),
            _ => format!("{value:.1}"),
        };
        match self {
            Self::Us => number + " us",
            Self::Ms => number + " ms",
            Self::Bytes => number + " bytes",
            Self::Kib => number + " KiB",
            Self::Mib => number + " MiB",
            Self::PerSecond => number + " a second",
            Self::Count => number,
            Self::Percent => number + " %",
        }
    }
}

/// With commas between thousands.
pub fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value <= -0.5 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Figures that were measured together.
#[derive(Clone, Serialize, Deserialize)]
pub struct Section {
    /// Its name, by which it can be asked for.
    pub name: String,
    /// The figures, in order.
    pub figures: Vec<Figure>,
}

impl Section {
    /// Without figures yet.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), figures: Vec::new() }
    }

    /// Adds a figure.
    pub fn add(&mut self, name: &str, what: impl Into<String>, value: f64, unit: Unit) -> &mut Self {
        let name = format!("{}.{name}", self.name);
        self.figures.push(Figure { name, what: what.into(), value, unit, target: None });
        self
    }

    /// Adds what the last figure is aimed at.
    pub fn target(&mut self, target: f64) -> &mut Self {
        if let Some(last) = self.figures.last_mut() {
            last.target = Some(target);
        }
        self
    }

    /// Adds three quantiles of a latency. What is aimed at, if anything, is the 99th percentile.
    pub fn add_latency(&mut self, name: &str, what: &str, ms: &Quantiles, target: Option<f64>) -> &mut Self {
        self.add(&format!("{name}_p50"), format!("{what}, p50"), ms.p50, Unit::Ms);
        self.add(&format!("{name}_p99"), format!("{what}, p99"), ms.p99, Unit::Ms);
        if let Some(target) = target {
            self.target(target);
        }
        self.add(&format!("{name}_max"), format!("{what}, longest"), ms.max, Unit::Ms)
    }
}

/// A whole run.
#[derive(Clone, Serialize, Deserialize)]
pub struct Report {
    /// What was asked for.
    pub command: String,
    /// Day on which it was done, as 2026-01-31.
    pub day: String,
    /// Where.
    pub machine: Machine,
    /// How long it took, in seconds.
    pub took_s: f64,
    /// The part of all processors' time that others had meanwhile, in percent: where it is not small, times are too long.
    pub others_percent: f64,
    /// In the order of measuring.
    pub sections: Vec<Section>,
}

/// A machine.
#[derive(Clone, Serialize, Deserialize)]
pub struct Machine {
    /// Of its first processor.
    pub processor: String,
    /// How many.
    pub processors: usize,
    /// In MiB.
    pub memory_mib: u64,
    /// Name and release of the system.
    pub system: String,
}

impl Report {
    /// A figure by its name.
    pub fn figure(&self, name: &str) -> Option<&Figure> {
        self.sections.iter().flat_map(|section| &section.figures).find(|figure| figure.name == name)
    }

    /// A value by its name.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.figure(name).map(|figure| figure.value)
    }

    /// A section by its name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_read_them() {
        let texts = [
            Unit::Us.text(97.25),
            Unit::Ms.text(1_234.5),
            Unit::Kib.text(4.04),
            Unit::Count.text(10_000.0),
            Unit::PerSecond.text(999.9),
            Unit::Bytes.text(0.4),
            Unit::Percent.text(-1_500.0),
        ];
        let expected = ["97.2 us", "1,234 ms", "4.0 KiB", "10,000", "1000 a second", "0 bytes", "-1,500 %"];
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_report_survives_its_file() {
        let mut section = Section::new("starts");
        section.add("ready", "start", 12.5, Unit::Ms).target(300.0);
        section.add_latency("delivered", "delivered", &Quantiles { p50: 1.0, p99: 2.0, max: 3.0 }, Some(15.0));
        let machine = Machine { processor: "p".into(), processors: 2, memory_mib: 1, system: "s".into() };
        let report = Report {
            command: "sim load".into(),
            day: "2026-01-31".into(),
            machine,
            took_s: 1.0,
            others_percent: 0.0,
            sections: vec![section],
        };
        let report: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
        assert_eq!(report.value("starts.ready"), Some(12.5));
        assert_eq!(report.figure("starts.delivered_p99").and_then(|figure| figure.target), Some(15.0));
        assert!(report.figure("starts.delivered_p50").is_some_and(|figure| figure.target.is_none()));
        assert!(report.section("starts").is_some() && report.value("ready").is_none());
    }
}

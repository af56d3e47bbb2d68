//! Charts: bars beside each other, as plain SVG that reads in light and in dark.

use std::fmt::Write as _;

use crate::load::{Report, Unit};

const WIDTH: f64 = 720.0;
const BAR: f64 = 22.0;
const STEP: f64 = 30.0;
const LEFT: f64 = 250.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 44.0;

/// A bar: what it is, how long, and whether it is ours.
struct Bar {
    label: String,
    value: f64,
    ours: bool,
}

/// All charts for which there are figures, by the names of their files.
pub fn all(report: &Report) -> Vec<(&'static str, String)> {
    let cpu = [
        ("Undertone, on the disk first", "messages.saturated_service_us", true),
        ("ejabberd, in memory", "peers.ejabberd_us", false),
        ("Prosody, in memory", "peers.prosody_us", false),
    ];
    let memory = [
        ("Undertone", "circuits.used_kib", true),
        ("ejabberd", "peers.ejabberd_used_kib", false),
        ("Prosody", "peers.prosody_used_kib", false),
    ];
    let latency = [
        ("Undertone, on the disk first", "messages.half_delivered_ms_p99", true),
        ("ejabberd, in memory", "peers.ejabberd_half_delivered_ms_p99", false),
        ("Prosody, in memory", "peers.prosody_half_delivered_ms_p99", false),
    ];
    let growth = [
        ("among 10 channels", "growth.channels_10_us", true),
        ("100", "growth.channels_100_us", true),
        ("1,000", "growth.channels_1000_us", true),
        ("10,000", "growth.channels_10000_us", true),
        ("with a short log", "store.small_us", true),
        ("with a long log", "store.large_us", true),
    ];
    [
        ("cpu.svg", "CPU of the server for a message, saturated (us)", Unit::Us, &cpu[..]),
        ("memory.svg", "Memory of an idle connection, after traffic (KiB)", Unit::Kib, &memory),
        ("latency.svg", "Delivered at half of its own maximum, p99 (ms)", Unit::Ms, &latency),
        ("growth.svg", "CPU of the service for a message (us)", Unit::Us, &growth),
    ]
    .into_iter()
    .filter_map(|(file, title, unit, bars)| {
        let bar = |(label, name, ours): &(&str, &str, bool)| {
            Some(Bar { label: (*label).to_owned(), value: report.value(name)?, ours: *ours })
        };
        let bars: Vec<_> = bars.iter().filter_map(bar).collect();
        (!bars.is_empty()).then(|| (file, chart(title, unit, &bars)))
    })
    .collect()
}

fn chart(title: &str, unit: Unit, bars: &[Bar]) -> String {
    let height = TOP + STEP * bars.len() as f64 + 12.0;
    let most = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-label=\"{title}\">\n<style>\ntext {{ font: 14px system-ui, sans-serif; fill: #1f2328 }}\n\
         .title {{ font-weight: 600 }}\n.ours {{ fill: #3b6ea8 }}\n.theirs {{ fill: #a8b1bb }}\n\
         .ground {{ fill: #ffffff }}\n@media (prefers-color-scheme: dark) {{\ntext {{ fill: #e6edf3 }}\n\
         .ours {{ fill: #6ea8e6 }}\n.theirs {{ fill: #5d6773 }}\n.ground {{ fill: #0d1117 }}\n}}\n</style>\n\
         <rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>\n\
         <text class=\"title\" x=\"16\" y=\"26\">{title}</text>\n"
    );
    for (place, Bar { label, value, ours }) in bars.iter().enumerate() {
        let y = TOP + STEP * place as f64;
        let length = (value / most * (WIDTH - LEFT - RIGHT)).max(1.0);
        let class = if *ours { "ours" } else { "theirs" };
        let (middle, beside) = (y + BAR / 2.0 + 5.0, LEFT + length + 8.0);
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{middle:.0}\" text-anchor=\"end\">{label}</text>\n\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"3\"/>\n\
             <text x=\"{beside:.0}\" y=\"{middle:.0}\">{}</text>",
            LEFT - 10.0,
            unit.text(*value)
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_room() {
        let bar = |label: &str, value, ours| Bar { label: label.into(), value, ours };
        let svg = chart("CPU", Unit::Us, &[bar("a", 10.0, true), bar("b", 40.0, false), bar("c", 0.0, false)]);
        assert!(svg.contains("width=\"90.0\"") && svg.contains("width=\"360.0\"") && svg.contains("width=\"1.0\""));
        assert_eq!([svg.matches("class=\"ours\"").count(), svg.matches("class=\"theirs\"").count()], [1, 2]);
        assert_eq!(svg.matches("<text").count(), 7);
    }
}

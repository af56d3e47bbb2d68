//! What a service for so many people needs: arithmetic on measured unit costs, and on assumptions that can be changed.

use std::fmt;

use super::{counted, load::Report};

/// Of which counts it is told.
const PEOPLE: [f64; 3] = [1e4, 1e6, 1e8];
const DAY_S: f64 = 86_400.0;
/// A real client's entry on the line, up; and its push, down (`gate::sizes`).
const SENT_BYTES: f64 = 600.0;
const PUSHED_BYTES: f64 = 600.0;
const GIB: f64 = (1u64 << 30) as f64;

/// What people do, and what a machine is.
#[derive(Clone, Copy, clap::Args)]
pub struct Assumed {
    /// Messages that a person writes a day
    #[arg(long, value_name = "N", default_value_t = 40.0)]
    messages: f64,
    /// Entries for each of them: itself, commits, receipts (sim watch)
    #[arg(long, value_name = "N", default_value_t = 2.1)]
    entries: f64,
    /// Devices to which each entry is pushed
    #[arg(long, value_name = "N", default_value_t = 2.0)]
    readers: f64,
    /// Circuits of a person a day (sim watch)
    #[arg(long, value_name = "N", default_value_t = 23.0)]
    circuits: f64,
    /// Share of people who are connected at the busiest time
    #[arg(long, value_name = "SHARE", default_value_t = 0.3)]
    connected: f64,
    /// The busiest hour, in averages
    #[arg(long, value_name = "N", default_value_t = 3.0)]
    peak: f64,
    /// Days for which messages are kept
    #[arg(long, value_name = "DAYS", default_value_t = 30.0)]
    days: f64,
    /// How busy a machine may be
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    busy: f64,
    /// Cores of a machine
    #[arg(long, value_name = "N", default_value_t = 16.0)]
    cores: f64,
    /// Its memory, in GiB
    #[arg(long, value_name = "GIB", default_value_t = 64.0)]
    memory: f64,
    /// Its disk, in GB
    #[arg(long, value_name = "GB", default_value_t = 2_000.0)]
    disk: f64,
    /// Its line, in Mbit/s
    #[arg(long, value_name = "MBIT", default_value_t = 1_000.0)]
    line: f64,
    /// What it costs a month
    #[arg(long, value_name = "MONEY", default_value_t = 100.0)]
    price: f64,
}

impl fmt::Display for Assumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            messages,
            entries,
            readers,
            circuits,
            connected,
            peak,
            days,
            busy,
            cores,
            memory,
            disk,
            line,
            price,
        } = self;
        writeln!(
            f,
            "Assumed, each to be changed by an option of `sim page`: a person writes {messages} messages a day, each of which \
             makes {entries} entries in the log (as measured by `sim watch`), pushed to {readers} devices; opens {circuits} \
             circuits a day; {:.0} % are connected at the busiest time, when there is {peak} times as much to do as on average; \
             messages are kept for {days} days. A machine has {cores} cores, {memory} GiB, a disk of {disk} GB and a line of \
             {line} Mbit/s, is kept {:.0} % busy, and costs {price} a month: put in what yours costs.",
            connected * 100.0,
            busy * 100.0
        )
    }
}

/// What so many people need at the busiest time.
struct Need {
    entries_per_second: f64,
    cores: f64,
    memory_gib: f64,
    disk_gb: f64,
    line_mbit: f64,
}

impl Assumed {
    /// The table's rows. None: a unit cost was not measured.
    pub fn rows(&self, report: &Report) -> Option<Vec<[String; 4]>> {
        let unit = Unit::of(report)?;
        let needs = PEOPLE.map(|people| self.need(people, &unit));
        let machines = needs.each_ref().map(|need| self.machines(need, &unit));
        let row = |what: &str, text: &dyn Fn(&Need) -> String| {
            let [a, b, c] = needs.each_ref().map(text);
            [what.to_owned(), a, b, c]
        };
        let [a, b, c] = machines.each_ref().map(|machines| counted(machines.count()));
        let [least, more, most] = machines.each_ref().map(|machines| machines.first_to_break().to_owned());
        let [price_a, price_b, price_c] = machines.each_ref().map(|machines| counted(machines.count() * self.price));
        let each = PEOPLE.map(|people| people / 1_000.0);
        let [cheap_a, cheap_b, cheap_c] = [0, 1, 2].map(|place: usize| match (machines.get(place), each.get(place)) {
            (Some(machines), Some(each)) => format!("{:.2}", machines.count() * self.price / each),
            _ => String::new(),
        });
        Some(vec![
            row("entries a second, at the busiest time", &|need| counted(need.entries_per_second)),
            row("cores", &|need| counted(need.cores)),
            row("memory, GiB", &|need| counted(need.memory_gib)),
            row("disk, GB", &|need| counted(need.disk_gb)),
            row("line, Mbit/s", &|need| counted(need.line_mbit)),
            ["machines".to_owned(), a, b, c],
            ["what asks for the most of them".to_owned(), least, more, most],
            ["money a month".to_owned(), price_a, price_b, price_c],
            ["money a month, for 1,000 people".to_owned(), cheap_a, cheap_b, cheap_c],
        ])
    }

    fn need(&self, people: f64, unit: &Unit) -> Need {
        let entries = people * self.messages * self.entries / DAY_S * self.peak;
        let circuits = people * self.circuits / DAY_S * self.peak;
        let pushes = entries * (self.readers - 1.0).max(0.0);
        let cpu_s = (entries * unit.entry_us + pushes * unit.push_us + circuits * unit.circuit_us) / 1e6;
        let bytes = entries * (unit.sent_bytes + self.readers * unit.pushed_bytes) + circuits * unit.circuit_bytes;
        Need {
            entries_per_second: entries,
            cores: cpu_s / self.busy,
            memory_gib: people * self.connected * unit.person_bytes / GIB,
            disk_gb: people * self.messages * self.entries * self.days * unit.kept_bytes / 1e9,
            line_mbit: bytes * 8.0 / 1e6 / self.busy,
        }
    }

    fn machines(&self, need: &Need, unit: &Unit) -> Machines {
        Machines([
            ("cores", need.cores / self.cores),
            ("memory", need.memory_gib / self.memory),
            ("disk", need.disk_gb / self.disk / self.busy),
            ("line", need.line_mbit / self.line),
            ("the one writer", need.entries_per_second / (unit.writer_per_second * self.busy)),
        ])
    }
}

/// How many machines each thing asks for.
struct Machines([(&'static str, f64); 5]);

impl Machines {
    fn count(&self) -> f64 {
        self.0.iter().map(|(_, count)| count.ceil()).fold(1.0, f64::max)
    }

    /// What one machine has too little of first.
    fn first_to_break(&self) -> &'static str {
        self.0.iter().max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or("", |(what, _)| what)
    }
}

/// Unit costs of one entry, push, circuit and person.
struct Unit {
    entry_us: f64,
    push_us: f64,
    circuit_us: f64,
    circuit_bytes: f64,
    person_bytes: f64,
    kept_bytes: f64,
    /// On the line, with their circuits' encryption and acknowledgement.
    sent_bytes: f64,
    pushed_bytes: f64,
    /// What the writer of a plane was seen to write.
    writer_per_second: f64,
}

impl Unit {
    fn of(report: &Report) -> Option<Self> {
        Some(Self {
            entry_us: report.value("messages.saturated_service_us")?,
            push_us: report.value("fanout.subscriber_us")?,
            circuit_us: report.value("reconnect.circuit_us")?,
            circuit_bytes: report.value("reconnect.circuit_kib")? * 1024.0,
            person_bytes: report.value("people.used_kib")? * 1024.0,
            kept_bytes: report.value("messages.disk_bytes")?,
            sent_bytes: SENT_BYTES,
            pushed_bytes: PUSHED_BYTES,
            writer_per_second: report.value("messages.saturated_per_second")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_for_most_breaks_first() {
        let machines = Machines([("a", 0.5), ("b", 2.1), ("c", 2.0), ("d", 0.0), ("e", 1.0)]);
        assert_eq!((machines.count(), machines.first_to_break()), (3.0, "b"));
        let machines = Machines([("a", 0.5), ("b", 0.1), ("c", 0.0), ("d", 0.0), ("e", 0.2)]);
        assert_eq!((machines.count(), machines.first_to_break()), (1.0, "a"));
    }
}

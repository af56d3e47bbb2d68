//! How long until a service serves, and what it takes before anybody came.

use super::{Bench, Section, Unit, ms, settle};
use crate::{latencies::median, usage};

/// Starts as many services on empty folders, one after the other.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let (mut ready_ms, mut idle_rss_kib) = (Vec::new(), Vec::new());
    for _ in 0..bench.sizes.starts {
        let data = bench.program.data()?;
        let process = bench.program.serve(data.path()).await?;
        ready_ms.push(ms(process.ready_after()));
        settle().await;
        idle_rss_kib.push(usage::rss_kib(process.pid())? as f64);
        process.end().await?;
    }
    let mut section = Section::new("starts");
    section.add("ready_ms", "start on an empty folder, until `ready`", median(ready_ms), Unit::Ms).target(300.0);
    let rss_mib = median(idle_rss_kib) / 1024.0;
    section.add("rss_mib", "resident memory before anybody came", rss_mib, Unit::Mib).target(40.0);
    let binary_mib = bench.program.bytes()? as f64 / f64::from(1 << 20);
    section.add("binary_mib", "binary: service, client and demo, stripped", binary_mib, Unit::Mib).target(25.0);
    Ok(section)
}

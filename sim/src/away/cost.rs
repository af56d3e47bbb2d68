//! What something costs one device: counted from a moment on.

use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time;

use super::town::Device;
use crate::{meter::Traffic, usage};

/// What it came to.
#[derive(Clone, Copy, Serialize)]
pub struct Cost {
    /// Processor time of the device, of the service, and of the devices that answered, in milliseconds.
    pub cpu_ms: f64,
    /// How long it took where nothing but this machine takes time, in milliseconds.
    pub took_ms: f64,
    /// How long it took besides, for the delays of the pace, in seconds: on a line without latency.
    pub waited_s: f64,
    /// What went over the device's line.
    pub traffic: Traffic,
    /// What was written to the device's disk.
    pub written_bytes: u64,
}

/// Counts.
pub struct Stopwatch {
    cpu: Duration,
    since: Instant,
    simulated: time::Instant,
    traffic: Traffic,
    written_bytes: u64,
}

impl Stopwatch {
    /// From now on. No other device may have its home on a disk.
    pub fn start(device: &Device) -> anyhow::Result<Self> {
        Ok(Self {
            cpu: usage::own_cpu(),
            since: Instant::now(),
            simulated: time::Instant::now(),
            traffic: device.meter.read(),
            written_bytes: usage::written(std::process::id())?,
        })
    }

    /// Up to now.
    pub fn read(&self, device: &Device) -> anyhow::Result<Cost> {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        Ok(Cost {
            cpu_ms: ms(usage::own_cpu().saturating_sub(self.cpu)),
            took_ms: ms(self.since.elapsed()),
            waited_s: self.simulated.elapsed().as_secs_f64(),
            traffic: device.meter.read().with(self.traffic, u64::saturating_sub),
            written_bytes: usage::written(std::process::id())? - self.written_bytes,
        })
    }

    /// Does something that is not counted.
    pub fn aside<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let (cpu, since) = (usage::own_cpu(), Instant::now());
        let done = act();
        self.cpu += usage::own_cpu().saturating_sub(cpu);
        self.since += since.elapsed();
        done
    }
}

impl Cost {
    /// This, and another besides.
    pub fn and(self, other: Self) -> Self {
        Self {
            cpu_ms: self.cpu_ms + other.cpu_ms,
            took_ms: self.took_ms + other.took_ms,
            waited_s: self.waited_s + other.waited_s,
            traffic: self.traffic.with(other.traffic, u64::saturating_add),
            written_bytes: self.written_bytes + other.written_bytes,
        }
    }

    /// For each of so many.
    pub fn each(self, count: u32) -> Self {
        let of = f64::from(count);
        let each = |total: u64| (total as f64 / of).round() as u64;
        Self {
            cpu_ms: self.cpu_ms / of,
            took_ms: self.took_ms / of,
            waited_s: self.waited_s / of,
            traffic: self.traffic.with(self.traffic, |total, _| each(total)),
            written_bytes: each(self.written_bytes),
        }
    }
}

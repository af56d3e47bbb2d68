//! What each path took when somebody last looked, in instructions.

/// By the names of paths, in their order.
pub const LIMITS: [(&str, u64); 10] = [
    ("connect", 9_525_092),
    ("open", 1_524_857),
    ("resume", 11_962_984),
    ("append", 377_606),
    ("append-durably", 502_910),
    ("fan-out", 3_386_336),
    ("read", 5_395_280),
    ("visit", 15_532_614),
    ("present", 3_973_319),
    ("send", 6_565_403),
];

//! What each path took when somebody last looked, in instructions.

/// By the names of paths, in their order.
pub const LIMITS: [(&str, u64); 10] = [
    ("connect", 1),
    ("open", 1),
    ("resume", 1),
    ("append", 1),
    ("append-durably", 1),
    ("fan-out", 1),
    ("read", 1),
    ("visit", 1),
    ("present", 1),
    ("send", 1),
];

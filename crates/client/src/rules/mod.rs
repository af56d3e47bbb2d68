//! The rules: what a home does with what it is asked and what it is sent. Each function is part of one transaction;
//! none does I/O, knows a circuit, or reads a clock.

pub(crate) mod asks;
pub(crate) mod begin;
pub(crate) mod compose;
pub(crate) mod credentials;
pub(crate) mod devices;
pub(crate) mod discovery;
pub(crate) mod entrance;
pub(crate) mod groups;
pub(crate) mod heads;
pub(crate) mod letters;
pub(crate) mod lists;
pub(crate) mod log;
pub(crate) mod lookups;
pub(crate) mod mls;
pub(crate) mod outbox;
pub(crate) mod owed;
pub(crate) mod parameters;
pub(crate) mod profiles;
pub(crate) mod receipts;
pub(crate) mod registration;
pub(crate) mod riders;
pub(crate) mod stock;
pub(crate) mod sync;
pub(crate) mod tokens;
pub(crate) mod typing;
pub(crate) mod vault;

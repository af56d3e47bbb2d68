//! What requests of both planes are held against.

use undertone_wire::{
    Day,
    circuit::{Code, Fault},
    limits::CLOCK_SKEW_DAYS,
};

/// An identifier or a key from its bytes.
pub fn parse<'a, T: TryFrom<&'a [u8]>>(bytes: &'a [u8]) -> Result<T, Fault> {
    T::try_from(bytes).map_err(|_| Code::Malformed.into())
}

/// Fails unless a stated rule is kept.
pub fn ensure(kept: bool) -> Result<(), Fault> {
    if kept { Ok(()) } else { Err(Code::Malformed.into()) }
}

/// An expiry day from today to `days_max` ahead, clocks being what they are.
pub fn expiry_day(day: u32, today: Day, days_max: u32) -> Result<Day, Fault> {
    let earliest = today.0.saturating_sub(CLOCK_SKEW_DAYS);
    let latest = today + days_max + CLOCK_SKEW_DAYS;
    ensure((earliest..=latest.0).contains(&day))?;
    Ok(Day(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_day_lies_ahead_but_not_too_far() {
        let taken: Vec<u32> = (0..40).filter(|day| expiry_day(*day, Day(5), 30).is_ok()).collect();
        assert_eq!(taken, (4..=36).collect::<Vec<_>>());
        assert!(expiry_day(0, Day(0), 30).is_ok() && expiry_day(u32::MAX, Day(u32::MAX), 30).is_ok());
    }
}

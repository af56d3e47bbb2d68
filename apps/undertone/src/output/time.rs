use undertone_wire::Now;

/// 9999-12-31T23:59:59.999Z: RFC 3339 has four digits for the year. Other people's clocks may say anything.
const LAST_MS: u64 = 253_402_300_799_999;

/// RFC 3339 in UTC, with milliseconds.
pub fn rfc3339(ms: u64) -> String {
    let ms = ms.min(LAST_MS);
    let (seconds, millis) = (ms / 1_000, ms % 1_000);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z", Now(ms).day())
}

/// To the second, for people.
pub fn short(ms: u64) -> String {
    let text = rfc3339(ms);
    let (date_and_time, _) = text.split_once('.').unwrap_or((&text, ""));
    format!("{}Z", date_and_time.replace('T', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_rfc_3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_795_341_522_045), "2026-11-22T09:58:42.045Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(short(1_795_341_522_045), "2026-11-22 09:58:42Z");
    }
}

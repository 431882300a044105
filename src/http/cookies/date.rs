// SPDX-License-Identifier: MIT OR Apache-2.0

//! Dates in cookies (RFC 6265, 5.1.1), which servers write in many ways.

use std::time::{Duration, SystemTime};

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// The time that a cookie's date names. One before 1970 is the beginning of 1970.
pub fn parse(text: &str) -> Option<SystemTime> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(is_delimiter) {
        // In this order, each the first time only.
        if time.is_none() && time_of(token).is_some() {
            time = time_of(token);
        } else if day.is_none() && number(token, 1, 2).is_some() {
            day = number(token, 1, 2);
        } else if month.is_none() && month_of(token).is_some() {
            month = month_of(token);
        } else if year.is_none() && number(token, 2, 4).is_some() {
            year = number(token, 2, 4);
        }
    }
    let (seconds, day, month) = (time?, day?, month?);
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    if year < 1601 || !(1..=days_in(month, year)).contains(&day) {
        return None;
    }
    let days: u64 = (1970..year)
        .map(|year| 365 + u64::from(is_leap(year)))
        .sum();
    let days = days + (1..month).map(|month| days_in(month, year)).sum::<u64>() + day - 1;
    if year < 1970 {
        return Some(SystemTime::UNIX_EPOCH);
    }
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(days * 86_400 + seconds))
}

fn is_delimiter(c: char) -> bool {
    matches!(c, '\t' | ' '..='/' | ';'..='@' | '['..='`' | '{'..='~')
}

/// The number at the beginning of a token, of `least` to `most` digits. What follows is no digit.
fn number(token: &str, least: usize, most: usize) -> Option<u64> {
    let length = token.bytes().take_while(u8::is_ascii_digit).count();
    if !(least..=most).contains(&length) {
        return None;
    }
    token.get(..length)?.parse().ok()
}

/// Seconds since midnight.
fn time_of(token: &str) -> Option<u64> {
    let mut fields = token.splitn(3, ':');
    let mut next = |is_last: bool| {
        let field = fields.next()?;
        let is_number = is_last || field.bytes().all(|byte| byte.is_ascii_digit());
        number(field, 1, 2).filter(|_| is_number)
    };
    let (hours, minutes, seconds) = (next(false)?, next(false)?, next(true)?);
    let is_time = hours <= 23 && minutes <= 59 && seconds <= 59;
    is_time.then_some((hours * 60 + minutes) * 60 + seconds)
}

/// From 1 to 12.
fn month_of(token: &str) -> Option<u64> {
    let name = token.get(..3)?.to_ascii_lowercase();
    let index = MONTHS.iter().position(|month| *month == name)?;
    u64::try_from(index + 1).ok()
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(month: u64, year: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_is_read_in_all_its_spellings() {
        for (text, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun, 06-Nov-1994 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("6 november 1994 8:49:37", 784_111_777),
            ("Thu, 01-Jan-1970 00:00:01 GMT", 1),
            ("Thu, 01 Jan 1601 00:00:00 GMT", 0),
            ("29 Feb 2024 00:00:00", 1_709_164_800),
            ("01 Mar 2100 00:00:00", 4_107_542_400),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(parse(text), Some(time), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "0",
            "soon",
            "06 Nov 1994",
            "08:49:37 06 Nov",
            "00 Nov 1994 08:49:37",
            "31 Nov 1994 08:49:37",
            "29 Feb 2023 08:49:37",
            "06 Nov 1600 08:49:37",
            "06 Nov 19940 08:49:37",
            "06 Nov 1994 24:00:00",
            "06 Nov 1994 08:60:00",
            "06 Nov 1994 8:4937",
            "06 N\u{f6}v 1994 08:49:37",
            "99999999999999999999 Nov 1994 08:49:37",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

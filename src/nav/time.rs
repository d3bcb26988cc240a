//! UTC and TDB, by the constants of a leap-seconds kernel.
//!
//! TAI - UTC steps at the dates of `DELTET/DELTA_AT`; TT - TAI is `DELTA_T_A`; TDB - TT is
//! `K sin(E)`, `E = M + EB sin M`, `M = M0 + M1 t` (Moyer 1981, cut to its first term: right to
//! 0.03 ms, and what SPICE does).

use crate::formats::spice::{Pool, calendar_seconds};
use crate::{Error, Result};

const DAY: f64 = 86_400.0;

/// The constants of a leap-seconds kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct LeapSeconds {
    delta_t_a: f64,
    k: f64,
    eb: f64,
    m: [f64; 2],
    /// (TAI - UTC from then on, seconds from J2000 of the UTC calendar).
    steps: Vec<(f64, f64)>,
}

impl LeapSeconds {
    /// From the variables of the loaded kernels; `None` where no leap-seconds kernel is among them.
    ///
    /// # Errors
    /// [`Error::Reference`] where one is incomplete.
    pub fn from_pool(pool: &Pool) -> Result<Option<Self>> {
        if !pool.contains("DELTET/DELTA_AT") {
            return Ok(None);
        }
        let incomplete = |what: &str| {
            Error::reference(format!(
                "the leap-seconds kernel is not usable: {what}; fetch naif0012.tls"
            ))
        };
        let number = |name: &str| pool.number(name).ok_or_else(|| incomplete(name));
        let m = pool.numbers("DELTET/M").unwrap_or(&[]);
        let table = pool.numbers("DELTET/DELTA_AT").unwrap_or(&[]);
        let steps: Vec<(f64, f64)> = table.chunks_exact(2).map(|c| (c[0], c[1])).collect();
        let ascending = steps.windows(2).all(|w| w[0].1 < w[1].1);
        let (&[m0, m1], true, true) = (
            m,
            ascending && !steps.is_empty(),
            table.len().is_multiple_of(2),
        ) else {
            return Err(incomplete("DELTET/M or DELTET/DELTA_AT"));
        };
        Ok(Some(Self {
            delta_t_a: number("DELTET/DELTA_T_A")?,
            k: number("DELTET/K")?,
            eb: number("DELTET/EB")?,
            m: [m0, m1],
            steps,
        }))
    }

    /// TDB - TT, s, at an epoch of either.
    fn periodic(&self, t: f64) -> f64 {
        let mean = self.m[0] + self.m[1] * t;
        self.k * libm::sin(mean + self.eb * libm::sin(mean))
    }

    /// TAI - UTC, s, on the day that begins at `day` (UTC calendar seconds from J2000); before the
    /// first entry one less than it, as SPICE has it.
    fn leap(&self, day: f64) -> f64 {
        let n = self.steps.partition_point(|s| s.1 <= day);
        match n {
            0 => self.steps[0].0 - 1.0,
            n => self.steps[n - 1].0,
        }
    }

    /// Seconds of TDB from J2000 at a UTC date: `2022-07-27T12:34:56.789`, `2022-208T12:34:56`,
    /// `2022 JUL 27 12:34:56`, `JD2459787.5`, with `Z` or `UTC` after it if you like; a date with
    /// `TDB` or `TT` after it is on that scale.
    ///
    /// # Errors
    /// [`Error::Input`] where the text is no date.
    pub fn et_of_utc(&self, text: &str) -> Result<f64> {
        let (date, scale) = split_scale(text);
        let seconds = calendar_seconds(date).ok_or_else(|| not_a_date(text))?;
        match scale {
            Scale::Tdb => return Ok(seconds),
            Scale::Tt => return Ok(seconds + self.periodic(seconds)),
            Scale::Utc => {}
        }
        // the day it is on; second 60 belongs to the day before
        let sixty = date
            .rsplit(|c: char| !c.is_ascii_digit() && c != '.')
            .next()
            .is_some_and(|s| s.starts_with("60") && date.contains(':'));
        let at = if sixty { seconds - 1.0 } else { seconds };
        let day = ((at + DAY / 2.0) / DAY).floor() * DAY - DAY / 2.0;
        if sixty && self.leap(day + DAY) <= self.leap(day) {
            return Err(Error::input(format!(
                "{text:?} has a second 60, but no leap second ends that day"
            )));
        }
        let tt = seconds + self.leap(day) + self.delta_t_a;
        Ok(tt + self.periodic(tt))
    }

    /// UTC calendar date of an epoch, to `digits` decimals of a second (at most 9), rounded:
    /// `2022-07-27T12:34:56.789`.
    #[must_use]
    pub fn utc_of_et(&self, et: f64, digits: usize) -> String {
        if et.is_nan() || et.abs() >= 1e13 {
            return calendar(et, digits);
        }
        let mut tt = et;
        for _ in 0..4 {
            tt = et - self.periodic(tt);
        }
        let tai = tt - self.delta_t_a;
        let tick = libm::pow(10.0, digits.min(9) as f64);
        let tai = (tai * tick).round() / tick;
        // UTC days are as long as the table says; the leap second is the last of its day
        let mut n = self.steps.partition_point(|s| s.1 + s.0 <= tai);
        // within a leap second the count before it holds
        let offset = if n == 0 {
            self.steps[0].0 - 1.0
        } else {
            self.steps[n - 1].0
        };
        n = n.min(self.steps.len());
        let utc = tai - offset;
        let leaping = self.steps.get(n).is_some_and(|s| utc >= s.1);
        if leaping {
            let over = utc - self.steps[n].1;
            let before = calendar(utc - over - 1.0, digits);
            let clock = format!(
                "{:0>w$.d$}",
                60.0 + over,
                w = if digits == 0 { 2 } else { digits.min(9) + 3 },
                d = digits.min(9)
            );
            let cut = before.rfind(':').map_or(before.len(), |i| i + 1);
            return format!("{}{clock}", &before[..cut]);
        }
        calendar(utc, digits)
    }
}

enum Scale {
    Utc,
    Tt,
    Tdb,
}

/// A date without the name of its time scale.
fn split_scale(text: &str) -> (&str, Scale) {
    let t = text.trim();
    for (name, scale) in [
        ("TDB", Scale::Tdb),
        ("TDT", Scale::Tt),
        ("TT", Scale::Tt),
        ("UTC", Scale::Utc),
        ("Z", Scale::Utc),
    ] {
        let cut = t.len().saturating_sub(name.len());
        if t.get(cut..)
            .is_some_and(|end| end.eq_ignore_ascii_case(name))
        {
            return (t[..cut].trim_end(), scale);
        }
    }
    (t, Scale::Utc)
}

fn not_a_date(text: &str) -> Error {
    Error::input(format!(
        "{text:?} is no date that is understood; write it as 2022-07-27T12:34:56.789"
    ))
}

/// `yyyy-mm-ddThh:mm:ss.fff` of seconds from J2000 in days of 86400 s.
#[must_use]
pub(crate) fn calendar(seconds: f64, digits: usize) -> String {
    // beyond the calendar (a damaged kernel's span)
    if seconds.is_nan() || seconds.abs() >= 1e13 {
        return format!("{seconds:e} s from J2000");
    }
    let digits = digits.min(9);
    let tick = libm::pow(10.0, digits as f64);
    let total = seconds + DAY / 2.0;
    let mut day = (total / DAY).floor();
    let mut ticks = ((total - day * DAY) * tick).round();
    if ticks >= DAY * tick {
        (day, ticks) = (day + 1.0, 0.0);
    }
    // civil date from days since 0000-03-01
    let z = day as i64 + 730_425;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let d = doy - (153 * mp + 2) / 5 + 1;
    let m = if mp < 10 { mp + 3 } else { mp - 9 };
    let y = yoe + era * 400 + i64::from(m <= 2);
    let whole = (ticks / tick).floor();
    let fraction = ticks - whole * tick;
    let s = whole as i64;
    let mut out = format!(
        "{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}",
        s / 3600,
        s / 60 % 60,
        s % 60
    );
    if digits > 0 {
        out.push_str(&format!(".{:0digits$}", fraction as i64));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::spice::parse_text;
    use std::path::Path;

    fn leap() -> LeapSeconds {
        let text = b"KPL/LSK\n\\begindata\nDELTET/DELTA_T_A = 32.184\nDELTET/K = 1.657D-3\n\
            DELTET/EB = 1.671D-2\nDELTET/M = ( 6.239996D0 1.99096871D-7 )\n\
            DELTET/DELTA_AT = ( 10, @1972-JAN-1 35, @2012-JUL-1 36, @2015-JUL-1 37, @2017-JAN-1 )";
        let mut pool = Pool::default();
        let path = Path::new("k.tls");
        pool.load(path, &parse_text(path, text).expect("parses"))
            .expect("loads");
        LeapSeconds::from_pool(&pool)
            .expect("usable")
            .expect("there")
    }

    /// Values of SPICE's str2et.
    #[test]
    fn agrees_with_spice() {
        let l = leap();
        for (utc, et) in [
            ("2016-12-31T23:59:60.5", 536_500_868.683_929_8),
            ("2022-07-27T12:34:56.789", 712_197_365.972_392_8),
            ("2024-02-29T23:59:59.999999", 762_523_269.185_384_5),
        ] {
            let mine = l.et_of_utc(utc).expect(utc);
            assert!((mine - et).abs() < 2e-7, "{utc} {mine}");
        }
    }

    #[test]
    fn there_and_back_around_a_leap_second() {
        let l = leap();
        for utc in [
            "2016-12-31T23:59:58.500",
            "2016-12-31T23:59:59.999",
            "2016-12-31T23:59:60.000",
            "2016-12-31T23:59:60.999",
            "2017-01-01T00:00:00.000",
            "2017-01-01T00:00:01.000",
            "1971-06-01T00:00:00.000",
            "2000-02-29T12:00:00.123",
        ] {
            let et = l.et_of_utc(utc).expect(utc);
            assert_eq!(l.utc_of_et(et, 3), utc);
        }
        let a = l.et_of_utc("2016-12-31T23:59:59").expect("a date");
        let b = l.et_of_utc("2017-01-01T00:00:00Z").expect("a date");
        assert!((b - a - 2.0).abs() < 1e-6);
        assert!(l.et_of_utc("2017-12-31T23:59:60").is_err());
        assert!(l.et_of_utc("yesterday").is_err());
        assert_eq!(l.et_of_utc("2000-01-01T12:00:00 TDB").expect("a date"), 0.0);
        assert!(l.et_of_utc("2000-01-01T12:00:00 TT").expect("a date").abs() < 2e-3);
        assert_eq!(calendar(-0.4, 0), "2000-01-01T12:00:00");
        assert_eq!(calendar(0.0, 9), "2000-01-01T12:00:00.000000000");
        assert_eq!(l.utc_of_et(f64::NAN, 3), "NaN s from J2000");
        assert_eq!(calendar(-1e300, 3), "-1e300 s from J2000");
    }
}

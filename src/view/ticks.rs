//! Where an axis has its ticks, and what they are called.

use super::text::raised;

/// A tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where.
    pub at: f64,
    /// Its label; empty for a small tick.
    pub label: String,
}

impl Tick {
    fn small(at: f64) -> Self {
        Self {
            at,
            label: String::new(),
        }
    }
}

/// Steps of 1, 2, 2.5 and 5 times a power of ten: the smallest that cuts a range into at most `most` parts; none for a range that is
/// none.
fn step(low: f64, high: f64, most: usize) -> Option<f64> {
    let wanted = (high - low) / most.max(1) as f64;
    if !(wanted > 0.0 && wanted.is_finite()) {
        return None;
    }
    let power = 10f64.powf(wanted.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|s| s * power)
        .find(|s| *s >= wanted * (1.0 - 1e-9))
}

/// Multiples of a step in a range.
fn multiples(low: f64, high: f64, step: f64) -> impl Iterator<Item = i64> {
    let slack = 1e-9 * (high - low) / step;
    let first = (low / step - slack).ceil();
    let last = (high / step + slack).floor();
    let few = (last - first).is_finite() && last - first < 1e4 && first.abs() < 1e15;
    let (first, last) = match few {
        true => (first as i64, last as i64),
        false => (1, 0),
    };
    first..=last
}

/// A number with a fixed number of decimals, and the minus sign of print.
fn fixed(v: f64, decimals: usize) -> String {
    let text = format!("{v:.decimals$}");
    let zero = text
        .trim_start_matches('-')
        .chars()
        .all(|c| c == '0' || c == '.');
    match text.strip_prefix('-') {
        Some(rest) if zero => rest.into(),
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

/// Ticks of a linear axis: at most `most` + 1 labels, and small ticks between.
#[must_use]
pub fn linear(low: f64, high: f64, most: usize) -> Vec<Tick> {
    let Some(step) = step(low, high, most) else {
        return Vec::new();
    };
    // as many decimals as the step has digits
    let mut decimals = (-step.log10().floor()).max(0.0) as usize;
    if (step * 10f64.powi(decimals as i32)).fract() > 1e-6 && decimals < 12 {
        decimals += 1;
    }
    let largest = low.abs().max(high.abs());
    let label = |v: f64| match largest >= 1e5 || decimals > 5 {
        true => power(v, step),
        false => fixed(v, decimals),
    };
    let mut out: Vec<Tick> = multiples(low, high, step)
        .map(|k| Tick {
            at: k as f64 * step,
            label: label(k as f64 * step),
        })
        .collect();
    let parts = match (step / 10f64.powf((step.log10() + 1e-9).floor())).round() as i64 {
        2 | 3 => 4,
        _ => 5,
    };
    let small = step / parts as f64;
    out.extend(
        multiples(low, high, small)
            .filter(|k| k % parts != 0)
            .map(|k| Tick::small(k as f64 * small)),
    );
    out
}

/// A number as digits times a power of ten, to the digits of a step.
fn power(v: f64, step: f64) -> String {
    if v == 0.0 {
        return "0".into();
    }
    let exponent = v.abs().log10().floor() as i32;
    let digits = (f64::from(exponent) - step.log10().floor()).clamp(0.0, 12.0) as usize;
    let front = fixed(v / 10f64.powi(exponent), digits);
    format!(
        "{front}×10{}",
        raised(&exponent.to_string().replace('-', "−"))
    )
}

/// Ticks of a logarithmic axis between positive ends: powers of ten, and within few decades 2 and 5 times them too.
#[must_use]
pub fn logarithmic(low: f64, high: f64, most: usize) -> Vec<Tick> {
    if !(low > 0.0 && high > low && high.is_finite()) {
        return Vec::new();
    }
    let decades = high.log10() - low.log10();
    // within less than a decade it is almost linear
    if decades < 0.7 {
        return linear(low, high, most)
            .into_iter()
            .filter(|t| t.at > 0.0)
            .collect();
    }
    let every = (decades / most.max(1) as f64).ceil().max(1.0) as i32;
    let labelled: &[i32] = match decades {
        d if d < 2.0 => &[1, 2, 5],
        d if d < 3.0 => &[1, 3],
        _ => &[1],
    };
    let first = low.log10().floor() as i32;
    let last = high.log10().ceil() as i32;
    let mut out = Vec::new();
    for exponent in first..=last {
        for digit in 1..10 {
            let at = f64::from(digit) * 10f64.powi(exponent);
            if at < low * (1.0 - 1e-9) || at > high * (1.0 + 1e-9) {
                continue;
            }
            if labelled.contains(&digit) && exponent.rem_euclid(every) == 0 {
                out.push(Tick {
                    at,
                    label: decade(digit, exponent),
                });
            } else if every <= 2 || digit == 1 {
                out.push(Tick::small(at));
            }
        }
    }
    out
}

/// `digit` times ten to a power.
fn decade(digit: i32, exponent: i32) -> String {
    match exponent {
        0..=3 => (digit * 10i32.pow(exponent as u32)).to_string(),
        -2..=-1 => fixed(f64::from(digit) * 10f64.powi(exponent), -exponent as usize),
        _ => {
            let power = raised(&exponent.to_string().replace('-', "−"));
            match digit {
                1 => format!("10{power}"),
                d => format!("{d}×10{power}"),
            }
        }
    }
}

/// What a sexagesimal number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sexagesimal {
    /// Right ascension in hours, minutes and seconds of time.
    Hours,
    /// Declination in degrees, minutes and seconds of arc.
    Degrees,
}

/// Seconds between ticks, from fine to coarse.
const STEPS: [i64; 16] = [
    1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18_000, 36_000,
];

/// Ticks of coordinates on the sky between two angles in degrees (`low` below `high`; right ascension may run below 0 or beyond
/// 360). The first label has all parts, others only those that differ from it ([`short`]).
#[must_use]
pub fn sexagesimal(low: f64, high: f64, kind: Sexagesimal, most: usize) -> Vec<Tick> {
    // degrees to seconds, and the largest number of them
    let per_degree = match kind {
        Sexagesimal::Hours => 240.0,
        Sexagesimal::Degrees => 3600.0,
    };
    let (low, high) = (low * per_degree, high * per_degree);
    let wanted = (high - low) / most.max(1) as f64;
    if !(wanted > 0.0 && wanted.is_finite()) {
        return Vec::new();
    }
    // counted in units of 10^-decimals seconds, so that labels are exact
    let (unit, decimals) = match wanted {
        w if w > 0.5 => (1.0, 0),
        w => {
            let decimals = (-w.log10()).ceil().clamp(1.0, 9.0);
            (10f64.powf(-decimals), decimals as usize)
        }
    };
    let fine = [1i64, 2, 5, 10];
    let steps: &[i64] = if decimals == 0 { &STEPS } else { &fine };
    let step = steps
        .iter()
        .copied()
        .find(|s| *s as f64 * unit >= wanted * (1.0 - 1e-9))
        .unwrap_or(90 * 3600 / 2);
    // a whole unit of the decimal before needs one less
    let (unit, decimals, step) = match (decimals, step) {
        (1.., 10) => (unit * 10.0, decimals - 1, 1),
        other => (unit, other.0, other.1),
    };
    multiples(low, high, step as f64 * unit)
        .map(|k| Tick {
            at: k as f64 * step as f64 * unit / per_degree,
            label: angle(k * step, decimals, kind, (step as f64 * unit) as i64),
        })
        .collect()
}

/// An angle of so many units of 10^-decimals seconds, with all its parts down to those that a step (seconds) needs.
fn angle(units: i64, decimals: usize, kind: Sexagesimal, step: i64) -> String {
    let per = 10i64.pow(decimals as u32);
    let (units, sign) = match kind {
        Sexagesimal::Hours => (units.rem_euclid(86_400 * per), ""),
        Sexagesimal::Degrees if units < 0 => (-units, "−"),
        Sexagesimal::Degrees => (units, "+"),
    };
    let (whole, part) = (units / per, units % per);
    let (first, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    let [a, b, c] = match kind {
        Sexagesimal::Hours => ["ʰ", "ᵐ", "ˢ"],
        Sexagesimal::Degrees => ["°", "′", "″"],
    };
    let mut out = format!("{sign}{first:02}{a}");
    if step % 3600 != 0 || decimals > 0 || step == 0 {
        out += &format!("{minutes:02}{b}");
    }
    if step % 60 != 0 || decimals > 0 || step == 0 {
        out += &format!("{seconds:02}");
        if decimals > 0 {
            out += &format!(".{part:0decimals$}");
        }
        out += c;
    }
    out
}

/// A label without the leading parts that another has as well: `−16°25′` after `−16°27′`, say, is `25′`.
#[must_use]
pub fn short<'a>(label: &'a str, before: &str) -> &'a str {
    let mut cut = 0;
    for (i, mark) in label.char_indices() {
        if !matches!(mark, 'ʰ' | 'ᵐ' | '°' | '′') {
            continue;
        }
        let end = i + mark.len_utf8();
        // the last part is always said
        if end < label.len() && before.get(..end) == label.get(..end) {
            cut = end;
        }
    }
    &label[cut..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<String> {
        let named = ticks.iter().filter(|t| !t.label.is_empty());
        named.map(|t| super::super::text::plain(&t.label)).collect()
    }

    #[test]
    fn linear_axes() {
        assert_eq!(labels(&linear(4.9, 5.74, 5)), ["5.0", "5.2", "5.4", "5.6"]);
        assert_eq!(
            labels(&linear(-1.0, 1.0, 4)),
            ["−1.0", "−0.5", "0.0", "0.5", "1.0"]
        );
        assert_eq!(labels(&linear(0.0, 900.0, 4)), ["0", "250", "500", "750"]);
        assert_eq!(
            labels(&linear(0.0, 4e6, 4)),
            ["0", "1×10^6", "2×10^6", "3×10^6", "4×10^6"]
        );
        assert_eq!(
            labels(&linear(0.0, 3e-7, 3)),
            ["0", "1×10^−7", "2×10^−7", "3×10^−7"]
        );
        assert!(linear(1.0, 1.0, 5).is_empty() && linear(f64::NAN, 1.0, 5).is_empty());
        assert!(linear(0.0, f64::INFINITY, 5).is_empty());
        let small = linear(0.0, 1.0, 5)
            .iter()
            .filter(|t| t.label.is_empty())
            .count();
        assert_eq!(small, 15);
    }

    #[test]
    fn logarithmic_axes() {
        assert_eq!(
            labels(&logarithmic(0.5, 3e4, 6)),
            ["1", "10", "100", "1000", "10^4"]
        );
        assert_eq!(
            labels(&logarithmic(3e3, 9e4, 6)),
            ["5000", "10^4", "2×10^4", "5×10^4"]
        );
        assert_eq!(
            labels(&logarithmic(0.004, 0.9, 6)),
            ["0.01", "0.03", "0.1", "0.3"]
        );
        // less than a decade is as good as linear
        assert_eq!(
            labels(&logarithmic(100.0, 150.0, 5)),
            ["100", "110", "120", "130", "140", "150"]
        );
        assert!(labels(&logarithmic(1e-30, 1e30, 6)).len() <= 7);
        assert!(logarithmic(0.0, 1.0, 5).is_empty() && logarithmic(2.0, 1.0, 5).is_empty());
    }

    #[test]
    fn right_ascension_and_declination() {
        let hours = |a, b, n| labels(&sexagesimal(a, b, Sexagesimal::Hours, n));
        let degrees = |a, b, n| labels(&sexagesimal(a, b, Sexagesimal::Degrees, n));
        // 321.5 degrees are 21h 26m
        assert_eq!(
            hours(321.48, 321.52, 5),
            [
                "21ʰ25ᵐ56ˢ",
                "21ʰ25ᵐ58ˢ",
                "21ʰ26ᵐ00ˢ",
                "21ʰ26ᵐ02ˢ",
                "21ʰ26ᵐ04ˢ"
            ]
        );
        // across 0
        assert_eq!(
            hours(-0.011, 0.011, 4),
            ["23ʰ59ᵐ58ˢ", "00ʰ00ᵐ00ˢ", "00ʰ00ᵐ02ˢ"]
        );
        assert_eq!(
            hours(359.999, 360.001, 3),
            ["23ʰ59ᵐ59.8ˢ", "00ʰ00ᵐ00.0ˢ", "00ʰ00ᵐ00.2ˢ"]
        );
        assert_eq!(hours(-180.0, 180.0, 4), ["14ʰ", "00ʰ", "10ʰ"]);
        assert_eq!(
            degrees(-16.4656, -16.4628, 6),
            [
                "−16°27′56″",
                "−16°27′54″",
                "−16°27′52″",
                "−16°27′50″",
                "−16°27′48″"
            ]
        );
        // the sign belongs to the whole angle
        assert_eq!(
            degrees(-0.00056, 0.00056, 5),
            [
                "−00°00′02″",
                "−00°00′01″",
                "+00°00′00″",
                "+00°00′01″",
                "+00°00′02″"
            ]
        );
        assert_eq!(
            degrees(88.0, 90.0, 4),
            ["+88°00′", "+88°30′", "+89°00′", "+89°30′", "+90°00′"]
        );
        assert_eq!(
            degrees(10.0, 10.00002, 2),
            ["+10°00′00.00″", "+10°00′00.05″"]
        );
        assert!(hours(3.0, 3.0, 4).is_empty() && hours(f64::NAN, 3.0, 4).is_empty());
    }

    #[test]
    fn labels_leave_out_what_was_said() {
        assert_eq!(short("21ʰ25ᵐ58ˢ", "21ʰ25ᵐ56ˢ"), "58ˢ");
        assert_eq!(short("21ʰ26ᵐ00ˢ", "21ʰ25ᵐ58ˢ"), "26ᵐ00ˢ");
        assert_eq!(short("−16°27′", "−16°28′"), "27′");
        assert_eq!(short("+00°00′01″", "−00°00′01″"), "+00°00′01″");
        assert_eq!(short("5ʰ", "5ʰ"), "5ʰ");
    }
}

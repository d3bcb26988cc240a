//! Text kernels: variables assigned between `\begindata` and `\begintext`.
//!
//! `NAME = value`, `NAME = ( list )` and `+=` with numbers (also with D exponents), strings in single
//! quotes (a quote is doubled) and dates (`@1972-JAN-1`, read as seconds from J2000 of a calendar
//! without leap seconds). Everything else in the file is commentary.

use std::path::Path;

use crate::{Error, Result};

/// What a variable holds: one or more numbers, or one or more strings.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

/// One assignment.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// Variable.
    pub name: String,
    /// `+=`: the values are put after those there are.
    pub append: bool,
    /// Values.
    pub value: Value,
    /// Line of the file, counted from 1.
    pub line: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
    Equals,
    Append,
}

/// Assignments of a text kernel, in order.
///
/// # Errors
/// [`Error::Format`] with the line, where the data are no assignments; where there is nothing that a
/// text kernel has.
pub fn parse_text(path: &Path, bytes: &[u8]) -> Result<Vec<Assignment>> {
    if bytes.contains(&0) {
        return Err(Error::format(
            path,
            "is neither a text kernel nor a binary kernel of SPICE; leave it out",
        ));
    }
    if bytes.starts_with(b"DAFETF") || bytes.starts_with(b"DASETF") {
        return Err(Error::format(
            path,
            "is a kernel in transfer format; convert it with NAIF's tobin",
        ));
    }
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let mut tokens = Vec::new();
    let mut data = false;
    let mut ever = false;
    for (i, line) in text.split(['\n', '\r']).enumerate() {
        match line.trim() {
            "\\begindata" => (data, ever) = (true, true),
            "\\begintext" => data = false,
            _ if data => lex(path, line, i + 1, &mut tokens)?,
            _ => {}
        }
    }
    if !ever && !text.starts_with("KPL/") {
        return Err(Error::format(
            path,
            "is no SPICE kernel: no line says \\begindata; leave it out",
        ));
    }
    assignments(path, tokens)
}

fn lex(path: &Path, line: &str, number: usize, out: &mut Vec<(Token, usize)>) -> Result<()> {
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let token = match c {
            c if c.is_whitespace() || c == ',' => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '=' => Token::Equals,
            '+' if chars.peek() == Some(&'=') => {
                chars.next();
                Token::Append
            }
            '\'' => {
                let mut text = String::new();
                loop {
                    match chars.next() {
                        Some('\'') if chars.peek() == Some(&'\'') => {
                            chars.next();
                            text.push('\'');
                        }
                        Some('\'') => break,
                        Some(c) => text.push(c),
                        None => {
                            return Err(Error::format(
                                path,
                                format!("line {number}: a string has no closing quote"),
                            ));
                        }
                    }
                }
                Token::Text(text)
            }
            c => {
                let mut word = String::from(c);
                while let Some(&next) = chars.peek() {
                    let ends = next.is_whitespace() || ",()='".contains(next);
                    if ends || (next == '+' && chars.clone().nth(1) == Some('=')) {
                        break;
                    }
                    word.push(next);
                    chars.next();
                }
                Token::Word(word)
            }
        };
        out.push((token, number));
    }
    Ok(())
}

fn assignments(path: &Path, tokens: Vec<(Token, usize)>) -> Result<Vec<Assignment>> {
    let fault = |line: usize, what: &str| Error::format(path, format!("line {line}: {what}"));
    let mut out = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some((token, line)) = tokens.next() {
        let Token::Word(name) = token else {
            return Err(fault(line, "expected the name of a variable"));
        };
        let append = match tokens.next() {
            Some((Token::Equals, _)) => false,
            Some((Token::Append, _)) => true,
            _ => return Err(fault(line, &format!("expected = or += after {name}"))),
        };
        let mut values = Vec::new();
        match tokens.next() {
            Some((Token::Open, _)) => loop {
                match tokens.next() {
                    Some((Token::Close, _)) => break,
                    Some((v @ (Token::Word(_) | Token::Text(_)), at)) => values.push((v, at)),
                    Some((_, at)) => {
                        return Err(fault(at, &format!("the list of {name} is not closed")));
                    }
                    None => return Err(fault(line, &format!("the list of {name} is not closed"))),
                }
            },
            Some((v @ (Token::Word(_) | Token::Text(_)), at)) => values.push((v, at)),
            _ => return Err(fault(line, &format!("{name} gets no value"))),
        }
        let mut numbers = Vec::new();
        let mut texts = Vec::new();
        for (value, at) in values {
            match value {
                Token::Text(t) => texts.push(t),
                Token::Word(w) => match number(&w) {
                    Some(n) => numbers.push(n),
                    None => {
                        let what = format!(
                            "{w:?} of {name} is neither a number, a date (@...) nor a quoted string"
                        );
                        return Err(fault(at, &what));
                    }
                },
                _ => {}
            }
        }
        let value = match (numbers.is_empty(), texts.is_empty()) {
            (false, true) => Value::Numbers(numbers),
            (true, false) => Value::Texts(texts),
            (true, true) => return Err(fault(line, &format!("{name} gets an empty list"))),
            _ => return Err(fault(line, &format!("{name} mixes numbers and strings"))),
        };
        out.push(Assignment {
            name,
            append,
            value,
            line,
        });
    }
    Ok(out)
}

fn number(word: &str) -> Option<f64> {
    if let Some(date) = word.strip_prefix('@') {
        return calendar_seconds(date);
    }
    let plain = word
        .chars()
        .all(|c| c.is_ascii_digit() || "+-.eEdD".contains(c));
    let word = word.replace(['d', 'D'], "e");
    plain
        .then(|| word.parse().ok())
        .flatten()
        .filter(|v: &f64| v.is_finite())
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

/// Seconds from 2000-01-01T12:00:00 to a date, all days of 86400 s. Year, month (number or name) and
/// day in the orders `1972-JAN-1`, `1-JAN-1972`, `JAN-1-1972`, `1972-01-31`, or year and day of the
/// year; then hours, minutes, seconds if any; or `JD2451545.0`. Separators are free. Second 60 is let
/// through (a leap second).
#[must_use]
pub fn calendar_seconds(text: &str) -> Option<f64> {
    let upper = text.trim().to_ascii_uppercase();
    if let Some(day) = upper.strip_prefix("JD") {
        let day: f64 = day.trim().parse().ok()?;
        return day.is_finite().then_some((day - 2_451_545.0) * 86_400.0);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in upper.split(|c: char| !c.is_ascii_alphanumeric() && c != '.') {
        // the T between date and time
        let cut = part.find('T').filter(|&i| {
            part[..i].ends_with(|c: char| c.is_ascii_digit())
                && part[i + 1..].starts_with(|c: char| c.is_ascii_digit())
        });
        match cut {
            Some(i) => parts.extend([&part[..i], &part[i + 1..]]),
            None => parts.push(part),
        }
    }
    parts.retain(|p| !p.is_empty());
    let month_of = |p: &str| {
        let short = p.get(..3)?;
        let all = p.chars().all(|c| c.is_ascii_alphabetic());
        let n = MONTHS.iter().position(|m| *m == short)?;
        all.then_some(n as i64 + 1)
    };
    let named = parts.iter().take(3).position(|p| month_of(p).is_some());
    let whole = |p: &str| p.parse::<i64>().ok().filter(|v| (0..=9999).contains(v));
    let (year, month, day, used) = match named {
        Some(at) => {
            let month = month_of(parts[at])?;
            let others: Vec<&str> = (0..3)
                .filter(|&i| i != at)
                .map(|i| parts.get(i).copied())
                .collect::<Option<_>>()?;
            let (a, b) = (others[0], others[1]);
            // the year has four digits
            let (year, day) = if a.len() > 2 { (a, b) } else { (b, a) };
            (whole(year)?, month, whole(day)?, 3)
        }
        // year and day of the year
        None if parts.get(1).is_some_and(|p| p.len() == 3) => {
            (whole(parts[0])?, 1, whole(parts[1])?, 2)
        }
        None => (
            whole(parts.first()?)?,
            whole(parts.get(1)?)?,
            whole(parts.get(2)?)?,
            3,
        ),
    };
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let long = match month {
        1 if used == 2 => 365 + i64::from(leap),
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=long).contains(&day) {
        return None;
    }
    let mut clock = [0.0; 3];
    let rest = &parts[used..];
    if rest.len() > 3 {
        return None;
    }
    for (i, part) in rest.iter().enumerate() {
        let last = i + 1 == rest.len();
        let digits = part
            .chars()
            .all(|c| c.is_ascii_digit() || (last && c == '.'));
        clock[i] = digits.then(|| part.parse::<f64>().ok()).flatten()?;
    }
    let [h, m, s] = clock;
    let fits = h < 24.0 && m < 60.0 && (s < 60.0 || (s < 61.0 && m >= 59.0));
    let seconds = days_from_j2000(year, month, day) as f64 * 86_400.0 - 43_200.0;
    fits.then_some(seconds + h * 3600.0 + m * 60.0 + s)
}

/// Days from 2000-01-01 to a date of the Gregorian calendar.
fn days_from_j2000(year: i64, month: i64, day: i64) -> i64 {
    // years that begin in March have their leap day at the end
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400);
    // 730425 = 2000-01-01 in days from 0000-03-01
    days + (153 * m + 2) / 5 + day - 1 - 730_425
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Assignment>> {
        parse_text(Path::new("k.tpc"), text.as_bytes())
    }

    fn one(data: &str) -> Value {
        let text = format!("KPL/PCK\n\\begindata\n{data}\n\\begintext\n");
        let mut all = parse(&text).expect("a kernel");
        assert_eq!(all.len(), 1);
        all.remove(0).value
    }

    #[test]
    fn every_way_to_write_values() {
        let numbers = |v: &[f64]| Value::Numbers(v.to_vec());
        assert_eq!(one("A = 1"), numbers(&[1.0]));
        assert_eq!(one("A=(1,2 , 3.)"), numbers(&[1.0, 2.0, 3.0]));
        assert_eq!(
            one("A =\n  ( 1.D-5\n\t-2.5d+3 .5E1 )"),
            numbers(&[1e-5, -2500.0, 5.0])
        );
        assert_eq!(
            one("A = ( 'it''s', 'b c' )"),
            Value::Texts(vec!["it's".into(), "b c".into()])
        );
        assert_eq!(one("A = @2000-JAN-1-12:00:10.5"), numbers(&[10.5]));
        assert_eq!(
            one("A = (32, @1999-JAN-1)"),
            numbers(&[32.0, -31_579_200.0])
        );
    }

    #[test]
    fn text_between_the_data_is_no_data() {
        let all = parse(
            "A = 1\r\n\\begindata\r\nB = 2\r\nB+=( 3 )\r\n  \\begintext\r\nC = 'x\r\n \\begindata\r\nD += 'y'\r\n",
        )
        .expect("a kernel");
        let names: Vec<(&str, bool, usize)> = all
            .iter()
            .map(|a| (a.name.as_str(), a.append, a.line))
            .collect();
        assert_eq!(names, [("B", false, 3), ("B", true, 4), ("D", true, 8)]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (data, what) in [
            ("A = ", "gets no value"),
            ("A = ( 1, 2", "not closed"),
            ("A = ( 1, 'b' )", "mixes"),
            ("A = ( )", "empty"),
            ("A = hello", "neither a number"),
            ("A = 'hello", "closing quote"),
            ("A = @1999-FOO-1", "neither"),
            ("A 5", "expected = or +="),
            ("= 5", "expected the name"),
            ("A = inf", "neither"),
            ("A = 1e999", "neither"),
        ] {
            let error = parse(&format!("\\begindata\n{data}\n")).expect_err(data);
            let said = error.to_string();
            assert!(
                said.contains(what) && said.contains("line 2"),
                "{data}: {said}"
            );
        }
        assert!(
            parse("just text")
                .unwrap_err()
                .to_string()
                .contains("no SPICE kernel")
        );
        assert!(parse("KPL/FK nothing in it").expect("allowed").is_empty());
        assert!(
            parse("DAFETF NAIF DAF")
                .unwrap_err()
                .to_string()
                .contains("tobin")
        );
    }

    #[test]
    fn dates_in_every_order() {
        let jan = Some(-31_579_200.0);
        for text in [
            "1999-JAN-1",
            "1-JAN-1999",
            "JAN 1, 1999",
            "1999-01-01",
            "1999/001",
            "1999-JAN-01/00:00",
            "1999-01-01T00:00:00.000",
            "1999-001T00:00",
            "January 1 1999 00:00",
            "JD2451179.5",
        ] {
            assert_eq!(calendar_seconds(text), jan, "{text}");
        }
        assert_eq!(
            calendar_seconds("2000-02-29T12:00:00"),
            Some(59.0 * 86_400.0)
        );
        assert_eq!(
            calendar_seconds("2016-12-31T23:59:60.5"),
            calendar_seconds("2017-01-01T00:00:00").map(|s| s + 0.5)
        );
        for bad in [
            "",
            "1999",
            "1999-02-29",
            "1999-13-01",
            "1999-00-01",
            "1999-366",
            "1999-01-01T24:00",
            "1999-01-01T10:00:60",
            "x",
            "1999-JAN",
            "1999-01-01T1:2:3:4",
            "é",
            "1999-01-éé",
        ] {
            assert_eq!(calendar_seconds(bad), None, "{bad}");
        }
    }
}

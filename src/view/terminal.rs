//! Images and spectra with characters, for a look over ssh.
//!
//! With colour, each character is two square pixels (a half block, its ground the lower one); without, one character of a scale of
//! darkness stands for both. Spectra are dots of braille, two across and four down in a character.

use super::colours::ColourMap;

/// From nothing to much, where there is no colour.
const SHADES: [char; 9] = [' ', '·', ':', '-', '=', '+', '*', '#', '@'];
/// The block of the upper half.
const UPPER: char = '▀';
/// Where a braille character's dots are, `[row][column]`.
const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
/// Braille without a dot.
const BRAILLE: u32 = 0x2800;

/// What a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// None.
    None,
    /// The 256 that most can.
    Table,
    /// All.
    True,
}

/// The escape codes for a colour, of letters or of the ground.
fn code(colours: Colours, [r, g, b]: [u8; 3], ground: bool) -> String {
    let what = if ground { 48 } else { 38 };
    match colours {
        Colours::None => String::new(),
        Colours::True => format!("\u{1b}[{what};2;{r};{g};{b}m"),
        Colours::Table => {
            // a cube of 6 x 6 x 6 whose steps are 0, 95, 135, 175, 215, 255
            let step = |v: u8| match v {
                0..=47 => 0,
                48..=114 => 1,
                v => (u32::from(v) - 35) / 40,
            };
            let index = 16 + 36 * step(r) + 6 * step(g) + step(b);
            format!("\u{1b}[{what};5;{index}m")
        }
    }
}

/// An image `[y][x]`, its first row lowest, at most `room` characters wide and high; spaxels are whole numbers of characters where
/// there is room, else means of several. Colours (or shades) run between two limits; what is not finite is blank.
#[must_use]
pub fn image(
    values: &[f64],
    nx: usize,
    room: [usize; 2],
    limits: [f64; 2],
    map: &ColourMap,
    colours: Colours,
) -> String {
    let ny = values.len().checked_div(nx).unwrap_or(0);
    if ny == 0 {
        return String::new();
    }
    let (wide, high) = (room[0].max(1), 2 * room[1].max(1));
    let larger = (wide / nx).min(high / ny);
    let smaller = nx.div_ceil(wide).max(ny.div_ceil(high)).max(1);
    let (columns, rows) = match larger {
        0 => (nx.div_ceil(smaller), ny.div_ceil(smaller)),
        k => (nx * k, ny * k),
    };
    // rows from the top
    let at = |x: usize, y: usize| -> f64 {
        if y >= rows {
            return f64::NAN;
        }
        let up = rows - 1 - y;
        if let (Some(j), Some(i)) = (up.checked_div(larger), x.checked_div(larger)) {
            return values[j * nx + i];
        }
        let (x, y) = (x * smaller, up * smaller);
        let mut sum = (0.0, 0usize);
        for j in y..(y + smaller).min(ny) {
            for v in &values[j * nx + x..j * nx + (x + smaller).min(nx)] {
                if v.is_finite() {
                    sum = (sum.0 + v, sum.1 + 1);
                }
            }
        }
        sum.0 / sum.1 as f64
    };
    let [low, high] = limits;
    let fraction = |v: f64| match v.is_finite() {
        false => None,
        true if high > low => Some(((v - low) / (high - low)).clamp(0.0, 1.0)),
        true => Some(0.5),
    };
    let mut out = String::new();
    for y in (0..rows).step_by(2) {
        for x in 0..columns {
            let both = [at(x, y), at(x, y + 1)].map(fraction);
            if colours == Colours::None {
                let known: Vec<f64> = both.into_iter().flatten().collect();
                let mean = known.iter().sum::<f64>() / known.len() as f64;
                // what is known is never blank
                let shade = 1 + (mean * (SHADES.len() - 2) as f64).round() as usize;
                let shade = if known.is_empty() { 0 } else { shade };
                out.push(SHADES.get(shade).copied().unwrap_or(' '));
                continue;
            }
            let paint = |f: f64| {
                let [r, g, b, _] = map.at(f).0;
                [r, g, b]
            };
            let text = match both {
                [None, None] => "\u{1b}[0m ".to_owned(),
                [Some(a), None] => format!("\u{1b}[0m{}{UPPER}", code(colours, paint(a), false)),
                [None, Some(b)] => format!("\u{1b}[0m{}▄", code(colours, paint(b), false)),
                [Some(a), Some(b)] => {
                    let (a, b) = (paint(a), paint(b));
                    format!(
                        "{}{}{UPPER}",
                        code(colours, a, false),
                        code(colours, b, true)
                    )
                }
            };
            out.push_str(&text);
        }
        if colours != Colours::None {
            out.push_str("\u{1b}[0m");
        }
        out.push('\n');
    }
    out
}

/// A spectrum as a line of dots, `room` characters wide and high, between two limits; of the values in a column of dots all between the
/// least and the greatest are set. `log` where equal ratios have equal distances.
#[must_use]
pub fn spectrum(values: &[f64], room: [usize; 2], limits: [f64; 2], log: bool) -> String {
    let (columns, rows) = (room[0].max(1), room[1].max(1));
    let (wide, high) = (2 * columns, 4 * rows);
    let place = |v: f64| if log { v.ln() } else { v };
    let [low, top] = limits.map(place);
    let mut cells = vec![0u32; columns * rows];
    let row = |v: f64| {
        let f = match top > low {
            true => (place(v) - low) / (top - low),
            false => 0.5,
        };
        (f.is_finite()).then(|| ((1.0 - f.clamp(0.0, 1.0)) * (high - 1) as f64).round() as usize)
    };
    for column in 0..wide {
        let from = column * values.len() / wide;
        let to = ((column + 1) * values.len() / wide).max(from + 1);
        let part = values.get(from..to.min(values.len())).unwrap_or(&[]);
        let shown: Vec<usize> = part
            .iter()
            .filter(|v| v.is_finite())
            .filter_map(|v| row(*v))
            .collect();
        let (Some(a), Some(b)) = (shown.iter().min(), shown.iter().max()) else {
            continue;
        };
        for y in *a..=*b {
            cells[(y / 4) * columns + column / 2] |= DOTS[y % 4][column % 2];
        }
    }
    let mut out = String::new();
    for line in cells.chunks(columns) {
        out.extend(line.iter().filter_map(|c| char::from_u32(BRAILLE + c)));
        out.push('\n');
    }
    out
}

/// The arrow nearest to a direction: to the right and upwards.
#[must_use]
pub fn arrow(right: f64, up: f64) -> char {
    const ARROWS: [char; 8] = ['→', '↗', '↑', '↖', '←', '↙', '↓', '↘'];
    let turn = libm::atan2(up, right) / std::f64::consts::FRAC_PI_4;
    let k = if turn.is_finite() {
        turn.round() as i64
    } else {
        0
    };
    ARROWS[k.rem_euclid(8) as usize]
}

#[cfg(test)]
mod tests {
    use super::super::colours::PLASMA;
    use super::*;

    #[test]
    fn images_without_colour() {
        let values = [0.0, 1.0, 0.5, f64::NAN];
        // two rows are one character high; the first row is the lowest
        let text = image(&values, 2, [2, 1], [0.0, 1.0], &PLASMA, Colours::None);
        assert_eq!(text, "-@\n");
        let text = image(&values, 2, [4, 2], [0.0, 1.0], &PLASMA, Colours::None);
        assert_eq!(text, "++  \n··@@\n");
        // smaller than the image
        let text = image(
            &[1.0; 400],
            20,
            [10, 40],
            [0.0, 1.0],
            &PLASMA,
            Colours::None,
        );
        assert_eq!(text.lines().count(), 5);
        assert!(text.lines().all(|l| l == "@@@@@@@@@@"));
        assert_eq!(
            image(&[], 0, [9, 9], [0.0, 1.0], &PLASMA, Colours::True),
            ""
        );
    }

    #[test]
    fn images_in_colour() {
        let text = image(&[0.0, 1.0], 1, [1, 1], [0.0, 1.0], &PLASMA, Colours::True);
        assert_eq!(
            text,
            "\u{1b}[38;2;240;249;33m\u{1b}[48;2;13;8;135m▀\u{1b}[0m\n"
        );
        let text = image(
            &[f64::NAN, 1.0],
            1,
            [1, 1],
            [0.0, 1.0],
            &PLASMA,
            Colours::Table,
        );
        assert_eq!(text, "\u{1b}[0m\u{1b}[38;5;226m▀\u{1b}[0m\n");
    }

    #[test]
    fn spectra() {
        assert_eq!(
            spectrum(&[0.0, 1.0, 2.0, 3.0], [2, 1], [0.0, 3.0], false),
            "⡠⠊\n"
        );
        let text = spectrum(&[f64::NAN; 9], [3, 2], [f64::NAN; 2], true);
        assert_eq!(text, "⠀⠀⠀\n⠀⠀⠀\n");
        let text = spectrum(&[1.0, 10.0, 100.0, 1000.0], [2, 1], [1.0, 1000.0], true);
        assert_eq!(text, "⡠⠊\n");
        assert_eq!(spectrum(&[], [1, 1], [0.0, 1.0], false), "⠀\n");
    }

    #[test]
    fn arrows_point() {
        assert_eq!(
            [arrow(0.1, 2.0), arrow(-1.0, -1.1), arrow(1.0, 0.0)],
            ['↑', '↙', '→']
        );
        assert_eq!(arrow(f64::NAN, 0.0), '→');
    }
}

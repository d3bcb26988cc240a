//! `sifu view`: a cube in a terminal.

use std::io::IsTerminal;
use std::path::PathBuf;

use super::print;
use crate::pipeline::plot::Opened;
use crate::view::colours::PLASMA;
use crate::view::sky::Tangent;
use crate::view::summary::{Numbers, title};
use crate::view::terminal::{Colours, arrow, image, spectrum};
use crate::wcs::Celestial;
use crate::{Error, Result};

/// Width where the output is no terminal.
const WIDTH: usize = 80;
/// Lines of the image where the output is no terminal, and of the spectrum.
const HEIGHT: [usize; 2] = [24, 7];

/// Show a cube in the terminal: its image, north up or not, and its mean spectrum.
///
/// The image is the mean over the wavelengths (NIRSpec: the median), the spectrum that over the field. Colours are left out where
/// the output is no terminal, NO_COLOR is set, or on request.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Cube, navigated or not.
    #[arg(value_name = "CUBE")]
    input: PathBuf,
    /// Only wavelengths (micron) from FIRST to LAST, as in 5.2:5.4.
    #[arg(long, value_name = "FIRST:LAST")]
    wavelength: Option<String>,
    /// Characters across (default: as wide as the terminal).
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    /// No colours.
    #[arg(long, visible_alias = "no-colour")]
    no_color: bool,
}

/// The colours that the terminal of the output can show.
fn colours(off: bool) -> Colours {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    if off || !std::io::stdout().is_terminal() || !variable("NO_COLOR").is_empty() {
        return Colours::None;
    }
    match variable("COLORTERM").as_str() {
        "truecolor" | "24bit" => Colours::True,
        _ if variable("TERM") == "dumb" => Colours::None,
        _ => Colours::Table,
    }
}

/// The wavelengths asked for: first and behind the last.
fn range(text: &str, wavelength: &[f64]) -> Result<[usize; 2]> {
    let number = |t: &str| t.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    let ends = text.split_once(':');
    let ends = ends.and_then(|(a, b)| Some([number(a)?, number(b)?]));
    let Some([a, b]) = ends else {
        return Err(Error::parameter(format!(
            "--wavelength '{text}' is not FIRST:LAST in micron, as in 5.2:5.4"
        )));
    };
    let inside = |w: &f64| (a..=b).contains(w);
    let first = wavelength.iter().position(inside);
    let last = wavelength.iter().rposition(inside);
    first.zip(last).map(|(i, j)| [i, j + 1]).ok_or_else(|| {
        let ends = [wavelength.first(), wavelength.last()];
        let [c, d] = ends.map(|w| w.copied().unwrap_or(f64::NAN));
        Error::parameter(format!(
            "--wavelength {text}: the cube has none there; its are {c:.3} to {d:.3} micron"
        ))
    })
}

/// A number in few digits.
fn short(v: f64) -> String {
    match v.abs() {
        a if a != 0.0 && !(0.01..1e5).contains(&a) => format!("{v:.2e}"),
        _ => format!("{v:.3}"),
    }
}

/// Least and greatest of what is finite.
fn ends(values: &[f64]) -> [f64; 2] {
    let finite = values.iter().copied().filter(|v| v.is_finite());
    finite.fold([f64::NAN; 2], |[a, b], v| [a.min(v), b.max(v)])
}

/// Runs the command.
///
/// # Errors
/// Any [`Error`].
pub fn run(args: &Args) -> Result<u8> {
    if args.width.is_some_and(|w| !(10..=1000).contains(&w)) {
        return Err(Error::parameter("--width has to be from 10 to 1000"));
    }
    let cube = Opened::read(&args.input)?;
    let [nz, ny, nx] = cube.shape;
    let plane = ny * nx;
    let [from, to] = match &args.wavelength {
        Some(text) => range(text, &cube.wavelength)?,
        None => [0, nz],
    };
    let [primary, sci] = cube.headers();
    let wavelength = &cube.wavelength[from..to];
    let median = primary
        .str("INSTRUME")
        .is_some_and(|i| i.trim() == "NIRSPEC");
    let numbers = Numbers::new(
        &cube.values[from * plane..to * plane],
        plane,
        wavelength,
        median,
    );
    let shown = terminal_size::terminal_size().filter(|_| std::io::stdout().is_terminal());
    let (wide, high) = shown.map_or((WIDTH, HEIGHT[0] + HEIGHT[1] + 6), |(w, h)| {
        (usize::from(w.0), usize::from(h.0))
    });
    let wide = args.width.unwrap_or(wide).max(10);
    let room = [wide, high.saturating_sub(HEIGHT[1] + 6).max(8)];
    let unit = sci.str("BUNIT").map_or("", str::trim);
    let invalid: usize = numbers.invalid.iter().sum();
    let [first, last] = ends(wavelength);
    let mut out = format!(
        "{}\n{nx} x {ny} spaxels, {} wavelengths {first:.3} to {last:.3} um, {:.1} % invalid\n\n",
        title(primary),
        wavelength.len(),
        100.0 * invalid as f64 / (plane * wavelength.len()).max(1) as f64
    );
    if !numbers.any() {
        out += "every voxel is NaN or 0\n";
        print(&out)?;
        return Ok(0);
    }
    let limits = ends(&numbers.image);
    out += &image(
        &numbers.image,
        nx,
        room,
        limits,
        &PLASMA,
        colours(args.no_color),
    );
    let [low, top] = limits.map(short);
    out += &format!("{low} to {top} {unit}{}\n\n", compass(&cube));
    let log = !numbers.linear();
    let positive: Vec<f64> = numbers
        .whole
        .iter()
        .copied()
        .filter(|v| !log || *v > 0.0)
        .collect();
    let limits = ends(&positive);
    out += &spectrum(&numbers.whole, [wide, HEIGHT[1]], limits, log);
    let [low, top] = limits.map(short);
    let (left, right) = (format!("{first:.3} um"), format!("{last:.3} um"));
    let gap = wide.saturating_sub(left.len() + right.len());
    let (kind, scale) = (
        if median { "median" } else { "mean" },
        if log { "logarithmic" } else { "linear" },
    );
    out += &format!(
        "{left}{}{right}\n{kind} spectrum, {low} to {top} {unit}, {scale}\n",
        " ".repeat(gap.max(1))
    );
    print(&out)?;
    Ok(0)
}

/// Where north and east are on the image; nothing where the cube has no WCS.
fn compass(cube: &Opened) -> String {
    let [_, ny, nx] = cube.shape;
    let [_, sci] = cube.headers();
    let Ok(sky) = Celestial::from_header(sci) else {
        return String::new();
    };
    let [ra, dec] = sky.sky(nx as f64 / 2.0, ny as f64 / 2.0);
    let [ras, decs] = sky.grid(ny, nx);
    let fitted = Tangent::new(ra, dec).pixels(&ras, &decs, nx);
    let Some(back) = fitted.and_then(|(place, _)| place.inverse()) else {
        return String::new();
    };
    let [a, b, c, d, ..] = back.0;
    format!("; north {}, east {}", arrow(c, d), arrow(a, b))
}

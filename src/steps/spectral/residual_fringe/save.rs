//! Files that are saved besides the product (`save_intermediate_results`).

use std::fmt::Write;
use std::path::Path;

use super::column::{Corrected, Found};
use crate::formats::fits::{Header, Image};
use crate::model::Cal;
use crate::steps::spectral::side_products;
use crate::{Error, Result};

/// What became of the columns: images of the detector's size.
#[derive(Debug)]
pub struct Details {
    nx: usize,
    factors: Vec<f64>,
    mask: Vec<f64>,
    weights: Vec<f64>,
    weighted: Vec<f64>,
    background: Vec<f64>,
    knots: Vec<f32>,
    rows: Vec<(u32, usize, Found)>,
}

impl Details {
    /// Nothing done yet; `weights` are those of the pixels.
    pub fn new(ny: usize, nx: usize, weights: Vec<f64>) -> Self {
        let zero = vec![0.0; ny * nx];
        Self {
            nx,
            factors: zero.clone(),
            mask: zero.clone(),
            weights,
            weighted: zero.clone(),
            background: zero,
            knots: vec![f32::NAN; ny * nx],
            rows: Vec::new(),
        }
    }

    /// Takes over a column.
    pub fn add(&mut self, slice: u32, x: usize, found: Vec<Found>, done: Option<&Corrected>) {
        self.rows.extend(found.into_iter().map(|f| (slice, x, f)));
        let Some(c) = done else { return };
        for y in (0..c.pixels.len()).filter(|y| c.pixels[*y]) {
            let i = y * self.nx + x;
            self.factors[i] = c.factors[y];
            self.mask[i] = 1.0;
            self.weights[i] = c.weights[y];
            self.weighted[i] = c.weighted as f64 / 1024.0;
            self.background[i] = c.background[y];
        }
        for (y, knot) in c.knots.iter().enumerate() {
            self.knots[y * self.nx + x] = *knot as f32;
        }
    }

    /// Writes `_stat_table.ecsv`, `_out_table.ecsv` and `_fit_results.fits`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(self, folder: &Path, cal: &Cal) -> Result<()> {
        let root = cal.meta.root();
        let statistics = [
            "Slice", "mean", "median", "stddev", "max", "pmean", "pmedian", "pstddev", "pmax",
        ];
        let columns = [
            "Slice",
            "col",
            "fringe",
            "sn",
            "periodogram_res",
            "opt_fringes",
            "peak_freq",
            "freq_min",
            "freq_max",
        ];
        let mut table = ecsv(&columns, 3);
        for (slice, x, f) in &self.rows {
            let [peak, low, high] = f.periods;
            let numbers = [f.snr, f.resolution, f.sines as f64, peak, low, high];
            let _ = write!(table, "{slice} {x} {}", f.component);
            for v in numbers {
                let _ = write!(table, " {v:?}");
            }
            table.push('\n');
        }
        let texts = [("stat_table", ecsv(&statistics, 1)), ("out_table", table)];
        for (suffix, text) in texts {
            let path = folder.join(format!("{root}_{suffix}.ecsv"));
            std::fs::write(&path, text).map_err(|e| Error::io(&path, e))?;
        }
        let shape = [cal.ny, cal.nx];
        let image = |name, v| (name, Header::new(), Image::new::<f64>(&shape, v));
        let images = vec![
            image("RFC_FACTORS", self.factors),
            image("FIT_MASK", self.mask),
            image("WEIGHTS_FEATURES", self.weights),
            image("WEIGHTED_PIXEL_FRACTION", self.weighted),
            image("BACKGROUND_FIT", self.background),
            (
                "KNOT_LOCATIONS",
                Header::new(),
                Image::new(&shape, self.knots),
            ),
        ];
        let path = folder.join(format!("{root}_fit_results.fits"));
        side_products::write(&path, cal.meta.primary.clone(), "IFUImageModel", images)
    }
}

/// The head of an ECSV table whose first columns are whole numbers.
fn ecsv(columns: &[&str], whole: usize) -> String {
    let mut text = String::from("# %ECSV 1.0\n# ---\n# datatype:\n");
    for (i, name) in columns.iter().enumerate() {
        let kind = if i < whole { "int32" } else { "float64" };
        let _ = writeln!(text, "# - {{name: {name}, datatype: {kind}}}");
    }
    text.push_str("# schema: astropy-2.0\n");
    text.push_str(&columns.join(" "));
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_table_is_astropys() {
        let want = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: Slice, datatype: int32}\n\
                    # - {name: mean, datatype: float64}\n# schema: astropy-2.0\nSlice mean\n";
        assert_eq!(ecsv(&["Slice", "mean"], 1), want);
    }
}

//! The background's spectra out of their tables.

use std::path::Path;

use super::Curve;
use super::spectrum::{Combined, Input, combine, monotonic};
use crate::formats::fits::{FitsFile, Table};
use crate::model::Spectrum;
use crate::{Error, Result};

/// A column of numbers.
fn column(path: &Path, table: &Table, name: &str) -> Result<Vec<f64>> {
    (0..table.nrows)
        .map(|row| table.number(name, row))
        .collect::<Option<_>>()
        .ok_or_else(|| {
            Error::input_file(
                path,
                format!("its spectrum has no column {name} of numbers"),
            )
        })
}

/// A user's spectrum: the first of the file, extracted or combined.
pub(super) fn curve_of(path: &Path) -> Result<Curve> {
    let file = FitsFile::open(path)?;
    let find = ["EXTRACT1D", "COMBINE1D"].iter().find_map(|n| file.find(n));
    let Some(hdu) = find else {
        return Err(Error::input_file(
            path,
            "holds no spectrum (EXTRACT1D or COMBINE1D); user_background needs one",
        ));
    };
    let table = file.table(hdu)?;
    let get = |name| column(path, &table, name);
    let curve = Curve::new(get("WAVELENGTH")?, get("SURF_BRIGHT")?);
    if curve.wavelength.is_empty() {
        return Err(Error::input_file(path, "its spectrum is empty"));
    }
    Ok(curve)
}

/// Combines the background members, of the first spectral order there is.
pub(super) fn combined(background: &[Spectrum]) -> Result<Combined> {
    let mut order = None;
    let mut inputs = Vec::new();
    for member in background {
        let path = &member.meta.source;
        let background = is_background(member);
        let weight = member.meta.need_f64("EFFEXPTM")?;
        for (header, table) in &member.tables {
            let get = |name| column(path, table, name);
            let flux = get("FLUX")?;
            if !flux.iter().any(|f| f.is_finite()) {
                tracing::warn!(
                    "master_background: a spectrum of {} has no flux",
                    path.display()
                );
                continue;
            }
            let wavelength = get("WAVELENGTH")?;
            if !monotonic(&wavelength) {
                tracing::warn!(
                    "master_background: wavelengths of a spectrum of {} are out of order",
                    path.display()
                );
                continue;
            }
            let own = header.i64("SPORDER");
            if *order.get_or_insert(own) != own {
                tracing::warn!(
                    "master_background: only spectra of the first spectral order are used"
                );
                continue;
            }
            let (sb, sb_error) = match background {
                true => ("BACKGROUND", "BKGD_ERROR"),
                false => ("SURF_BRIGHT", "SB_ERROR"),
            };
            inputs.push(Input {
                flux,
                flux_error: get("FLUX_ERROR")?,
                surf_bright: get(sb)?,
                sb_error: get(sb_error)?,
                dq: get("DQ")?.into_iter().map(|d| d as u32).collect(),
                weight,
                wavelength,
            });
        }
    }
    combine(&inputs)
        .filter(|c| !c.wavelength.is_empty())
        .ok_or_else(|| {
            let names: Vec<_> = background
                .iter()
                .map(|b| b.meta.source.display().to_string())
                .collect();
            Error::input(format!(
                "none of the spectra of the background ({}) can be used",
                names.join(", ")
            ))
        })
}

/// Whether a member's background column is the background, not the source in its aperture.
fn is_background(member: &Spectrum) -> bool {
    let kind = member.meta.str("EXP_TYPE").unwrap_or_default();
    let extended = || {
        let first = member.tables.first();
        first.and_then(|(h, _)| h.str("SRCTYPE")) == Some("EXTENDED")
    };
    kind == "MIR_MRS"
        || kind == "NRS_IFU" && extended()
        || member.meta.primary.bool("BKGDTARG") == Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::fits::{Header, TableBuilder};
    use crate::model::Meta;

    fn member(kind: &str, flux: &[f64]) -> Spectrum {
        let n = flux.len();
        let wave: Vec<f64> = (0..n).map(|k| 5.0 + k as f64).collect();
        let (_, table) = TableBuilder::new(n)
            .f64("WAVELENGTH", &wave)
            .f64("FLUX", flux)
            .f64("FLUX_ERROR", flux)
            .f64("SURF_BRIGHT", flux)
            .f64("SB_ERROR", flux)
            .u32("DQ", &vec![0; n])
            .f64("BACKGROUND", &vec![7.0; n])
            .f64("BKGD_ERROR", &vec![1.0; n])
            .build("EXTRACT1D");
        let mut meta = Meta {
            source: "sky_x1d.fits".into(),
            ..Meta::default()
        };
        meta.primary.set("EXP_TYPE", kind, "");
        meta.primary.set("EFFEXPTM", 30.0, "");
        Spectrum {
            meta,
            label: String::new(),
            model: "MRSMultiSpecModel",
            tables: vec![(Header::new(), table)],
            extra: Vec::new(),
        }
    }

    #[test]
    fn the_mrs_has_it_in_the_background_column() {
        let mrs = combined(&[member("MIR_MRS", &[1.0, 2.0, 3.0])]).unwrap();
        assert_eq!(mrs.surf_bright, [7.0; 3]);
        let nirspec = combined(&[member("NRS_IFU", &[1.0, 2.0, 3.0])]).unwrap();
        assert_eq!(nirspec.surf_bright, [1.0, 2.0, 3.0]);
        let mut pointed = member("NRS_IFU", &[1.0, 2.0, 3.0]);
        pointed.meta.primary.set("BKGDTARG", false, "");
        assert_eq!(combined(&[pointed]).unwrap().surf_bright, [7.0; 3]);
    }

    #[test]
    fn nothing_usable_is_an_error() {
        let nan = member("MIR_MRS", &[f64::NAN; 3]);
        let said = combined(&[nan]).unwrap_err().to_string();
        assert!(said.contains("sky_x1d.fits"), "{said}");
        let mut bare = member("MIR_MRS", &[1.0, 2.0]);
        bare.tables[0].1.columns.retain(|c| c.name != "BKGD_ERROR");
        let said = combined(&[bare]).unwrap_err().to_string();
        assert!(said.contains("BKGD_ERROR"), "{said}");
    }
}

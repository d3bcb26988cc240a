//! The WCS of a cube: from voxels to the sky and wavelength, by the FITS keywords of its header.
//!
//! Follows jwst 3.0.0 `pointing.create_fitswcs` as cube_build uses it: shift to the reference pixel, `PC` matrix, `CDELT`, gnomonic
//! projection and rotation to `CRVAL`; wavelengths are linear or a table.

use super::frames::Frame;
use super::gwcs::{Gwcs, Step};
use super::transform::{Direction, Euler, Kind, Method, Tabular, Transform};
use crate::formats::fits::Header;
use crate::{Error, Result};

fn number(sci: &Header, keyword: &str) -> Result<f64> {
    let value = sci.f64(keyword).filter(|v| v.is_finite());
    value.ok_or_else(|| Error::input(format!("the cube's header has no number {keyword}")))
}

fn both(sci: &Header, keyword: &str) -> Result<[f64; 2]> {
    Ok([
        number(sci, &format!("{keyword}1"))?,
        number(sci, &format!("{keyword}2"))?,
    ])
}

/// Two transforms of one axis each side by side, named as gwcs names them.
fn pair(make: fn(f64) -> Transform, values: [f64; 2], name: &str) -> Transform {
    make(values[0])
        .named(&format!("{name}1"))
        .beside(make(values[1]).named(&format!("{name}2")))
}

/// The WCS of a cube of `[nz, ny, nx]` voxels with the keywords of its `SCI` header; `wavelength` (micron) is the table where
/// `CTYPE3` is `WAVE-TAB`. Voxels count from 0; those outside the cube have no coordinates. Its node for the
/// product's tree is [`Gwcs::to_node`]'s.
///
/// # Errors
/// [`Error::Input`] where a keyword or the table is missing, or the axes are of other types than cube_build's.
pub fn gwcs(sci: &Header, [nz, ny, nx]: [usize; 3], wavelength: Option<&[f32]>) -> Result<Gwcs> {
    let ctype = |k: u8| sci.str(&format!("CTYPE{k}")).unwrap_or_default();
    if [ctype(1), ctype(2)] != ["RA---TAN", "DEC--TAN"] {
        return Err(Error::input(format!(
            "CTYPE1, CTYPE2 = '{}', '{}' are not those of a cube on the sky (RA---TAN, DEC--TAN)",
            ctype(1),
            ctype(2)
        )));
    }
    let matrix = [
        [number(sci, "PC1_1")?, number(sci, "PC1_2")?],
        [number(sci, "PC2_1")?, number(sci, "PC2_2")?],
    ];
    let rotation = Kind::Affine {
        matrix,
        translation: [0.0; 2],
    };
    let to_center = both(sci, "CRPIX")?.map(|p| -(p - 1.0));
    let [ra, dec] = both(sci, "CRVAL")?;
    let to_sky = Kind::Rotate3D(Euler::NativeToCelestial([ra, dec, 180.0]));
    let projection = Transform::from(Kind::Gnomonic(Direction::PixelToSky)).named("TAN");
    let plane = pair(Transform::shift, to_center, "crpix")
        .then(Transform::from(rotation).named("pc_matrix"))
        .then(pair(Transform::scale, both(sci, "CDELT")?, "cdelt"))
        .then(projection.then(Transform::from(to_sky).named("crval")));
    let spectral = match ctype(3) {
        "WAVE" => Transform::shift(-(number(sci, "CRPIX3")? - 1.0))
            .then(Transform::scale(number(sci, "CDELT3")?))
            .then(Transform::shift(number(sci, "CRVAL3")?)),
        "WAVE-TAB" => table(wavelength)?,
        other => {
            return Err(Error::input(format!(
                "CTYPE3 = '{other}' is not that of a cube (WAVE or WAVE-TAB)"
            )));
        }
    };
    let names = |names: [&str; 3]| Some(names.map(String::from).to_vec());
    let mut first = plane.beside(spectral);
    first.inputs = names(["x0", "x1", "x"]);
    first.outputs = names(["alpha_C", "delta_C", "y"]);
    let upto = |n: usize| Some((0.0, n as f64 - 1.0));
    first.bounding_box = Some(vec![upto(nx), upto(ny), upto(nz)]);
    let world = [
        Frame::icrs().renamed("sky"),
        Frame::spectral("spectral", "wavelength"),
    ];
    let step = |frame, transform| Step { frame, transform };
    Gwcs::new(vec![
        step(Frame::voxels("detector"), Some(first)),
        step(Frame::composite("world", world), None),
    ])
}

/// Wavelengths by the number of the plane.
fn table(wavelength: Option<&[f32]>) -> Result<Transform> {
    let values: Vec<f64> = wavelength
        .unwrap_or_default()
        .iter()
        .map(|w| f64::from(*w))
        .collect();
    let planes = (0..values.len()).map(|k| k as f64).collect();
    Tabular::new(vec![planes], values, Method::Linear, Some(f64::NAN))
        .map(|t| Kind::Tabular(t).into())
        .ok_or_else(|| {
            Error::input("CTYPE3 is WAVE-TAB and the cube has no table of two or more wavelengths")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(ctype3: &str) -> Header {
        let mut h = Header::new();
        for (k, v) in [
            ("CTYPE1", "RA---TAN"),
            ("CTYPE2", "DEC--TAN"),
            ("CTYPE3", ctype3),
        ] {
            h.set(k, v, "");
        }
        for (k, v) in [
            ("CRPIX1", 3.0),
            ("CRPIX2", 2.0),
            ("CRPIX3", 1.0),
            ("CRVAL1", 10.0),
            ("CRVAL2", -60.0),
            ("CRVAL3", 5.0),
            ("CDELT1", 1e-4),
            ("CDELT2", 1e-4),
            ("CDELT3", 0.5),
            ("PC1_1", -1.0),
            ("PC1_2", 0.0),
            ("PC2_1", 0.0),
            ("PC2_2", 1.0),
        ] {
            h.set(k, v, "");
        }
        h
    }

    #[test]
    fn voxels_on_the_sky() {
        let w = gwcs(&header("WAVE"), [4, 3, 5], None).unwrap();
        let at = |x: f64, y: f64, z: f64| -> Vec<f64> {
            let out = w.forward(&[&[x], &[y], &[z]]).unwrap();
            out.into_iter().flatten().collect()
        };
        let v = at(2.0, 1.0, 2.0);
        assert!((v[0] - 10.0).abs() < 1e-12 && (v[1] + 60.0).abs() < 1e-12 && v[2] == 6.0);
        // one voxel to the right is to the west, by 1e-4 / cos(dec)
        let v = at(3.0, 1.0, 0.0);
        assert!((v[0] - (10.0 - 2e-4)).abs() < 1e-9, "{v:?}");
        assert!(at(5.0, 1.0, 0.0).iter().all(|v| v.is_nan()));
        let back = w.backward(&[&[v[0]], &[v[1]], &[v[2]]]).unwrap();
        assert!((back[0][0] - 3.0).abs() < 1e-8 && back[2][0].abs() < 1e-12);
        let read = Gwcs::from_node(&w.to_node().unwrap()).unwrap();
        assert_eq!(read.bounding_box(), w.bounding_box());
        let point: [&[f64]; 3] = [&[1.0]; 3];
        assert_eq!(read.forward(&point).unwrap(), w.forward(&point).unwrap());
    }

    #[test]
    fn wavelengths_of_a_table() {
        let table = [5.0_f32, 6.0, 8.0];
        let w = gwcs(&header("WAVE-TAB"), [3, 3, 5], Some(&table)).unwrap();
        let out = w.forward(&[&[2.0], &[1.0], &[1.5]]).unwrap();
        assert_eq!(out[2], [7.0]);
        let back = w.backward(&[&out[0], &out[1], &[5.5]]).unwrap();
        assert_eq!(back[2], [0.5]);
        assert!(gwcs(&header("WAVE-TAB"), [3, 3, 5], None).is_err());
    }

    #[test]
    fn odd_headers() {
        let mut h = header("WAVE");
        h.set("CTYPE1", "GLON-TAN", "");
        assert!(gwcs(&h, [4, 3, 5], None).is_err());
        assert!(gwcs(&header("FREQ"), [4, 3, 5], None).is_err());
        let mut h = header("WAVE");
        h.remove("PC1_2");
        let said = gwcs(&h, [4, 3, 5], None).unwrap_err().to_string();
        assert!(said.contains("PC1_2"), "{said}");
    }
}

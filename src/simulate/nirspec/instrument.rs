//! The optics of the instrument model as transforms, in the arrangement of the observatory's reference files.
//!
//! The numbers are in `instrument.txt`, whose head says where they come from. The chromatic correction is
//! not among them; it has the documented form and invented coefficients of a plausible size.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::mode::{Filter, Grating};
use crate::formats::asdf::{ByteOrder, Datatype, Field, NdArray, Node};
use crate::wcs::Transform;
use crate::wcs::nirspec::SLICES;
use crate::wcs::transform::{Kind, Operation, Polynomial1D, Polynomial2D};
use crate::{Error, Result};

/// Degree of the model's polynomials.
const DEGREE: usize = 5;
/// Columns and rows of shutters in a quadrant of the MSA.
const SHUTTERS: (usize, usize) = (365, 171);

/// Numbers of the model by name.
fn table() -> &'static HashMap<&'static str, Vec<f64>> {
    static TABLE: OnceLock<HashMap<&'static str, Vec<f64>>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let lines = include_str!("instrument.txt").lines();
        let entry = |line: &'static str| {
            let (name, values) = line.split_once(' ')?;
            let values: Option<Vec<f64>> = values.split(' ').map(|v| v.parse().ok()).collect();
            Some((name, values?))
        };
        lines
            .filter(|l| !l.starts_with('#'))
            .filter_map(entry)
            .collect()
    })
}

/// The numbers of a name.
fn numbers(name: &str) -> Result<&'static [f64]> {
    let values = table().get(name).map(Vec::as_slice);
    values.ok_or_else(|| Error::parameter(format!("the instrument model has no '{name}'")))
}

/// The numbers of a name, of which there must be so many.
fn some<const N: usize>(name: &str) -> Result<[f64; N]> {
    <[f64; N]>::try_from(numbers(name)?).map_err(|_| {
        Error::parameter(format!(
            "'{name}' of the instrument model is not {N} numbers"
        ))
    })
}

/// A polynomial of x and y.
fn polynomial(name: &str) -> Result<Transform> {
    let wrong = || Error::parameter(format!("'{name}' of the instrument model is no polynomial"));
    let mut values = numbers(name)?.iter();
    let n = DEGREE + 1;
    let mut matrix = vec![0.0; n * n];
    for (i, row) in matrix.chunks_exact_mut(n).enumerate() {
        for c in &mut row[..n - i] {
            *c = *values.next().ok_or_else(wrong)?;
        }
    }
    let unit = [[-1.0, 1.0]; 2];
    let p = Polynomial2D::new(DEGREE, &matrix, unit, unit).ok_or_else(wrong)?;
    Ok(Kind::Polynomial2D(p).into())
}

fn polynomial1(coefficients: &[f64]) -> Transform {
    Kind::Polynomial1D(Polynomial1D {
        coefficients: coefficients.to_vec(),
        domain: [-1.0, 1.0],
        window: [-1.0, 1.0],
    })
    .into()
}

/// A polynomial, or one plus the wavelength times another, as transform of (x, y, wavelength).
fn chromatic(name: &str) -> Result<Transform> {
    let both = || Transform::mapping(&[0, 1], 3);
    let lambda = Transform::mapping(&[2], 3).then(Transform::identity(1));
    let slope_name = format!("{name}.lambda");
    let slope = match table().contains_key(slope_name.as_str()) {
        true => polynomial(&slope_name)?,
        false => zero()?,
    };
    let slope = Kind::Arithmetic(
        Operation::Multiply,
        Box::new(both().then(slope)),
        Box::new(lambda),
    );
    let steady = both().then(polynomial(name)?);
    Ok(Kind::Arithmetic(Operation::Add, Box::new(steady), Box::new(slope.into())).into())
}

/// The polynomial that is 0.
fn zero() -> Result<Transform> {
    let unit = [[-1.0, 1.0]; 2];
    let p = Polynomial2D::new(DEGREE, &[0.0; (DEGREE + 1) * (DEGREE + 1)], unit, unit);
    p.map(|p| Kind::Polynomial2D(p).into())
        .ok_or_else(|| Error::parameter("a polynomial of degree 5 has 36 coefficients"))
}

fn shifts(x: f64, y: f64) -> Transform {
    Transform::shift(x).beside(Transform::shift(y))
}

fn affine(matrix: [[f64; 2]; 2]) -> Transform {
    Kind::Affine {
        matrix,
        translation: [0.0, 0.0],
    }
    .into()
}

/// The linear part of an element, from the detector to the sky and the other way.
fn linear(element: &str) -> Result<[Transform; 2]> {
    let [fx, fy] = some(&format!("{element}.factor"))?;
    let [turn] = some(&format!("{element}.rotation"))?;
    let [xi, yi] = some(&format!("{element}.in"))?;
    let [xo, yo] = some(&format!("{element}.out"))?;
    let (s, c) = (libm::sin(turn.to_radians()), libm::cos(turn.to_radians()));
    let to_sky = shifts(-xo, -yo)
        .then(affine([[c / fx, -s / fy], [s / fx, c / fy]]))
        .then(shifts(xi, yi));
    let to_detector = shifts(-xi, -yi)
        .then(affine([[fx * c, fx * s], [-fy * s, fy * c]]))
        .then(shifts(xo, yo));
    Ok([to_sky, to_detector])
}

/// Copies of (x, y) or (x, y, wavelength) for two polynomials, with the way back; and behind them the same.
fn copies(n: usize) -> (Transform, Transform) {
    let order: Vec<usize> = (0..n).chain(0..n).collect();
    let twice = || Transform::mapping(&order, n);
    let two = || Transform::identity(2);
    (twice().with_inverse(two()), two().with_inverse(twice()))
}

/// Camera, collimator and telescope: from the detector to the sky.
fn achromatic(element: &str) -> Result<Transform> {
    let one = |axis: &str| -> Result<Transform> {
        let back = polynomial(&format!("{element}.{axis}f"))?;
        Ok(polynomial(&format!("{element}.{axis}b"))?.with_inverse(back))
    };
    let (before, behind) = copies(2);
    let [to_sky, _] = linear(element)?;
    let polynomials = before.then(one("x")?.beside(one("y")?)).then(behind);
    Ok(polynomials.then(to_sky))
}

/// The fore optics: from the detector and a wavelength to the sky.
fn with_wavelength(element: &str) -> Result<Transform> {
    let one = |axis: &str| -> Result<Transform> {
        let back = chromatic(&format!("{element}.{axis}f"))?;
        Ok(chromatic(&format!("{element}.{axis}b"))?.with_inverse(back))
    };
    let (before, behind) = copies(3);
    let [to_sky, to_detector] = linear(element)?;
    let to_sky = to_sky.with_inverse(to_detector.beside(Transform::identity(1)));
    let polynomials = before.then(one("x")?.beside(one("y")?)).then(behind);
    Ok(polynomials.then(to_sky))
}

/// The camera.
pub fn camera() -> Result<Transform> {
    achromatic("camera")
}

/// The collimator as the integral-field unit uses it.
pub fn collimator() -> Result<Transform> {
    achromatic("collimator")
}

/// The telescope, to V2, V3 in arcsec.
pub fn telescope() -> Result<Transform> {
    let arcsec = || Transform::scale(3600.0);
    Ok(achromatic("ote")?.then(arcsec().beside(arcsec())))
}

/// The optics before the slicer.
pub fn slicer_fore() -> Result<Transform> {
    with_wavelength("ifufore")
}

/// The fore optics with a filter.
pub fn fore(filter: Filter) -> Result<Transform> {
    with_wavelength(&format!("fore.{}", filter.name()))
}

/// Chromatic shift of the fore optics, of (x, y, wavelength).
pub fn chromatic_shift() -> Result<Transform> {
    let unit = [[-1.0, 1.0]; 2];
    let side = |sign: f64| -> Result<Transform> {
        let plane = Polynomial2D::new(1, &[0.0, sign, 1.0, 0.0], unit, unit);
        let plane = plane.ok_or_else(|| Error::parameter("a plane has 4 coefficients"))?;
        let sum = || Transform::from(Kind::Polynomial2D(plane.clone()));
        let one = || Transform::identity(1);
        // in metre at the focus of the telescope; the wavelength in metre
        let dx = polynomial1(&[-1.8e-5, 9.0, -1.0e6]);
        let dy = polynomial1(&[0.9e-5, -3.5, 0.27e6]);
        let shifted = one().beside(dx).beside(one()).beside(dy).beside(one());
        Ok(Transform::mapping(&[0, 2, 1, 2, 2], 3)
            .then(shifted)
            .then(sum().beside(sum()).beside(one())))
    };
    Ok(side(1.0)?.with_inverse(side(-1.0)?))
}

/// A detector's pixels to the focal plane; `number` is 1 or 2.
pub fn detector(number: usize) -> Result<Transform> {
    let [px, py, x, y, turn] = some(&format!("fpa.NRS{number}"))?;
    // NRS2 stands on its head
    let sign = if number == 1 { 1.0 } else { -1.0 };
    let (px, py) = (sign * px, sign * py);
    let (s, c) = (libm::sin(turn), libm::cos(turn));
    let back = shifts(-x, -y).then(affine([[c / px, s / px], [-s / py, c / py]]));
    Ok(affine([[c * px, -s * py], [s * px, c * py]])
        .then(shifts(x, y))
        .with_inverse(back))
}

/// From a slice to the MSA plane: the parts by the names of the reference file.
pub fn slicer_post(slice: usize) -> Result<[(&'static str, Transform); 5]> {
    let name = |key: &str| format!("ifupost.{slice}.{key}");
    let poly = |axis: &str| -> Result<Transform> {
        let back = polynomial(&name(&format!("{axis}b")))?;
        Ok(polynomial(&name(&format!("{axis}f")))?.with_inverse(back))
    };
    let slope = |axis: &str| polynomial(&name(&format!("{axis}f.lambda")));
    let [_, to_detector] = linear(&format!("ifupost.{slice}"))?;
    Ok([
        ("linear", to_detector),
        ("xpoly", poly("x")?),
        ("xpoly_distortion", slope("x")?),
        ("ypoly", poly("y")?),
        ("ypoly_distortion", slope("y")?),
    ])
}

fn turned(turn: f64, x: f64, y: f64) -> Transform {
    Transform::from(Kind::Rotate2D(turn.to_degrees())).then(shifts(x, y))
}

/// Rows NO, XC, YC, SIZEX, SIZEY.
fn rows(values: impl ExactSizeIterator<Item = (i32, [f64; 4])>) -> Node {
    let field = |name: &str, datatype| Field {
        name: name.into(),
        datatype,
        byteorder: ByteOrder::Little,
        shape: Vec::new(),
    };
    let numbers = ["XC", "YC", "SIZEX", "SIZEY"].map(|n| field(n, Datatype::Float32));
    let fields = [vec![field("NO", Datatype::Int32)], numbers.to_vec()].concat();
    let n = values.len();
    let mut bytes = Vec::with_capacity(20 * n);
    for (number, at) in values {
        bytes.extend(number.to_le_bytes());
        at.iter()
            .for_each(|v| bytes.extend((*v as f32).to_le_bytes()));
    }
    NdArray::records(fields, n, bytes).into()
}

/// The slicer as a whole, and its slices.
pub fn slicer() -> Result<(Transform, Node)> {
    let [x, y, turn] = some("slicer")?;
    let slices: Vec<[f64; 4]> = (0..SLICES)
        .map(|k| some(&format!("slice.{k}")))
        .collect::<Result<_>>()?;
    let slices = (0..).zip(slices).collect::<Vec<_>>();
    Ok((turned(turn, x, y), rows(slices.into_iter())))
}

/// A quadrant (1 to 4) of the MSA, and its shutters.
pub fn quadrant(number: usize) -> Result<(Transform, Node)> {
    let [x, y, turn, dx, dy, width, height] = some(&format!("msa.Q{number}"))?;
    let (nx, ny) = SHUTTERS;
    let shutter = |k: usize| {
        let (i, j) = ((k % nx) as f64, (k / nx) as f64);
        let at = [i * dx, j * dy, width, height].map(|v| v * 1e-3);
        (k as i32 + 1, at)
    };
    let shutters = (0..nx * ny).map(shutter);
    Ok((turned(turn, x, y), rows(shutters)))
}

/// Readings of the tilt sensors (x, y) at the calibration of a grating.
pub fn tilt(grating: Grating) -> Result<[f64; 2]> {
    let at = |axis: &str| some::<1>(&format!("disperser.{}.zero{axis}", grating.name()));
    Ok([at("x")?[0], at("y")?[0]])
}

/// What the file of a disperser says of it: name, value.
pub fn disperser(grating: Grating) -> Result<Vec<(String, Node)>> {
    let name = |key: &str| format!("disperser.{}.{key}", grating.name());
    let list = |values: &[f64]| -> Node {
        let nodes: Vec<Node> = values.iter().map(|v| Node::from(*v)).collect();
        nodes.into()
    };
    let [x, y, z, tilt] = some(&name("angles"))?;
    let mut out: Vec<(String, Node)> = vec![
        ("theta_x".into(), (x / 3600.0).into()),
        ("theta_y".into(), (y / 3600.0).into()),
        ("theta_z".into(), (z / 3600.0).into()),
        ("tilt_x".into(), 0.0.into()),
        ("tilt_y".into(), tilt.into()),
    ];
    for axis in ["x", "y"] {
        let model = polynomial1(numbers(&name(&format!("tilt{axis}")))?);
        let key = |k: &str| format!("gwa_tilt{axis}.{k}");
        let at = |k: &str| Ok::<_, Error>(list(numbers(&name(&format!("{k}{axis}")))?));
        out.push((key("tilt_model"), model.to_node()?));
        out.push((key("temperatures"), at("temperature")?));
        out.push((key("zeroreadings"), at("zero")?));
        out.push((key("unit"), "arcsec".into()));
    }
    if grating == Grating::Prism {
        let [angle, temperature, pressure] = some(&name("prism"))?;
        out.push(("angle".into(), angle.into()));
        out.push(("tref".into(), temperature.into()));
        out.push(("pref".into(), pressure.into()));
        for key in ["kcoef", "lcoef", "tcoef", "wbound"] {
            out.push((key.into(), list(numbers(&name(key))?)));
        }
    } else {
        let [grooves] = some(&name("grooves"))?;
        out.push(("groovedensity".into(), grooves.into()));
    }
    Ok(out)
}

/// Spectral order and range of wavelengths (metre) of a filter and grating (`F290LP_G395H`).
pub fn range(key: &str) -> Result<[f64; 3]> {
    some(&format!("range.{key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back_and_forth(forward: &Transform, at: &[f64], tolerance: f64) {
        let there = forward.at(at).unwrap();
        let back = forward.inverted().unwrap();
        // the fore optics' way back needs the wavelength again
        let extra = at.len() - there.len();
        let input: Vec<f64> = there
            .iter()
            .chain(&at[at.len() - extra..])
            .copied()
            .collect();
        let again = back.at(&input).unwrap();
        for (a, b) in again.iter().zip(at) {
            assert!((a - b).abs() < tolerance, "{again:?} {at:?}");
        }
    }

    /// The model fits both ways apart; they agree to a small part of a pixel (18 micrometre).
    #[test]
    fn transforms_and_their_inverses_agree() {
        back_and_forth(&detector(2).unwrap(), &[17.0, 900.0], 1e-9);
        back_and_forth(&camera().unwrap(), &[0.01, -0.002], 1e-6);
        // the directions that the unit sees
        back_and_forth(&collimator().unwrap(), &[0.077, -0.312], 1e-6);
        back_and_forth(
            &fore(Filter::Clear).unwrap(),
            &[0.0487, -0.0103, 3e-6],
            1e-6,
        );
        back_and_forth(&chromatic_shift().unwrap(), &[0.1, 0.2, 4e-6], 1e-12);
    }

    #[test]
    fn every_number_of_the_text_is_read() {
        let lines = include_str!("instrument.txt").lines();
        let lines = lines.filter(|l| !l.starts_with('#')).count();
        assert_eq!(table().len(), lines);
        for mode in super::super::mode::MODES {
            let [order, low, high] = range(&mode.key()).unwrap();
            // a prism has no orders
            let first = if mode.grating == Grating::Prism {
                0.0
            } else {
                -1.0
            };
            assert_eq!(order, first);
            assert!(low < high && high < 6e-6);
            assert!(disperser(mode.grating).is_ok() && tilt(mode.grating).is_ok());
        }
        assert!(numbers("camera").is_err() && some::<3>("camera.factor").is_err());
    }

    #[test]
    fn slices_are_rows_of_a_table() {
        let (_, slices) = slicer().unwrap();
        let array = slices.as_array().unwrap();
        let height: Vec<f32> = array.field("SIZEX").unwrap().to_vec().unwrap();
        assert_eq!(height.len(), SLICES);
        assert!(height.iter().all(|h| (h - 0.0008).abs() < 1e-6));
        assert!(slicer_post(29).is_ok() && slicer_post(30).is_err());
    }
}

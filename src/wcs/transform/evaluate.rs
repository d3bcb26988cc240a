//! Evaluation of a transform tree over columns of points.

use super::columns::{affine, grating, rotated, unit_vectors};
use super::rotation::{matrix_of_sequence, rotate, to_cartesian, to_spherical, unzip, wrap_360};
use super::spectrograph::index_of_prism;
use super::{Kind, Operation, Transform};
use crate::{Error, Result};

/// An output column: an input as it is, or values of its own.
#[derive(Debug, Clone)]
pub(super) enum Column {
    Input(usize),
    Own(Vec<f64>),
}

impl Transform {
    /// Values at points given as one slice an input, all of one length; one vector an output.
    /// The transform's own bounding box is not applied ([`Self::evaluate_bounded`] does).
    ///
    /// Points outside a region, a table or a definition give NaN.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the number of slices or their lengths do not fit.
    pub fn evaluate(&self, inputs: &[&[f64]]) -> Result<Vec<Vec<f64>>> {
        self.check(inputs)?;
        Ok(self.values(inputs))
    }

    /// As [`Self::evaluate`], with NaN outside the bounding box (whose edges are inside).
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn evaluate_bounded(&self, inputs: &[&[f64]]) -> Result<Vec<Vec<f64>>> {
        let mut out = self.evaluate(inputs)?;
        if let Some(bounds) = &self.bounding_box {
            blank_outside(bounds, inputs, &mut out);
        }
        Ok(out)
    }

    /// Values at one point.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn at(&self, point: &[f64]) -> Result<Vec<f64>> {
        let columns: Vec<&[f64]> = point.iter().map(std::slice::from_ref).collect();
        let out = self.evaluate(&columns)?;
        Ok(out.into_iter().flatten().collect())
    }

    fn check(&self, inputs: &[&[f64]]) -> Result<()> {
        let n = inputs.first().map_or(0, |c| c.len());
        if inputs.len() != self.n_inputs() || inputs.iter().any(|c| c.len() != n) {
            return Err(Error::parameter(format!(
                "a transform of {} inputs was given {} columns of lengths {:?}",
                self.n_inputs(),
                inputs.len(),
                inputs.iter().map(|c| c.len()).collect::<Vec<_>>()
            )));
        }
        Ok(())
    }

    /// Values where the inputs are known to fit.
    pub(in crate::wcs) fn values(&self, inputs: &[&[f64]]) -> Vec<Vec<f64>> {
        let out = self.columns(inputs);
        out.into_iter()
            .map(|c| match c {
                Column::Input(i) => inputs[i].to_vec(),
                Column::Own(v) => v,
            })
            .collect()
    }

    /// The numbers of inputs of every node were checked when the tree was made.
    fn columns(&self, inputs: &[&[f64]]) -> Vec<Column> {
        let n = inputs.first().map_or(0, |c| c.len());
        let own = |v: Vec<f64>| vec![Column::Own(v)];
        match &self.kind {
            Kind::Compose(first, second) => {
                let middle = first.columns(inputs);
                let slices: Vec<&[f64]> = middle
                    .iter()
                    .map(|c| match c {
                        Column::Input(i) => inputs[*i],
                        Column::Own(v) => v.as_slice(),
                    })
                    .collect();
                let out = second.columns(&slices);
                pass_on(out, middle)
            }
            Kind::Concatenate(a, b) => {
                let (left, right) = inputs.split_at(a.n_inputs());
                let mut out = a.columns(left);
                out.extend(b.columns(right).into_iter().map(|c| match c {
                    Column::Input(i) => Column::Input(i + left.len()),
                    own => own,
                }));
                out
            }
            Kind::Arithmetic(op, a, b) => {
                let (a, b) = (a.values(inputs), b.values(inputs));
                let pairs = a.into_iter().zip(b);
                pairs
                    .map(|(mut a, b)| {
                        operate(*op, &mut a, &b);
                        Column::Own(a)
                    })
                    .collect()
            }
            Kind::FixInputs(base, fixed) => {
                let held: Vec<(usize, Vec<f64>)> =
                    fixed.iter().map(|(i, v)| (*i, vec![*v; n])).collect();
                let mut free = inputs.iter();
                let all: Vec<&[f64]> = (0..base.n_inputs())
                    .map(|i| match held.iter().find(|(k, _)| *k == i) {
                        Some((_, v)) => v.as_slice(),
                        None => free.next().copied().unwrap_or_default(),
                    })
                    .collect();
                base.values(&all).into_iter().map(Column::Own).collect()
            }
            Kind::Identity(n) => (0..*n).map(Column::Input).collect(),
            Kind::Mapping { order, .. } => order.iter().map(|i| Column::Input(*i)).collect(),
            Kind::Constant { value, .. } => own(vec![*value; n]),
            Kind::Scale(f) => each(inputs, |x| f * x),
            Kind::Shift(d) => each(inputs, |x| x + d),
            Kind::Linear { slope, intercept } => each(inputs, |x| slope * x + intercept),
            Kind::Affine {
                matrix,
                translation: t,
            } => owned(affine(matrix, t, [inputs[0], inputs[1]])),
            Kind::Polynomial1D(p) => own(p.evaluate(inputs[0])),
            Kind::Polynomial2D(p) => own(p.evaluate(inputs[0], inputs[1])),
            Kind::OrthoPolynomial(p) => own(p.evaluate(inputs)),
            Kind::Rotate2D(angle) => {
                let (s, c) = angle.to_radians().sin_cos();
                points2(inputs, |x, y| [c * x - s * y, s * x + c * y])
            }
            Kind::RotateSequence {
                axes,
                angles,
                spherical,
            } => {
                let radians: Vec<f64> = angles.iter().map(|a| a.to_radians()).collect();
                let m = matrix_of_sequence(axes, &radians);
                if *spherical {
                    points2(inputs, |lon, lat| {
                        to_spherical(rotate(&m, to_cartesian(lon, lat)))
                    })
                } else {
                    owned(rotated(&m, [inputs[0], inputs[1], inputs[2]]))
                }
            }
            Kind::Rotate3D(e) => e
                .evaluate(inputs[0], inputs[1])
                .map(Column::Own)
                .into_iter()
                .collect(),
            Kind::V23ToSky { axes, angles } => {
                let radians: Vec<f64> = angles.iter().map(|a| -a.to_radians()).collect();
                let m = matrix_of_sequence(axes, &radians);
                points2(inputs, |v2, v3| {
                    let [ra, dec] = to_spherical(rotate(&m, to_cartesian(v2, v3)));
                    [wrap_360(ra), dec]
                })
            }
            Kind::SphericalToCartesian { .. } => points2(inputs, to_cartesian),
            Kind::CartesianToSpherical { wrap_lon_at } => points3(inputs, |v| {
                let [lon, lat] = to_spherical(v);
                let lon = if v[0] == 0.0 && v[1] == 0.0 {
                    lon * 0.0
                } else {
                    lon
                };
                let lon = if *wrap_lon_at == 180 {
                    lon
                } else {
                    wrap_360(lon)
                };
                [lon, lat]
            }),
            Kind::ToDirectionCosines => owned(unit_vectors([inputs[0], inputs[1]])),
            Kind::FromDirectionCosines => {
                let scaled = inputs[..3].iter().map(|c| {
                    let products = c.iter().zip(inputs[3]).map(|(c, l)| c * l);
                    Column::Own(products.collect())
                });
                scaled.collect()
            }
            Kind::Gnomonic(direction) => points2(inputs, |a, b| direction.gnomonic(a, b)),
            Kind::Tabular(t) => own(t.evaluate(inputs)),
            Kind::LabelMapper(m) => own(m.evaluate(inputs)),
            Kind::RegionsSelector(s) => s.evaluate(inputs).into_iter().map(Column::Own).collect(),
            Kind::MiriAb2Slice {
                beta_zero,
                beta_del,
                channel,
            } => each(inputs, |beta| {
                let s = channel * 100.0 + (beta - beta_zero) / beta_del + 1.0;
                (s + 0.5).floor()
            }),
            Kind::UnitlessToDirCos => {
                let [x, y, z, _] = unit_vectors([inputs[0], inputs[1]]);
                owned([x, y, z])
            }
            Kind::DirCosToUnitless => points3(inputs, |[x, y, z]| [x / z, y / z]),
            Kind::RotationToGwa(r) => owned(r.apply([inputs[0], inputs[1], inputs[2]])),
            Kind::GratingWavelength {
                groove_density,
                order,
            } => {
                let points = inputs[0].iter().zip(inputs[1]);
                own(points
                    .map(|(a, b)| (a + b) / (groove_density * order))
                    .collect())
            }
            Kind::GratingAngles {
                groove_density,
                order,
            } => owned(grating(
                groove_density * order,
                inputs[0],
                [inputs[1], inputs[2]],
            )),
            Kind::RefractionIndex(angle) => {
                own(index_of_prism(*angle, [inputs[0], inputs[1], inputs[2]]))
            }
            Kind::Snell(prism) => owned(prism.refract(inputs[0], [inputs[1], inputs[2]])),
            Kind::Logical {
                condition,
                compareto,
                value,
            } => each(inputs, |x| {
                match !x.is_nan() && condition.holds(x, *compareto) {
                    true => *value,
                    false => x,
                }
            }),
            Kind::Slits(s) => s.evaluate(inputs).into_iter().map(Column::Own).collect(),
        }
    }
}

fn owned<const N: usize>(columns: [Vec<f64>; N]) -> Vec<Column> {
    columns.into_iter().map(Column::Own).collect()
}

/// Outputs of the second of two transforms in terms of the inputs of the first.
fn pass_on(out: Vec<Column>, mut middle: Vec<Column>) -> Vec<Column> {
    let uses: Vec<usize> = (0..middle.len())
        .map(|k| {
            let same = |c: &&Column| matches!(c, Column::Input(i) if *i == k);
            out.iter().filter(same).count()
        })
        .collect();
    out.into_iter()
        .map(|c| match c {
            Column::Input(i) if uses[i] == 1 => std::mem::replace(&mut middle[i], Column::Input(0)),
            Column::Input(i) => middle[i].clone(),
            own => own,
        })
        .collect()
}

fn each(inputs: &[&[f64]], f: impl Fn(f64) -> f64) -> Vec<Column> {
    vec![Column::Own(inputs[0].iter().map(|x| f(*x)).collect())]
}

fn operate(op: Operation, a: &mut [f64], b: &[f64]) {
    let pairs = a.iter_mut().zip(b);
    match op {
        Operation::Add => pairs.for_each(|(a, b)| *a += b),
        Operation::Subtract => pairs.for_each(|(a, b)| *a -= b),
        Operation::Multiply => pairs.for_each(|(a, b)| *a *= b),
        Operation::Divide => pairs.for_each(|(a, b)| *a /= b),
        Operation::Power => pairs.for_each(|(a, b)| *a = a.powf(*b)),
    }
}

fn points2<const N: usize>(inputs: &[&[f64]], f: impl Fn(f64, f64) -> [f64; N]) -> Vec<Column> {
    let points = inputs[0].iter().zip(inputs[1]);
    let out = unzip(points.map(|(a, b)| f(*a, *b)));
    out.into_iter().map(Column::Own).collect()
}

fn points3<const N: usize>(inputs: &[&[f64]], f: impl Fn([f64; 3]) -> [f64; N]) -> Vec<Column> {
    let points = inputs[0].iter().zip(inputs[1]).zip(inputs[2]);
    let out = unzip(points.map(|((a, b), c)| f([*a, *b, *c])));
    out.into_iter().map(Column::Own).collect()
}

/// Sets outputs to NaN where an input lies outside its bounds.
pub(in crate::wcs) fn blank_outside(
    bounds: &[Option<(f64, f64)>],
    inputs: &[&[f64]],
    outputs: &mut [Vec<f64>],
) {
    for (bound, column) in bounds.iter().zip(inputs) {
        let Some((low, high)) = bound else { continue };
        for (k, x) in column.iter().enumerate() {
            if x < low || x > high {
                outputs.iter_mut().for_each(|out| out[k] = f64::NAN);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rotation::Axis;
    use super::*;

    fn at(t: &Transform, p: &[f64]) -> Vec<f64> {
        t.at(p).unwrap()
    }

    #[test]
    fn compound_transforms_by_hand() {
        // (x + 1) & (2 y), swapped
        let t = Transform::shift(1.0)
            .beside(Transform::scale(2.0))
            .then(Transform::mapping(&[1, 0], 2));
        assert_eq!(at(&t, &[10.0, 20.0]), [40.0, 11.0]);
        // one input used twice, one passed through
        let t = Transform::mapping(&[0, 0, 1], 2)
            .then(Transform::shift(5.0).beside(Transform::identity(2)));
        assert_eq!(at(&t, &[1.0, 2.0]), [6.0, 1.0, 2.0]);
        let t = t.then(Transform::mapping(&[2, 2, 0], 3));
        assert_eq!(at(&t, &[1.0, 2.0]), [2.0, 2.0, 6.0]);
    }

    #[test]
    fn arithmetic_by_hand() {
        let of = |op| {
            let kind = Kind::Arithmetic(
                op,
                Box::new(Transform::shift(1.0)),
                Box::new(Transform::constant(3.0)),
            );
            at(&kind.into(), &[4.0])[0]
        };
        assert_eq!(of(Operation::Add), 8.0);
        assert_eq!(of(Operation::Subtract), 2.0);
        assert_eq!(of(Operation::Multiply), 15.0);
        assert_eq!(of(Operation::Divide), 5.0 / 3.0);
        assert_eq!(of(Operation::Power), 125.0);
    }

    #[test]
    fn inputs_can_be_fixed() {
        let base = Transform::mapping(&[2, 1, 0], 3);
        let t: Transform = Kind::FixInputs(Box::new(base), vec![(1, 7.0)]).into();
        assert_eq!(t.n_inputs(), 2);
        assert_eq!(at(&t, &[1.0, 3.0]), [3.0, 7.0, 1.0]);
    }

    #[test]
    fn planes_and_spheres() {
        let t: Transform = Kind::Rotate2D(90.0).into();
        let v = at(&t, &[1.0, 0.0]);
        assert!(v[0].abs() < 1e-15 && (v[1] - 1.0).abs() < 1e-15);
        let t: Transform = Kind::Affine {
            matrix: [[1.0, 2.0], [3.0, 4.0]],
            translation: [10.0, 20.0],
        }
        .into();
        assert_eq!(at(&t, &[1.0, 1.0]), [13.0, 27.0]);
        let t: Transform = Kind::Linear {
            slope: 2.0,
            intercept: 1.0,
        }
        .into();
        assert_eq!(at(&t, &[4.0]), [9.0]);
        let there: Transform = Kind::SphericalToCartesian { wrap_lon_at: 360 }.into();
        let back: Transform = Kind::CartesianToSpherical { wrap_lon_at: 360 }.into();
        let v = at(&there.then(back), &[-30.0, 45.0]);
        assert!((v[0] - 330.0).abs() < 1e-12 && (v[1] - 45.0).abs() < 1e-12);
        let t: Transform = Kind::CartesianToSpherical { wrap_lon_at: 180 }.into();
        assert_eq!(at(&t, &[0.0, 0.0, 1.0]), [0.0, 90.0]);
        assert_eq!(at(&t, &[0.0, -1.0, 0.0]), [-90.0, 0.0]);
        let t: Transform = Kind::RotateSequence {
            axes: vec![Axis::Z],
            angles: vec![30.0],
            spherical: true,
        }
        .into();
        assert!((at(&t, &[50.0, 10.0])[0] - 20.0).abs() < 1e-12);
    }

    #[test]
    fn direction_cosines() {
        let there: Transform = Kind::ToDirectionCosines.into();
        let v = at(&there, &[2.0, 2.0, 1.0]);
        assert_eq!(v, [2.0 / 3.0, 2.0 / 3.0, 1.0 / 3.0, 3.0]);
        let back: Transform = Kind::FromDirectionCosines.into();
        assert_eq!(at(&there.then(back), &[2.0, 2.0, 1.0]), [2.0, 2.0, 1.0]);
    }

    #[test]
    fn the_older_sky_rotation_is_the_newer_one() {
        let axes: Vec<Axis> = "zyxyz".chars().filter_map(Axis::from_letter).collect();
        let angles = [-0.14, 0.09, 63.0, 18.0, -54.0];
        let new: Transform = Kind::SphericalToCartesian { wrap_lon_at: 180 }.into();
        let new = new
            .then(
                Kind::RotateSequence {
                    axes: axes.clone(),
                    angles: angles.to_vec(),
                    spherical: false,
                }
                .into(),
            )
            .then(Kind::CartesianToSpherical { wrap_lon_at: 360 }.into());
        let old: Transform = Kind::V23ToSky {
            axes,
            angles: angles.iter().map(|a| -a).collect(),
        }
        .into();
        let (a, b) = (at(&new, &[-0.14, -0.09]), at(&old, &[-0.14, -0.09]));
        assert!((a[0] - b[0]).abs() < 1e-12 && (a[1] - b[1]).abs() < 1e-12);
        // V2_REF, V3_REF is where RA_REF, DEC_REF is
        assert!((a[0] - 54.0).abs() < 1e-12 && (a[1] - 18.0).abs() < 1e-12);
    }

    #[test]
    fn slices_of_beta() {
        let t: Transform = Kind::MiriAb2Slice {
            beta_zero: -1.77,
            beta_del: 0.177,
            channel: 1.0,
        }
        .into();
        assert_eq!(at(&t, &[-1.77]), [101.0]);
        assert_eq!(at(&t, &[-1.77 + 0.08]), [101.0]);
        assert_eq!(at(&t, &[-1.77 + 0.1]), [102.0]);
        assert!(at(&t, &[f64::NAN])[0].is_nan());
    }

    #[test]
    fn bounds_are_inclusive_and_wrong_counts_are_refused() {
        let mut t = Transform::identity(2);
        t.bounding_box = Some(vec![Some((0.0, 1.0)), None]);
        let x = [0.0, 1.0, 1.5, f64::NAN];
        let out = t.evaluate_bounded(&[&x, &[9.0; 4]]).unwrap();
        assert_eq!(out[0][..2], [0.0, 1.0]);
        assert!(out[0][2].is_nan() && out[1][2].is_nan());
        assert!(out[0][3].is_nan() && out[1][3] == 9.0);
        assert!(t.evaluate(&[&x]).is_err());
        assert!(t.evaluate(&[&x, &x[1..]]).is_err());
    }
}

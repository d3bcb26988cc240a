//! Inverses: the author's own where there is one, else analytic ones.

use super::{Kind, RegionsSelector, Transform};
use crate::{Error, Result};

fn none(what: &str) -> Error {
    Error::input(format!(
        "the WCS has no backward transform: {what} has no inverse and the file supplies none"
    ))
}

/// The inverse of a matrix by elimination with the larger element of the first column as pivot, rounded where
/// LAPACK in OpenBLAS (which numpy uses) rounds.
fn inverse_of([first, second]: [[f64; 2]; 2]) -> [[f64; 2]; 2] {
    let swapped = second[0].abs() > first[0].abs();
    let ([a, b], [c, d]) = match swapped {
        true => (second, first),
        false => (first, second),
    };
    let by_a = 1.0 / a;
    let l = c * by_a;
    let by_u = 1.0 / (d - l * b);
    let column = |e0: f64, e1: f64| {
        let x1 = (e1 - l * e0) * by_u;
        [(-b).mul_add(x1, e0) * by_a, x1]
    };
    let [p, q] = match swapped {
        true => [column(0.0, 1.0), column(1.0, 0.0)],
        false => [column(1.0, 0.0), column(0.0, 1.0)],
    };
    [[p[0], q[0]], [p[1], q[1]]]
}

impl Transform {
    /// The inverse transform.
    ///
    /// # Errors
    /// [`Error::Input`] where a part has none.
    pub fn inverted(&self) -> Result<Self> {
        if let Some(inverse) = &self.inverse {
            return Ok((**inverse).clone());
        }
        let kind = match &self.kind {
            Kind::Compose(a, b) => {
                let (second, first) = (a.inverted()?, b.inverted()?);
                // inverses that authors supply need not have the counts of the transform
                if first.n_outputs() != second.n_inputs() {
                    return Err(none("a chain whose supplied inverses do not fit together"));
                }
                return Ok(first.then(second));
            }
            Kind::Concatenate(a, b) => return Ok(a.inverted()?.beside(b.inverted()?)),
            Kind::Identity(n) => Kind::Identity(*n),
            Kind::Mapping { order, n_inputs } => Kind::Mapping {
                order: (0..*n_inputs)
                    .map(|i| order.iter().position(|o| *o == i))
                    .collect::<Option<_>>()
                    .ok_or_else(|| none("a mapping that drops an input"))?,
                n_inputs: order.len(),
            },
            Kind::Scale(f) if *f != 0.0 => Kind::Scale(1.0 / f),
            Kind::Shift(d) => Kind::Shift(-d),
            Kind::Linear { slope, intercept } if *slope != 0.0 => Kind::Linear {
                slope: 1.0 / slope,
                intercept: -intercept * (1.0 / slope),
            },
            Kind::Affine {
                matrix: [[a, b], [c, d]],
                translation: t,
            } if a * d - b * c != 0.0 => {
                let m = inverse_of([[*a, *b], [*c, *d]]);
                Kind::Affine {
                    matrix: m,
                    translation: m.map(|r| -(r[0] * t[0] + r[1] * t[1])),
                }
            }
            Kind::Rotate2D(angle) => Kind::Rotate2D(-angle),
            Kind::RotateSequence {
                axes,
                angles,
                spherical,
            } => Kind::RotateSequence {
                axes: axes.iter().rev().copied().collect(),
                // astropy keeps radians: back in degrees the last bit may be another
                angles: angles
                    .iter()
                    .rev()
                    .map(|a| -a.to_radians().to_degrees())
                    .collect(),
                spherical: *spherical,
            },
            Kind::Rotate3D(e) => Kind::Rotate3D(e.inverse()),
            Kind::V23ToSky { axes, angles } => Kind::RotateSequence {
                axes: axes.iter().rev().copied().collect(),
                angles: angles.iter().rev().copied().collect(),
                spherical: true,
            },
            Kind::SphericalToCartesian { wrap_lon_at } => Kind::CartesianToSpherical {
                wrap_lon_at: *wrap_lon_at,
            },
            Kind::CartesianToSpherical { wrap_lon_at } => Kind::SphericalToCartesian {
                wrap_lon_at: *wrap_lon_at,
            },
            Kind::ToDirectionCosines => Kind::FromDirectionCosines,
            Kind::FromDirectionCosines => Kind::ToDirectionCosines,
            Kind::Gnomonic(d) => Kind::Gnomonic(d.reverse()),
            Kind::UnitlessToDirCos => Kind::DirCosToUnitless,
            Kind::DirCosToUnitless => Kind::UnitlessToDirCos,
            Kind::RotationToGwa(r) => Kind::RotationToGwa(r.inverse()),
            Kind::Slits(s) => Kind::Slits(s.inverse()?),
            Kind::Tabular(t) => Kind::Tabular(t.inverse().ok_or_else(|| {
                none("a table that is not of one variable, or not monotonic, or not linear")
            })?),
            Kind::RegionsSelector(s) => Kind::RegionsSelector(RegionsSelector {
                label_mapper: Box::new(s.label_mapper.inverted_to(s.n_outputs, 1)?),
                selector: s
                    .selector
                    .iter()
                    .map(|(label, t)| Ok((*label, t.inverted_to(s.n_outputs, s.n_inputs)?)))
                    .collect::<Result<_>>()?,
                undefined: f64::NAN,
                n_inputs: s.n_outputs,
                n_outputs: s.n_inputs,
            }),
            Kind::Polynomial1D(_) | Kind::Polynomial2D(_) | Kind::OrthoPolynomial(_) => {
                return Err(none("a polynomial"));
            }
            Kind::GratingWavelength { .. } | Kind::GratingAngles { .. } => {
                return Err(none("a grating equation"));
            }
            Kind::RefractionIndex(_) | Kind::Snell(_) => return Err(none("refraction")),
            Kind::Logical { .. } => return Err(none("a condition")),
            Kind::LabelMapper(_) => return Err(none("a label mapper")),
            Kind::Constant { .. } => return Err(none("a constant")),
            Kind::MiriAb2Slice { .. } => return Err(none("a slice number")),
            Kind::Arithmetic(..) | Kind::FixInputs(..) => {
                return Err(none("arithmetic of transforms"));
            }
            Kind::Scale(_) | Kind::Linear { .. } | Kind::Affine { .. } => {
                return Err(none("a singular transform"));
            }
        };
        Ok(kind.into())
    }

    /// The inverse, which must have so many inputs and outputs.
    pub(super) fn inverted_to(&self, n_inputs: usize, n_outputs: usize) -> Result<Self> {
        let t = self.inverted()?;
        match (t.n_inputs(), t.n_outputs()) == (n_inputs, n_outputs) {
            true => Ok(t),
            false => Err(none("a part whose supplied inverse does not fit it")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::rotation::{Axis, Euler};
    use super::super::{Direction, Method, Tabular};
    use super::*;

    fn back(t: &Transform, p: &[f64]) -> Vec<f64> {
        let there = t.at(p).unwrap();
        t.inverted().unwrap().at(&there).unwrap()
    }

    #[test]
    fn an_inverse_supplied_goes_first() {
        let t = Transform::shift(1.0).with_inverse(Transform::shift(5.0));
        assert_eq!(t.inverted().unwrap().at(&[0.0]).unwrap(), [5.0]);
        let t = t.then(Transform::scale(2.0));
        assert_eq!(t.inverted().unwrap().at(&[4.0]).unwrap(), [7.0]);
    }

    #[test]
    fn inverse_matrices_have_the_bits_of_numpy() {
        // numpy 2.4: np.linalg.inv(...)
        for (m, inverse) in [
            (
                [[0.3, -0.7], [1.9, 0.45]],
                [
                    [0.30716723549488056, 0.477815699658703],
                    [-1.2969283276450512, 0.20477815699658702],
                ],
            ),
            (
                [[2.5, 0.001], [-0.1, 0.7]],
                [
                    [0.3999771441631907, -0.0005713959202331296],
                    [0.057139592023312966, 1.428489800582824],
                ],
            ),
            (
                [
                    [1.3407236915636924, -3.2621368008852922],
                    [3.4485446180787376, 1.2682521406683578],
                ],
                [
                    [0.09793452823693881, 0.2519024556668179],
                    [-0.2662968817049218, 0.10353078699333532],
                ],
            ),
        ] {
            assert_eq!(inverse_of(m), inverse);
        }
    }

    #[test]
    fn what_has_no_inverse_says_so() {
        for t in [
            Transform::constant(1.0),
            Transform::scale(0.0),
            Transform::mapping(&[0], 2),
            Kind::Affine {
                matrix: [[1.0, 2.0], [2.0, 4.0]],
                translation: [0.0; 2],
            }
            .into(),
        ] {
            let said = t.inverted().unwrap_err().to_string();
            assert!(said.contains("backward"), "{said}");
        }
    }

    proptest! {
        #[test]
        fn round_trips(a in -5.0..5.0_f64, b in -5.0..5.0_f64, x in -100.0..100.0_f64, y in -80.0..80.0_f64) {
            let euler = Euler::Angles { angles: [a * 30.0, b * 30.0, a + b], axes: [Axis::Z, Axis::X, Axis::Z] };
            let scale = if a.abs() < 0.1 { 1.0 } else { a };
            let sphere: Transform = Kind::SphericalToCartesian { wrap_lon_at: 180 }.into();
            let rotation: Transform = Kind::RotateSequence {
                axes: vec![Axis::Z, Axis::Y, Axis::X], angles: vec![a * 10.0, b * 10.0, a], spherical: false,
            }.into();
            let sky: Transform = Kind::CartesianToSpherical { wrap_lon_at: 360 }.into();
            let table = Tabular::new(
                vec![vec![-200.0, 0.0, 50.0, 200.0]], vec![10.0, 4.0, 3.0, -9.0], Method::Linear, Some(f64::NAN),
            ).unwrap();
            let transforms: Vec<Transform> = vec![
                Transform::shift(a).beside(Transform::scale(scale)),
                Transform::mapping(&[1, 0], 2),
                Kind::Affine { matrix: [[3.0, a / 3.0], [b / 3.0, 3.0]], translation: [a, b] }.into(),
                Kind::Rotate2D(a * 40.0).into(),
                Kind::Rotate3D(euler).into(),
                sphere.then(rotation).then(sky),
                Kind::Gnomonic(Direction::SkyToPixel).into(),
                Transform::from(Kind::Linear { slope: scale, intercept: b }).beside(Kind::Tabular(table).into()),
            ];
            for t in transforms {
                // projections reach half the sphere only
                let y = if matches!(t.kind, Kind::Gnomonic(_)) { 10.0 + y.abs() * 0.9 } else { y };
                let v = back(&t, &[x, y]);
                let dx = (v[0] - x).rem_euclid(360.0);
                prop_assert!(dx.min(360.0 - dx) < 1e-9 && (v[1] - y).abs() < 1e-9, "{t:?} {x} {y} {v:?}");
                let nan = t.at(&[f64::NAN, f64::NAN]).unwrap();
                prop_assert!(nan.iter().all(|v| v.is_nan()), "{t:?}");
            }
        }
    }
}

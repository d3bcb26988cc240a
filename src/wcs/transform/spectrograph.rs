//! Gratings, a prism and slits: the classes that NIRSpec's transforms are made of, as `stdatamodels` 6.0 and gwcs 1.0.3 have them.
//!
//! Directions are direction cosines; wavelengths in metre. Nothing here knows where a spectrograph's parts are.

use super::Transform;
use super::columns::{about_x, about_y, about_z, ahead};
use super::rotation::Axis;

/// Rotations of a direction about the axes, one after the other. After each, the third component is made anew so that
/// the direction has length 1 (and points ahead).
#[derive(Debug, Clone, PartialEq)]
pub struct RotationToGwa {
    axes: Vec<Axis>,
    radians: Vec<f64>,
}

impl RotationToGwa {
    /// Rotations by angles in degrees; none if there are more angles than axes, or fewer.
    pub fn new(axes: Vec<Axis>, degrees: &[f64]) -> Option<Self> {
        let radians: Vec<f64> = degrees.iter().map(|a| a.to_radians()).collect();
        (axes.len() == radians.len()).then_some(Self { axes, radians })
    }
    /// The axes in the order of their rotations.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }
    /// The angles in degrees.
    pub fn degrees(&self) -> Vec<f64> {
        self.radians.iter().map(|a| a.to_degrees()).collect()
    }

    /// The rotation back.
    pub(super) fn inverse(&self) -> Self {
        let degrees = self.degrees();
        Self {
            axes: self.axes.iter().rev().copied().collect(),
            radians: degrees.iter().rev().map(|a| (-a).to_radians()).collect(),
        }
    }

    /// Rotates columns of directions.
    pub(super) fn apply(&self, [x, y, z]: [&[f64]; 3]) -> [Vec<f64>; 3] {
        let (mut x, mut y, mut z) = (x.to_vec(), y.to_vec(), z.to_vec());
        for (axis, angle) in self.axes.iter().zip(&self.radians) {
            let (s, c) = (angle.sin(), angle.cos());
            match axis {
                Axis::X => about_x(s, c, &x, &mut y, &mut z),
                Axis::Y => about_y(s, c, &mut x, &y, &mut z),
                Axis::Z => about_z(s, c, &mut x, &mut y, &mut z),
            }
        }
        [x, y, z]
    }
}

/// A prism with a mirror on its back: refraction, reflection, refraction.
#[derive(Debug, Clone, PartialEq)]
pub struct Prism {
    /// Angle between the faces in degrees.
    pub angle: f64,
    /// K coefficients of the Sellmeier equation.
    pub kcoef: [f64; 3],
    /// L coefficients of the Sellmeier equation in micron^2.
    pub lcoef: [f64; 3],
    /// Thermal coefficients of the glass: D0 to D2, E0, E1 and a wavelength in micron.
    pub tcoef: [f64; 6],
    /// Temperature in K at which the coefficients hold.
    pub ref_temp: f64,
    /// Pressure in atm at which they hold; taken for that of the observation too, whatever a file says of it.
    pub ref_pressure: f64,
    /// Temperature in K of the observation.
    pub temp: f64,
}

/// Temperature differences in K below which the glass is taken as it is at its reference temperature.
const THERMAL: f64 = 20.0;
/// 0 degree Celsius in K.
const CELSIUS: f64 = 273.15;

impl Prism {
    /// Refraction index at a wavelength in metre.
    pub fn index(&self, lambda: f64) -> f64 {
        let w = lambda * 1.0e6;
        if self.temp - self.ref_temp < THERMAL {
            return self.sellmeier(w);
        }
        let (temp, ref_temp) = (self.temp - CELSIUS, self.ref_temp - CELSIUS);
        let delta = temp - ref_temp;
        let [d0, d1, d2, e0, e1, tk] = self.tcoef;
        let q = w * w;
        let air = 1.0
            + (6432.8 + 2949810.0 * q / (146.0 * q - 1.0) + (5540.0 * q) / (41.0 * q - 1.0)) * 1e-8;
        let at =
            |temp: f64| 1.0 + ((air - 1.0) * self.ref_pressure) / (1.0 + (temp - 15.0) * 3.4785e-3);
        let (now, then) = (at(temp), at(ref_temp));
        let relative = w * now / then;
        let n = self.sellmeier(relative);
        let growth = (0.5 * (n * n - 1.0) / n)
            * (d0 * delta
                + d1 * (delta * delta)
                + d2 * (delta * delta * delta)
                + (e0 * delta + e1 * (delta * delta)) / (relative * relative - tk * tk));
        (n * then + growth) / now
    }

    fn sellmeier(&self, w: f64) -> f64 {
        let q = w * w;
        let term = |k: usize| self.kcoef[k] * q / (q - self.lcoef[k]);
        (1.0 + term(0) + term(1) + term(2)).sqrt()
    }

    /// Wavelengths and directions in to directions out.
    pub(super) fn refract(&self, lambda: &[f64], [x, y]: [&[f64]; 2]) -> [Vec<f64>; 3] {
        let n: Vec<f64> = lambda.iter().map(|l| self.index(*l)).collect();
        let entered = surface([x, y], n.iter().copied());
        let turn = |angle: f64, [x, y, z]: &[Vec<f64>; 3]| {
            let rotation = RotationToGwa {
                axes: vec![Axis::Y],
                radians: vec![angle.to_radians()],
            };
            rotation.apply([x, y, z])
        };
        let mut back = turn(self.angle, &entered);
        let [x, y, _] = &mut back;
        x.iter_mut().chain(y).for_each(|v| *v = -*v);
        let [x, y, _] = turn(-self.angle, &back);
        surface([&x, &y], n.iter().map(|n| 1.0 / n))
    }
}

/// Snell's law at a surface across the third axis, for the ratio of the refraction indices behind and before it.
fn surface([x, y]: [&[f64]; 2], ratios: impl Iterator<Item = f64>) -> [Vec<f64>; 3] {
    let mut out: [Vec<f64>; 3] = std::array::from_fn(|_| Vec::with_capacity(x.len()));
    for ((x, y), n) in x.iter().zip(y).zip(ratios) {
        let (x, y) = (x / n, y / n);
        for (column, v) in out.iter_mut().zip([x, y, ahead(x, y)]) {
            column.push(v);
        }
    }
    out
}

/// Refraction index of a prism whose faces are at an angle (degrees), of the directions before and behind it.
pub(super) fn index_of_prism(angle: f64, [a_in, b_in, a_out]: [&[f64]; 3]) -> Vec<f64> {
    let (s, c) = (angle.to_radians().sin(), angle.to_radians().cos());
    let reflected = 1.0 - 2.0 * (s * s);
    let points = a_in.iter().zip(b_in).zip(a_out);
    points
        .map(|((a, b), out)| {
            let t = (out + a * reflected) / (2.0 * s * c);
            (t * t + a * a + b * b).sqrt()
        })
        .collect()
}

/// Comparison of a [`super::Kind::Logical`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Greater,
    Less,
    Equal,
    NotEqual,
}

impl Condition {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::Greater, "GT"),
        (Self::Less, "LT"),
        (Self::Equal, "EQ"),
        (Self::NotEqual, "NE"),
    ];
    /// The condition of a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let upper = name.to_uppercase();
        let mut names = Self::NAMES.into_iter();
        names.find(|(_, n)| *n == upper).map(|(c, _)| c)
    }
    /// Its name.
    pub(super) fn name(self) -> &'static str {
        let mut names = Self::NAMES.into_iter();
        names.find(|(c, _)| *c == self).map_or("", |(_, n)| n)
    }
    /// Whether it holds.
    pub(super) fn holds(self, x: f64, y: f64) -> bool {
        match self {
            Self::Greater => x > y,
            Self::Less => x < y,
            Self::Equal => x == y,
            Self::NotEqual => x != y,
        }
    }
}

/// Between which frames the transforms of [`Slits`] lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlitStage {
    /// Name and direction to name, position in the slit and wavelength.
    GwaToSlit,
    /// The reverse.
    SlitToGwa,
    /// Name and position in the slit to position and name.
    SlitToMsa,
    /// The reverse.
    MsaToSlit,
}

impl SlitStage {
    /// Inputs (and outputs) of each slit's transform, without the name.
    pub fn n(self) -> usize {
        match self {
            Self::GwaToSlit | Self::SlitToGwa => 3,
            Self::SlitToMsa | Self::MsaToSlit => 2,
        }
    }
    fn reverse(self) -> Self {
        match self {
            Self::GwaToSlit => Self::SlitToGwa,
            Self::SlitToGwa => Self::GwaToSlit,
            Self::SlitToMsa => Self::MsaToSlit,
            Self::MsaToSlit => Self::SlitToMsa,
        }
    }
    /// Place of the name among inputs and outputs.
    fn name_at(self) -> (usize, usize) {
        match self {
            Self::GwaToSlit | Self::SlitToGwa => (0, 0),
            Self::SlitToMsa => (0, 2),
            Self::MsaToSlit => (2, 0),
        }
    }
}

/// The transform of the slit (or slice) whose name is one of the inputs; the name is passed on.
#[derive(Debug, Clone, PartialEq)]
pub struct Slits {
    /// Where from and where to.
    pub stage: SlitStage,
    /// Transforms by name.
    pub models: Vec<(i64, Transform)>,
}

impl Slits {
    /// The transform of a name.
    pub fn of(&self, name: i64) -> Option<&Transform> {
        self.models.iter().find(|(n, _)| *n == name).map(|(_, t)| t)
    }

    /// The same from slit to slit, the other way.
    pub(super) fn inverse(&self) -> crate::Result<Self> {
        let n = self.stage.n();
        let models = self.models.iter();
        let models = models.map(|(name, t)| Ok((*name, t.inverted_to(n, n)?)));
        Ok(Self {
            stage: self.stage.reverse(),
            models: models.collect::<crate::Result<_>>()?,
        })
    }

    /// Values at points; NaN where there is no slit of the name.
    pub(super) fn evaluate(&self, inputs: &[&[f64]]) -> Vec<Vec<f64>> {
        let (name_in, name_out) = self.stage.name_at();
        let names = inputs[name_in];
        let rest: Vec<&[f64]> = (0..inputs.len())
            .filter(|i| *i != name_in)
            .map(|i| inputs[i])
            .collect();
        let first = names.first().copied();
        let mut out = if names.iter().all(|n| Some(*n) == first)
            && let Some((_, t)) = self.models.iter().find(|(n, _)| Some(*n as f64) == first)
        {
            t.values(&rest)
        } else {
            let mut out = vec![vec![f64::NAN; names.len()]; self.stage.n()];
            for (name, t) in &self.models {
                let is = |k: &usize| names[*k] == *name as f64;
                let members: Vec<usize> = (0..names.len()).filter(is).collect();
                if members.is_empty() {
                    continue;
                }
                let gathered: Vec<Vec<f64>> = rest
                    .iter()
                    .map(|c| members.iter().map(|k| c[*k]).collect())
                    .collect();
                let columns: Vec<&[f64]> = gathered.iter().map(Vec::as_slice).collect();
                for (out, column) in out.iter_mut().zip(t.values(&columns)) {
                    members.iter().zip(column).for_each(|(k, v)| out[*k] = v);
                }
            }
            out
        };
        out.insert(name_out, names.to_vec());
        out
    }
}

/// Bounds of each input; none where it is not bounded.
pub type Bounds = Vec<Option<(f64, f64)>>;

/// Bounding boxes that depend on one of the inputs (the name of a slit).
#[derive(Debug, Clone, PartialEq)]
pub struct BoxesByName {
    /// Number of that input.
    pub input: usize,
    /// Bounds of all inputs by name.
    pub boxes: Vec<(i64, Bounds)>,
}

impl BoxesByName {
    /// The box of a name.
    pub fn of(&self, name: i64) -> Option<&Bounds> {
        let mut boxes = self.boxes.iter();
        boxes.find(|(n, _)| *n == name).map(|(_, b)| b)
    }

    /// Sets outputs to NaN where an input lies outside the bounds of its name.
    pub(in crate::wcs) fn blank_outside(&self, inputs: &[&[f64]], outputs: &mut [Vec<f64>]) {
        let Some(names) = inputs.get(self.input) else {
            return;
        };
        let mut last: Option<(f64, Option<&Bounds>)> = None;
        for (k, name) in names.iter().enumerate() {
            let bounds = match last {
                Some((n, bounds)) if n == *name => bounds,
                _ => {
                    let mut boxes = self.boxes.iter();
                    boxes.find(|(n, _)| *n as f64 == *name).map(|(_, b)| b)
                }
            };
            last = Some((*name, bounds));
            let outside = bounds.is_none_or(|bounds| {
                bounds.iter().zip(inputs).any(|(bound, column)| {
                    bound.is_some_and(|(low, high)| column[k] < low || column[k] > high)
                })
            });
            if outside {
                outputs.iter_mut().for_each(|out| out[k] = f64::NAN);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_turned_and_back() {
        let r = RotationToGwa::new(vec![Axis::X, Axis::Y, Axis::Z], &[3.0, -20.0, 5.0]).unwrap();
        let at: [&[f64]; 3] = [&[0.0, 0.2], &[0.0, -0.1], &[1.0, 0.95_f64.sqrt()]];
        let there = r.apply(at);
        let slices: [&[f64]; 3] = [&there[0], &there[1], &there[2]];
        let back = r.inverse().apply(slices);
        for (a, b) in at.iter().zip(&back) {
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-15));
        }
        // by 20 degrees about y: the first component is sin 20
        let y = RotationToGwa::new(vec![Axis::Y], &[-20.0]).unwrap();
        let out = y.apply([&[0.0], &[0.0], &[1.0]]);
        assert!((out[0][0] - 20.0_f64.to_radians().sin()).abs() < 1e-15);
        assert!(RotationToGwa::new(vec![Axis::Y], &[]).is_none());
    }

    fn glass() -> Prism {
        Prism {
            angle: -16.5,
            kcoef: [0.58339748, 0.46085267, 3.8915394],
            lcoef: [0.00252643, 0.010078333, 1200.556],
            tcoef: [-2.66e-5, 0.0, 0.0, 0.0, 0.0, 0.0],
            ref_temp: 35.0,
            ref_pressure: 0.0,
            temp: 38.0,
        }
    }

    #[test]
    fn refraction_index_of_calcium_fluoride_and_back() {
        let p = glass();
        // the example of gwcs is at 2 m with these coefficients: sqrt(1 + 0.58 + 0.46 + 3.89)
        assert!((p.index(2.0) - 2.43634758).abs() < 1e-8);
        let (x, y, lambda) = (0.31, -0.02, 2.5e-6);
        let [a, b, _] = p.refract(&[lambda], [&[x], &[y]]);
        assert!((b[0] + y).abs() < 1e-12, "{b:?}");
        let n = index_of_prism(p.angle, [&[x], &[y], &a]);
        assert!((n[0] - p.index(lambda)).abs() < 1e-13, "{n:?}");
    }

    #[test]
    fn warm_glass_refracts_otherwise() {
        let cold = glass();
        let warm = Prism {
            temp: 75.0,
            ..glass()
        };
        let (a, b) = (cold.index(2e-6), warm.index(2e-6));
        // D0 delta (n^2 - 1) / 2n
        let expected = -2.66e-5 * 40.0 * 0.5 * (a * a - 1.0) / a;
        assert!((b - a - expected).abs() < 1e-12, "{a} {b}");
    }

    fn two() -> Slits {
        Slits {
            stage: SlitStage::SlitToMsa,
            models: vec![
                (4, Transform::shift(1.0).beside(Transform::scale(2.0))),
                (7, Transform::identity(2)),
            ],
        }
    }

    #[test]
    fn slits_by_name() {
        let s = two();
        let out = s.evaluate(&[&[4.0, 4.0], &[1.0, 2.0], &[3.0, 4.0]]);
        assert_eq!(out, [[2.0, 3.0], [6.0, 8.0], [4.0, 4.0]]);
        let out = s.evaluate(&[&[4.0, 7.0, 5.0], &[1.0; 3], &[3.0; 3]]);
        assert_eq!(
            (out[0][..2].to_vec(), out[1][..2].to_vec()),
            (vec![2.0, 1.0], vec![6.0, 3.0])
        );
        assert!(out[0][2].is_nan() && out[2] == [4.0, 7.0, 5.0]);
        let back = s.inverse().unwrap().evaluate(&[&[2.0], &[6.0], &[4.0]]);
        assert_eq!(back, [[4.0], [1.0], [3.0]]);
    }

    #[test]
    fn boxes_of_slits() {
        let b = BoxesByName {
            input: 2,
            boxes: vec![(0, vec![Some((0.0, 1.0)), None, None]), (1, vec![None; 3])],
        };
        let mut out = vec![vec![1.0; 4]];
        let x: &[f64] = &[0.5, 1.5, 1.5, 0.5];
        b.blank_outside(&[x, &[0.0; 4], &[0.0, 0.0, 1.0, 9.0]], &mut out);
        assert_eq!((out[0][0], out[0][2]), (1.0, 1.0));
        assert!(out[0][1].is_nan() && out[0][3].is_nan());
    }
}

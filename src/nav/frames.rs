//! Reference frames: SPICE's built-in inertial ones, body-fixed ones, and those of frame kernels.
//!
//! A frame is known by a code, as segments give it, or by a name. Inertial frames (1 to 21) are constant
//! rotations of J2000, which in SPICE is the ICRF. A name `IAU_<body>` is the body's own frame from its
//! orientation constants. Frame kernels define more: inertial (class 1), body-fixed (2) and fixed
//! to another frame (4). Frames of spacecraft attitude (3) and dynamic ones (5) are refused.

use std::f64::consts::PI;

use super::kernels::Kernels;
use super::orientation;
use super::spk::State;
use crate::math::vector::{
    Axis, IDENTITY, Matrix, Vector, ZERO, add, apply, product, sum, transpose, turn,
};
use crate::{Error, Result};

/// The code of J2000 (ICRF).
pub const J2000: Frame = Frame(1);

/// A reference frame, by its SPICE code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame(pub i32);

/// A rotation from one frame to another, and its change with time (1/s).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    /// Components in the second frame = `matrix` times those in the first.
    pub matrix: Matrix,
    /// Its derivative.
    pub rate: Matrix,
}

impl Turn {
    /// A rotation that does not change.
    #[must_use]
    pub fn fixed(matrix: Matrix) -> Self {
        Self { matrix, rate: ZERO }
    }

    /// From the second frame to the first.
    #[must_use]
    pub fn back(&self) -> Self {
        Self {
            matrix: transpose(&self.matrix),
            rate: transpose(&self.rate),
        }
    }

    /// This rotation, then `next`.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        Self {
            matrix: product(&next.matrix, &self.matrix),
            rate: sum(
                &product(&next.rate, &self.matrix),
                &product(&next.matrix, &self.rate),
            ),
        }
    }

    /// Components of a position in the second frame.
    #[must_use]
    pub fn position(&self, v: Vector) -> Vector {
        apply(&self.matrix, v)
    }

    /// A state in the second frame.
    #[must_use]
    pub fn state(&self, s: State) -> State {
        State {
            position: apply(&self.matrix, s.position),
            velocity: add(
                apply(&self.matrix, s.velocity),
                apply(&self.rate, s.position),
            ),
        }
    }
}

/// (name, code of the frame it is given in, rotations of the axes that lead from there to it:
/// arcseconds and axis number, the first applied last, as matrices are written). The values are those of
/// Standish 1982 (A&A 114, 297) and of the ephemerides' own descriptions.
type Inertial = (&'static str, i32, &'static [(f64, u8)]);
const INERTIAL: [Inertial; 21] = [
    ("J2000", 1, &[]),
    (
        "B1950",
        1,
        &[
            (1152.84248596724, 3),
            (-1002.26108439117, 2),
            (1153.04066200330, 3),
        ],
    ),
    ("FK4", 2, &[(0.525, 3)]),
    ("DE-118", 2, &[(0.53155, 3)]),
    ("DE-96", 2, &[(0.4107, 3)]),
    ("DE-102", 2, &[(0.1359, 3)]),
    ("DE-108", 2, &[(0.4775, 3)]),
    ("DE-111", 2, &[(0.5880, 3)]),
    ("DE-114", 2, &[(0.5529, 3)]),
    ("DE-122", 2, &[(0.5316, 3)]),
    ("DE-125", 2, &[(0.5754, 3)]),
    ("DE-130", 2, &[(0.5247, 3)]),
    (
        "GALACTIC",
        3,
        &[(1_177_200.0, 3), (225_360.0, 1), (1_016_100.0, 3)],
    ),
    ("DE-200", 1, &[]),
    ("DE-202", 1, &[]),
    (
        "MARSIAU",
        1,
        &[(324_000.0, 3), (133_610.4, 2), (-152_348.4, 3)],
    ),
    ("ECLIPJ2000", 1, &[(84_381.448, 1)]),
    ("ECLIPB1950", 2, &[(84_404.836, 1)]),
    (
        "DE-140",
        1,
        &[
            (1152.71013777252, 3),
            (-1002.25042010533, 2),
            (1153.75719544491, 3),
        ],
    ),
    (
        "DE-142",
        1,
        &[
            (1152.72061453864, 3),
            (-1002.25052830351, 2),
            (1153.74663857521, 3),
        ],
    ),
    (
        "DE-143",
        1,
        &[
            (1153.03919093833, 3),
            (-1002.24822382286, 2),
            (1153.42900222357, 3),
        ],
    ),
];

/// Rotation from J2000 to a built-in inertial frame.
fn inertial(code: i32) -> Option<Matrix> {
    let (_, base, turns) = INERTIAL.get(usize::try_from(code).ok()?.checked_sub(1)?)?;
    let mut matrix = IDENTITY;
    for (arcseconds, axis) in *turns {
        let axis = Axis::from_number(i32::from(*axis))?;
        matrix = product(&matrix, &turn(axis, arcseconds / 3600.0 * PI / 180.0));
    }
    Some(match base {
        1 => matrix,
        base => product(&matrix, &inertial(*base)?),
    })
}

/// How a frame is defined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Class {
    /// One of the built-in ones.
    Inertial,
    /// Turns with a body: its class code (the body's code, or a binary PCK's own).
    Body(i32),
    /// Fixed to another frame; the code that its `TKFRAME_` variables have.
    Fixed(i32),
    /// A class that is not computed.
    Other(i32),
}

/// Codes of the built-in body-fixed frames, from 10001 on, in blocks: (first code, bodies).
const BODY_FRAMES: [(i32, &[i32]); 5] = [
    (
        10_001,
        &[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 199, 299, 399, 499, 599, 699, 799, 899, 999, 301, 401,
            402, 501, 502, 503, 504, 505, 506, 507, 508, 509, 510, 511, 512, 513, 514, 515, 516,
            601, 602, 603, 604, 605, 606, 607, 608, 609, 610, 611, 612, 613, 614, 615, 616, 617,
            701, 702, 703, 704, 705, 706, 707, 708, 709, 710, 711, 712, 713, 714, 715, 801, 802,
            803, 804, 805, 806, 807, 808, 901,
        ],
    ),
    (
        10_082,
        &[
            618, 9_511_010, 2_431_010, 2_000_433, 517, 518, 519, 520, 521, 522, 523, 524, 525, 526,
            527, 1_000_005, 1_000_093, 2_000_004, 2_025_143, 2_000_001, 2_000_002, 2_000_021,
            2_000_511, 2_002_867, 2_101_955, 2_000_052, 902, 903,
        ],
    ),
    (10_110, &[2_162_173, 2_486_958]),
    (
        10_112,
        &[
            20_065_803,
            920_065_803,
            120_065_803,
            20_052_246,
            920_003_548,
            20_003_548,
            120_003_548,
        ],
    ),
    (
        10_119,
        &[
            20_015_094,
            20_011_351,
            20_021_900,
            20_000_617,
            920_000_617,
            120_000_617,
        ],
    ),
];
/// Code of ITRF93, and the class code that binary Earth kernels have.
const ITRF93: (i32, i32) = (13_000, 3000);
/// A frame of the Earth that a frame kernel ties to another one.
const EARTH_FIXED: i32 = 10_081;
/// Frames of bodies whose code is not in the table: this plus the body's code, which no kernel uses.
const OWN: i32 = 1_900_000_000;

fn body_of(code: i32) -> Option<i32> {
    if (OWN - 1_000_000..=OWN + 200_000_000).contains(&code) {
        return Some(code - OWN);
    }
    BODY_FRAMES.iter().find_map(|(first, bodies)| {
        let i = usize::try_from(code.checked_sub(*first)?).ok()?;
        bodies.get(i).copied()
    })
}

fn code_of_body(body: i32) -> i32 {
    BODY_FRAMES
        .iter()
        .find_map(|(first, bodies)| {
            let i = bodies.iter().position(|b| *b == body)?;
            Some(first + i as i32)
        })
        .unwrap_or_else(|| OWN.saturating_add(body))
}

impl Kernels {
    /// A frame by its name: built-in, of a frame kernel, or `IAU_<body>`; case does not count.
    ///
    /// # Errors
    /// [`Error::Reference`] where no loaded kernel and no table has the name.
    pub fn frame(&self, name: &str) -> Result<Frame> {
        let name = name.trim().to_ascii_uppercase();
        if let Some(i) = INERTIAL.iter().position(|f| f.0 == name) {
            return Ok(Frame(i as i32 + 1));
        }
        if let Some(code) = self.pool().integer(&format!("FRAME_{name}")) {
            return Ok(Frame(code));
        }
        match name.as_str() {
            "ICRF" => return Ok(J2000),
            "ITRF93" => return Ok(Frame(ITRF93.0)),
            "EARTH_FIXED" => return Ok(Frame(EARTH_FIXED)),
            _ => {}
        }
        if let Some(body) = name.strip_prefix("IAU_") {
            let found = self.find_body(body);
            let found = found.or_else(|| self.find_body(&body.replace('_', " ")));
            if let Some(code) = found {
                return Ok(Frame(code_of_body(code)));
            }
        }
        Err(Error::reference(format!(
            "the reference frame {name} is not known; load the frame kernel (.tf) that defines it"
        )))
    }

    /// The frame fixed to a body, from its orientation constants.
    #[must_use]
    pub fn body_frame(&self, body: i32) -> Frame {
        let defined = self.pool().integer(&format!("OBJECT_{body}_FRAME"));
        let named = || {
            let name = self.pool().text(&format!("OBJECT_{body}_FRAME"))?;
            self.frame(name).ok()
        };
        defined
            .map(Frame)
            .or_else(named)
            .unwrap_or_else(|| Frame(code_of_body(body)))
    }

    /// Name of a frame.
    #[must_use]
    pub fn frame_name(&self, frame: Frame) -> String {
        let built_in = usize::try_from(frame.0.saturating_sub(1))
            .ok()
            .and_then(|i| INERTIAL.get(i));
        if let Some(f) = built_in {
            return f.0.into();
        }
        if let Some(name) = self.pool().text(&format!("FRAME_{}_NAME", frame.0)) {
            return name.into();
        }
        match (frame.0, body_of(frame.0)) {
            (_, Some(body)) => format!("IAU_{}", self.body_name(body).replace(' ', "_")),
            (code, _) if code == ITRF93.0 => "ITRF93".into(),
            (EARTH_FIXED, _) => "EARTH_FIXED".into(),
            (code, _) => format!("frame {code}"),
        }
    }

    /// Whether a frame is one of the built-in inertial ones.
    #[must_use]
    pub fn frame_is_inertial(&self, frame: Frame) -> bool {
        (1..=INERTIAL.len() as i32).contains(&frame.0)
    }

    /// Class of a frame, and the body at its centre.
    pub(super) fn frame_class(&self, frame: Frame) -> Result<(Class, i32)> {
        let code = frame.0;
        if inertial(code).is_some() {
            return Ok((Class::Inertial, 0));
        }
        let defined = |what: &str| {
            let name = self.pool().text(&format!("FRAME_{code}_NAME"));
            let by_name = name.map(|n| format!("FRAME_{}_{what}", n.trim().to_ascii_uppercase()));
            let by_name = by_name.and_then(|n| self.pool().integer(&n));
            by_name.or_else(|| self.pool().integer(&format!("FRAME_{code}_{what}")))
        };
        if let Some(class) = defined("CLASS") {
            let id = defined("CLASS_ID").unwrap_or(code);
            let center = defined("CENTER").or_else(|| {
                let name = self.pool().text(&format!("FRAME_{code}_CENTER"))?;
                self.find_body(name)
            });
            let class = match class {
                1 => Class::Inertial,
                2 => Class::Body(id),
                4 => Class::Fixed(id),
                other => Class::Other(other),
            };
            return Ok((class, center.unwrap_or(0)));
        }
        if let Some(body) = body_of(code) {
            return Ok((Class::Body(body), body));
        }
        match code {
            _ if code == ITRF93.0 => Ok((Class::Body(ITRF93.1), 399)),
            EARTH_FIXED => Ok((Class::Fixed(EARTH_FIXED), 399)),
            _ => Err(Error::reference(format!(
                "the reference frame with the code {code} is not known; load the frame kernel (.tf) \
                 that defines it"
            ))),
        }
    }

    /// Rotation from J2000 to a frame at `et`.
    ///
    /// # Errors
    /// [`Error::Reference`] where the kernels do not define it then.
    pub fn turn_to(&self, frame: Frame, et: f64) -> Result<Turn> {
        self.turn_within(frame, et, 0)
    }

    fn turn_within(&self, frame: Frame, et: f64, depth: usize) -> Result<Turn> {
        if let Some(matrix) = inertial(frame.0) {
            return Ok(Turn::fixed(matrix));
        }
        let name = || self.frame_name(frame);
        if depth > 16 {
            return Err(Error::reference(format!(
                "the definition of the frame {} leads back to itself; correct the frame kernels",
                name()
            )));
        }
        match self.frame_class(frame)?.0 {
            Class::Body(id) => orientation::turn(self, id, &name(), et),
            Class::Fixed(id) => {
                let (base, matrix) = self.fixed_offset(frame, id)?;
                let below = self.turn_within(base, et, depth + 1)?;
                Ok(below.then(&Turn::fixed(matrix)))
            }
            Class::Inertial => Err(Error::reference(format!(
                "the frame {} says it is a built-in inertial one, and is not; correct its frame kernel",
                name()
            ))),
            Class::Other(class) => Err(Error::reference(format!(
                "the frame {} is of class {class} ({}), which is not computed; use an inertial or a \
                 body-fixed frame",
                name(),
                match class {
                    3 => "spacecraft attitude",
                    5 => "dynamic",
                    6 => "switch",
                    _ => "unknown",
                }
            ))),
        }
    }

    /// Rotation from one frame to another at `et`, both by name.
    ///
    /// # Errors
    /// As [`Kernels::frame`] and [`Kernels::turn_to`].
    pub fn rotation(&self, from: &str, to: &str, et: f64) -> Result<Turn> {
        self.turn_between(self.frame(from)?, self.frame(to)?, et)
    }

    /// Rotation from one frame to another at `et`.
    ///
    /// # Errors
    /// As [`Kernels::turn_to`].
    pub fn turn_between(&self, from: Frame, to: Frame, et: f64) -> Result<Turn> {
        let back = self.turn_to(from, et)?.back();
        Ok(back.then(&self.turn_to(to, et)?))
    }

    /// A frame with a constant offset: the frame it is fixed to, and the rotation from there to it.
    fn fixed_offset(&self, frame: Frame, id: i32) -> Result<(Frame, Matrix)> {
        let pool = self.pool();
        let name = self.frame_name(frame);
        let keys = [id.to_string(), name.clone()];
        let key = |what: &str| {
            keys.iter()
                .map(|k| format!("TKFRAME_{k}_{what}"))
                .find(|k| pool.contains(k))
        };
        let missing = |what: &str| {
            Error::reference(format!(
                "the frame {name} has no usable TKFRAME_{id}_{what}; load the frame kernel that \
                 defines it, or correct it"
            ))
        };
        let text = |what: &str| {
            let found = key(what).and_then(|k| pool.text(&k));
            found.ok_or_else(|| missing(what))
        };
        let numbers = |what: &str, n: usize| {
            let found = key(what).and_then(|k| pool.numbers(&k));
            found.filter(|v| v.len() == n).ok_or_else(|| missing(what))
        };
        let base = self.frame(text("RELATIVE")?)?;
        // all three forms give the rotation from this frame to its base
        let to_base = match text("SPEC")?.to_ascii_uppercase().as_str() {
            "MATRIX" => {
                let m = numbers("MATRIX", 9)?;
                // by columns
                orthogonal([[m[0], m[3], m[6]], [m[1], m[4], m[7]], [m[2], m[5], m[8]]])
                    .ok_or_else(|| missing("MATRIX"))?
            }
            "ANGLES" => {
                let (angles, axes) = (numbers("ANGLES", 3)?, numbers("AXES", 3)?);
                let unit = match text("UNITS")?.to_ascii_uppercase().as_str() {
                    "DEGREES" => PI / 180.0,
                    "RADIANS" => 1.0,
                    "ARCSECONDS" => PI / 648_000.0,
                    "ARCMINUTES" => PI / 10_800.0,
                    "HOURANGLE" => PI / 12.0,
                    "MINUTEANGLE" => PI / 720.0,
                    "SECONDANGLE" => PI / 43_200.0,
                    _ => return Err(missing("UNITS")),
                };
                let mut matrix = IDENTITY;
                for (angle, axis) in angles.iter().zip(axes) {
                    let axis = Axis::from_number(*axis as i32).ok_or_else(|| missing("AXES"))?;
                    matrix = product(&matrix, &turn(axis, angle * unit));
                }
                matrix
            }
            "QUATERNION" => {
                let q = numbers("Q", 4)?;
                let n = q.iter().map(|x| x * x).sum::<f64>().sqrt();
                if n == 0.0 {
                    return Err(missing("Q"));
                }
                let [w, x, y, z] = [q[0] / n, q[1] / n, q[2] / n, q[3] / n];
                [
                    [
                        1.0 - 2.0 * (y * y + z * z),
                        2.0 * (x * y - w * z),
                        2.0 * (x * z + w * y),
                    ],
                    [
                        2.0 * (x * y + w * z),
                        1.0 - 2.0 * (x * x + z * z),
                        2.0 * (y * z - w * x),
                    ],
                    [
                        2.0 * (x * z - w * y),
                        2.0 * (y * z + w * x),
                        1.0 - 2.0 * (x * x + y * y),
                    ],
                ]
            }
            _ => return Err(missing("SPEC")),
        };
        Ok((base, transpose(&to_base)))
    }
}

/// The rotation nearest to a matrix of rounded numbers; `None` where it is far from one.
fn orthogonal(m: Matrix) -> Option<Matrix> {
    use crate::math::vector::{cross, dot, unit};
    let [a, b, c] = transpose(&m);
    let (a, c_free) = (unit(a), cross(a, b));
    let c_unit = unit(c_free);
    let b_unit = cross(c_unit, a);
    let fits =
        (dot(unit(b), b_unit) - 1.0).abs() < 1e-2 && (dot(unit(c), c_unit) - 1.0).abs() < 1e-2;
    fits.then(|| transpose(&[a, b_unit, c_unit]))
}

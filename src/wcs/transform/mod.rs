//! Transforms: the classes that ASDF reference files and gwcs objects hold, evaluated over columns of points.
//!
//! A [`Transform`] is a tree of [`Kind`]s, read from and written to ASDF nodes. Values and order of
//! operations follow `astropy.modeling` 8 and `gwcs` 1.0.3, so that results agree with theirs to
//! the last bits. Points are given as one slice for each input; units are what the file's author chose.
//!
//! Nothing here knows about instruments, frames or files' layout; classes that neither the MIRI MRS nor the NIRSpec IFU
//! need are refused by name when read.

mod columns;
mod evaluate;
mod invert;
mod labels;
mod orthopoly;
mod polynomial;
mod projection;
mod read;
mod rotation;
mod spectrograph;
mod tabular;
mod write;

pub(super) use evaluate::blank_outside;
pub use labels::{LabelMapper, Labels, RegionsSelector};
pub use orthopoly::{Family, OrthoPolynomial};
pub use polynomial::{Polynomial1D, Polynomial2D};
pub use projection::Direction;
pub use rotation::{Axis, Euler, Matrix3, matrix_of_sequence};
pub use spectrograph::{BoxesByName, Condition, Prism, RotationToGwa, SlitStage, Slits};
pub use tabular::{Method, Tabular};

/// One transform, with what the file says about it beside its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Transform {
    /// What it does.
    pub kind: Kind,
    /// Name, where the author gave one.
    pub name: Option<String>,
    /// Names of the inputs, where they are not the class's own.
    pub inputs: Option<Vec<String>>,
    /// Names of the outputs, where they are not the class's own.
    pub outputs: Option<Vec<String>>,
    /// Inverse supplied by the author, which goes before an analytic one.
    pub inverse: Option<Box<Transform>>,
    /// Lower and upper bound of each input; none where an input is not bounded.
    pub bounding_box: Option<Vec<Option<(f64, f64)>>>,
    /// Bounds that depend on the name of a slit, in place of those.
    pub boxes: Option<BoxesByName>,
}

/// Arithmetic of two transforms of the same inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
}

/// What a transform does.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// The second takes what the first gives.
    Compose(Box<Transform>, Box<Transform>),
    /// Side by side: inputs and outputs of the first, then of the second.
    Concatenate(Box<Transform>, Box<Transform>),
    /// Arithmetic of the outputs, one by one.
    Arithmetic(Operation, Box<Transform>, Box<Transform>),
    /// Some inputs (by their number in the base transform) are held at a value.
    FixInputs(Box<Transform>, Vec<(usize, f64)>),
    /// So many inputs, unchanged.
    Identity(usize),
    /// Output `i` is input `order[i]` of `n_inputs`.
    Mapping { order: Vec<usize>, n_inputs: usize },
    /// The same value everywhere, of one input or two.
    Constant { value: f64, n_inputs: usize },
    /// Multiplied by a factor.
    Scale(f64),
    /// With a value added.
    Shift(f64),
    /// `slope * x + intercept`.
    Linear { slope: f64, intercept: f64 },
    /// `matrix . (x, y) + translation`.
    Affine {
        matrix: [[f64; 2]; 2],
        translation: [f64; 2],
    },
    /// Polynomial of one variable.
    Polynomial1D(Polynomial1D),
    /// Polynomial of two variables, of limited total degree.
    Polynomial2D(Polynomial2D),
    /// Chebyshev, Legendre or Hermite series.
    OrthoPolynomial(OrthoPolynomial),
    /// Anticlockwise rotation of the plane by an angle in degrees.
    Rotate2D(f64),
    /// Rotations of space about the axes, angles in degrees; of longitude and latitude if `spherical`.
    RotateSequence {
        axes: Vec<Axis>,
        angles: Vec<f64>,
        spherical: bool,
    },
    /// Euler rotation of longitude and latitude in degrees.
    Rotate3D(Euler),
    /// The rotation from the telescope's V2, V3 (degrees) to the sky of older gwcs trees: angles are those
    /// of a [`Kind::RotateSequence`] with the sign changed.
    V23ToSky { axes: Vec<Axis>, angles: Vec<f64> },
    /// Longitude and latitude in degrees to a unit vector; the value where the inverse wraps is kept for it.
    SphericalToCartesian { wrap_lon_at: i64 },
    /// A vector to longitude (from 0 to 360, or around 0 for 180) and latitude in degrees.
    CartesianToSpherical { wrap_lon_at: i64 },
    /// Slopes `x, y` (and 1) to direction cosines and length.
    ToDirectionCosines,
    /// Direction cosines and length to a vector.
    FromDirectionCosines,
    /// Gnomonic (TAN) projection.
    Gnomonic(Direction),
    /// Interpolation in a table.
    Tabular(Tabular),
    /// Label of the region a point is in.
    LabelMapper(LabelMapper),
    /// The transform of the region a point is in.
    RegionsSelector(RegionsSelector),
    /// MIRI MRS beta (arcsec) to slice number (101 to 121 in channel 1).
    MiriAb2Slice {
        beta_zero: f64,
        beta_del: f64,
        channel: f64,
    },
    /// Slopes `x, y` to direction cosines.
    UnitlessToDirCos,
    /// Direction cosines to slopes.
    DirCosToUnitless,
    /// Rotation of direction cosines into the frame of the grating wheel.
    RotationToGwa(RotationToGwa),
    /// Wavelength of the first direction cosines before and behind a grating of so many grooves a metre.
    GratingWavelength { groove_density: f64, order: f64 },
    /// Wavelength and the first two direction cosines before a grating to the direction behind it.
    GratingAngles { groove_density: f64, order: f64 },
    /// Refraction index of a prism of an angle in degrees, of two direction cosines before and one behind it.
    RefractionIndex(f64),
    /// Wavelength and direction before a prism to the direction behind it.
    Snell(Prism),
    /// A value where a condition holds, else the input; NaN stays.
    Logical {
        condition: Condition,
        compareto: f64,
        value: f64,
    },
    /// The transform of the slit named by an input.
    Slits(Slits),
}

impl From<Kind> for Transform {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            name: None,
            inputs: None,
            outputs: None,
            inverse: None,
            bounding_box: None,
            boxes: None,
        }
    }
}

impl Transform {
    /// So many inputs, unchanged.
    pub fn identity(n: usize) -> Self {
        Kind::Identity(n).into()
    }
    /// A value added.
    pub fn shift(offset: f64) -> Self {
        Kind::Shift(offset).into()
    }
    /// Multiplied by a factor.
    pub fn scale(factor: f64) -> Self {
        Kind::Scale(factor).into()
    }
    /// Output `i` is input `order[i]`.
    pub fn mapping(order: &[usize], n_inputs: usize) -> Self {
        Kind::Mapping {
            order: order.to_vec(),
            n_inputs,
        }
        .into()
    }
    /// The same value for any input.
    pub fn constant(value: f64) -> Self {
        Kind::Constant { value, n_inputs: 1 }.into()
    }
    /// This, then the other (`|` in Python). The caller sees to it that the numbers fit.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Kind::Compose(Box::new(self), Box::new(next)).into()
    }
    /// This and the other side by side (`&` in Python).
    #[must_use]
    pub fn beside(self, other: Self) -> Self {
        Kind::Concatenate(Box::new(self), Box::new(other)).into()
    }
    /// The same with a name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }
    /// The same with an inverse supplied.
    #[must_use]
    pub fn with_inverse(mut self, inverse: Self) -> Self {
        self.inverse = Some(Box::new(inverse));
        self
    }

    /// Number of inputs.
    pub fn n_inputs(&self) -> usize {
        match &self.kind {
            Kind::Compose(a, _) | Kind::Arithmetic(_, a, _) => a.n_inputs(),
            Kind::Concatenate(a, b) => a.n_inputs() + b.n_inputs(),
            Kind::FixInputs(base, fixed) => base.n_inputs().saturating_sub(fixed.len()),
            Kind::Identity(n) => *n,
            Kind::Mapping { n_inputs, .. } | Kind::Constant { n_inputs, .. } => *n_inputs,
            Kind::Scale(_)
            | Kind::Shift(_)
            | Kind::Linear { .. }
            | Kind::Polynomial1D(_)
            | Kind::MiriAb2Slice { .. }
            | Kind::Logical { .. } => 1,
            Kind::Affine { .. }
            | Kind::UnitlessToDirCos
            | Kind::GratingWavelength { .. }
            | Kind::Polynomial2D(_)
            | Kind::Rotate2D(_)
            | Kind::Rotate3D(_)
            | Kind::V23ToSky { .. }
            | Kind::SphericalToCartesian { .. }
            | Kind::Gnomonic(_) => 2,
            Kind::RotateSequence { spherical, .. } => 3 - usize::from(*spherical),
            Kind::CartesianToSpherical { .. }
            | Kind::ToDirectionCosines
            | Kind::DirCosToUnitless
            | Kind::RotationToGwa(_)
            | Kind::GratingAngles { .. }
            | Kind::RefractionIndex(_) => 3,
            Kind::FromDirectionCosines | Kind::Snell(_) => 4,
            Kind::Slits(s) => s.stage.n() + 1,
            Kind::OrthoPolynomial(p) => p.n_inputs(),
            Kind::Tabular(t) => t.n_inputs(),
            Kind::LabelMapper(m) => m.n_inputs,
            Kind::RegionsSelector(s) => s.n_inputs,
        }
    }

    /// Number of outputs.
    pub fn n_outputs(&self) -> usize {
        match &self.kind {
            Kind::Compose(_, b) => b.n_outputs(),
            Kind::Arithmetic(_, a, _) => a.n_outputs(),
            Kind::Concatenate(a, b) => a.n_outputs() + b.n_outputs(),
            Kind::FixInputs(base, _) => base.n_outputs(),
            Kind::Identity(n) => *n,
            Kind::Mapping { order, .. } => order.len(),
            Kind::Constant { .. }
            | Kind::Scale(_)
            | Kind::Shift(_)
            | Kind::Linear { .. }
            | Kind::Polynomial1D(_)
            | Kind::Polynomial2D(_)
            | Kind::OrthoPolynomial(_)
            | Kind::Tabular(_)
            | Kind::LabelMapper(_)
            | Kind::MiriAb2Slice { .. }
            | Kind::GratingWavelength { .. }
            | Kind::RefractionIndex(_)
            | Kind::Logical { .. } => 1,
            Kind::Affine { .. }
            | Kind::DirCosToUnitless
            | Kind::Rotate2D(_)
            | Kind::Rotate3D(_)
            | Kind::V23ToSky { .. }
            | Kind::CartesianToSpherical { .. }
            | Kind::Gnomonic(_) => 2,
            Kind::RotateSequence { spherical, .. } => 3 - usize::from(*spherical),
            Kind::SphericalToCartesian { .. }
            | Kind::FromDirectionCosines
            | Kind::UnitlessToDirCos
            | Kind::RotationToGwa(_)
            | Kind::GratingAngles { .. }
            | Kind::Snell(_) => 3,
            Kind::ToDirectionCosines => 4,
            Kind::Slits(s) => s.stage.n() + 1,
            Kind::RegionsSelector(s) => s.n_outputs,
        }
    }
}

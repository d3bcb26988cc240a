//! The grating wheel of one exposure with the optics around it: pixels to the wheel, and through a slit to it.

use super::dispersion::{Dispersion, Setting};
use super::references::NirspecReferences;
use crate::wcs::pointing::Pointing;
use crate::wcs::transform::{Condition, Kind, Method, Operation, Tabular, Transform};
use crate::{Error, Result};

/// Points of the table from the direction at the wheel to the position along a slice.
const TABLE: usize = 1000;

/// The grating wheel of one exposure, and what lies between it and the plane of the shutters.
pub(super) struct Wheel {
    /// The rotation into the frame of the wheel.
    pub rotation: Transform,
    /// The plane of the shutters to the direction before the wheel.
    pub from_msa: Transform,
    /// Direction before the wheel and first cosine behind it to wavelength (metre).
    wavelength: Transform,
    /// Wavelength and direction before the wheel to the direction behind it.
    angles: Transform,
    /// Spectral order.
    pub order: f64,
    /// Range of wavelengths in metre.
    pub range: [f64; 2],
}

impl Wheel {
    /// The wheel of an exposure.
    ///
    /// # Errors
    /// As [`Nirspec::new`].
    pub fn new(refs: &NirspecReferences, setting: &Setting, pointing: &Pointing) -> Result<Self> {
        let (order, range) = refs.order_and_range(&setting.filter, &setting.grating);
        let rotation = refs.disperser.rotation(setting.tilt)?;
        let Dispersion {
            mut wavelength,
            mut angles,
        } = refs.dispersion(setting, order)?;
        if let Some(correction) = pointing.velocity_correction() {
            let back = correction.inverted()?;
            wavelength = wavelength.then(correction);
            angles = back.beside(Transform::identity(3)).then(angles);
        }
        let from_msa = refs
            .collimator
            .inverted()?
            .then(dircos())
            .then(rotation.clone());
        Ok(Self {
            rotation,
            from_msa,
            wavelength,
            angles,
            order,
            range,
        })
    }

    /// Direction at the wheel to position in a slit and wavelength: `table` gives the position along it, `central` leads from there to the
    /// direction before the wheel (at a wavelength in its middle), `back` does so from position and wavelength.
    pub fn to_slit(
        &self,
        table: &Transform,
        central: Transform,
        back: Transform,
        slit_y: [f64; 2],
    ) -> Transform {
        let one = || Transform::identity(1);
        let two = || Transform::identity(2);
        let wavelength_too = match back.n_inputs() {
            2 => back.beside(one()),
            _ => Transform::mapping(&[0, 1, 2, 2], 3).then(back.beside(one())),
        };
        let back = wavelength_too
            .then(Transform::mapping(&[3, 0, 1, 2], 4))
            .then(self.angles.clone());
        // the central wavelength takes the place of an input
        let inputs: &[usize] = match central.n_inputs() {
            2 => &[0, 1, 0, 1, 2, 3],
            _ => &[0, 1, 0, 1, 1, 2, 3],
        };
        Transform::mapping(&[0, 1, 0, 1], 3)
            .then(times(0.0).beside(times(-1.0)).beside(two()))
            .then(one().beside(table.clone()).beside(two()))
            .then(Transform::mapping(inputs, 4))
            .then(two().beside(central).beside(two()))
            .then(Transform::mapping(&[0, 1, 2, 3, 5], 7))
            .then(two().beside(self.wavelength.clone()))
            .then(mask(slit_y))
            .with_inverse(back)
    }
}

fn dircos() -> Transform {
    Transform::from(Kind::UnitlessToDirCos).named("unitless2directional_cosines")
}

/// Pixels of an exposure to those of the sensor chip.
pub(super) fn to_sca(setting: &Setting) -> Transform {
    let [x, y] = setting.start.map(|s| Transform::shift((s - 1) as f64));
    let turn = match setting.detector {
        0 => Transform::identity(2),
        _ => {
            let shift = || Transform::shift(-2047.0);
            let flip = || Transform::scale(-1.0);
            shift().beside(shift()).then(flip().beside(flip()))
        }
    };
    x.beside(y).then(turn)
}

/// Those to the direction at the grating wheel.
pub(super) fn to_gwa(
    refs: &NirspecReferences,
    setting: &Setting,
    rotation: &Transform,
) -> Transform {
    let fpa = &refs.fpa[setting.detector.min(1)];
    fpa.clone()
        .then(refs.camera.clone())
        .then(dircos())
        .then(rotation.clone())
}

/// A constant times the input.
fn times(factor: f64) -> Transform {
    let constant = Box::new(Transform::constant(factor));
    let identity = Box::new(Transform::identity(1));
    Kind::Arithmetic(Operation::Multiply, constant, identity).into()
}

/// The table of positions along a slice by the second direction cosine at the wheel.
pub(super) fn position_table(
    slit_to_gwa: &Transform,
    lambda: f64,
    [low, high]: [f64; 2],
) -> Result<Tabular> {
    let step = (high - low) / (TABLE - 1) as f64;
    let mut y: Vec<f64> = (0..TABLE).map(|i| i as f64 * step + low).collect();
    if let Some(last) = y.last_mut() {
        *last = high;
    }
    let (zero, lambda) = (vec![0.0; TABLE], vec![lambda; TABLE]);
    let inputs: [&[f64]; 3] = [&zero, &y, &lambda];
    let at = slit_to_gwa.evaluate(&inputs[..slit_to_gwa.n_inputs().min(3)])?;
    let beta = at.into_iter().nth(1).unwrap_or_default();
    Tabular::new(vec![beta], y, Method::Linear, Some(f64::NAN)).ok_or_else(|| {
        Error::reference(
            "the direction at the grating wheel does not change steadily along a slice of the IFU or a shutter; check the \
             ifuslicer, ifupost, msa and collimator reference files",
        )
    })
}

/// Position in the slice and wavelength, NaN where the position is out of the slice.
fn mask([low, high]: [f64; 2]) -> Transform {
    let nan = |condition, compareto| -> Transform {
        Kind::Logical {
            condition,
            compareto,
            value: f64::NAN,
        }
        .into()
    };
    let inside = nan(Condition::Greater, high)
        .then(nan(Condition::Less, low))
        .then(Transform::scale(0.0));
    let sum = || -> Transform {
        let one = |k: usize| Box::new(Transform::mapping(&[k], 2));
        Kind::Arithmetic(Operation::Add, one(0), one(1)).into()
    };
    Transform::mapping(&[0, 1, 2, 1], 3)
        .then(Transform::identity(3).beside(inside))
        .then(Transform::mapping(&[0, 1, 3, 2, 3], 4))
        .then(Transform::identity(1).beside(sum()).beside(sum()))
        .with_inverse(Transform::identity(3))
}

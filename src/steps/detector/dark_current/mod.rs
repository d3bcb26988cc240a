//! # dark_current: subtract the dark current
//!
//! ## What
//! Subtracts the counts that the detector gathers without light, group by group.
//!
//! ## Why
//! Dark current, and for MIRI the settling of the detector after the reset, look like light.
//!
//! ## Algorithm
//! 1. MIRI's darks have integrations (4 axes): integration i of the exposure takes integration i of the
//!    dark, or its last one beyond. Segments that do not start with the exposure's first integration
//!    (`INTSTART` > 1) take the last one throughout. Other darks (3 axes) serve every integration.
//! 2. A dark with fewer frames than the exposure is extended in a straight line from its last two groups
//!    (in double precision).
//! 3. NaN in the dark counts as 0.
//! 4. Where `NFRAMES` or `GROUPGAP` of the exposure differ from the dark's, the dark's groups are averaged
//!    (in single precision) or dropped to the exposure's pattern.
//! 5. `SCI -= dark`. The dark's flags (of all its integrations) are set in `PIXELDQ`.
//! 6. The average dark current (e-/s) that ramp_fit needs for the Poisson noise is set from the parameter,
//!    else from the reference: its keyword `AVDRKCUR`, or 0.
//!
//! ## Parameters
//! `dark_output`: file to save the dark in as it was subtracted. `average_dark_current`: see above.
//!
//! ## Reference files
//! `dark`. Only the integrations and groups that are needed are read, one plane at a time.
//!
//! ## Skipped when
//! no reference applies; `NFRAMES` or `GROUPGAP` of the dark are larger than the exposure's (the average
//! dark current is set even then).
//!
//! ## Differs from jwst
//! - Followed, though it looks unintended: an image `AVDRKCUR` of the reference is used only where the
//!   exposure has such an image already; a segment with `INTSTART` > 1 and fewer integrations than an
//!   averaged dark has nothing subtracted. Both are warned of.
//! - `dark_output` may name a folder; jwst puts the file beside the products. It has no `ERR`, as there.
//! - A dark of another subarray, and one of a single group that would have to be extended, are errors;
//!   jwst stops with an exception.
//!
//! ## References
//! jwst 3.0.0 `dark_current`, stcal 1.20 `dark_current`.

mod frames;
mod save;

use frames::Frames;

use super::reference_planes::subtract_planes;
use crate::Result;
use crate::exec::Exec;
use crate::model::Ramp;
use crate::model::reference::{RefFits, Window};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};

crate::params! {
    /// Parameters of dark_current.
    pub struct DarkCurrentParams {
        /// File to save the dark in as it was subtracted.
        dark_output: Option<String> = None,
        /// Average dark current of the detector in e-/s, instead of the reference's.
        average_dark_current: Option<f64> = None,
    }
}

/// The step.
pub struct DarkCurrent;

/// The dark reference, opened.
#[derive(Debug)]
pub struct DarkRef {
    frames: Frames,
    /// Why it cannot be used, if so.
    unusable: Option<String>,
    /// Whether the exposure starts with its first integration.
    starts: bool,
    dq: Vec<u32>,
    average: Average,
}

/// Average dark current in e-/s.
#[derive(Debug, Clone, PartialEq)]
enum Average {
    /// The same for all pixels.
    Uniform(f32),
    /// `[row][column]`.
    Image(Vec<f32>),
    /// An image of another size than the exposure.
    Unfit,
}

impl Step for DarkCurrent {
    const INFO: Info = Info {
        name: "dark_current",
        class: "DarkCurrentStep",
        keyword: "S_DARK",
        title: "Dark Subtraction",
        skip: false,
        references: &[Reference {
            kind: "dark",
            required: true,
        }],
    };
    const SOURCE: &'static str = include_str!("mod.rs");
    type In = Ramp;
    type Out = Ramp;
    type Params = DarkCurrentParams;
    type Refs = DarkRef;

    fn group_by_group(_: &Target, refs: &DarkRef, params: &Self::Params) -> bool {
        // a saved dark has the exposure's number of groups
        params.dark_output.is_none() && refs.frames.each_by_itself()
    }

    fn load(paths: &RefPaths, target: &Target, params: &Self::Params) -> Result<DarkRef> {
        let window = target.window()?;
        let file = RefFits::open("dark", paths.need("dark")?)?;
        let average = average(&file, window, params.average_dark_current)?;
        let starts = target.meta.i64("INTSTART").is_none_or(|i| i == 1);
        let frames = Frames::open(file, target, window)?;
        let unusable = frames.too_coarse();
        let mut dq = Vec::new();
        if unusable.is_none() {
            dq = frames.dq()?;
            if let Some(path) = &params.dark_output {
                save::save(&frames, path)?;
            }
            if !starts && !frames.has_last() {
                tracing::warn!(
                    "dark_current: jwst 3.0.0 subtracts nothing from this segment of an exposure; followed"
                );
            }
        }
        Ok(DarkRef {
            frames,
            unusable,
            starts,
            dq,
            average,
        })
    }

    fn not_usable(_: &Ramp, refs: &DarkRef, _: &Self::Params) -> Result<Option<String>> {
        Ok(refs.unusable.clone())
    }

    fn leave(mut input: Ramp, refs: &DarkRef) -> Ramp {
        refs.set_average(&mut input);
        input
    }

    fn run(mut input: Ramp, refs: &DarkRef, _: &Self::Params, exec: &Exec) -> Result<Ramp> {
        input
            .pixeldq
            .iter_mut()
            .zip(&refs.dq)
            .for_each(|(p, r)| *p |= r);
        refs.set_average(&mut input);
        let which = |int: usize, group: usize| refs.frames.place(int, group, refs.starts);
        subtract_planes(&mut input, exec, which, |int, group| {
            refs.frames.group(int, group)
        })?;
        Ok(input)
    }
}

impl DarkRef {
    /// Sets the average dark current of an exposure.
    fn set_average(&self, ramp: &mut Ramp) {
        match (&self.average, &ramp.average_dark_current) {
            (Average::Uniform(v), _) => {
                ramp.average_dark_current = Some(vec![*v; ramp.shape.plane()]);
            }
            (Average::Image(image), Some(_)) => ramp.average_dark_current = Some(image.clone()),
            (Average::Image(_) | Average::Unfit, _) => {
                tracing::warn!(
                    "dark_current: the reference's image of the average dark current is not used"
                );
            }
        }
    }
}

/// The average dark current by the parameter, else by the reference.
fn average(file: &RefFits, window: Window, given: Option<f64>) -> Result<Average> {
    if let Some(v) = given {
        return Ok(Average::Uniform(v as f32));
    }
    if file.has("AVDRKCUR") {
        if file.shape("AVDRKCUR")? != [window.ny, window.nx] {
            return Ok(Average::Unfit);
        }
        let image = file.image("AVDRKCUR", window)?;
        if image.iter().map(|v| f64::from(*v)).sum::<f64>() != 0.0 {
            return Ok(Average::Image(image));
        }
    }
    Ok(Average::Uniform(
        file.header().f64("AVDRKCUR").unwrap_or(0.0) as f32,
    ))
}

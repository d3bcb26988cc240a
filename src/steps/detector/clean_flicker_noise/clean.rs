//! The cleaning of images, one by one: groups of a ramp, or count rates.

use super::background::{Background, Limits, clip};
use super::mesh;
use super::nsclean::{Filter, SIZE};
use super::scene::Mask;
use super::stripes;
use super::{BackgroundMethod, CleanFlickerNoiseParams, FitMethod};
use crate::exec::Exec;
use crate::math::median::median_f32;
use crate::model::{Meta, Ramp, dq};
use crate::{Error, Result};

/// How images of an exposure are cleaned.
pub struct Cleaner<'a> {
    params: &'a CleanFlickerNoiseParams,
    /// Columns.
    nx: usize,
    /// Whether noise runs along columns.
    columns: bool,
    by_channel: bool,
    filter: Option<Filter>,
    flat: Option<&'a [f32]>,
    /// Rows and columns of the boxes of a background model, where one is wanted.
    boxes: Option<[usize; 2]>,
}

/// An image without its noise.
pub struct Image {
    /// Values.
    pub values: Vec<f32>,
    /// The background that was taken out while the noise was fitted.
    pub background: Background,
}

impl<'a> Cleaner<'a> {
    /// For an exposure of images with `nx` columns.
    ///
    /// # Errors
    /// [`Error::Input`] where `SLOWAXIS` is missing or none; [`Error::Parameter`] for methods that do not apply.
    pub fn new(
        meta: &Meta,
        (ny, nx): (usize, usize),
        params: &'a CleanFlickerNoiseParams,
        flat: Option<&'a [f32]>,
    ) -> Result<Self> {
        let slow = meta.need_i64("SLOWAXIS")?;
        if !matches!(slow.abs(), 1 | 2) {
            return Err(Error::input_file(
                &meta.source,
                format!("SLOWAXIS = {slow}; it must be 1, 2, -1 or -2"),
            ));
        }
        let filter = match params.fit_method {
            FitMethod::Median => None,
            FitMethod::Fft if (ny, nx) == (SIZE, SIZE) => {
                Some(Filter::new(meta.need_str("DETECTOR")?)?)
            }
            FitMethod::Fft => {
                return Err(Error::input_file(
                    &meta.source,
                    format!(
                        "clean_flicker_noise: fit_method = fft is for full frames of {SIZE} x {SIZE} pixels, and these have {ny} x {nx}"
                    ),
                ));
            }
        };
        if flat.is_some_and(|f| f.len() != ny * nx) {
            return Err(Error::input_file(
                &meta.source,
                format!("its images of {ny} x {nx} pixels and the flat field differ in size"),
            ));
        }
        let boxes = params
            .boxes()?
            .map(|given| given.unwrap_or(mesh::usual_boxes([ny, nx])));
        if let Some([rows, columns]) = boxes
            && (ny % rows.min(ny), nx % columns.min(nx)) != (0, 0)
        {
            tracing::warn!(
                "clean_flicker_noise: boxes of {rows} x {columns} pixels do not fill images of {ny} x {nx}; the last ones miss pixels"
            );
        }
        let full = meta.need_str("SUBARRAY")?.eq_ignore_ascii_case("FULL");
        if params.fit_by_channel && !full {
            tracing::warn!(
                "clean_flicker_noise: fit_by_channel is for full frames only; it is off"
            );
        }
        Ok(Self {
            params,
            nx,
            columns: slow.abs() == 1,
            by_channel: params.fit_by_channel && full,
            filter,
            flat,
            boxes,
        })
    }

    /// Cleans an image; none where no pixel of the background is left to see its noise.
    fn image(&self, mut image: Vec<f32>, mask: &mut [bool], exec: &Exec) -> Result<Option<Image>> {
        if let Some(flat) = self.flat {
            image.iter_mut().zip(flat).for_each(|(v, f)| *v /= f);
        }
        let mut missing = Vec::new();
        for (p, (v, used)) in image.iter_mut().zip(&mut *mask).enumerate() {
            if v.is_nan() {
                (*v, *used) = (0.0, false);
                missing.push(p);
            }
        }
        if !mask.contains(&true) {
            return Ok(None);
        }
        let mut background = Background::Level(0.0);
        if matches!(
            self.params.background_method,
            BackgroundMethod::Median | BackgroundMethod::Model
        ) {
            background = Background::of(&image, self.nx, mask, self.boxes);
            if let (Some([rows, columns]), Background::Level(_)) = (self.boxes, &background) {
                tracing::warn!(
                    "clean_flicker_noise: no box of {rows} x {columns} pixels of an image has enough background for a model; its median is taken"
                );
            }
            background.combine(&mut image, |v, b| *v -= b);
            if self.params.n_sigma > 0.0 {
                clip(&image, mask, Limits::of_lower_half(self.params.n_sigma));
            }
        }
        match &self.filter {
            Some(filter) => {
                let n = filter.clean(&mut image, mask, exec)?;
                if n > 0 {
                    tracing::warn!(
                        "clean_flicker_noise: {n} columns have too little background to see their noise; it stays"
                    );
                }
            }
            None => stripes::remove(&mut image, mask, self.nx, self.columns, self.by_channel),
        }
        background.combine(&mut image, |v, b| *v += b);
        if let Some(flat) = self.flat {
            image.iter_mut().zip(flat).for_each(|(v, f)| *v *= f);
        }
        missing.into_iter().for_each(|p| image[p] = f32::NAN);
        Ok(Some(Image {
            values: image,
            background,
        }))
    }

    /// Cleans count rates, image after image; `median` is subtracted meanwhile. What was taken for background goes to
    /// `background`.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn rates(
        &self,
        values: &mut [f32],
        mask: &Mask,
        median: Option<&Scaled>,
        mut background: Option<&mut [f32]>,
        exec: &Exec,
    ) -> Result<()> {
        let plane = mask.plane.max(1);
        let done = exec.try_map(values.chunks(plane).enumerate().collect(), |(i, v)| {
            let of = median.map(|m| m.of(i, 0));
            let image = match &of {
                Some(of) => v.iter().zip(of).map(|(v, m)| v - m).collect(),
                None => v.to_vec(),
            };
            let cleaned = self.image(image, &mut mask.of(i).to_vec(), exec)?;
            Ok((cleaned, of))
        })?;
        for (i, (cleaned, median)) in done.into_iter().enumerate() {
            let Some(cleaned) = cleaned else {
                tracing::warn!(
                    "clean_flicker_noise: image {} has no background; it stays",
                    i + 1
                );
                continue;
            };
            let at = i * plane..(i + 1) * plane;
            match &median {
                Some(of) => {
                    let sums = of.iter().zip(&cleaned.values).map(|(m, v)| m + v);
                    values[at.clone()]
                        .iter_mut()
                        .zip(sums)
                        .for_each(|(v, s)| *v = s);
                }
                None => values[at.clone()].copy_from_slice(&cleaned.values),
            }
            if let Some(background) = background.as_deref_mut() {
                match median {
                    Some(of) => background[at].copy_from_slice(&of),
                    None => cleaned
                        .background
                        .combine(&mut background[at], |v, b| *v = b),
                }
            }
        }
        Ok(())
    }

    /// Cleans the groups of a ramp: the differences of neighbouring groups, which are added up again (with a median over
    /// integrations, what is left of each group without it). What was taken for background goes to `background`.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn ramp(
        &self,
        ramp: &mut Ramp,
        mask: &Mask,
        median: Option<&Scaled>,
        mut background: Option<&mut [f32]>,
        exec: &Exec,
    ) -> Result<()> {
        let plane = ramp.shape.plane().max(1);
        let ngroups = ramp.shape.ngroups;
        let first = usize::from(median.is_none());
        for i in 0..ramp.shape.nints {
            let at = |group: usize| {
                let start = (i * ngroups + group) * plane;
                start..start + plane
            };
            let (data, flags) = (&ramp.data, &ramp.groupdq);
            let done = exec.try_map((first..ngroups).collect(), |group| {
                let mut mask = mask.of(i).to_vec();
                let here = &data[at(group)];
                let (image, of) = match median {
                    Some(median) => {
                        let of = median.of(i, group);
                        let image = here.iter().zip(&of).map(|(v, m)| v - m).collect();
                        (image, Some(of))
                    }
                    None => {
                        let before = data[at(group - 1)].iter();
                        let image = here.iter().zip(before).map(|(v, b)| v - b).collect();
                        let flags = flags[at(group)].iter();
                        let bad = (dq::DO_NOT_USE | dq::JUMP_DET) as u8;
                        mask.iter_mut()
                            .zip(flags)
                            .for_each(|(m, f)| *m &= f & bad == 0);
                        (image, None)
                    }
                };
                Ok((self.image(image, &mut mask, exec)?, of))
            })?;
            for (group, (cleaned, of)) in (first..ngroups).zip(done) {
                let Some(cleaned) = cleaned else {
                    tracing::warn!(
                        "clean_flicker_noise: integration {}, group {} has no background; it stays",
                        i + 1,
                        group + 1
                    );
                    continue;
                };
                if let Some(background) = background.as_deref_mut() {
                    match &of {
                        Some(of) => background[at(group)].copy_from_slice(of),
                        None => cleaned
                            .background
                            .combine(&mut background[at(group)], |v, b| *v = b),
                    }
                }
                let beneath = match of {
                    Some(of) => of,
                    None => ramp.data[at(group - 1)].to_vec(),
                };
                let sums = beneath.iter().zip(&cleaned.values).map(|(b, v)| b + v);
                ramp.data[at(group)]
                    .iter_mut()
                    .zip(sums)
                    .for_each(|(v, s)| *v = s);
            }
        }
        Ok(())
    }
}

/// The median of images over the integrations, scaled to the brightness of each.
pub struct Scaled {
    /// Of every group.
    median: Vec<f32>,
    /// Brightness of each integration.
    factors: Vec<f32>,
    plane: usize,
}

impl Scaled {
    /// From images of every integration (`[integration][group]`) and the count rates of each; none where no rate is known.
    pub fn new(values: &[f32], rates: &[f32], plane: usize, exec: &Exec) -> Option<Self> {
        let nints = rates.len().checked_div(plane).filter(|n| *n > 0)?;
        let known = |v: &&f32| !v.is_nan();
        let median_of = |values: &[f32]| {
            median_f32(&mut values.iter().filter(known).copied().collect::<Vec<f32>>())
        };
        let fluxes = exec.map(rates.chunks(plane).collect(), median_of);
        let typical = median_of(&fluxes);
        let mut factors: Vec<f32> = fluxes.iter().map(|f| f / typical).collect();
        let mut finite: Vec<f32> = factors.iter().copied().filter(|f| f.is_finite()).collect();
        if finite.is_empty() {
            return None;
        }
        let usual = median_f32(&mut finite);
        factors
            .iter_mut()
            .filter(|f| !f.is_finite())
            .for_each(|f| *f = usual);
        let one = values.len() / nints;
        let starts = (0..one).step_by(1 << 16).collect();
        let median = exec.map(starts, |first: usize| {
            let pixels = first..(first + (1 << 16)).min(one);
            let mut column = Vec::with_capacity(nints);
            let median = |p: usize| {
                column.clear();
                column.extend(
                    (0..nints)
                        .map(|i| values[i * one + p])
                        .filter(|v| !v.is_nan()),
                );
                median_f32(&mut column)
            };
            pixels.map(median).collect::<Vec<f32>>()
        });
        Some(Self {
            median: median.concat(),
            factors,
            plane,
        })
    }

    /// Of one image.
    fn of(&self, integration: usize, group: usize) -> Vec<f32> {
        let factor = self.factors[integration];
        let start = group * self.plane;
        self.median[start..start + self.plane]
            .iter()
            .map(|v| factor * v)
            .collect()
    }
}

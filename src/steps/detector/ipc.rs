//! # ipc: undo interpixel capacitance
//!
//! ## What
//! Convolves every group with a kernel that puts back the signal which neighbouring pixels share.
//!
//! ## Why
//! Pixels couple capacitively: a little of a pixel's signal shows in its neighbours.
//!
//! ## Algorithm
//! The science pixels of each group (reference pixels left out and left alone) are convolved with the
//! reference's kernel, beyond them zero. A 2-D kernel serves all pixels; a 4-D one holds a kernel for
//! each pixel. Terms are added in single precision row by row of the kernel, the middle one last. From frames of NIRSpec's
//! IRS2 readout the science rows are taken.
//!
//! ## Parameters
//! None.
//!
//! ## Reference files
//! `ipc`.
//!
//! ## Skipped when
//! no reference applies (so for MIRI in operations).
//!
//! ## Differs from jwst
//! Not known to.
//!
//! ## References
//! jwst 3.0.0 `ipc`.

use crate::exec::Exec;
use crate::model::irs2::ScienceRows;
use crate::model::reference::RefFits;
use crate::model::{Meta, Ramp, irs2};
use crate::steps::step::{Info, RefPaths, Reference, Step, Target};
use crate::{Error, Result};

crate::params! {
    /// Parameters of ipc: none.
    pub struct IpcParams {}
}

/// A kernel of `ky` x `kx` terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    ky: usize,
    kx: usize,
    /// One value a term, or one plane `[row][column]` a term.
    terms: Vec<f32>,
    /// Whether `terms` holds planes.
    planes: bool,
}

/// The step.
pub struct Ipc;

impl Step for Ipc {
    const INFO: Info = Info {
        name: "ipc",
        class: "IPCStep",
        keyword: "S_IPC",
        title: "Interpixel Capacitance Correction",
        skip: false,
        references: &[Reference {
            kind: "ipc",
            required: true,
        }],
    };
    const SOURCE: &'static str = include_str!("ipc.rs");
    type In = Ramp;
    type Out = Ramp;
    type Params = IpcParams;
    type Refs = Kernel;

    fn group_by_group(_: &Target, _: &Kernel, _: &Self::Params) -> bool {
        true
    }

    fn load(paths: &RefPaths, target: &Target, _: &Self::Params) -> Result<Kernel> {
        let file = RefFits::open("ipc", paths.need("ipc")?)?;
        let shape = file.shape("SCI")?;
        let (ky, kx, planes) = match *shape {
            [ky, kx] => (ky, kx, false),
            [ky, kx, _, _] => (ky, kx, true),
            _ => {
                return Err(
                    file.error(format!("SCI has {} axes; a kernel has 2 or 4", shape.len()))
                );
            }
        };
        if ky == 0 || kx == 0 {
            return Err(file.error("SCI is an empty kernel"));
        }
        let terms = if planes {
            let window = target.window()?;
            file.planes("SCI", window, 0..ky * kx)?
        } else {
            file.whole("SCI")?
        };
        Ok(Kernel {
            ky,
            kx,
            terms,
            planes,
        })
    }

    fn run(mut input: Ramp, kernel: &Kernel, _: &Self::Params, exec: &Exec) -> Result<Ramp> {
        let (ny, nx) = (input.shape.ny, input.shape.nx);
        let area = science_area(&input.meta, irs2::science_rows(ny, nx), nx)?;
        let rows = ScienceRows::of(&input.meta, ny, nx)?;
        let planes: Vec<_> = input.data.chunks_mut((ny * nx).max(1)).collect();
        exec.map(planes, |plane| match &rows {
            None => convolve(plane, nx, area, kernel),
            Some(rows) => {
                let mut science = rows.of_plane(plane);
                convolve(&mut science, nx, area, kernel);
                rows.into_plane(&science, plane);
            }
        });
        Ok(input)
    }
}

/// Rows and columns without reference pixels: first row, end, first column, end.
type Area = [usize; 4];

fn science_area(meta: &Meta, ny: usize, nx: usize) -> Result<Area> {
    let x = meta.need_count("SUBSTRT1")? - 1;
    let y = meta.need_count("SUBSTRT2")? - 1;
    let (low, high) = (
        |start: usize| 4usize.saturating_sub(start),
        |end: usize, edge: usize| end.saturating_sub(edge),
    );
    let (top, bottom, left, right) = if meta.is_miri() {
        (0, 0, low(x), high(x + nx, 1028))
    } else {
        (low(y), high(y + ny, 2044), low(x), high(x + nx, 2044))
    };
    if top + bottom >= ny || left + right >= nx {
        return Err(Error::input_file(
            &meta.source,
            "ipc: the exposure has no science pixels",
        ));
    }
    Ok([top, ny - bottom, left, nx - right])
}

/// Convolves the area of a plane with rows of `nx` pixels; what lies outside the area counts as 0.
fn convolve(plane: &mut [f32], nx: usize, [y0, y1, x0, x1]: Area, kernel: &Kernel) {
    let (ky, kx) = (kernel.ky, kernel.kx);
    let middle = (ky / 2, kx / 2);
    // the area with zeros around it, so that every term finds a value
    let width = x1 - x0 + kx - 1;
    let mut wide = vec![0f32; width * (y1 - y0 + ky - 1)];
    for (row, out) in (y0..y1).zip(wide.chunks_exact_mut(width).skip(middle.0)) {
        out[middle.1..][..x1 - x0].copy_from_slice(&plane[row * nx + x0..row * nx + x1]);
    }
    // the middle term, the largest, comes last
    let others = (0..ky * kx)
        .map(|t| (t / kx, t % kx))
        .filter(|t| *t != middle);
    let order: Vec<_> = others.chain([middle]).collect();
    let size = plane.len();
    for y in y0..y1 {
        let at = y * nx + x0..y * nx + x1;
        let out = &mut plane[at.clone()];
        out.fill(0.0);
        for (j, i) in &order {
            // a term brings in the pixel opposite to its place; the middle of an even kernel is itself
            let (dy, dx) = if (*j, *i) == middle {
                middle
            } else {
                (ky - 1 - j, kx - 1 - i)
            };
            let source = &wide[(y - y0 + dy) * width + dx..];
            let term = j * kx + i;
            if kernel.planes {
                let factors = &kernel.terms[term * size..(term + 1) * size][at.clone()];
                let values = source.iter().zip(factors);
                out.iter_mut()
                    .zip(values)
                    .for_each(|(o, (v, k))| *o += k * v);
            } else {
                let k = kernel.terms[term];
                out.iter_mut().zip(source).for_each(|(o, v)| *o += k * v);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_spreads_as_the_kernel_and_reference_pixels_stay() {
        // 5 x 6 pixels, the first and last column reference pixels
        let mut plane = vec![0f32; 30];
        plane[2 * 6 + 2] = 10.0;
        plane[0] = 7.0;
        let terms: Vec<f32> = (1..=9).map(|v| v as f32).collect();
        let kernel = Kernel {
            ky: 3,
            kx: 3,
            terms: terms.clone(),
            planes: false,
        };
        convolve(&mut plane, 6, [0, 5, 1, 5], &kernel);
        assert_eq!(plane[0], 7.0);
        // convolution: the term (j, i) appears at offset (j - 1, i - 1)
        for j in 0..3 {
            for i in 0..3 {
                assert_eq!(
                    plane[(1 + j) * 6 + 1 + i],
                    10.0 * terms[j * 3 + i],
                    "{j} {i}"
                );
            }
        }
        assert_eq!(plane.iter().filter(|v| **v != 0.0).count(), 10);
    }

    #[test]
    fn a_kernel_for_each_pixel() {
        let mut plane = vec![1f32, 2.0, 3.0, 4.0];
        let mut terms = vec![0f32; 9 * 4];
        for (p, t) in terms[4 * 4..5 * 4].iter_mut().enumerate() {
            *t = p as f32;
        }
        convolve(
            &mut plane,
            2,
            [0, 2, 0, 2],
            &Kernel {
                ky: 3,
                kx: 3,
                terms,
                planes: true,
            },
        );
        assert_eq!(plane, [0.0, 2.0, 6.0, 12.0]);
    }

    /// The middle term of a kernel of even size is that of the pixel itself, as in jwst.
    #[test]
    fn even_kernels() {
        let mut plane = vec![1f32, 2.0, 3.0];
        let kernel = Kernel {
            ky: 1,
            kx: 2,
            terms: vec![10.0, 1.0],
            planes: false,
        };
        convolve(&mut plane, 3, [0, 1, 0, 3], &kernel);
        assert_eq!(plane, [11.0, 22.0, 33.0]);
    }

    #[test]
    fn nan_spreads_to_its_neighbours_only() {
        let mut plane = vec![1f32; 25];
        plane[0] = f32::NAN;
        let kernel = Kernel {
            ky: 3,
            kx: 3,
            terms: vec![0.1; 9],
            planes: false,
        };
        convolve(&mut plane, 5, [0, 5, 0, 5], &kernel);
        let nan: Vec<usize> = (0..25).filter(|p| plane[*p].is_nan()).collect();
        assert_eq!(nan, [0, 1, 5, 6]);
    }
}

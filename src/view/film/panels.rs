//! Where on the page a dither is shown, and which spaxel every pixel there shows.

use super::Dither;
use crate::math::vector::norm;
use crate::view::figure::{Affine, Point, Rect};
use crate::view::wireframe::{extent, north_angle};

/// Radians in an arcsecond.
const ARCSEC: f64 = std::f64::consts::PI / 180.0 / 3600.0;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// Surface brightness, or what differs from the zonal average.
    Flux,
    /// Brightness temperature.
    Kelvin,
    /// What differs from that of the zonal average.
    Apart,
}

/// Pixels of one row of the page that show the same spaxel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Row.
    pub y: u16,
    /// First column.
    pub x: u16,
    /// Columns.
    pub width: u16,
    /// Spaxel, or cell of a map.
    pub spaxel: u32,
}

/// A rectangle of the page whose pixels change.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Which dither.
    pub dither: usize,
    /// What of it.
    pub shows: Shows,
    /// Whether it is a map, whose cells take the place of spaxels.
    pub map: bool,
    /// First column and row of the page.
    pub corner: [usize; 2],
    /// Columns and rows.
    pub size: [usize; 2],
    /// Its pixels that show something, row by row.
    pub runs: Vec<Run>,
}

impl Panel {
    /// A rectangle of the page (points, of `scale` pixels each) that shows an image whose spaxels lie at `place`.
    pub fn new(
        dither: usize,
        shows: Shows,
        area: Rect,
        scale: f64,
        place: &Affine,
        [nx, ny]: [usize; 2],
    ) -> Self {
        let [left, right, top, bottom] =
            [area.x, area.right(), area.y, area.bottom()].map(|v| (v * scale).round() as usize);
        let back = place.inverse();
        let mut runs: Vec<Run> = Vec::new();
        for row in top..bottom {
            for column in left..right {
                let at = [column, row].map(|v| (v as f64 + 0.5) / scale);
                let spaxel = back.and_then(|b| {
                    let [x, y] = b.apply(at).map(|v| (v + 0.5).floor());
                    let inside = x >= 0.0 && y >= 0.0 && x < nx as f64 && y < ny as f64;
                    inside.then(|| (y as usize * nx + x as usize) as u32)
                });
                let Some(spaxel) = spaxel else { continue };
                // films are not larger than u16
                let (x, y) = (column as u16, row as u16);
                match runs.last_mut() {
                    Some(r) if r.y == y && r.x + r.width == x && r.spaxel == spaxel => {
                        r.width += 1;
                    }
                    _ => runs.push(Run {
                        y,
                        x,
                        width: 1,
                        spaxel,
                    }),
                }
            }
        }
        Self {
            dither,
            shows,
            map: false,
            corner: [left, top],
            size: [right - left, bottom - top],
            runs,
        }
    }

    /// The same of a map that has values of some cells only: the number of each cell's value, none for those without.
    pub fn of_map(mut self, values: &[Option<u32>]) -> Self {
        self.map = true;
        self.runs.retain_mut(|r| {
            let value = values.get(r.spaxel as usize).copied().flatten();
            r.spaxel = value.unwrap_or_default();
            value.is_some()
        });
        self
    }
}

/// Centres of an image's spaxels in a rectangle as large as fits, its first row below.
pub fn fitted(area: Rect, [nx, ny]: [usize; 2]) -> (Rect, Affine) {
    let side = (area.w / nx as f64).min(area.h / ny as f64);
    let [w, h] = [nx, ny].map(|n| n as f64 * side);
    let [x, y] = area.middle();
    let area = Rect::new(x - 0.5 * w, y - 0.5 * h, w, h);
    (area, centred(&Affine::upright(area, nx, ny)))
}

/// A place of pixels by their corners as one by their centres.
pub fn centred(place: &Affine) -> Affine {
    Affine([1.0, 0.0, 0.0, 1.0, 0.5, 0.5]).then(place)
}

/// From a dither's tangent plane to km beside the body's centre: to the right, and up to its north pole.
pub fn kilometres(dither: &Dither) -> Affine {
    let [east, north] = dither.plane.project(dither.globe.centre());
    let pole = north_angle(&dither.globe, &dither.plane);
    let (sin, cos) = libm::sincos(if pole.is_finite() {
        pole.to_radians()
    } else {
        0.0
    });
    let km = norm(dither.globe.observer) * ARCSEC;
    let [a, b, c, d] = [-cos, sin, sin, cos].map(|v| v * km);
    Affine([a, b, c, d, -(a * east + c * north), -(b * east + d * north)])
}

/// Corners of a dither's field, km.
pub fn corners(dither: &Dither) -> [Point; 4] {
    let [nx, ny] = dither.size.map(|n| n as f64 - 0.5);
    let place = dither.pixels.then(&kilometres(dither));
    [[-0.5, -0.5], [nx, -0.5], [nx, ny], [-0.5, ny]].map(|c| place.apply(c))
}

/// From km to the page, so that what lies between two corners (km) fills the rectangle as far as its shape allows.
pub fn window(area: Rect, [low, high]: [Point; 2]) -> Affine {
    let [w, h] = [0, 1].map(|k| (high[k] - low[k]).max(1e-9));
    let scale = (area.w / w).min(area.h / h);
    let [x, y] = area.middle();
    let [mx, my] = [0, 1].map(|k| 0.5 * (low[k] + high[k]));
    Affine([scale, 0.0, 0.0, -scale, x - scale * mx, y + scale * my])
}

/// What all dithers cover, km.
pub fn covered(dithers: &[Dither]) -> [Point; 2] {
    let all = extent(dithers.iter().flat_map(corners));
    all.unwrap_or([[-1.0; 2], [1.0; 2]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_shows_the_spaxel_beneath_it() {
        let area = Rect::new(10.0, 20.0, 30.0, 30.0);
        let (fit, place) = fitted(area, [3, 2]);
        assert_eq!(fit, Rect::new(10.0, 25.0, 30.0, 20.0));
        let panel = Panel::new(0, Shows::Flux, fit, 1.0, &place, [3, 2]);
        assert_eq!((panel.corner, panel.size), ([10, 25], [30, 20]));
        assert_eq!(panel.runs.len(), 20 * 3);
        let run = |x, y, spaxel| Run {
            y,
            x,
            width: 10,
            spaxel,
        };
        // the first row of the image is the lowest
        assert_eq!(
            panel.runs[..3],
            [run(10, 25, 3), run(20, 25, 4), run(30, 25, 5)]
        );
        assert_eq!(panel.runs[57], run(10, 44, 0));
        // what has no value is not drawn
        let map = panel.of_map(&[None, None, None, None, Some(0), None]);
        assert_eq!(map.runs.len(), 10);
        assert_eq!(map.runs[0], run(20, 25, 0));
    }

    #[test]
    fn a_window_keeps_shapes() {
        let to = window(
            Rect::new(0.0, 0.0, 100.0, 50.0),
            [[-10.0, -10.0], [10.0, 10.0]],
        );
        assert_eq!(to.apply([0.0, 0.0]), [50.0, 25.0]);
        assert_eq!(to.apply([10.0, 10.0]), [75.0, 0.0]);
    }
}

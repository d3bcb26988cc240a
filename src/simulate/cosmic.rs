//! Cosmic rays: short tracks with charge spilling to neighbours; showers on MIRI, snowballs on
//! near-infrared detectors.

use super::optics::{REFERENCE_COLUMNS, SHAPE};
use super::random::Stream;

/// Hits per second on a MIRI detector.
const RATE: f64 = 10.0;
/// Share of a track's charge that goes to each of its four neighbours.
const SPILL: f64 = 0.04;
/// Hits per second on a near-infrared detector.
const NEAR_RATE: f64 = 50.0;
/// Snowballs per second on it.
const SNOWBALLS: f64 = 0.02;

/// Charge deposited in one pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Integration, from 0.
    pub integration: usize,
    /// Group before whose read the charge arrives, from 0.
    pub group: usize,
    /// Row.
    pub y: usize,
    /// Column.
    pub x: usize,
    /// Charge, DN.
    pub dn: f64,
}

/// Adds the charge of one hit to the rows of the light-sensitive pixels.
struct Catcher {
    /// Rows and columns of light-sensitive pixels, end excluded.
    area: [(f64, f64); 2],
    groups: usize,
    rows: Vec<Vec<Hit>>,
}

impl Catcher {
    fn add(&mut self, (integration, group): (usize, usize), y: f64, x: f64, dn: f64) {
        let [rows, columns] = self.area;
        let inside = (rows.0..rows.1).contains(&y) && (columns.0..columns.1).contains(&x);
        if inside && group < self.groups {
            let (y, x) = (y as usize, x as usize);
            self.rows[y].push(Hit {
                integration,
                group,
                y,
                x,
                dn,
            });
        }
    }

    /// One track from a place in some direction.
    fn track(&mut self, rng: &mut Stream, at: (usize, usize), (y, x): (f64, f64), track: &Track) {
        let charge = libm::exp(track.charge.0 + track.charge.1 * rng.normal());
        let length = rng.exponential(track.length) as usize + 1;
        let angle = rng.between(0.0, std::f64::consts::PI);
        let (dy, dx) = (libm::sin(angle), libm::cos(angle));
        let part = charge / length as f64;
        for k in 0..length {
            let (py, px) = (y + k as f64 * dy, x + k as f64 * dx);
            self.add(at, py, px, part);
            for (a, b) in [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)] {
                self.add(at, py + a, px + b, track.spill * part);
            }
        }
    }
}

/// What tracks are like.
struct Track {
    /// Mean and spread of the charge's natural logarithm, DN.
    charge: (f64, f64),
    /// Mean length, pixels.
    length: f64,
    /// Share of the charge that goes to each of the four neighbours.
    spill: f64,
}

/// All hits of a MIRI exposure, by row.
pub fn hits(
    rng: &mut Stream,
    integrations: usize,
    groups: usize,
    group_time: f64,
) -> Vec<Vec<Hit>> {
    let columns = (
        REFERENCE_COLUMNS as f64,
        (SHAPE.1 - REFERENCE_COLUMNS) as f64,
    );
    let mut all = Catcher {
        area: [(0.0, SHAPE.0 as f64), columns],
        groups,
        rows: vec![Vec::new(); SHAPE.0],
    };
    let track = Track {
        charge: (6.3, 1.3),
        length: 2.5,
        spill: SPILL,
    };
    for integration in 0..integrations {
        for group in 0..groups {
            for _ in 0..rng.poisson(RATE * group_time) as usize {
                let (y, x) = (
                    rng.between(0.0, SHAPE.0 as f64),
                    rng.between(0.0, SHAPE.1 as f64),
                );
                all.track(rng, (integration, group), (y, x), &track);
            }
        }
    }
    for _ in 0..1 + rng.index(2) {
        let (y0, x0) = (rng.between(60.0, 960.0), rng.between(60.0, 970.0));
        let (a, b) = (rng.between(14.0, 38.0), rng.between(14.0, 38.0));
        let peak = rng.between(15.0, 45.0);
        let integration = rng.index(integrations);
        let first = rng.index(groups);
        for y in (y0 - 3.0 * a) as usize..(y0 + 3.0 * a) as usize {
            for x in (x0 - 3.0 * b).max(0.0) as usize..(x0 + 3.0 * b) as usize {
                let (v, u) = ((y as f64 - y0) / a, (x as f64 - x0) / b);
                let r = u * u + v * v;
                if r < 9.0 {
                    let dn = peak * libm::exp(-0.5 * r);
                    // a shower's signal keeps coming for a few groups
                    for (late, share) in [(0, 1.0), (1, 0.3), (2, 0.1)] {
                        let at = (integration, first + late);
                        all.add(at, y as f64, x as f64, share * dn);
                    }
                }
            }
        }
    }
    all.rows
}

/// All hits of an exposure of a near-infrared detector of `size` x `size` pixels with reference pixels
/// at its `edge`, by row: tracks, and now and then a snowball, which saturates a disc and leaves a halo
/// round it.
pub fn near_infrared(
    rng: &mut Stream,
    (integrations, groups): (usize, usize),
    group_time: f64,
    size: usize,
    edge: usize,
) -> Vec<Vec<Hit>> {
    let area = (edge as f64, (size - edge) as f64);
    let mut all = Catcher {
        area: [area, area],
        groups,
        rows: vec![Vec::new(); size],
    };
    let track = Track {
        charge: (6.4, 1.1),
        length: 1.7,
        spill: 0.02,
    };
    for integration in 0..integrations {
        for group in 0..groups {
            let at = (integration, group);
            for _ in 0..rng.poisson(NEAR_RATE * group_time) as usize {
                let place = (rng.between(0.0, size as f64), rng.between(0.0, size as f64));
                all.track(rng, at, place, &track);
            }
            for _ in 0..rng.poisson(SNOWBALLS * group_time) as usize {
                let place = |rng: &mut Stream| rng.between(area.0 + 30.0, area.1 - 30.0);
                let (y0, x0) = (place(rng), place(rng));
                let radius = rng.between(4.0, 9.0);
                let reach = (2.2 * radius) as i64 + 1;
                for (i, j) in (-reach..=reach).flat_map(|i| (-reach..=reach).map(move |j| (i, j))) {
                    let d = ((i * i + j * j) as f64).sqrt();
                    let dn = if d < radius {
                        1.5e5
                    } else {
                        2500.0 * libm::exp(-(d - radius) / (0.35 * radius))
                    };
                    all.add(at, y0 + i as f64, x0 + j as f64, dn);
                }
            }
        }
    }
    all.rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_have_their_rate_and_stay_on_the_light_sensitive_part() {
        let rows = hits(&mut Stream::new(1, &[7]), 2, 6, 2.775);
        let all: Vec<&Hit> = rows.iter().flatten().collect();
        assert!(all.iter().all(|h| h.x >= 4
            && h.x < 1028
            && h.y < 1024
            && h.integration < 2
            && h.group < 6));
        assert!(
            rows.iter()
                .enumerate()
                .all(|(y, r)| r.iter().all(|h| h.y == y))
        );
        let strong = all.iter().filter(|h| h.dn > 200.0).count();
        // 333 tracks expected, most of them with a pixel above 200 DN
        assert!((150..900).contains(&strong), "{strong}");
    }
}

//! Times, telescope attitude and dithers of the simulated exposures.

use super::ephemeris::{self, EPOCH_MJD, Sight, TDB_MINUS_UTC, Vector, cross, direction, dot};
use super::optics::field_to_telescope;

/// A moment of the observation.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Time {
    /// Seconds after the reference epoch.
    pub dt: f64,
}

impl Time {
    /// Modified Julian date, UTC.
    pub fn mjd(self) -> f64 {
        EPOCH_MJD + self.dt / 86_400.0
    }
    /// Modified Julian date, TDB.
    pub fn tdb(self) -> f64 {
        EPOCH_MJD + (self.dt + TDB_MINUS_UTC) / 86_400.0
    }
    /// Milliseconds of the day and whole days since MJD 0, rounded to the nearest millisecond.
    fn day_and_milliseconds(self) -> (i64, i64) {
        let ms = ((self.dt + 36_000.0) * 1e3 + 0.5).floor() as i64;
        (
            60_137 + ms.div_euclid(86_400_000),
            ms.rem_euclid(86_400_000),
        )
    }
    /// `yyyy-mm-dd`, UTC.
    pub fn date(self) -> String {
        let (y, m, d) = civil(self.day_and_milliseconds().0);
        format!("{y:04}-{m:02}-{d:02}")
    }
    /// `hh:mm:ss.sss`, UTC.
    pub fn clock(self) -> String {
        let ms = self.day_and_milliseconds().1;
        let s = ms / 1000;
        format!(
            "{:02}:{:02}:{:02}.{:03}",
            s / 3600,
            s / 60 % 60,
            s % 60,
            ms % 1000
        )
    }
    /// `yyyy-mm-ddThh:mm:ss.sss`, UTC.
    pub fn iso(self) -> String {
        format!("{}T{}", self.date(), self.clock())
    }
}

/// Year, month and day of a modified Julian day.
fn civil(mjd: i64) -> (i64, i64, i64) {
    // days from 0000-03-01, in 400-year eras (Richards' algorithm)
    let z = mjd + 678_881;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (
        yoe + era * 400 + i64::from(month <= 2),
        month,
        doy - (153 * mp + 2) / 5 + 1,
    )
}

/// Offsets of the four-point dither of MIRI in the aperture's ideal frame, arcsec: 1.5 or 1.75 pixels along and
/// 2.5 slices of channel 1 across.
pub const DITHERS: [(f64, f64); 4] = [
    (0.294, -0.4425),
    (-0.294, 0.4425),
    (-0.343, -0.4425),
    (0.343, 0.4425),
];

/// The aperture the telescope points with: its reference point and its ideal frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aperture {
    /// Reference point in V2, V3, arcsec.
    pub boresight: (f64, f64),
    /// Angle from V3 to the ideal Y axis, degrees (`V3I_YANG`).
    pub ideal_angle: f64,
    /// 1 where the ideal X axis runs as V2 does, -1 where against it (`VPARITY`).
    pub parity: i8,
}

/// Attitude of the telescope during an exposure.
#[derive(Debug, Clone, PartialEq)]
pub struct Attitude {
    /// The aperture of the reference point.
    pub aperture: Aperture,
    /// Sky position of the aperture's reference point, degrees.
    pub reference: (f64, f64),
    /// Position angle of V3 at the reference point, degrees.
    pub roll: f64,
    /// Velocity-aberration scale factor.
    pub va_scale: f64,
    /// Apparent position of the reference point, degrees.
    pub va_reference: (f64, f64),
    /// Sky position of the V1 axis and position angle of V3 there, degrees.
    pub v1: (f64, f64, f64),
    /// Rows: the telescope's axes V1, V2, V3 in ICRF.
    axes: [Vector; 3],
}

fn offset(ra: f64, dec: f64, east: f64, north: f64) -> (f64, f64) {
    let n = direction(ra, dec);
    let e = ephemeris::unit(cross([0.0, 0.0, 1.0], n));
    let u = cross(n, e);
    let (x, y) = ((east / 3600.0).to_radians(), (north / 3600.0).to_radians());
    ephemeris::angles(std::array::from_fn(|i| n[i] + x * e[i] + y * u[i]))
}

impl Attitude {
    /// The attitude that puts the target at `dither` (arcsec, ideal frame) from the reference point, or
    /// the point `sky` (arcsec east and north) away from the target for a background exposure.
    pub fn new(
        sight: &Sight,
        aperture: Aperture,
        roll: f64,
        dither: (f64, f64),
        sky: (f64, f64),
    ) -> Self {
        let a = aperture.ideal_angle.to_radians();
        let (s, c) = (libm::sin(a), libm::cos(a));
        let x = f64::from(aperture.parity) * dither.0;
        let (v2, v3) = (x * c + dither.1 * s, dither.1 * c - x * s);
        let r = roll.to_radians();
        let (sr, cr) = (libm::sin(r), libm::cos(r));
        let (east, north) = (v2 * cr + v3 * sr, v3 * cr - v2 * sr);
        let (ra, dec) = offset(sight.radec.0, sight.radec.1, sky.0, sky.1);
        let reference = offset(ra, dec, -east, -north);

        // local axes at the reference point, on the sky and in the telescope's frame
        let n = direction(reference.0, reference.1);
        let e = ephemeris::unit(cross([0.0, 0.0, 1.0], n));
        let u = cross(n, e);
        let to_v3: Vector = std::array::from_fn(|i| sr * e[i] + cr * u[i]);
        let to_v2: Vector = std::array::from_fn(|i| cr * e[i] - sr * u[i]);
        let (b2, b3) = (aperture.boresight.0 / 3600.0, aperture.boresight.1 / 3600.0);
        let m = direction(b2, b3);
        let f2 = ephemeris::unit(cross([0.0, 0.0, 1.0], m));
        let f3 = cross(m, f2);
        // axis k of the telescope = sum over the local triad of (its component k) x (its sky direction)
        let axes = std::array::from_fn(|k| {
            std::array::from_fn(|i| m[k] * n[i] + f2[k] * to_v2[i] + f3[k] * to_v3[i])
        });
        let mut out = Self {
            aperture,
            reference,
            roll,
            va_scale: 1.0,
            va_reference: reference,
            v1: (0.0, 0.0, 0.0),
            axes,
        };
        let v1 = ephemeris::angles(out.axes[0]);
        let n1 = out.axes[0];
        let e1 = ephemeris::unit(cross([0.0, 0.0, 1.0], n1));
        let u1 = cross(n1, e1);
        let pa = libm::atan2(dot(out.axes[2], e1), dot(out.axes[2], u1)).to_degrees();
        out.v1 = (v1.0, v1.1, if pa < 0.0 { pa + 360.0 } else { pa });
        out.aberrate(sight.jwst.1, n);
        out
    }

    /// Special-relativistic aberration of the reference direction by the observatory's velocity.
    fn aberrate(&mut self, velocity: Vector, n: Vector) {
        let beta = velocity.map(|v| v / ephemeris::LIGHT);
        let along = dot(n, beta);
        let inverse_gamma = (1.0 - dot(beta, beta)).sqrt();
        self.va_scale = (1.0 + along) / inverse_gamma;
        let k = 1.0 + along / (1.0 + inverse_gamma);
        let seen: Vector =
            std::array::from_fn(|i| (inverse_gamma * n[i] + k * beta[i]) / (1.0 + along));
        self.va_reference = ephemeris::angles(seen);
    }

    /// Sky direction (unit vector) of a telescope position (V2, V3 in arcsec).
    pub fn sky(&self, v2: f64, v3: f64) -> Vector {
        let (b2, b3) = self.aperture.boresight;
        let v2 = b2 + (v2 - b2) * self.va_scale;
        let v3 = b3 + (v3 - b3) * self.va_scale;
        let d = direction(v2 / 3600.0, v3 / 3600.0);
        std::array::from_fn(|i| (0..3).map(|k| d[k] * self.axes[k][i]).sum())
    }

    /// Telescope position (V2, V3 in arcsec) of a sky direction.
    pub fn telescope(&self, sky: Vector) -> (f64, f64) {
        let (b2, b3) = self.aperture.boresight;
        let v: Vector = std::array::from_fn(|k| dot(sky, self.axes[k]));
        let (v2, v3) = ephemeris::angles(v);
        let v2 = if v2 > 180.0 { v2 - 360.0 } else { v2 } * 3600.0;
        let v3 = v3 * 3600.0;
        (
            b2 + (v2 - b2) / self.va_scale,
            b3 + (v3 - b3) / self.va_scale,
        )
    }

    /// Map from field position (`alpha`, `beta`) to tangent-plane offsets (east, north) from a sky
    /// position, all in arcsec.
    pub fn field_map(&self, ra: f64, dec: f64) -> FieldMap {
        let n = direction(ra, dec);
        let e = ephemeris::unit(cross([0.0, 0.0, 1.0], n));
        let u = cross(n, e);
        let plane = |alpha, beta| {
            let (v2, v3) = field_to_telescope(alpha, beta);
            let d = self.sky(v2, v3);
            let z = dot(d, n);
            (
                (dot(d, e) / z).to_degrees() * 3600.0,
                (dot(d, u) / z).to_degrees() * 3600.0,
            )
        };
        // linear to 1e-6 arcsec over the field
        let (o, a, b) = (
            plane(0.0, 0.0),
            (plane(2.0, 0.0), plane(-2.0, 0.0)),
            (plane(0.0, 2.0), plane(0.0, -2.0)),
        );
        FieldMap {
            origin: o,
            alpha: ((a.0.0 - a.1.0) / 4.0, (a.0.1 - a.1.1) / 4.0),
            beta: ((b.0.0 - b.1.0) / 4.0, (b.0.1 - b.1.1) / 4.0),
        }
    }
}

/// Linear map from field to sky offsets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FieldMap {
    origin: (f64, f64),
    alpha: (f64, f64),
    beta: (f64, f64),
}

impl FieldMap {
    /// East and north of a field position, arcsec.
    pub fn at(&self, alpha: f64, beta: f64) -> (f64, f64) {
        (
            self.origin.0 + alpha * self.alpha.0 + beta * self.beta.0,
            self.origin.1 + alpha * self.alpha.1 + beta * self.beta.1,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::optics::{APERTURE, BORESIGHT, IDEAL_ANGLE};
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(Time { dt: 0.0 }.iso(), "2023-07-12T10:00:00.000");
        assert_eq!(Time { dt: 50_400.000_4 }.iso(), "2023-07-13T00:00:00.000");
        assert_eq!(Time { dt: -36_000.5 }.iso(), "2023-07-11T23:59:59.500");
        assert_eq!(civil(51_544), (2000, 1, 1));
        assert_eq!(civil(60_369), (2024, 2, 29));
        assert_eq!(civil(0), (1858, 11, 17));
        assert!((Time { dt: 0.0 }.mjd() - 60_137.416_666_666_664).abs() < 1e-9);
    }

    #[test]
    fn the_target_falls_where_the_dither_says() {
        let sight = Sight::at(500.0);
        let roll = sight.antisolar_angle();
        for dither in DITHERS {
            let att = Attitude::new(&sight, APERTURE, roll, dither, (0.0, 0.0));
            let (v2, v3) = att.telescope(direction(sight.radec.0, sight.radec.1));
            let a = IDEAL_ANGLE.to_radians();
            let (d2, d3) = (v2 - BORESIGHT.0, v3 - BORESIGHT.1);
            // ideal frame from V2, V3: x = V2 cos - V3 sin, y = V2 sin + V3 cos
            let (x, y) = (d2 * a.cos() - d3 * a.sin(), d2 * a.sin() + d3 * a.cos());
            assert!(
                (x * att.va_scale - dither.0).abs() < 1e-5
                    && (y * att.va_scale - dither.1).abs() < 1e-5,
                "{x} {y}"
            );
        }
    }

    #[test]
    fn attitude_is_a_rotation_that_keeps_its_reference() {
        let sight = Sight::at(0.0);
        let att = Attitude::new(&sight, APERTURE, 63.0, (0.1, 0.2), (0.0, 0.0));
        let back = ephemeris::angles(att.sky(BORESIGHT.0, BORESIGHT.1));
        assert!(
            (back.0 - att.reference.0).abs() < 1e-10 && (back.1 - att.reference.1).abs() < 1e-10
        );
        for i in 0..3 {
            for j in 0..3 {
                let d = dot(att.axes[i], att.axes[j]);
                assert!((d - f64::from(u8::from(i == j))).abs() < 1e-12);
            }
        }
        let d = att.sky(-505.0, -317.0);
        let (v2, v3) = att.telescope(d);
        assert!((v2 + 505.0).abs() < 1e-7 && (v3 + 317.0).abs() < 1e-7);
    }

    #[test]
    fn field_map_agrees_with_the_full_transform() {
        let sight = Sight::at(0.0);
        let att = Attitude::new(&sight, APERTURE, 63.0, DITHERS[0], (0.0, 0.0));
        let map = att.field_map(sight.radec.0, sight.radec.1);
        for (alpha, beta) in [(3.0, -3.5), (-1.0, 2.0)] {
            let (v2, v3) = field_to_telescope(alpha, beta);
            let (ra, dec) = ephemeris::angles(att.sky(v2, v3));
            let (e, n) = map.at(alpha, beta);
            let d = sight.radec.1.to_radians().cos();
            assert!(((ra - sight.radec.0) * d * 3600.0 - e).abs() < 1e-4, "{e}");
            assert!(((dec - sight.radec.1) * 3600.0 - n).abs() < 1e-4, "{n}");
        }
    }
}

//! The `SCI` header (times, ephemeris, pointing) and the rows of the moving-target table.

use super::Builder;
use crate::formats::fits::Header;
use crate::simulate::ephemeris::{Sight, Vector, angles, direction, norm};
use crate::simulate::pointing::Time;
use crate::simulate::visit::{Exposure, Setup};

/// The header of the `SCI` extension of an exposure, without structure cards.
pub fn science<S: Setup>(e: &Exposure<S>) -> Header {
    let [start, mid, end] = e.times();
    let sight = e.sight();
    let attitude = e.attitude();
    let mut b = Builder(Header::new());
    b.put("EXTNAME", "SCI", "extension name")
        .put("MJD-BEG", start.mjd(), "[d] exposure start time in MJD")
        .put("MJD-AVG", mid.mjd(), "[d] exposure mid-point in MJD")
        .put("MJD-END", end.mjd(), "[d] exposure end time in MJD")
        .put(
            "TDB-BEG",
            start.tdb(),
            "[d] TDB time of exposure start in MJD",
        )
        .put(
            "TDB-MID",
            mid.tdb(),
            "[d] TDB time of exposure mid-point in MJD",
        )
        .put("TDB-END", end.tdb(), "[d] TDB time of exposure end in MJD")
        .put("XPOSURE", e.exposure_time(), "[s] Effective exposure time")
        .put("TELAPSE", e.duration(), "[s] Total elapsed exposure time");
    b.title("JWST ephemeris information")
        .put("REFFRAME", "EME2000", "Ephemeris reference frame (EME2000)")
        .put("EPH_TYPE", "Definitive", "Definitive or Predicted")
        .put(
            "EPH_TIME",
            mid.mjd(),
            "[d] MJD time of position and velocity vectors",
        );
    let vectors: [(&str, Vector, f64, &str, &str); 4] = [
        (
            "JWST_",
            sight.jwst.0,
            1.0,
            "[km] barycentric JWST",
            "coordinate",
        ),
        (
            "OBSGEO-",
            sight.geocentric.0,
            1e3,
            "[m] geocentric JWST",
            "coordinate",
        ),
        (
            "JWST_D",
            sight.jwst.1,
            1.0,
            "[km/s] barycentric JWST",
            "velocity",
        ),
        (
            "OBSGEOD",
            sight.geocentric.1,
            1e3,
            "[m/s] geocentric JWST",
            "velocity",
        ),
    ];
    for (key, vector, factor, what, kind) in vectors {
        for (axis, value) in ["X", "Y", "Z"].iter().zip(vector) {
            b.put(
                &format!("{key}{axis}"),
                factor * value,
                &format!("{what} {axis} {kind} at MJD-AVG"),
            );
        }
    }
    let frame = attitude.aperture;
    let aperture = attitude.roll + frame.ideal_angle;
    b.put(
        "PA_APER",
        aperture - 360.0 * (aperture / 360.0).floor(),
        "[deg] Position angle of aperture used",
    )
    .put(
        "VA_SCALE",
        attitude.va_scale,
        "Velocity aberration scale factor",
    );
    b.title("Information about the coordinates in the file")
        .put("RADESYS", "ICRS", "Name of the coordinate reference frame");
    b.title("Spacecraft pointing information")
        .put("RA_V1", attitude.v1.0, "[deg] RA of telescope V1 axis")
        .put("DEC_V1", attitude.v1.1, "[deg] Dec of telescope V1 axis")
        .put(
            "PA_V3",
            attitude.v1.2,
            "[deg] Position angle of telescope V3 axis",
        );
    let mean = Sight::at(e.visit_middle).radec;
    b.title("WCS parameters")
        .put(
            "S_REGION",
            footprint(e),
            "Spatial footprint of the observation",
        )
        .put(
            "V2_REF",
            frame.boresight.0,
            "[arcsec] Telescope V2 coord of reference point",
        )
        .put(
            "V3_REF",
            frame.boresight.1,
            "[arcsec] Telescope V3 coord of reference point",
        )
        .put(
            "VPARITY",
            i64::from(frame.parity),
            "Relative sense of rotation between Ideal xy and V2V3",
        )
        .put(
            "V3I_YANG",
            frame.ideal_angle,
            "[deg] Angle from V3 axis to Ideal y axis",
        )
        .put(
            "RA_REF",
            attitude.reference.0,
            "[deg] Right Ascension of the reference point",
        )
        .put(
            "DEC_REF",
            attitude.reference.1,
            "[deg] Declination of the reference point",
        )
        .put(
            "ROLL_REF",
            attitude.roll,
            "[deg] V3 roll angle at the ref point (N over E)",
        )
        .put(
            "VELOSYS",
            sight.velosys,
            "[m/s] Barycentric correction to radial velocity",
        )
        .put("SPECSYS", "BARYCENT", "Spectral reference frame")
        .put(
            "MT_RA",
            sight.radec.0,
            "[deg] Moving target RA at exposure mid-point",
        )
        .put(
            "MT_DEC",
            sight.radec.1,
            "[deg] Moving target Dec at exposure mid-point",
        )
        .put(
            "MT_AVRA",
            mean.0,
            "[deg] Moving target average RA over exposures",
        )
        .put(
            "MT_AVDEC",
            mean.1,
            "[deg] Moving target average Dec over exposures",
        );
    b.0
}

/// Corners of the field on the sky.
fn footprint<S: Setup>(e: &Exposure<S>) -> String {
    let attitude = e.attitude();
    let mut out = String::from("POLYGON ICRS ");
    for (v2, v3) in e.setup.corners() {
        let (ra, dec) = angles(attitude.sky(v2, v3));
        out.push_str(&format!(" {ra:.9} {dec:.9}"));
    }
    out
}

/// Rows of the moving-target table at one moment: column name and value (text columns left out).
pub fn moving_target<S: Setup>(e: &Exposure<S>, time: Time) -> Vec<(&'static str, f64)> {
    let s = Sight::at(time.dt);
    let attitude = e.attitude();
    let here = direction(s.radec.0, s.radec.1);
    let (v2, v3) = attitude.telescope(here);
    vec![
        ("ref_pixel_RA", attitude.reference.0),
        ("ref_pixel_Dec", attitude.reference.1),
        ("mt_apparent_RA", s.radec.0),
        ("mt_apparent_Dec", s.radec.1),
        ("mt_apparent_x_helio", s.helio.0[0]),
        ("mt_apparent_y_helio", s.helio.0[1]),
        ("mt_apparent_z_helio", s.helio.0[2]),
        ("jwst_x_helio", s.jwst_helio[0]),
        ("jwst_y_helio", s.jwst_helio[1]),
        ("jwst_z_helio", s.jwst_helio[2]),
        ("mt_apparent_x_jwst", s.apparent[0]),
        ("mt_apparent_y_jwst", s.apparent[1]),
        ("mt_apparent_z_jwst", s.apparent[2]),
        ("mt_apparent_jwst_distance", norm(s.apparent)),
        ("mt_apparent_sun_distance", norm(s.helio.0)),
        ("apparent_phase_angle", s.phase),
        ("apparent_light_travel_time", s.light_time),
        ("mt_true_x_helio", s.helio.1[0]),
        ("mt_true_y_helio", s.helio.1[1]),
        ("mt_true_z_helio", s.helio.1[2]),
        ("mt_true_x_jwst", s.geometric[0]),
        ("mt_true_y_jwst", s.geometric[1]),
        ("mt_true_z_jwst", s.geometric[2]),
        ("mt_v2", v2),
        ("mt_v3", v3),
    ]
}

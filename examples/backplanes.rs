//! Backplanes for an image of one's own: where each pixel of a picture of Uranus points on the planet.
//!
//! `cargo run --example backplanes` prints the latitudes along the middle row of an image of 21 x 21 pixels of 0.2 arcsec,
//! seen from the Earth, with the kernels that are built in.

use std::path::Path;

use sifu::Result;
use sifu::nav::planes::{self, Field};
use sifu::nav::{Aspect, Correction, Kernels, Observer};

fn main() -> Result<()> {
    let kernels = Kernels::with_built_in::<&Path>(&[])?;
    let et = kernels.et_of_utc("2024-11-21T12:00:00")?;
    let (uranus, earth) = (kernels.body_code("URANUS")?, kernels.body_code("EARTH")?);
    // the built-in ephemeris has the barycentre of the system, some 50 km from the planet's centre
    let aspect = Aspect::centred(
        &kernels,
        uranus,
        7,
        &Observer::Body(earth),
        et,
        Correction::CN,
    )?;
    let [ra, dec] = aspect.centre();
    let (n, pixel) = (21, 0.2 / 3600.0);
    let offset = |i: usize| (i as f64 - (n / 2) as f64) * pixel;
    let mut directions = [Vec::new(), Vec::new()];
    for y in 0..n {
        for x in 0..n {
            // east to the left
            directions[0].push(ra - offset(x) / dec.to_radians().cos());
            directions[1].push(dec + offset(y));
        }
    }
    let field = Field::new(&aspect, &directions[0], &directions[1]);
    let latitude = (planes::find("LAT_GRAPHIC")?.of)(&field);
    let emission = (planes::find("EMISSION")?.of)(&field);
    println!(
        "Uranus at RA {ra:.4}, Dec {dec:.4}, {:.2} arcsec across",
        aspect.diameter()
    );
    println!("{:>6}{:>12}{:>12}", "x", "latitude", "emission");
    for x in 0..n {
        let k = (n / 2) * n + x;
        println!("{x:>6}{:>12.2}{:>12.2}", latitude[k], emission[k]);
    }
    Ok(())
}

//! Backplanes: what each pixel of an image sees of a body, as one array a quantity.
//!
//! One file a family of planes; [`ALL`] is the one list, with name, unit and description of each, from which the manual is made.
//! A plane is a pure function of a [`Field`]: directions on the sky and the body's [`Aspect`]. What several planes need
//! (where a line of sight meets the surface, say) is computed once a field, and only where a plane asks for it. No
//! files, pixels or threads here: a caller may cut an image into fields as it likes, the values are the same.
//!
//! [`NAV17`] and [`PLANETMAPPER`] are the sets that other programs write, with their names, order and rules of NaN.

mod angles;
mod field;
mod limb;
mod motion;
mod rings;
mod sky;
mod surface;

pub use field::Field;

use crate::{Error, Result};

/// One backplane.
#[derive(Clone, Copy)]
pub struct Plane {
    /// Name, as in `EXTNAME`.
    pub name: &'static str,
    /// Unit, as in `BUNIT`; empty for a pure number.
    pub unit: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Values for every direction of a field.
    pub of: fn(&Field) -> Vec<f64>,
}

impl std::fmt::Debug for Plane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}]", self.name, self.unit)
    }
}

/// A family of planes.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// What they have in common.
    pub title: &'static str,
    /// What holds for all of them.
    pub about: &'static str,
    /// The planes.
    pub planes: &'static [Plane],
}

/// Every plane there is, by family.
pub const ALL: &[Family] = &[
    sky::FAMILY,
    surface::FAMILY,
    angles::FAMILY,
    motion::FAMILY,
    limb::FAMILY,
    rings::FAMILY,
];

/// The planes of the JWSTGiantPlanets navigator, in its order.
pub const NAV17: [&str; 17] = [
    "LAT",
    "LON",
    "LAT_LIMB",
    "LON_LIMB",
    "LAT_GRAPHIC",
    "PHASE",
    "EMISSION",
    "INCIDENCE",
    "AZIMUTH",
    "LOCALTIME",
    "DISTANCE_LIMB",
    "DISTANCE_RINGS",
    "LON_RINGS",
    "RA",
    "DEC",
    "RADIAL_VELOCITY",
    "DOPPLER",
];

/// The planes of PlanetMapper, in its order.
pub const PLANETMAPPER: [&str; 26] = [
    "LON-GRAPHIC",
    "LAT-GRAPHIC",
    "LON-CENTRIC",
    "LAT-CENTRIC",
    "RA",
    "DEC",
    "PIXEL-X",
    "PIXEL-Y",
    "KM-X",
    "KM-Y",
    "ANGULAR-X",
    "ANGULAR-Y",
    "PHASE",
    "INCIDENCE",
    "EMISSION",
    "AZIMUTH",
    "LOCAL-SOLAR-TIME",
    "DISTANCE",
    "RADIAL-VELOCITY",
    "DOPPLER",
    "LIMB-DISTANCE",
    "LIMB-LON-GRAPHIC",
    "LIMB-LAT-GRAPHIC",
    "RING-RADIUS",
    "RING-LON-GRAPHIC",
    "RING-DISTANCE",
];

/// The planes of basic navigation, which needs no body.
pub const BASIC: [&str; 2] = ["RA", "DEC"];

/// A plane by its name; case does not count.
///
/// # Errors
/// [`Error::Parameter`] for a name that none has.
pub fn find(name: &str) -> Result<&'static Plane> {
    let name = name.trim();
    let mut all = ALL.iter().flat_map(|f| f.planes);
    all.find(|p| p.name.eq_ignore_ascii_case(name))
        .ok_or_else(|| {
            Error::parameter(format!(
                "there is no plane {name:?}; `sifu describe planes` lists them"
            ))
        })
}

/// Planes by names that are in the list of all.
#[must_use]
pub fn set(names: &[&str]) -> Vec<&'static Plane> {
    names.iter().filter_map(|n| find(n).ok()).collect()
}

/// Planes by a list of names and sets (`nav17`, `all`) with commas between; each once, in order.
///
/// # Errors
/// [`Error::Parameter`] for a name that none has, and an empty list.
pub fn choose(list: &str) -> Result<Vec<&'static Plane>> {
    let mut out: Vec<&'static Plane> = Vec::new();
    for name in list.split(',').map(str::trim).filter(|n| !n.is_empty()) {
        let more = match name.to_ascii_lowercase().as_str() {
            "nav17" => set(&NAV17),
            "all" | "planetmapper" => set(&PLANETMAPPER),
            "basic" => set(&BASIC),
            _ => vec![find(name)?],
        };
        for plane in more {
            if out.iter().all(|p| p.name != plane.name) {
                out.push(plane);
            }
        }
    }
    if out.is_empty() {
        return Err(Error::parameter("the list of planes is empty"));
    }
    Ok(out)
}

/// The manual of the planes, from the registry.
#[must_use]
pub fn manual() -> String {
    let mut out = String::from(
        "Backplanes of `sifu navigate --planes LIST`: one extension each, float64, [y][x].\n\
         `nav17` (the default) are those of the JWSTGiantPlanets navigator, `all` those of PlanetMapper.\n",
    );
    for family in ALL {
        out.push_str(&format!("\n## {}\n{}\n", family.title, family.about));
        for p in family.planes {
            let sets = [(&NAV17[..], "nav17"), (&PLANETMAPPER[..], "all")];
            let of: Vec<_> = sets
                .iter()
                .filter(|s| s.0.contains(&p.name))
                .map(|s| s.1)
                .collect();
            let unit = if p.unit.is_empty() { "-" } else { p.unit };
            out.push_str(&format!(
                "- `{}` [{unit}] ({}): {}.\n",
                p.name,
                of.join(", "),
                p.about
            ));
        }
    }
    out.replace(" ():", " (by name):")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plane_has_one_name_and_a_description() {
        let all: Vec<_> = ALL.iter().flat_map(|f| f.planes).collect();
        for (i, p) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|q| q.name != p.name), "{p:?} twice");
            // of one FITS card, and no character it cannot hold
            assert!(
                p.about.len() <= 66 && p.about.is_ascii() && !p.about.is_empty(),
                "{p:?}"
            );
            assert!(
                p.name
                    .chars()
                    .all(|c| c.is_ascii_uppercase() || c == '_' || c == '-')
            );
        }
        for name in NAV17.iter().chain(&BASIC) {
            assert_eq!(find(name).expect(name).name, *name);
        }
        assert_eq!(find(" lat_graphic ").expect("found").name, "LAT_GRAPHIC");
        assert_eq!(find("LATITUDE").unwrap_err().exit_code(), 2);
    }
}

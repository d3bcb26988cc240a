//! Backplanes: what each pixel of an image sees of a body, as one array a quantity.
//!
//! One file a family of planes; [`ALL`] is the one list, with name, unit and description of each, from which the manual is made.
//! A plane is a pure function of a [`Field`]: directions on the sky and the body's [`Aspect`](crate::nav::Aspect). What several planes need
//! (where a line of sight meets the surface, say) is computed once a field, and only where a plane asks for it. No
//! files, pixels or threads here: a caller may cut an image into fields as it likes, the values are the same.
//!
//! [`NAV17`] and [`PLANETMAPPER`] are the sets that other programs write, with their names, order and rules of NaN.

mod angles;
mod field;
mod limb;
mod motion;
mod planetmapper;
mod rings;
mod seen;
mod sky;
mod surface;

pub use field::Field;

use crate::{Error, Result};

/// Whose a plane is: some names stand for two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of the sky: of every set, the same in all.
    Sky,
    /// The JWSTGiantPlanets navigator's: the body is turned as it was when the light left its centre.
    Navigator,
    /// PlanetMapper's, with light time to each point.
    Exact,
    /// PlanetMapper's where it is off, as it has them.
    Compatible,
    /// Of no other program.
    Extra,
}

/// One backplane.
#[derive(Clone, Copy)]
pub struct Plane {
    /// Name, as in `EXTNAME`.
    pub name: &'static str,
    /// Unit, as in `BUNIT`; empty for a pure number.
    pub unit: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Which programs have it.
    pub kind: Kind,
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
    planetmapper::FAMILY,
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
    use Kind::{Exact, Extra, Navigator, Sky};
    first_of(name, &[Sky, Navigator, Exact, Extra]).ok_or_else(|| {
        Error::parameter(format!(
            "there is no plane {name:?}; `sifu describe planes` lists them"
        ))
    })
}

/// The plane of a name that is of the earliest of some kinds.
fn first_of(name: &str, kinds: &[Kind]) -> Option<&'static Plane> {
    let named = |p: &&Plane| p.name.eq_ignore_ascii_case(name.trim());
    kinds.iter().find_map(|kind| {
        let mut all = ALL.iter().flat_map(|f| f.planes);
        all.find(|p| p.kind == *kind && named(p))
    })
}

/// Planes by names, each of the earliest of some kinds; names that are of none are left out.
#[must_use]
pub fn set(names: &[&str], kinds: &[Kind]) -> Vec<&'static Plane> {
    names.iter().filter_map(|n| first_of(n, kinds)).collect()
}

/// The set of the JWSTGiantPlanets navigator.
#[must_use]
pub fn nav17() -> Vec<&'static Plane> {
    set(&NAV17, &[Kind::Sky, Kind::Navigator])
}

/// Right ascension and declination.
#[must_use]
pub fn basic() -> Vec<&'static Plane> {
    set(&BASIC, &[Kind::Sky])
}

/// Planes by a list of names and sets (`nav17`, `all`, `planetmapper`) with commas between; each once, in order.
///
/// # Errors
/// [`Error::Parameter`] for a name that none has, and an empty list.
pub fn choose(list: &str) -> Result<Vec<&'static Plane>> {
    let mut out: Vec<&'static Plane> = Vec::new();
    for name in list.split(',').map(str::trim).filter(|n| !n.is_empty()) {
        let more = match name.to_ascii_lowercase().as_str() {
            "nav17" => nav17(),
            "all" => set(&PLANETMAPPER, &[Kind::Sky, Kind::Exact]),
            "planetmapper" => set(&PLANETMAPPER, &[Kind::Compatible, Kind::Sky, Kind::Exact]),
            "basic" => basic(),
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
         `nav17` (the default) are those of the JWSTGiantPlanets navigator, `all` those of\n\
         PlanetMapper, with light time and motion right; `planetmapper` the same as PlanetMapper 1.14 has them. A name that is in both\n\
         nav17 and all (PHASE, say) means the former where no set is named before it.\n",
    );
    for family in ALL {
        out.push_str(&format!("\n## {}\n{}\n", family.title, family.about));
        for p in family.planes {
            let of = match p.kind {
                Kind::Sky if NAV17.contains(&p.name) => "nav17, all",
                Kind::Navigator => "nav17",
                Kind::Sky | Kind::Exact => "all",
                Kind::Compatible => "planetmapper",
                Kind::Extra => "by name",
            };
            let unit = if p.unit.is_empty() { "-" } else { p.unit };
            out.push_str(&format!("- `{}` [{unit}] ({}): {}.\n", p.name, of, p.about));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plane_has_one_name_and_a_description() {
        let all: Vec<_> = ALL.iter().flat_map(|f| f.planes).collect();
        for (i, p) in all.iter().enumerate() {
            let same = |q: &&&Plane| q.name == p.name && q.kind == p.kind;
            assert!(!all[..i].iter().any(|q| same(&q)), "{p:?} twice");
            // of one FITS card, and no character it cannot hold
            assert!(
                p.about.len() <= 66 && p.about.is_ascii() && !p.about.is_empty(),
                "{p:?}"
            );
            let legal = |c: char| c.is_ascii_uppercase() || c == '_' || c == '-';
            assert!(p.name.chars().all(legal));
            assert!(manual().contains(&format!("- `{}` [", p.name)));
        }
        let names = |list: &str| -> Vec<&str> {
            let planes = choose(list).expect(list);
            planes.iter().map(|p| p.name).collect()
        };
        assert_eq!(names("nav17"), NAV17);
        assert_eq!(names("all"), PLANETMAPPER);
        assert_eq!(names("planetmapper"), PLANETMAPPER);
        assert_eq!(names("basic, dec,LAT"), ["RA", "DEC", "LAT"]);
        assert_eq!(names("all,nav17").len(), 26 + 17 - 7);
        assert!(
            choose("all")
                .expect("a set")
                .iter()
                .all(|p| p.kind != Kind::Navigator)
        );
        let compatible = |p: &&&Plane| p.kind == Kind::Compatible;
        assert_eq!(
            choose("planetmapper")
                .expect("a set")
                .iter()
                .filter(compatible)
                .count(),
            10
        );
        assert!(choose(" , ").is_err());
        assert_eq!(find(" lat_graphic ").expect("found").name, "LAT_GRAPHIC");
        assert_eq!(find("LATITUDE").unwrap_err().exit_code(), 2);
    }
}

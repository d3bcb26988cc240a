//! Mosaics of navigated cubes on a body's globe: the map in its projection, and how many cubes made each cell.
//!
//! [`Subject`] is what is shown, [`draw`] the page: north up, planetary east right, lines every 30 degrees with their longitudes and
//! latitudes, the outline of the globe, and colours from the 1st to the 99th percentile of the map. Below, smaller, the number of cubes in
//! each cell. The maps themselves are [`crate::nav::map`]'s.

use super::axes::{colour_bar, frame};
use super::colours::{ColourMap, INFERNO, VIRIDIS};
use super::contour;
use super::figure::{
    Affine, Align, Colour, Figure, Item, Level, Path, Picture, Point, Rect, Stroke, Text,
};
use super::text;
use crate::math::quantile::quantile;
use crate::nav::map::{Grid, Projection};

/// Width of the page, points.
const PAGE: f64 = 720.0;
/// Left and upper edge of the map, and its largest width and height.
const PLACE: [f64; 2] = [52.0, 72.0];
const MOST: [f64; 2] = [584.0, 400.0];
/// Size of the second map, of that of the first.
const SMALL: f64 = 0.5;
/// Between lines of the graticule, degrees.
const GRID: i32 = 30;
/// Points along the longer side of what the lines are found on.
const MESH: f64 = 480.0;
/// Sizes of text: title, notes, labels.
const SIZES: [f64; 3] = [13.5, 8.5, 8.0];

/// A map.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What it is of.
    pub title: &'a str,
    /// How it was made.
    pub notes: &'a [String],
    /// Its cells.
    pub grid: &'a Grid,
    /// Values, rows from south to north; NaN where there is none.
    pub values: &'a [f64],
    /// Their unit.
    pub unit: &'a str,
    /// Cubes in each cell.
    pub cubes: &'a [f64],
}

/// Longitudes and latitudes on a mesh over the map.
struct Mesh {
    nx: usize,
    ny: usize,
    /// Points of the mesh in a cell.
    fine: f64,
    /// NaN outside the globe.
    lon: Vec<f64>,
    lat: Vec<f64>,
}

impl Mesh {
    fn new(grid: &Grid) -> Self {
        let fine = MESH / grid.nx.max(grid.ny).max(1) as f64;
        let [nx, ny] = [grid.nx, grid.ny].map(|n| (n as f64 * fine).round().max(2.0) as usize + 1);
        let mut out = Self {
            nx,
            ny,
            fine,
            lon: Vec::with_capacity(nx * ny),
            lat: Vec::with_capacity(nx * ny),
        };
        for y in 0..ny {
            for x in 0..nx {
                // cells have their centres at whole numbers
                let at = grid.at(x as f64 / fine - 0.5, y as f64 / fine - 0.5);
                let [lon, lat] = at.unwrap_or([f64::NAN; 2]);
                out.lon.push(lon);
                out.lat.push(lat);
            }
        }
        out
    }

    /// Lines where something of longitude and latitude is 0, in cells from the map's lower left corner.
    fn lines(&self, of: &dyn Fn(f64, f64) -> f64) -> Vec<[Point; 2]> {
        let both = self.lon.iter().zip(&self.lat);
        let values: Vec<f64> = both.map(|(lon, lat)| of(*lon, *lat)).collect();
        let found = contour::zero(&values, self.nx, 90.0).into_iter();
        found.map(|l| l.map(|p| p.map(|v| v / self.fine))).collect()
    }

    /// A meridian, but for the poles, where a longitude says little.
    fn meridian(&self, lon: f64) -> Vec<[Point; 2]> {
        self.lines(&|l, lat| match lat.abs() < 89.5 {
            true => around(l - lon),
            false => f64::NAN,
        })
    }

    /// The point of the mesh that is nearest to a place (degrees), in cells; none where it is not on the map.
    fn find(&self, lon: f64, lat: f64) -> Option<Point> {
        let unit = |lon: f64, lat: f64| {
            let (s, c) = libm::sincos(lat.to_radians());
            let (sin, cos) = libm::sincos(lon.to_radians());
            [c * cos, c * sin, s]
        };
        let to = unit(lon, lat);
        let mut best = (0.999, None);
        for (i, (lon, lat)) in self.lon.iter().zip(&self.lat).enumerate() {
            let at = unit(*lon, *lat);
            let near = at[0] * to[0] + at[1] * to[1] + at[2] * to[2];
            if near > best.0 {
                best = (near, Some(i));
            }
        }
        let i = best.1.filter(|i| i / self.nx < self.ny)?;
        Some([(i % self.nx) as f64, (i / self.nx) as f64].map(|v| v / self.fine))
    }
}

/// From -180 to 180 degrees.
fn around(degrees: f64) -> f64 {
    (degrees + 180.0).rem_euclid(360.0) - 180.0
}

fn latitude(lat: i32) -> String {
    match lat {
        0 => "0°".into(),
        n if n < 0 => format!("{}°S", -n),
        n => format!("{n}°N"),
    }
}

/// Labels of longitudes and latitudes; `to` is from cells to the page.
fn labels(grid: &Grid, mesh: &Mesh, area: Rect, to: &Affine, size: f64) -> Vec<Item> {
    let mut taken: Vec<Rect> = Vec::new();
    let mut out = Vec::new();
    let mut put = |text: Text| {
        let place = text::bounds(&text).inset(-1.5);
        if !taken.iter().any(|t| t.overlaps(&place)) {
            taken.push(place);
            out.push(Item::Text(text));
        }
    };
    let sense = if grid.west { "W" } else { "E" };
    let flat = grid.projection == Projection::Equirectangular;
    let ends = if grid.projection.zenithal() { 60 } else { 90 };
    for lat in (-ends..=ends).step_by(GRID as usize) {
        let name = latitude(lat);
        if grid.projection.zenithal() {
            // on the meridian of the middle
            let Some(at) = mesh.find(grid.lon, f64::from(lat)) else {
                continue;
            };
            let text = Text::new(to.apply(at), name, size).halo(Colour::WHITE, 1.6);
            put(text.anchor(Align::Middle, Level::Middle));
        } else if flat || lat.abs() < 90 {
            let line = mesh.lines(&|_, l| l - f64::from(lat) * 0.9999);
            let left = line.iter().flatten().min_by(|a, b| a[0].total_cmp(&b[0]));
            if let Some(at) = left {
                let [x, y] = to.apply(*at);
                let text = Text::new([x - 4.0, y], name, size);
                put(text.anchor(Align::Right, Level::Middle));
            }
        }
    }
    for step in -6..=6 {
        let lon = match flat {
            // from the map's left edge to the right one
            true => grid.lon + f64::from(step * GRID) * if grid.west { -1.0 } else { 1.0 },
            false => f64::from(step * GRID),
        };
        let shown = lon.rem_euclid(360.0);
        let shown = match flat {
            // not the same twice
            true if grid.lon == 180.0 && lon >= 360.0 => 360.0,
            _ => shown,
        };
        let name = format!("{shown:.0}°{sense}");
        if flat {
            let x = area.x + area.w * (0.5 + f64::from(step * GRID) / 360.0);
            let text = Text::new([x, area.bottom() + 4.0], name, size);
            put(text.anchor(Align::Middle, Level::Top));
        } else if !grid.projection.zenithal() || grid.lat.abs() < 45.0 {
            let off = around(lon - grid.lon).abs();
            if off < 1.0 && grid.projection.zenithal() || off > 179.0 {
                continue;
            }
            let Some(at) = mesh.find(lon, 0.0) else {
                continue;
            };
            let text = Text::new(to.apply(at), name, size).halo(Colour::WHITE, 1.6);
            put(text.anchor(Align::Middle, Level::Middle));
        } else {
            // where the meridian leaves the map
            let line = mesh.meridian(lon);
            let middle = [0.5 * grid.nx as f64, 0.5 * grid.ny as f64];
            let far = |p: &Point| libm::hypot(p[0] - middle[0], p[1] - middle[1]);
            let end = line
                .iter()
                .flatten()
                .max_by(|a, b| far(a).total_cmp(&far(b)));
            let Some(end) = end.filter(|e| far(e) > 0.3 * middle[0]) else {
                continue;
            };
            let k = 1.0 + 14.0 / (far(end) * to.0[0].abs()).max(1.0);
            let at = [0, 1].map(|i| middle[i] + k * (end[i] - middle[i]));
            put(Text::new(to.apply(at), name, size).anchor(Align::Middle, Level::Middle));
        }
    }
    out
}

/// A map with its lines.
fn panel(
    subject: &Subject,
    mesh: &Mesh,
    area: Rect,
    picture: (&[f64], [f64; 2], &ColourMap),
    labelled: bool,
) -> Vec<Item> {
    let grid = subject.grid;
    let (nx, ny) = (grid.nx, grid.ny);
    let to = Affine::upright(area, nx, ny);
    let (values, limits, map) = picture;
    let path = |lines: Vec<[Point; 2]>| {
        let mut out = Path::default();
        for line in lines {
            out.extend(Path::line(line.map(|p| to.apply(p))));
        }
        out
    };
    let edge = Path::closed(grid.outline(360).into_iter().map(|p| to.apply(p)));
    let mut graticule = Path::default();
    for k in 1..180 / GRID {
        let lat = f64::from(k * GRID - 90);
        graticule.extend(path(mesh.lines(&|_, l| l - lat)));
    }
    for k in 0..360 / GRID {
        let lon = f64::from(k * GRID);
        graticule.extend(path(mesh.meridian(lon)));
    }
    let mut items = vec![
        Item::area(edge.clone(), Colour::rgb(0xe4e4e4)),
        Item::Picture(Picture {
            nx,
            ny,
            pixels: map.paint(values, limits),
            place: to,
        }),
        Item::group(
            "graticule",
            vec![
                Item::line(
                    graticule.clone(),
                    Stroke::new(Colour::WHITE.faded(0.45), 0.9),
                ),
                Item::line(graticule, Stroke::new(Colour::BLACK.faded(0.75), 0.35)),
            ],
        ),
        match grid.projection {
            Projection::Equirectangular => frame(area),
            _ => Item::line(edge, Stroke::new(Colour::BLACK, 0.7)),
        },
    ];
    if labelled {
        let names = labels(grid, mesh, area, &to, SIZES[2]);
        items.push(Item::group("labels", names));
    }
    items
}

/// Draws the page.
#[must_use]
pub fn draw(subject: &Subject) -> Figure {
    let grid = subject.grid;
    let (nx, ny) = (grid.nx.max(1) as f64, grid.ny.max(1) as f64);
    let scale = (MOST[0] / nx).min(MOST[1] / ny);
    let (w, h) = (nx * scale, ny * scale);
    let zenithal = grid.projection.zenithal();
    // labels around it
    let aside = if zenithal { 26.0 } else { 0.0 };
    let main = Rect::new(PLACE[0] + 0.5 * (MOST[0] - w), PLACE[1] + aside, w, h);
    let second = Rect::new(
        main.middle()[0] - 0.5 * SMALL * w,
        main.bottom() + 44.0 + aside,
        SMALL * w,
        SMALL * h,
    );
    let mut out = Figure::new(PAGE, second.bottom() + 24.0, subject.title);
    let centred = |at, what: &str, size: f64, room: f64| {
        let fits = (room / text::width(what, size).max(1.0)).min(1.0);
        Item::Text(Text::new(at, what, size * fits).anchor(Align::Middle, Level::Base))
    };
    let mut head = vec![centred(
        [0.5 * PAGE, 25.0],
        subject.title,
        SIZES[0],
        PAGE - 40.0,
    )];
    for (k, line) in subject.notes.iter().take(2).enumerate() {
        let at = [0.5 * PAGE, 41.0 + 11.5 * k as f64];
        head.push(centred(at, line, SIZES[1], PAGE - 40.0));
    }
    out.items.push(Item::group("title", head));
    let mesh = Mesh::new(grid);
    let mut known: Vec<f64> = subject
        .values
        .iter()
        .copied()
        .filter(|v| v.is_finite())
        .collect();
    let limits = match known.is_empty() {
        true => [0.0, 1.0],
        false => [0.01, 0.99].map(|q| quantile(&mut known, q)),
    };
    let most = subject.cubes.iter().copied().fold(1.0, f64::max);
    let cubes: Vec<f64> = subject
        .cubes
        .iter()
        .map(|n| if *n > 0.0 { *n } else { f64::NAN })
        .collect();
    let shown = (subject.values, limits, &INFERNO);
    let first = panel(subject, &mesh, main, shown, true);
    out.items.push(Item::group("map", first));
    let counts = (cubes.as_slice(), [0.0, most], &VIRIDIS);
    let mut below = panel(subject, &mesh, second, counts, false);
    let heading = [second.middle()[0], second.y - 6.0];
    below.push(centred(heading, "Cubes in a cell", SIZES[1], PAGE));
    out.items.push(Item::group("coverage", below));
    let bar = |a: Rect, aside: f64| Rect::new(a.right() + 12.0 + aside, a.y, 9.0, a.h);
    out.items.push(Item::group(
        "bars",
        vec![
            colour_bar(bar(main, aside), limits, &INFERNO, subject.unit, SIZES[2]),
            colour_bar(bar(second, 0.0), [0.0, most], &VIRIDIS, "", SIZES[2]),
        ],
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_labels_are_where_the_projection_has_them() {
        for (projection, centre) in [
            (Projection::Equirectangular, [180.0, 0.0]),
            (Projection::Mollweide, [180.0, 0.0]),
            (Projection::Orthographic, [200.0, -20.0]),
            (Projection::Azimuthal, [0.0, -90.0]),
        ] {
            let grid = Grid::new(projection, centre, 2.0, true).expect("a grid");
            let n = grid.nx * grid.ny;
            let values: Vec<f64> = (0..n).map(|i| (i % 97) as f64).collect();
            let mut cubes = vec![1.0; n];
            cubes[0] = 3.0;
            let figure = draw(&Subject {
                title: "JUPITER",
                notes: &["one".into(), "two".into()],
                grid: &grid,
                values: &values,
                unit: "MJy/sr",
                cubes: &cubes,
            });
            let mesh = Mesh::new(&grid);
            // a line is where the projection says that its longitude is
            for line in mesh.meridian(210.0) {
                let [x, y] = line[0];
                if let Some([lon, _]) = grid.at(x - 0.5, y - 0.5) {
                    let [_, lat] = grid.at(x - 0.5, y - 0.5).expect("the same");
                    let off = around(lon - 210.0).abs() * lat.to_radians().cos();
                    assert!(off < 1.0, "{projection:?} {lon}");
                }
            }
            let at = mesh.find(190.0, -10.0).expect("seen");
            let [lon, lat] = grid.at(at[0] - 0.5, at[1] - 0.5).expect("on the globe");
            assert!(around(lon - 190.0).abs() < 1.5 && (lat + 10.0).abs() < 1.5);
            let all = figure.texts();
            let page = Rect::new(0.0, 0.0, figure.width, figure.height);
            for (i, (a, _)) in all.iter().enumerate() {
                let place = text::bounds(a);
                assert!(page.holds(&place), "{projection:?} {a:?}");
                for (b, _) in &all[i + 1..] {
                    assert!(
                        !place.overlaps(&text::bounds(b)),
                        "{projection:?} {a:?} {b:?}"
                    );
                }
            }
            let says = |what: &str| all.iter().any(|(t, _)| t.text == what);
            assert!(
                says("210°W") && says("30°S") && says("MJy/sr"),
                "{projection:?}"
            );
            assert!(figure.find("coverage").is_some() && figure.find("graticule").is_some());
        }
    }
}

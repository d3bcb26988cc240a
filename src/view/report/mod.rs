//! The report on a run: one HTML page that needs nothing else, neither a network nor a library.
//!
//! [`Report`] is what it shows, [`html`] the page, a pure function of it: the same bytes from the same data, and no date of its own.
//! [`markup`] escapes, [`pack`] makes cubes small, [`tables`] writes what is read; the cube viewer is `viewer.js`, plain JavaScript
//! with the colour maps of [`super::colours`]. What reads files is not here but in `pipeline::report`.

pub mod markup;
pub mod pack;
pub mod tables;

use std::path::PathBuf;

use self::markup::{address, base64, json, text};
use self::pack::Packed;
use super::colours;

/// What became of a task.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Task {
    /// Name.
    pub name: String,
    /// Step of the chain.
    pub stage: String,
    /// `made`, `current`, `skipped`, `failed`, `blocked` or `stopped`.
    pub outcome: String,
    /// Why.
    pub detail: String,
    /// Wall-clock seconds that its products took in the run that made them.
    pub seconds: f64,
    /// Files.
    pub products: Vec<String>,
}

/// What a step of the chain was done with: names, and the values that its tasks had.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stage {
    /// Step of the chain.
    pub name: String,
    /// Parameters, as in `jump.rejection_threshold`.
    pub parameters: Vec<(String, Vec<String>)>,
    /// Reference files and kernels.
    pub references: Vec<(String, Vec<String>)>,
}

/// Quality of an exposure's count rates.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exposure {
    /// File, relative to the directory.
    pub file: String,
    /// What it is: detector, band, dither and so on, named.
    pub facts: Vec<(String, String)>,
    /// Pixels of the detector.
    pub pixels: usize,
    /// Flags that occur: name, meaning, pixels.
    pub flags: Vec<(&'static str, &'static str, usize)>,
    /// Median of the finite rates without DO_NOT_USE, DN/s.
    pub median: Option<f64>,
    /// Share of saturated pixels when the first groups alone were used: their number, and the share.
    pub saturation: Vec<(usize, f64)>,
    /// Reference files that its header names.
    pub references: Vec<(String, String)>,
}

impl Exposure {
    /// Share of the pixels with a flag.
    #[must_use]
    pub fn share(&self, flag: &str) -> f64 {
        let of = self.flags.iter().find(|f| f.0 == flag);
        of.map_or(0.0, |f| f.2 as f64 / self.pixels.max(1) as f64)
    }
}

/// How a cube was pointed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pointing {
    /// File, relative to the directory.
    pub file: String,
    /// Values of the columns of [`tables::POINTING`], empty where the file has none.
    pub values: Vec<String>,
}

/// Where a picture's bytes are.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// In the page.
    Here(Vec<u8>),
    /// In a file beside the page, by its relative path.
    Linked(PathBuf),
}

/// A picture or a film.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Heading that it stands under.
    pub group: String,
    /// What it shows, in words.
    pub alt: String,
    /// File, relative to the directory.
    pub file: String,
    /// Media type, as in `image/png`.
    pub kind: &'static str,
    /// Its bytes.
    pub source: Source,
}

/// All that a page shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Name of the directory.
    pub root: String,
    /// Program and version.
    pub program: String,
    /// Arguments that it was started with.
    pub command: Option<String>,
    /// Tasks, in order.
    pub tasks: Vec<Task>,
    /// What the plan left out, and why.
    pub notes: Vec<String>,
    /// Exposures that could not be read, and why.
    pub unreadable: Vec<(String, String)>,
    /// Steps of the chain, in order.
    pub stages: Vec<Stage>,
    /// Exposures.
    pub exposures: Vec<Exposure>,
    /// Pointing of cubes.
    pub pointing: Vec<Pointing>,
    /// Pictures and films, in order.
    pub pictures: Vec<Picture>,
    /// Cubes to look at.
    pub cubes: Vec<Packed>,
    /// What the page does not hold, and why.
    pub remarks: Vec<String>,
}

const STYLE: &str = include_str!("style.css");
const VIEWER: &str = include_str!("viewer.js");
const CONTROLS: &str = include_str!("viewer.html");
/// Only what is in the page or beside it may be loaded, and nothing sent.
const POLICY: &str = "default-src 'none'; img-src data: 'self' file:; media-src data: 'self' file:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The page.
#[must_use]
pub fn html(report: &Report) -> String {
    let size: usize = report.cubes.iter().map(|c| c.data.len()).sum();
    let pictures = report.pictures.iter().map(|p| match &p.source {
        Source::Here(bytes) => bytes.len() / 3 * 4,
        Source::Linked(_) => 0,
    });
    let mut out = String::with_capacity(size + pictures.sum::<usize>() + (1 << 20));
    let title = text(&format!("{} – sifu report", report.root));
    out += "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
    out += &format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n",
        text(POLICY)
    );
    out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    out += "<meta name=\"color-scheme\" content=\"light dark\">\n";
    out += &format!("<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n");
    out += "<a class=\"jump\" href=\"#summary\">Skip to the summary</a>\n";
    out += &format!("<header>\n<h1>{}</h1>\n", text(&report.root));
    out += &format!("<p>Made by {}.</p>\n", text(&report.program));
    out += "<nav aria-label=\"Sections\"><ul>\n";
    for (id, name) in sections(report) {
        out += &format!("<li><a href=\"#{id}\">{name}</a></li>\n");
    }
    out += "</ul></nav>\n</header>\n<main>\n";
    tables::summary(report, &mut out);
    viewer(report, &mut out);
    figures(report, &mut out);
    tables::exposures(report, &mut out);
    tables::pointing(report, &mut out);
    tables::stages(report, &mut out);
    tables::tasks(report, &mut out);
    out += "</main>\n";
    if !report.pictures.is_empty() {
        out += "<dialog id=\"large\" aria-label=\"Picture in full size\"><form method=\"dialog\"><button>Close</button></form>\
<img alt=\"\" src=\"data:,\"></dialog>\n";
    }
    for (i, cube) in report.cubes.iter().enumerate() {
        out += &format!("<script type=\"text/plain\" id=\"cube-{i}\">");
        out += &cube.data;
        out += "</script>\n";
    }
    let maps: serde_json::Map<String, serde_json::Value> = colours::ALL
        .iter()
        .map(|m| {
            let rows = (0..256).map(|i| m.at(f64::from(i) / 255.0).0);
            let flat: Vec<u8> = rows.flat_map(|c| [c[0], c[1], c[2]]).collect();
            (m.name.to_owned(), flat.into())
        })
        .collect();
    let cubes: Vec<_> = report.cubes.iter().map(Packed::description).collect();
    let data = serde_json::json!({"cubes": cubes, "maps": maps});
    out += &format!(
        "<script type=\"application/json\" id=\"report-data\">{}</script>\n",
        json(&data)
    );
    out += &format!("<script>\n{VIEWER}</script>\n</body>\n</html>\n");
    out
}

/// Sections that the page has.
fn sections(report: &Report) -> Vec<(&'static str, &'static str)> {
    let all = [
        (true, "summary", "Summary"),
        (!report.cubes.is_empty(), "viewer", "Cubes"),
        (!report.pictures.is_empty(), "figures", "Figures"),
        (!report.exposures.is_empty(), "exposures", "Exposures"),
        (!report.pointing.is_empty(), "pointing", "Pointing"),
        (!report.stages.is_empty(), "parameters", "Parameters"),
        (true, "tasks", "Tasks"),
    ];
    all.into_iter()
        .filter(|s| s.0)
        .map(|s| (s.1, s.2))
        .collect()
}

fn viewer(report: &Report, out: &mut String) {
    if report.cubes.is_empty() {
        return;
    }
    let names: String = report
        .cubes
        .iter()
        .enumerate()
        .map(|(i, c)| format!("<option value=\"{i}\">{}</option>\n", text(&c.label)))
        .collect();
    *out += &CONTROLS.replacen("<!--cubes-->", &names, 1);
    for cube in report.cubes.iter().filter(|c| c.averaged > 1) {
        *out += &format!(
            "<p>{}: {} wavelengths averaged into one, to keep the page small.</p>\n",
            text(&cube.file),
            cube.averaged
        );
    }
    *out += "</section>\n";
}

fn figures(report: &Report, out: &mut String) {
    if report.pictures.is_empty() {
        return;
    }
    *out += "<section id=\"figures\" aria-labelledby=\"figures-title\">\n<h2 id=\"figures-title\">Figures</h2>\n";
    for (i, of) in report
        .pictures
        .chunk_by(|a, b| a.group == b.group)
        .enumerate()
    {
        let open = if i == 0 { " open" } else { "" };
        *out += &format!(
            "<details class=\"figures\"{open}>\n<summary><h3>{}</h3> ({})</summary>\n<div class=\"grid\">\n",
            text(&of[0].group),
            of.len()
        );
        for p in of {
            figure(p, out);
        }
        *out += "</div>\n</details>\n";
    }
    *out += "</section>\n";
}

fn figure(p: &Picture, out: &mut String) {
    let (alt, file) = (text(&p.alt), text(&p.file));
    let link = match &p.source {
        Source::Here(_) => None,
        Source::Linked(path) => Some(address(&path.to_string_lossy())),
    };
    *out += "<figure>\n";
    match &link {
        Some(link) if !p.kind.starts_with("image/") => {
            *out += &format!("<a href=\"{link}\">{alt}</a>\n");
        }
        _ => {
            *out += &format!(
                "<button type=\"button\" class=\"zoom\" aria-label=\"Enlarge: {alt}\"><img alt=\"{alt}\" loading=\"lazy\" decoding=\"async\" src=\""
            );
            match (&link, &p.source) {
                (Some(link), _) => *out += link,
                (None, Source::Here(bytes)) => {
                    *out += &format!("data:{};base64,", p.kind);
                    base64(bytes, out);
                }
                (None, Source::Linked(_)) => {}
            }
            *out += "\"></button>\n";
        }
    }
    *out += &format!("<figcaption>{alt}<br><code>{file}</code>");
    if let Some(link) = &link {
        *out += &format!(" (<a href=\"{link}\">in a file of its own</a>)");
    }
    *out += "</figcaption>\n</figure>\n";
}

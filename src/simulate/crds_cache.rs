//! Writes the rules and configuration of a CRDS cache: what a user has after a sync, only smaller.
//!
//! ```text
//! config/jwst/server_config            last known state of the server
//! mappings/jwst/jwst_7000.pmap         instrument to its context
//! mappings/jwst/jwst_miri_7000.imap    reference type to its rules, or N/A; one for each instrument
//! mappings/jwst/jwst_miri_*_7000.rmap  the rules of a type
//! references/jwst/miri/                the files
//! ```
//!
//! With this, `CRDS_PATH` alone is enough for the Python client too, and no server is asked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::store::crds::sha1;
use crate::{Error, Result};

/// Serial number of all mappings written here.
const SERIAL: &str = "7000";
/// The pipeline context written here.
pub const CONTEXT: &str = "jwst_7000.pmap";
/// The instruments of which a cache can be.
const INSTRUMENTS: [&str; 2] = ["MIRI", "NIRSPEC"];
/// When the files come into use.
pub const USEAFTER: &str = "2022-05-01 00:00:00";

/// Selection rules of one reference type.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Reference type in lower case.
    pub kind: String,
    /// Header keys that are matched.
    pub keys: Vec<&'static str>,
    /// Values to match, use-after date, file name.
    pub rows: Vec<(Vec<String>, String, String)>,
    /// `GENERIC` in a file stands for `N/A` in the rules of this key.
    pub generic: Option<&'static str>,
    /// `rmap_relevance` expression.
    pub relevance: Option<&'static str>,
}

/// Folder of an instrument's reference files in a cache.
pub fn reference_folder(root: &Path, instrument: &str) -> PathBuf {
    root.join("references/jwst")
        .join(instrument.to_ascii_lowercase())
}

/// A Python string literal; names and values here hold no quotes or backslashes, expressions hold double quotes.
fn quoted(text: &str) -> String {
    format!("'{text}'")
}

fn tuple<S: AsRef<str>>(items: &[S]) -> String {
    let inner: Vec<String> = items.iter().map(|s| quoted(s.as_ref())).collect();
    match inner.len() {
        1 => format!("({},)", inner[0]),
        _ => format!("({})", inner.join(", ")),
    }
}

/// A mapping: header entries (sorted by name) and body, signed with the checksum of everything but
/// the checksum's own line.
fn mapping(entries: &BTreeMap<&str, String>, body: &str) -> String {
    let text = |sum: &str| {
        let mut lines = vec!["header = {".to_owned()];
        for (key, value) in entries.iter().filter(|(k, _)| **k < "sha1sum") {
            lines.push(format!("    '{key}' : {value},"));
        }
        if !sum.is_empty() {
            lines.push(format!("    'sha1sum' : '{sum}',"));
        }
        for (key, value) in entries.iter().filter(|(k, _)| **k > "sha1sum") {
            lines.push(format!("    '{key}' : {value},"));
        }
        lines.push("}".into());
        format!("{}\n\n{body}", lines.join("\n"))
    };
    text(&sha1::hex_digest(text("").as_bytes()))
}

/// Text of the rules of one type.
fn rmap(instrument: &str, rules: &Rules) -> String {
    let mut entries = BTreeMap::new();
    entries.insert("classes", "('Match', 'UseAfter')".to_owned());
    entries.insert("derived_from", "'made by sifu simulate'".to_owned());
    entries.insert("filekind", quoted(&rules.kind.to_ascii_uppercase()));
    entries.insert("instrument", quoted(instrument));
    entries.insert("mapping", "'REFERENCE'".to_owned());
    entries.insert("name", quoted(&rmap_name(instrument, &rules.kind)));
    entries.insert("observatory", "'JWST'".to_owned());
    let times = "('META.OBSERVATION.DATE', 'META.OBSERVATION.TIME')";
    entries.insert("parkey", format!("({}, {times})", tuple(&rules.keys)));
    if let Some(key) = rules.generic {
        entries.insert(
            "substitutions",
            format!("{{{}: {{'GENERIC': 'N/A'}}}}", quoted(key)),
        );
    }
    if let Some(expression) = rules.relevance {
        entries.insert("rmap_relevance", quoted(expression));
    }
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (values, date, file) in &rules.rows {
        let rows = groups.entry(tuple(values)).or_default();
        rows.push(format!("        '{date}' : '{file}',\n"));
        rows.sort();
    }
    let mut body = String::from("selector = Match({\n");
    for (values, rows) in &groups {
        // the empty tuple matches everything
        body.push_str(&format!(
            "    {values} : UseAfter({{\n{}    }}),\n",
            rows.concat()
        ));
    }
    body.push_str("})\n");
    mapping(&entries, &body)
}

fn rmap_name(instrument: &str, kind: &str) -> String {
    format!(
        "jwst_{}_{kind}_{SERIAL}.rmap",
        instrument.to_ascii_lowercase()
    )
}

fn imap_name(instrument: &str) -> String {
    format!("jwst_{}_{SERIAL}.imap", instrument.to_ascii_lowercase())
}

fn selector(entries: &BTreeMap<String, String>) -> String {
    let rows: Vec<String> = entries
        .iter()
        .map(|(k, v)| format!("    '{k}' : '{v}',\n"))
        .collect();
    format!("selector = {{\n{}}}\n", rows.concat())
}

fn save(path: PathBuf, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    std::fs::write(&path, text).map_err(|e| Error::io(&path, e))
}

/// Writes all mappings and the configuration into a cache, for instruments (`MIRI`) with their rules. Types
/// without rules are `N/A`; other instruments that the cache has already stay in it.
///
/// # Errors
/// [`Error::Io`] where writing fails.
pub fn write(root: &Path, instruments: &[(&str, &[Rules])]) -> Result<()> {
    let mappings = root.join("mappings/jwst");
    let mut entries: BTreeMap<&str, String> = BTreeMap::new();
    entries.insert("derived_from", "'made by sifu simulate'".into());
    entries.insert("observatory", "'JWST'".into());
    for (instrument, rules) in instruments {
        let mut types: BTreeMap<String, String> = TYPES
            .split_whitespace()
            .map(|t| (t.to_owned(), "N/A".to_owned()))
            .collect();
        for step in PARAMETER_CLASSES.split_whitespace() {
            types.insert(format!("PARS-{step}"), "N/A".into());
        }
        for r in *rules {
            let name = rmap_name(instrument, &r.kind);
            save(mappings.join(&name), &rmap(instrument, r))?;
            types.insert(r.kind.to_ascii_uppercase(), name);
        }
        let imap = imap_name(instrument);
        entries.insert("mapping", "'INSTRUMENT'".into());
        entries.insert("instrument", quoted(instrument));
        entries.insert("name", quoted(&imap));
        entries.insert("parkey", "('REFTYPE',)".into());
        save(mappings.join(&imap), &mapping(&entries, &selector(&types)))?;
    }
    let here = |instrument: &&&str| mappings.join(imap_name(instrument)).exists();
    let contexts = INSTRUMENTS
        .iter()
        .filter(here)
        .map(|i| ((*i).to_owned(), imap_name(i)))
        .collect();
    entries.remove("instrument");
    entries.insert("mapping", "'PIPELINE'".into());
    entries.insert("name", quoted(CONTEXT));
    entries.insert("parkey", "('META.INSTRUMENT.NAME',)".into());
    save(
        mappings.join(CONTEXT),
        &mapping(&entries, &selector(&contexts)),
    )?;

    let config = root.join("config/jwst");
    save(config.join("server_config"), &server_config())?;
    save(config.join("bad_files.txt"), "")?;
    save(config.join("ref_cache_subdir_mode"), "instrument")
}

/// State of the server as a Python literal; every default is this cache's context.
fn server_config() -> String {
    let url = |kind: &str| {
        format!("{{'jwst': 'https://jwst-crds.stsci.edu/unchecked_get/{kind}/jwst/'}}")
    };
    let context = quoted(CONTEXT);
    let entries = [
        ("bad_files", "''".to_owned()),
        ("bad_files_list", "[]".to_owned()),
        ("context_names", format!("[{context}]")),
        ("crds_version", "{'str': '14.0.3'}".to_owned()),
        ("edit_context", context.clone()),
        ("force_remote_mode", "False".to_owned()),
        ("last_synced", "'2023-07-13 00:00:00'".to_owned()),
        ("latest_context", context.clone()),
        ("mapping_url", url("mappings")),
        ("observatory", "'jwst'".to_owned()),
        ("operational_context", context.clone()),
        ("reference_url", url("references")),
        ("versions_context", context),
    ];
    let rows: Vec<String> = entries.iter().map(|(k, v)| format!("'{k}': {v}")).collect();
    format!("{{{}}}", rows.join(",\n "))
}

/// Reference types that some step of the pipeline may ask for.
const TYPES: &str = "ABVEGAOFFSET ALIGN AMPLIFIER APCORR AREA BARSHADOW BKG CAMERA CHROMCORR COLLIMATOR CUBEPAR DARK DFLAT \
    DISPERSER DISTORTION DRIZPARS EMICORR EXTRACT1D FFLAT FILTEROFFSET FLAT FORE FPA FRINGE FRINGEFREQ GAIN IFUFORE IFUPOST \
    IFUSLICER IPC LASTFRAME LINEARITY MASK MRSPTCORR MRSXARTCORR MSA MSAOPER NRM OTE PASTASOSS PATHLOSS PERSAT PHOTOM \
    PICTUREFRAME PSF PSFMASK READNOISE REFPIX REGIONS RESET RESOL RSCD SATURATION SFLAT SIRSKERNEL SPECKERNEL SPECPROFILE \
    SPECWCS STRAYMASK SUPERBIAS THROUGHPUT TRAPDENSITY TRAPPARS TSOPHOT V2V3 WAVECORR WAVELENGTHRANGE WCSREGIONS";

/// Step and pipeline classes whose parameters CRDS may serve.
const PARAMETER_CLASSES: &str = "ADAPTIVETRACEMODELSTEP ALIGNREFSSTEP AMI3PIPELINE AMIANALYZESTEP AMIAVERAGESTEP \
    AMINORMALIZESTEP ASSIGNMTWCSSTEP ASSIGNWCSSTEP BACKGROUNDSTEP BADPIXSELFCALSTEP BARSHADOWSTEP \
    CHARGEMIGRATIONSTEP CLEANFLICKERNOISESTEP COMBINE1DSTEP CORON3PIPELINE CUBEBUILDSTEP CUBESKYMATCHSTEP \
    DARKCURRENTSTEP DARKPIPELINE DETECTOR1PIPELINE DQINITSTEP EMICORRSTEP EXTRACT1DSTEP EXTRACT2DSTEP \
    FIRSTFRAMESTEP FLATFIELDSTEP FRINGESTEP GAINSCALESTEP GROUPSCALESTEP GUIDERCDSSTEP GUIDERPIPELINE HLSPSTEP \
    IMAGE2PIPELINE IMAGE3PIPELINE IMPRINTSTEP IPCSTEP JUMPSTEP KLIPSTEP LASTFRAMESTEP LINEARITYSTEP LINEARPIPELINE \
    MASTERBACKGROUNDMOSSTEP MASTERBACKGROUNDNRSSLITSSTEP MASTERBACKGROUNDSTEP MRSIMATCHSTEP MSAFLAGOPENSTEP \
    OUTLIERDETECTIONSCALEDSTEP OUTLIERDETECTIONSTACKSTEP OUTLIERDETECTIONSTEP PATHLOSSSTEP PERSISTENCESTEP \
    PHOTOMSTEP PICTUREFRAMESTEP PIXELREPLACESTEP RAMPFITSTEP REFPIXSTEP RESAMPLESPECSTEP RESAMPLESTEP RESETSTEP \
    RESIDUALFRINGESTEP RSCDSTEP SATURATIONSTEP SKYMATCHSTEP SOURCECATALOGSTEP SOURCETYPESTEP SPEC2PIPELINE \
    SPEC3PIPELINE SPECTRALLEAKSTEP STACKREFSSTEP STRAYLIGHTSTEP SUBTRACTIMAGESSTEP SUPERBIASSTEP TARGCENTROIDSTEP \
    TSO3PIPELINE TSOPHOTOMETRYSTEP TWEAKREGSTEP UNDERSAMPLECORRECTIONSTEP WAVECORRSTEP WFSCOMBINESTEP \
    WFSSCONTAMSTEP WHITELIGHTSTEP";

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Rules {
        Rules {
            kind: "gain".into(),
            keys: vec!["META.INSTRUMENT.DETECTOR", "META.SUBARRAY.NAME"],
            rows: vec![
                (
                    vec!["MIRIFUSHORT".into(), "N/A".into()],
                    USEAFTER.into(),
                    "b.fits".into(),
                ),
                (
                    vec!["MIRIFUSHORT".into(), "N/A".into()],
                    "2021-01-01 00:00:00".into(),
                    "a.fits".into(),
                ),
            ],
            generic: Some("META.SUBARRAY.NAME"),
            relevance: None,
        }
    }

    #[test]
    fn rules_are_sorted_python_literals() {
        let text = rmap("MIRI", &example());
        assert!(text.contains(
            "    ('MIRIFUSHORT', 'N/A') : UseAfter({\n        '2021-01-01 00:00:00' : 'a.fits',\n"
        ));
        assert!(text.contains("'substitutions' : {'META.SUBARRAY.NAME': {'GENERIC': 'N/A'}},"));
        let unsigned: String = text
            .split_inclusive('\n')
            .filter(|l| !l.contains("sha1sum"))
            .collect();
        assert!(text.contains(&format!(
            "'sha1sum' : '{}'",
            sha1::hex_digest(unsigned.as_bytes())
        )));
        assert_eq!(tuple(&["A"]), "('A',)");
        assert_eq!(tuple::<&str>(&[]), "()");
    }

    #[test]
    fn a_second_instrument_joins_the_first() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[("NIRSPEC", &[example()])]).unwrap();
        let context = || {
            let path = folder.path().join("mappings/jwst").join(CONTEXT);
            std::fs::read_to_string(path).unwrap()
        };
        assert!(!context().contains("'MIRI'"));
        write(folder.path(), &[("MIRI", &[example()])]).unwrap();
        let both = context();
        assert!(both.contains("'NIRSPEC' : 'jwst_nirspec_7000.imap'"));
        assert!(both.contains("'MIRI' : 'jwst_miri_7000.imap'"));
        write(folder.path(), &[("NIRSPEC", &[example()])]).unwrap();
        assert_eq!(context(), both);
    }
}

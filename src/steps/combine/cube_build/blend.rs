//! Keywords of a product made of several exposures: what holds for all of them, and the table of their headers (`HDRTAB`).
//!
//! Which keyword is combined how, and which are in the table, is what calwebb's schemas of an IFU image say (jwst 3.0.0
//! `model_blender`, stdatamodels 4).

use crate::formats::fits::{Data, Hdu, TableBuilder, Value};
use crate::model::Meta;

/// How a keyword's values are combined. All others are the first exposure's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Least,
    Greatest,
    Mean,
    Sum,
    /// The common value, or `MULTIPLE`.
    Common,
    /// Whether a wheel was out of tolerance in any.
    Tolerance,
}

const RULES: &[(&str, Rule)] = &[
    ("DATE-OBS", Rule::Least),
    ("TIME-OBS", Rule::Least),
    ("DATE-BEG", Rule::Least),
    ("DATE-END", Rule::Greatest),
    ("DETECTOR", Rule::Common),
    ("MODULE", Rule::Common),
    ("FILTER", Rule::Common),
    ("FWPOSOFF", Rule::Greatest),
    ("FWPOSTOL", Rule::Tolerance),
    ("PWPOSOFF", Rule::Greatest),
    ("PWPOSTOL", Rule::Tolerance),
    ("GRATING", Rule::Common),
    ("BAND", Rule::Common),
    ("EXPSTART", Rule::Least),
    ("MJD-BEG", Rule::Least),
    ("EXPMID", Rule::Mean),
    ("MJD-AVG", Rule::Mean),
    ("EXPEND", Rule::Greatest),
    ("MJD-END", Rule::Greatest),
    ("TDB-BEG", Rule::Least),
    ("TDB-MID", Rule::Mean),
    ("TDB-END", Rule::Greatest),
    ("INTSTART", Rule::Least),
    ("INTEND", Rule::Greatest),
    ("EFFEXPTM", Rule::Sum),
    ("XPOSURE", Rule::Sum),
    ("TMEASURE", Rule::Sum),
    ("DURATION", Rule::Sum),
    ("TELAPSE", Rule::Sum),
];

/// Columns of the table, where any exposure has the keyword.
#[rustfmt::skip]
const COLUMNS: &[&str] = &[
    "DATE", "ORIGIN", "TIMESYS", "FILENAME", "SDP_VER", "PRD_VER", "OSS_VER", "GSC_VER", "CAL_VER",
    "CAL_VCS", "DATAMODL", "TELESCOP", "HGA_MOVE", "HGA_STRT", "HGA_STOP", "PWFSEET", "NWFSEST",
    "ASNPOOL", "ASNTABLE", "TITLE", "PI_NAME", "CATEGORY", "SUBCAT", "SCICAT", "CONT_ID",
    "DATE-OBS", "TIME-OBS", "DATE-BEG", "DATE-END", "OBS_ID", "VISIT_ID", "PROGRAM", "OBSERVTN",
    "VISIT", "VISITGRP", "SEQ_ID", "ACT_ID", "EXPOSURE", "BKGDTARG", "TEMPLATE", "OBSLABEL",
    "ENG_QUAL", "ENGQLPTG", "VISITYPE", "VSTSTART", "VISITSTA", "NEXPOSUR", "INTARGET", "TARGOOPP",
    "TSOVISIT", "EXP_ONLY", "TARGPROP", "TARGNAME", "TARGTYPE", "TARG_RA", "TARG_DEC", "TARGURA",
    "TARGUDEC", "MU_RA", "MU_DEC", "MU_EPOCH", "PROP_RA", "PROP_DEC", "SRCTYAPT", "INSTRUME",
    "DETECTOR", "MODULE", "CHANNEL", "FILTER", "FWPOSOFF", "FWPOSTOL", "PUPIL", "PILIN",
    "PWPOSOFF", "PWPOSTOL", "GRATING", "BAND", "FXD_SLIT", "FOCUSPOS", "PREIMAGE", "CCCSTATE",
    "CORONMSK", "MSASTATE", "MSAMETFL", "MSAMETID", "MSACONID", "LAMP", "OPMODE", "GWA_XTIL",
    "GWA_YTIL", "GWA_XP_V", "GWA_YP_V", "GWA_PXAV", "GWA_PYAV", "GWA_TILT", "FWCPOS", "PWCPOS",
    "EXPCOUNT", "EXPRIPAR", "EXP_TYPE", "EXPSTART", "MJD-BEG", "EXPMID", "MJD-AVG", "EXPEND",
    "MJD-END", "TDB-BEG", "TDB-MID", "TDB-END", "READPATT", "HYBRIDFF", "EXSEGNUM", "EXSEGTOT",
    "NOUTPUTS", "NINTS", "INTSTART", "INTEND", "NGROUPS", "NFRAMES", "MIRNGRPS", "MIRNFRMS",
    "FRMDIVSR", "GROUPGAP", "DRPFRMS1", "DRPFRMS3", "NSAMPLES", "TSAMPLE", "TFRAME", "TGROUP",
    "EFFINTTM", "EFFEXPTM", "XPOSURE", "TMEASURE", "DURATION", "TELAPSE", "NRSTSTRT", "NRESETS",
    "ZEROFRAM", "DATAPROB", "SCA_NUM", "DATAMODE", "NRS_NORM", "NRS_REF", "SCTARATE", "GAINFACT",
    "IS_IMPRT", "IS_PSF", "SELFREF", "SUBARRAY", "SUB_SHRT", "SUB_LONG", "SUBSTRT1", "SUBSTRT2",
    "SUBSIZE1", "SUBSIZE2", "FASTAXIS", "SLOWAXIS", "DETXCOR", "DETYCOR", "DETXSIZ", "DETYSIZ",
    "MSTR_RD1", "MSTR_SK1", "MSTR_RD2", "MSTR_SK2", "MSTR_RPT", "MSTR_ILV", "SSTR_STP", "SSTR_NST",
    "PATTTYPE", "PRIDTYPE", "PRIDTPTS", "PATT_NUM", "PATTSTRT", "NUMDTHPT", "PATTNPTS", "NRIMDTPT",
    "NOD_TYPE", "PATTSIZE", "SMGRDPAT", "SUBPXPTS", "SUBPXPAT", "SPEC_NUM", "SPECNSTP", "SPECSTEP",
    "SPCOFFST", "SPAT_NUM", "SPATNSTP", "SPATSTEP", "SPTOFFST", "XOFFSET", "YOFFSET", "REFFRAME",
    "EPH_TYPE", "EPH_TIME", "JWST_X", "JWST_Y", "JWST_Z", "OBSGEO-X", "OBSGEO-Y", "OBSGEO-Z",
    "JWST_DX", "JWST_DY", "JWST_DZ", "OBSGEODX", "OBSGEODY", "OBSGEODZ", "APERNAME", "PPS_APER",
    "PA_APER", "VA_RA", "VA_DEC", "VA_SCALE", "BARTDELT", "BSTRTIME", "BENDTIME", "BMIDTIME",
    "HELIDELT", "HSTRTIME", "HENDTIME", "HMIDTIME", "FAM_LA1", "FASTEP1", "FAUNIT1", "FAPHASE1",
    "FA1VALUE", "FAM_LA2", "FASTEP2", "FAUNIT2", "FAPHASE2", "FA2VALUE", "FAM_LA3", "FASTEP3",
    "FAUNIT3", "FAPHASE3", "FA3VALUE", "RMA_POS", "FCSRLPOS", "GS_ORDER", "GSSTRTTM", "GSENDTIM",
    "GDSTARID", "GS_RA", "GS_DEC", "GS_URA", "GS_UDEC", "GS_MAG", "GS_UMAG", "GS_V3_PA",
    "PCS_MODE", "VISITEND", "FGS_APER", "GSIDL_X", "GSIDL_Y", "GSACSTAT", "GSCENTX", "GSCENTY",
    "GS_EPOCH", "GS_MURA", "GS_MUDEC", "GS_PARA", "CRDS_VER", "CRDS_CTX", "R_AREA", "R_BKG",
    "R_MSAOPE", "R_BARSHA", "R_CAMERA", "R_CHRCOR", "R_COLLIM", "R_SIRSKL", "R_CUBPAR", "R_DARK",
    "R_DISPER", "R_DISTOR", "R_MIREMI", "R_EXTR1D", "R_FILOFF", "R_FLAT", "R_DFLAT", "R_FFLAT",
    "R_SFLAT", "R_FORE", "R_FPA", "R_FRINGE", "R_FRIFRQ", "R_GAIN", "R_IFUFOR", "R_IFUPOS",
    "R_IFUSLI", "R_IPC", "R_LASTFR", "R_LINEAR", "R_MASK", "R_MSA", "R_MRSXAR", "R_MRSPT", "R_NRM",
    "R_OTE", "R_PSTSOS", "R_PTHLOS", "R_PERSAT", "R_PHOTOM", "R_PSFMAS", "R_READNO", "R_REFPIX",
    "R_REGION", "R_RESAMP", "R_RESOL", "R_RESET", "R_RSCD", "R_SATURA", "R_SPKERN", "R_SPPROF",
    "R_SPTRAC", "R_SPCWCS", "R_STRAY", "R_SUPERB", "R_THRPUT", "R_TRPDEN", "R_TRPPAR", "R_TSPHOT",
    "R_V2V3", "R_WAVCOR", "R_WAVRAN", "R_WAVMAP", "S_TRCMOD", "S_PSFALI", "S_AMIANA", "S_AMINOR",
    "S_WCS", "S_MTWCS", "S_BKDSUB", "S_BPXSLF", "S_BARSHA", "S_CHGMIG", "S_CLNFNS", "S_COMB1D",
    "S_IFUCUB", "S_DARK", "S_DQINIT", "S_MIREMI", "S_TELEMI", "S_ERRINI", "S_EXTR1D", "S_EXTR2D",
    "S_FRSTFR", "S_FLAT", "S_FRINGE", "S_GANSCL", "S_GRPSCL", "S_GUICDS", "S_IMPRNT", "S_IPC",
    "S_JUMP", "S_KLIP", "S_LASTFR", "S_LINEAR", "S_MSBSUB", "S_MSAFLG", "S_OUTLIR", "S_PTHLOS",
    "S_PERSIS", "S_PHOTOM", "S_PCTFRM", "S_PXREPL", "S_RAMP", "S_REFPIX", "S_RESAMP", "S_RESFRI",
    "S_RESET", "S_RSCD", "S_SATURA", "S_SKYMAT", "S_SRCCAT", "S_SPLEAK", "S_SRCTYP", "S_PSFSTK",
    "S_STRAY", "S_SUPERB", "S_TACNTR", "S_TSPHOT", "S_TWKREG", "S_WAVCOR", "S_WFSCOM", "S_CONTAM",
    "S_WHTLIT", "BKGMETH", "BKGLEVEL", "BKGSUB", "BKGD_SCL", "BUNIT", "PHOTMJSR", "PHOTUJA2",
    "PIXAR_SR", "PIXAR_A2", "RADESYS", "RA_V1", "DEC_V1", "PA_V3", "WCSAXES", "CRPIX1", "CRPIX2",
    "CRPIX3", "CRVAL1", "CRVAL2", "CRVAL3", "CTYPE1", "CTYPE2", "CTYPE3", "CUNIT1", "CUNIT2",
    "CUNIT3", "CDELT1", "CDELT2", "CDELT3", "PC1_1", "PC1_2", "PC1_3", "PC2_1", "PC2_2", "PC2_3",
    "PC3_1", "PC3_2", "PC3_3", "CD1_1", "CD1_2", "CD2_1", "CD2_2", "S_REGION", "WAVSTART",
    "WAVEND", "DISPAXIS", "SPORDER", "V2_REF", "V3_REF", "VPARITY", "V3I_YANG", "RA_REF",
    "DEC_REF", "ROLL_REF",
];

const OUT_OF_TOLERANCE: &str = "outside calibration tolerance";
const WITHIN_TOLERANCE: &str = "within commanded tolerance";

impl Rule {
    /// The combined value; none where the values are not of a kind that can be combined.
    fn of(self, values: &[&Value]) -> Option<Value> {
        let first = *values.first()?;
        let numbers: Option<Vec<f64>> = values.iter().map(|v| v.as_f64()).collect();
        let whole = values.iter().all(|v| matches!(v, Value::Integer(_)));
        let sum = |n: &[f64]| crate::math::pairwise_sum::pairwise_sum(n);
        Some(match self {
            Self::Common if values.iter().all(|v| *v == first) => first.clone(),
            Self::Common => "MULTIPLE".into(),
            Self::Tolerance => {
                let out = values.iter().any(|v| v.as_str() == Some(OUT_OF_TOLERANCE));
                if out {
                    OUT_OF_TOLERANCE.into()
                } else {
                    WITHIN_TOLERANCE.into()
                }
            }
            Self::Mean => {
                let n = numbers?;
                (sum(&n) / n.len() as f64).into()
            }
            Self::Sum if whole => values.iter().filter_map(|v| v.as_i64()).sum::<i64>().into(),
            Self::Sum => sum(&numbers?).into(),
            Self::Least | Self::Greatest => {
                let above = |a: &Value, b: &Value| match (a.as_f64(), b.as_f64()) {
                    (Some(a), Some(b)) => a > b,
                    _ => a.as_str() > b.as_str(),
                };
                let best = values.iter().copied().reduce(|best, v| {
                    let better = match self {
                        Self::Least => above(best, v),
                        _ => above(v, best),
                    };
                    if better { v } else { best }
                });
                best?.clone()
            }
        })
    }
}

/// Puts the combined keywords of the exposures into headers that are those of the first.
pub fn blend(meta: &mut Meta, exposures: &[&Meta]) {
    for (keyword, rule) in RULES {
        let values: Vec<&Value> = exposures.iter().filter_map(|m| m.get(keyword)).collect();
        let Some(value) = rule.of(&values) else {
            continue;
        };
        let header = match meta.primary.get(keyword) {
            Some(_) => &mut meta.primary,
            None => &mut meta.sci,
        };
        if header.get(keyword).is_some() {
            header.set(keyword, value, "");
        }
    }
}

/// The table of the exposures' headers.
pub fn table(exposures: &[&Meta]) -> Hdu {
    let mut table = TableBuilder::new(exposures.len());
    for keyword in COLUMNS {
        let values: Vec<Option<&Value>> = exposures.iter().map(|m| m.get(keyword)).collect();
        let all: Vec<&Value> = values.iter().copied().flatten().collect();
        if all.is_empty() {
            continue;
        }
        let complete = all.len() == values.len();
        table = if all.iter().any(|v| v.as_str().is_some()) {
            // as numpy shows values of mixed kinds
            let text = |v: &Option<&Value>| v.map_or_else(|| "nan".to_owned(), Value::plain);
            let text: Vec<String> = values.iter().map(text).collect();
            let width = text.iter().map(String::len).max().unwrap_or(1).max(1);
            let text: Vec<&str> = text.iter().map(String::as_str).collect();
            table.text(keyword, width, &text)
        } else if complete && all.iter().all(|v| v.as_bool().is_some()) {
            let flags: Vec<bool> = all.iter().filter_map(|v| v.as_bool()).collect();
            table.logical(keyword, &flags)
        } else if complete && all.iter().all(|v| matches!(v, Value::Integer(_))) {
            let numbers: Vec<i64> = all.iter().filter_map(|v| v.as_i64()).collect();
            table.i64(keyword, &numbers)
        } else {
            let number = |v: &Option<&Value>| {
                let of_flag = |v: &Value| v.as_bool().map(|b| f64::from(u8::from(b)));
                v.and_then(|v| v.as_f64().or_else(|| of_flag(v)))
                    .unwrap_or(f64::NAN)
            };
            let numbers: Vec<f64> = values.iter().map(number).collect();
            table.f64(keyword, &numbers)
        };
    }
    let (header, table) = table.build("HDRTAB");
    Hdu {
        header,
        data: Data::Table(table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposure(begin: &str, mid: f64, time: f64, band: &str) -> Meta {
        let mut m = Meta::default();
        m.primary.set("DATE-BEG", begin, "");
        m.primary.set("DATE-END", begin, "");
        m.primary.set("EXPMID", mid, "");
        m.primary.set("EFFEXPTM", time, "");
        m.primary.set("BAND", band, "");
        m.primary.set("NINTS", 2_i64, "");
        m.primary.set("BKGDTARG", false, "");
        m
    }

    #[test]
    fn keywords_of_two_exposures() {
        let a = exposure("2025-01-02", 5.0, 33.25, "SHORT");
        let b = exposure("2025-01-01", 7.0, 33.25, "MEDIUM");
        let mut m = a.clone();
        blend(&mut m, &[&a, &b]);
        assert_eq!(m.str("DATE-BEG"), Some("2025-01-01"));
        assert_eq!(m.str("DATE-END"), Some("2025-01-02"));
        assert_eq!(m.f64("EXPMID"), Some(6.0));
        assert_eq!(m.f64("EFFEXPTM"), Some(66.5));
        assert_eq!(m.str("BAND"), Some("MULTIPLE"));
        assert_eq!(m.i64("NINTS"), Some(2));
        assert!(m.get("INTSTART").is_none());
    }

    #[test]
    fn a_table_of_headers() {
        let a = exposure("2025-01-02", 5.0, 33.25, "SHORT");
        let mut b = exposure("2025-01-01", 7.0, 33.25, "LONG");
        b.primary.remove("NINTS");
        let Data::Table(t) = table(&[&a, &b]).data else {
            panic!("no table");
        };
        assert_eq!(t.nrows, 2);
        assert_eq!(t.text("BAND", 1).as_deref(), Some("LONG"));
        assert_eq!(t.number("NINTS", 0), Some(2.0));
        assert!(t.number("NINTS", 1).is_some_and(f64::is_nan));
        assert!(t.column("TELESCOP").is_none());
    }
}

//! The primary header: program, target, instrument, exposure, dither, times.

use super::{Builder, FILE_DATE, correction};
use crate::formats::fits::Header;
use crate::model::irs2;
use crate::simulate::ephemeris::{Sight, TARGET};
use crate::simulate::pointing::Time;
use crate::simulate::visit::{Exposure, PROGRAM, Setup};

/// The primary header of an exposure.
pub fn primary<S: Setup>(e: &Exposure<S>) -> Header {
    let mut b = Builder(Header::new());
    b.put("DATE", FILE_DATE, "UTC date file created")
        .put(
            "ORIGIN",
            "STSCI",
            "Organization responsible for creating file",
        )
        .put(
            "TIMESYS",
            "UTC",
            "principal time system for time-related keywords",
        )
        .put(
            "TIMEUNIT",
            "s",
            "Default unit applicable to all time values",
        )
        .put(
            "FILENAME",
            format!("{}_uncal.fits", e.root()),
            "Name of the file",
        )
        .put("SDP_VER", "2025_1", "Data Processing (DP) Software Version")
        .put(
            "PRD_VER",
            "PRDOPSSOC-068",
            "S&OC Project Reference Database (PRD) Version",
        )
        .put(
            "OSS_VER",
            "8.4.12",
            "Observatory Scheduling Software (OSS) Version",
        )
        .put("DATAMODL", "Level1bModel", "Type of data model")
        .put("TELESCOP", "JWST", "Telescope used to acquire the data");
    observation(&mut b, e);
    visit_and_target(&mut b, e);
    exposure(&mut b, e);
    subarray_and_dither(&mut b, e);
    times(&mut b, e);
    b.0
}

fn observation<S: Setup>(b: &mut Builder, e: &Exposure<S>) {
    let [start, _, end] = e.times();
    let visit = format!("{PROGRAM}{}001", e.observation());
    let (group, activity) = e.setup.sequence();
    b.title("Program information")
        .put("TITLE", "Simulated planet (sifu)", "Proposal title")
        .put("PI_NAME", "Simulated", "Principal investigator name")
        .put("CATEGORY", "GTO", "Program category")
        .put("SUBCAT", "NONE", "Program sub-category")
        .put(
            "SCICAT",
            "Solar System",
            "Science category assigned during TAC process",
        )
        .put("CONT_ID", 0, "Continuation of previous program");
    b.title("Observation identifiers")
        .put(
            "DATE-OBS",
            start.date(),
            "[yyyy-mm-dd] UTC date at start of exposure",
        )
        .put(
            "TIME-OBS",
            start.clock(),
            "[hh:mm:ss.sss] UTC time at start of exposure",
        )
        .put("DATE-BEG", start.iso(), "Date-time start of exposure")
        .put("DATE-END", end.iso(), "Date-time end of exposure")
        .put(
            "OBS_ID",
            format!("V{visit}P000000000{group}1{activity}"),
            "Programmatic observation identifier",
        )
        .put("VISIT_ID", visit, "Visit identifier")
        .put("PROGRAM", PROGRAM, "Program number")
        .put("OBSERVTN", e.observation(), "Observation number")
        .put("VISIT", "001", "Visit number")
        .put("VISITGRP", group, "Visit group identifier")
        .put("SEQ_ID", "1", "Parallel sequence identifier")
        .put("ACT_ID", activity, "Activity identifier")
        .put(
            "EXPOSURE",
            (e.dither + 1).to_string(),
            "Exposure request number",
        )
        .put("BKGDTARG", e.background, "Background target")
        .put(
            "TEMPLATE",
            e.setup.names().template,
            "Observation template used",
        )
        .put(
            "OBSLABEL",
            if e.background { "background" } else { "planet" },
            "Proposer label for the observation",
        );
}

fn visit_and_target<S: Setup>(b: &mut Builder, e: &Exposure<S>) {
    let start = Time { dt: e.visit_start };
    b.title("Visit information")
        .put("ENG_QUAL", "OK", "Engineering DB quality indicator")
        .put(
            "ENGQLPTG",
            "CALCULATED_TRACK_TR_202111",
            "Quality of pointing information from EngDB",
        )
        .put("VISITYPE", "PRIME_TARGETED_MOVING", "Visit type")
        .put(
            "VSTSTART",
            format!("{} {}", start.date(), start.clock()),
            "UTC visit start time",
        )
        .put("VISITSTA", "SUCCESSFUL", "Status of a visit")
        .put(
            "NEXPOSUR",
            e.visit_exposures,
            "Total number of planned exposures in visit",
        )
        .put(
            "INTARGET",
            false,
            "At least one exposure in visit is internal",
        )
        .put(
            "TARGOOPP",
            false,
            "Visit scheduled as target of opportunity",
        )
        .put("TSOVISIT", false, "Time Series Observation visit indicator")
        .put("CROWDFLD", false, "Are the FGSes in a crowded field?");
    let sight = e.sight();
    let proposed = Sight::at(0.0).radec;
    let name = if e.background {
        format!("{TARGET}-BKG")
    } else {
        TARGET.to_owned()
    };
    b.title("Target information")
        .put("TARGPROP", name, "Proposer's name for the target")
        .put(
            "TARGNAME",
            TARGET,
            "Standard astronomical catalog name for target",
        )
        .put(
            "TARGTYPE",
            "MOVING",
            "Type of target (fixed, moving, generic)",
        )
        .put("TARGCAT", "Solar System", "Target category from APT")
        .put("TARGDESC", "Planet", "Target description from APT")
        .put(
            "TARG_RA",
            sight.radec.0,
            "[deg] Target RA at mid time of exposure",
        )
        .put(
            "TARG_DEC",
            sight.radec.1,
            "[deg] Target Dec at mid time of exposure",
        )
        .put("TARGURA", 0.1, "[arcsec] Target RA uncertainty")
        .put("TARGUDEC", 0.1, "[arcsec] Target Dec uncertainty")
        .put("MU_RA", 0.0, "[arcsec/yr] Target proper motion in RA")
        .put("MU_DEC", 0.0, "[arcsec/yr] Target proper motion in Dec")
        .put("MU_EPOCH", "2000.0", "Target proper motion epoch in UT")
        .put("PROP_RA", proposed.0, "[deg] Proposer's target RA")
        .put("PROP_DEC", proposed.1, "[deg] Proposer's target Dec")
        .put(
            "SRCTYAPT",
            "EXTENDED",
            "Source type from APT (point/extended)",
        );
}

fn exposure<S: Setup>(b: &mut Builder, e: &Exposure<S>) {
    let [start, mid, end] = e.times();
    let (readout, names) = (e.setup.readout(), e.setup.names());
    b.title("Instrument configuration information")
        .put(
            "INSTRUME",
            names.instrument,
            "Instrument used to acquire the data",
        )
        .put(
            "DETECTOR",
            e.setup.detector(),
            "Name of detector used to acquire the data",
        );
    e.setup.configuration(b);
    b.title("Exposure parameters")
        .put(
            "EXPCOUNT",
            e.dither + 1,
            "Running count of exposures in visit",
        )
        .put("EXPRIPAR", "PRIME", "Prime or parallel exposure")
        .put("EXP_TYPE", names.exposure, "Type of data in the exposure")
        .put("EXPSTART", start.mjd(), "[d] exposure start time in MJD")
        .put("EXPMID", mid.mjd(), "[d] exposure mid time in MJD")
        .put("EXPEND", end.mjd(), "[d] exposure end time in MJD")
        .put("READPATT", readout.name, "Readout pattern")
        .put("EXSEGNUM", 1, "Sequential segment number")
        .put("EXSEGTOT", 1, "Total number of segments")
        .put(
            "NOUTPUTS",
            4 + i64::from(readout.interleaved),
            "Number of detector outputs used",
        );
    if readout.interleaved {
        b.put(
            "NRS_NORM",
            irs2::NORMAL,
            "Number of normal pixels between reference pixels",
        )
        .put(
            "NRS_REF",
            irs2::REFERENCE,
            "Number of reference pixels in a set",
        );
    }
    b.put(
        "NINTS",
        e.integrations,
        "Number of integrations in exposure",
    )
    .put("INTSTART", 1, "Starting integration number in this segment")
    .put(
        "INTEND",
        e.integrations,
        "Ending integration number in this segment",
    )
    .put("NGROUPS", e.groups, "Number of groups in integration")
    .put("NFRAMES", readout.frames, "Number of frames per group")
    .put(
        "FRMDIVSR",
        readout.frames,
        "Divisor applied to frame-averaged groups",
    )
    .put("GROUPGAP", 0, "Number of frames dropped between groups")
    .put(
        "DRPFRMS1",
        0,
        "Number of frames dropped prior to 1st integration",
    )
    .put(
        "DRPFRMS3",
        0,
        "Number of frames dropped between integrations",
    )
    .put(
        "NSAMPLES",
        readout.samples,
        "Number of A/D samples per pixel",
    )
    .put("TSAMPLE", 10.0, "[us] Time between samples")
    .put("TFRAME", readout.frame_time(), "[s] Time between frames")
    .put("TGROUP", readout.group_time(), "[s] Time between groups")
    .put(
        "EFFINTTM",
        e.exposure_time() / e.integrations as f64,
        "[s] Effective integration time",
    )
    .put("EFFEXPTM", e.exposure_time(), "[s] Effective exposure time")
    .put("TMEASURE", e.exposure_time(), "[s] Measurement time")
    .put("DURATION", e.duration(), "[s] Total duration of exposure")
    .put(
        "NRSTSTRT",
        readout.resets,
        "Number of reset frames at start of exposure",
    )
    .put("NRESETS", 1, "Number of reset frames between integrations")
    .put("ZEROFRAM", false, "Zero frame was downlinked separately")
    .put("DATAPROB", false, "Science telemetry indicated a problem")
    .put("SCA_NUM", names.sca, "Sensor Chip Assembly number");
}

fn subarray_and_dither<S: Setup>(b: &mut Builder, e: &Exposure<S>) {
    let (names, (ny, nx)) = (e.setup.names(), e.setup.shape());
    b.title("Subarray parameters")
        .put("SUBARRAY", "FULL", "Subarray used")
        .put("SUBSTRT1", 1, "Starting pixel in axis 1 direction")
        .put("SUBSTRT2", 1, "Starting pixel in axis 2 direction")
        .put("SUBSIZE1", nx, "Number of pixels in axis 1 direction")
        .put("SUBSIZE2", ny, "Number of pixels in axis 2 direction")
        .put("FASTAXIS", names.axes.0, "Fast readout axis direction")
        .put("SLOWAXIS", names.axes.1, "Slow readout axis direction");
    let (x, y) = e.setup.dither(e.dither);
    let pattern = match e.dithers {
        1 => "NONE".to_owned(),
        n => format!("{n}-POINT"),
    };
    b.title("Dither information")
        .put("PATTTYPE", pattern, "Primary dither pattern type")
        .put(
            "PATT_NUM",
            e.dither + 1,
            "Position number within dither pattern",
        )
        .put("PATTSTRT", 1, "Starting point in pattern")
        .put(
            "NUMDTHPT",
            e.dithers,
            "Total number of points in dither pattern",
        )
        .put(
            "XOFFSET",
            x,
            "[arcsec] X offset in SI ideal coordinate frame",
        )
        .put(
            "YOFFSET",
            y,
            "[arcsec] Y offset in SI ideal coordinate frame",
        );
    e.setup.dithering(b);
    b.title("Aperture information")
        .put("APERNAME", names.aperture, "S&OC PRD science aperture used")
        .put(
            "PPS_APER",
            names.aperture,
            "original AperName supplied by PPS",
        );
}

fn times<S: Setup>(b: &mut Builder, e: &Exposure<S>) {
    let [start, mid, end] = e.times();
    let attitude = e.attitude();
    b.title("Velocity aberration correction information")
        .put(
            "VA_RA",
            attitude.va_reference.0,
            "[deg] Velocity aberrated apparent reference RA",
        )
        .put(
            "VA_DEC",
            attitude.va_reference.1,
            "[deg] Velocity aberrated apparent reference Dec",
        );
    let sight = Sight::at(start.dt);
    b.title("Time information");
    for (name, key, delay) in [
        (
            "Barycentric",
            "BAR",
            correction(sight.jwst.0, sight.apparent),
        ),
        (
            "Heliocentric",
            "HEL",
            correction(sight.jwst_helio, sight.apparent),
        ),
    ] {
        let (delta, letter) = if key == "BAR" {
            ("BARTDELT", "B")
        } else {
            ("HELIDELT", "H")
        };
        b.put(
            delta,
            delay,
            &format!("[s] {name} correction at exposure start"),
        );
        for (what, text, time) in [
            ("STR", "start", start),
            ("END", "end", end),
            ("MID", "mid", mid),
        ] {
            let moved = Time {
                dt: time.dt + delay,
            };
            b.put(
                &format!("{letter}{what}TIME"),
                moved.tdb(),
                &format!("[d] {name} exposure {text} time in MJD"),
            );
        }
    }
}

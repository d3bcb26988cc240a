//! What is read is what Python reads.

use md5::{Digest, Md5};
use sifu::Error;
use sifu::formats::asdf::{AsdfFile, NdArray, Node, StepPars, Storage, to_bytes};

use super::lines::{all_lines, hex};
use super::{golden, read, shared};

#[test]
fn small_files_read_as_in_python() {
    let mut files = 0;
    for entry in std::fs::read_dir(golden()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "asdf") {
            continue;
        }
        files += 1;
        let tree = AsdfFile::open(&path).unwrap().into_tree();
        let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap();
        let expected: Vec<&str> = expected.lines().collect();
        let found = all_lines(&tree);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{}", path.display());
        }
        assert_eq!(found.len(), expected.len(), "{}", path.display());

        // What we write of it reads as the same again.
        let again = read(&to_bytes(&tree).unwrap()).unwrap();
        // Ours comes first, names us as the library, and always has the tag of the root.
        let content = |tree: &Node| {
            let mut tree = tree.clone();
            tree.set("asdf_library", "not compared");
            let mut lines = all_lines(&tree);
            lines.retain(|l| !l.starts_with(' '));
            lines.sort_unstable();
            lines
        };
        assert_eq!(content(&again), content(&tree), "{}", path.display());
    }
    assert!(files >= 11, "{files} files");
}

#[test]
fn real_files_read_as_in_python() {
    let Some(shared) = shared() else { return };
    let list = std::fs::read_to_string(golden().join("real.txt")).unwrap();
    let (mut compared, mut absent, mut found) = (0, 0, None);
    for line in list.lines() {
        if let Some(sample) = line.strip_prefix("  ") {
            if let Some(found) = &found {
                let found: &Vec<String> = found;
                assert!(found.iter().any(|l| l == sample), "{sample}");
            }
            continue;
        }
        let [name, count, digest] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let path = shared.join(name);
        if !path.is_file() {
            absent += 1;
            found = None;
            continue;
        }
        let lines = all_lines(AsdfFile::open(&path).unwrap().tree());
        assert_eq!(lines.len().to_string(), count, "{name}");
        assert_eq!(hex(&Md5::digest(lines.join("\n"))), digest, "{name}");
        compared += 1;
        found = Some(lines);
    }
    assert!(compared + absent > 40);
    println!("{compared} real files agree, {absent} are not here");
}

#[test]
fn plain_scalars_have_the_types_of_pyyaml() {
    let list = std::fs::read_to_string(golden().join("scalars.txt")).unwrap();
    let mut n = 0;
    for line in list.lines() {
        // "text kind value"; no text has blanks.
        let (text, expected) = line.split_at(line.find(' ').unwrap());
        let flow = if text.contains(',') { "" } else { text };
        let file = format!("#ASDF 1.0.0\n%YAML 1.1\n---\na: [{flow}]\nb: {text}\n...\n");
        let tree = read(file.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
        for path in ["a.0", "b"]
            .into_iter()
            .filter(|p| *p == "b" || !flow.is_empty())
        {
            let found = all_lines(tree.get(path).unwrap());
            assert_eq!(found, [expected], "{text}");
        }
        n += 1;
    }
    assert!(n > 900, "{n} scalars");
}

#[test]
fn arrays_are_asked_for_by_type() {
    let file = AsdfFile::open(golden().join("arrays.asdf")).unwrap();
    let array = |name: &str| file.require_array(name).unwrap();
    assert_eq!(array("big").shape(), [2, 3, 4]);
    assert_eq!(
        array("big").to_vec::<u8>().unwrap(),
        (0..24).collect::<Vec<u8>>()
    );
    assert_eq!(
        array("view").to_vec::<f32>().unwrap()[..4],
        [1.0, 2.0, 3.0, 9.0]
    );
    assert_eq!(array("fortran").to_vec::<f64>().unwrap()[1], 1.0 / 9.0);
    assert_eq!(
        array("complex").to_vec::<[f64; 2]>().unwrap(),
        [[1.0, 2.0], [0.0, -0.5]]
    );
    assert_eq!(array("uint64").to_vec::<u64>().unwrap(), [u64::MAX, 0]);
    assert_eq!(
        array("rows")
            .field("alpha")
            .unwrap()
            .to_vec::<f64>()
            .unwrap()[5],
        5.0 / 3.0
    );
    assert_eq!(
        array("rows").field("name").unwrap().to_strings().unwrap(),
        ["a", "bc", "slice"]
    );
    assert!(array("rows").field("beta").is_none());
    // a member of the first axis shares the elements, also of a field with strides of its own
    let planes = NdArray::new(&[3, 2], &[1_i32, 2, 3, 4, 5, 6], Storage::Internal).unwrap();
    assert_eq!(planes.member(1).unwrap().to_vec::<i32>().unwrap(), [3, 4]);
    assert!(planes.member(3).is_none());
    let alpha = array("rows").field("alpha").unwrap();
    let all = alpha.to_vec::<f64>().unwrap();
    for (i, part) in all.chunks(all.len() / alpha.shape()[0]).enumerate() {
        assert_eq!(alpha.member(i).unwrap().to_vec::<f64>().unwrap(), part);
    }
    // What would lose its meaning is refused.
    for error in [
        array("uint64").to_vec::<i64>().unwrap_err(),
        array("fortran").to_vec::<i32>().unwrap_err(),
        array("complex").to_vec::<f64>().unwrap_err(),
        array("rows").to_vec::<f64>().unwrap_err(),
        array("text").to_vec::<f64>().unwrap_err(),
        file.require_array("nested").unwrap_err(),
        file.require_f64("meta.nothing").unwrap_err(),
    ] {
        assert!(matches!(error, Error::Format { .. }), "{error}");
        assert!(error.to_string().contains("arrays.asdf"), "{error}");
    }
}

#[test]
fn arrays_elsewhere_are_clear_errors() {
    let file = AsdfFile::open(golden().join("extension.asdf")).unwrap();
    let error = file
        .require_array("data")
        .unwrap()
        .to_vec::<f32>()
        .unwrap_err();
    assert!(
        error.to_string().contains("FITS extension SCI,1"),
        "{error}"
    );
    let exploded = "#ASDF 1.0.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n---\na: !core/ndarray-1.1.0\n  source: a0000.asdf\n  \
                    datatype: int8\n  byteorder: little\n  shape: [3]\n...\n";
    let tree = read(exploded.as_bytes()).unwrap();
    let error = tree
        .get("a")
        .unwrap()
        .as_array()
        .unwrap()
        .to_vec::<f32>()
        .unwrap_err();
    assert!(
        error.to_string().contains("another file (a0000.asdf)"),
        "{error}"
    );
}

#[test]
fn step_parameters_of_both_forms() {
    let step = StepPars::open(golden().join("pars_step.asdf")).unwrap();
    assert_eq!(step.class.as_deref(), Some("jwst.jump.jump_step.JumpStep"));
    assert_eq!(step.name, "jump");
    let keys: Vec<String> = step.parameters.iter().map(|(k, _)| k.to_string()).collect();
    assert_eq!(keys.len(), 3);
    assert_eq!(
        step.parameters
            .get("rejection_threshold")
            .and_then(Node::as_f64),
        Some(4.5)
    );
    assert_eq!(
        step.parameters.get("skip").and_then(Node::as_bool),
        Some(false)
    );
    assert!(step.parameters.get("x").is_some_and(Node::is_null));
    assert!(step.steps.is_empty());

    let pipe = StepPars::open(golden().join("pars_pipeline.asdf")).unwrap();
    assert_eq!(pipe.name, "calwebb_spec3");
    let weighting = pipe.step("cube_build").unwrap().parameters.get("weighting");
    assert_eq!(weighting.and_then(Node::as_str), Some("drizzle"));
    assert_eq!(pipe.step("jump"), Some(&step));

    let old = StepPars::open(golden().join("pars_old.asdf")).unwrap();
    assert_eq!(old.name, "calwebb_detector1");
    assert_eq!(old.parameters.len(), 1);
    assert_eq!(old.step("ramp_fit").unwrap().class, None);
    let threshold = old
        .step("jump")
        .unwrap()
        .parameters
        .get("rejection_threshold");
    assert_eq!(threshold.and_then(Node::as_f64), Some(5.0));

    let error = StepPars::open(golden().join("arrays.asdf")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("not a step parameter file: 'class' is not a string"),
        "{error}"
    );
}

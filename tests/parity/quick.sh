#!/usr/bin/env bash
# Simulates a small observation of each instrument, reduces it with the Python pipeline and with sifu, and compares every
# step and the products. Usage: quick.sh [path of sifu] (default target/release/sifu). Needs Python 3.11+.
set -euo pipefail
cd "$(dirname "$0")/../.."
sifu=$(realpath "${1:-target/release/sifu}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-cache-dir jwst==3.0.0 stcal==1.20.0 stdatamodels==6.0.0 crds==14.0.3
strun() {
    "$work/venv/bin/strun" "$@" >"$work/log" 2>&1 || { tail -20 "$work/log"; exit 1; }
}
"$sifu" -q simulate miri -o "$work/sim" --seed 5 --dithers 2 --detectors MIRIFULONG --groups 7 --ints 2

context=$(cd "$work/sim/crds/mappings/jwst" && ls ./*.pmap | head -1)
export CRDS_PATH="$work/sim/crds" CRDS_CONTEXT="${context#./}" OMP_NUM_THREADS=1
unset CRDS_SERVER_URL
# numpy's powers of float32 round otherwise with AVX-512; the last bit can decide which values a spectrum's
# sigma clipping takes (see sifu describe photom)
export NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
save=()
for step in group_scale dq_init emicorr saturation ipc firstframe lastframe reset linearity rscd dark_current \
    refpix charge_migration jump; do
    save+=("--steps.$step.save_results=true")
done
for file in "$work"/sim/stage0/*_uncal.fits; do
    strun calwebb_detector1 "$file" --output_dir="$work/python" "${save[@]}"
done
run=$work/run
mkdir -p "$run/stage1" "$run/stage3/combined"
cp "$work"/python/*_rate.fits "$run/stage1"
save=()
for step in assign_wcs srctype straylight flat_field fringe photom; do
    save+=("--steps.$step.save_results=true")
done
cd "$run"
for file in stage1/*_rate.fits; do
    asn=$(basename "${file%_rate.fits}")_spec2_asn.json
    "$sifu" asn --level 2 "$file" -o "$asn"
    strun calwebb_spec2 "$asn" --output_dir="$run/stage2" "${save[@]}"
done
"$sifu" asn stage2/*_cal.fits -o combined_spec3_asn.json
strun calwebb_spec3 combined_spec3_asn.json --output_dir="$run/stage3/combined"
cd - >/dev/null
"$work/venv/bin/python" tests/parity/spec.py --sifu "$sifu" --crds "$CRDS_PATH" --context "$CRDS_CONTEXT" --run "$run"
"$work/venv/bin/python" tests/parity/detector1.py --sifu "$sifu" --crds "$CRDS_PATH" --context "$CRDS_CONTEXT" \
    --data "$work/sim/stage0" --python "$work/python"
rm -rf "$work"/{sim,python,run}

# simulates one NIRSpec exposure of the prism, with these options, and compares its detector stage
nirspec() {
    rm -rf "$work"/{sim,python}
    "$sifu" -q simulate nirspec -o "$work/sim" --grating PRISM --dithers 1 --no-truth "$@"
    context=$(cd "$work/sim/crds/mappings/jwst" && ls ./*.pmap | head -1)
    export CRDS_CONTEXT="${context#./}"
    save=()
    for step in group_scale dq_init saturation ipc superbias refpix linearity dark_current charge_migration jump; do
        save+=("--steps.$step.save_results=true")
    done
    strun calwebb_detector1 "$work"/sim/stage0/*_uncal.fits --output_dir="$work/python" "${save[@]}"
    "$work/venv/bin/python" tests/parity/detector1.py --sifu "$sifu" --crds "$CRDS_PATH" --context "$CRDS_CONTEXT" \
        --data "$work/sim/stage0" --python "$work/python"
}

# NIRSpec: the detector stage in IRS2 readout, and one traditional exposure as far as its cube and spectrum
nirspec --seed 7 --groups 3 --readpatt NRSIRS2RAPID
nirspec --seed 6 --groups 4
run=$work/run
mkdir -p "$run/stage1" "$run/stage2"
cp "$work"/python/*_rate.fits "$run/stage1"
save=()
for step in assign_wcs msa_flagging srctype flat_field pathloss photom; do
    save+=("--steps.$step.save_results=true")
done
strun calwebb_spec2 "$run"/stage1/*_rate.fits --output_dir="$run/stage2" "${save[@]}"
"$work/venv/bin/python" tests/parity/spec.py --sifu "$sifu" --crds "$CRDS_PATH" --context "$CRDS_CONTEXT" --run "$run" --stages 2

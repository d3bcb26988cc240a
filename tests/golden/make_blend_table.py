"""Make src/model/blend/table.rs: which keywords go into HDRTAB and how combined products get them.

    python make_blend_table.py [FILE]        # default: src/model/blend/table.rs of this repository

Needs the Python pipeline, jwst 3.0.0 with stdatamodels 6.0. The schemas of the exposure model say for each
keyword whether it is a column of HDRTAB (`blend_table`) and by which rule the inputs' values are combined
(`blend_rule`; the first input's value where there is none). The schema of the cube model says the same.
"""

import sys
import warnings
from pathlib import Path

from jwst.model_blender._schemautil import parse_schema
from stdatamodels import schema
from stdatamodels.jwst import datamodels

RULES = {
    "multi": "Multiple", "mean": "Mean", "sum": "Sum", "max": "Largest", "min": "Smallest", "wheeltol": "WheelTolerance",
    "mintime": "Smallest", "mindate": "Smallest", "mindatetime": "Smallest",
    "maxtime": "Largest", "maxdate": "Largest", "maxdatetime": "Largest", "first": "First",
}  # fmt: skip

HEAD = """//! Keywords of exposures that combined products blend, in the order of the schemas of `stdatamodels` 6.0.
//!
//! Made by `tests/golden/make_blend_table.py`; not to be changed by hand.

use super::{Entry, Rule};

/// Every keyword that is a column of `HDRTAB` or has a rule.
#[rustfmt::skip]
pub(super) const TABLE: &[Entry] = &[
"""


def keywords(model):
    """Keyword and HDU of each attribute, in the schema's order."""
    found = {}

    def visit(part, path, _combiner, ctx, _recurse):
        if len(path) > 1 and path[0] == "meta" and "items" not in path and part.get("fits_keyword"):
            path = path[: min(path.index(c) if c in path else len(path) for c in ("anyOf", "oneOf"))]
            ctx.setdefault(".".join(path), (part["fits_keyword"], part.get("fits_hdu") or "PRIMARY"))

    schema.walk_schema(model.schema, visit, found)
    return found


def main():
    warnings.simplefilter("ignore")
    image, cube = datamodels.IFUImageModel(), datamodels.IFUCubeModel()
    columns, rules, lists = parse_schema(image.schema)
    assert (columns, rules, lists) == parse_schema(cube.schema), "the cube's schema has other rules"
    names = keywords(image)
    # blending leaves these to the product: its own name and its own WCS
    own = ("meta.wcs", "meta.filename", *lists)
    lines = []
    for attr, (keyword, hdu) in names.items():
        column = columns.get(attr)
        assert column in (None, keyword), f"{attr} is column {column}"
        rule = "First" if attr.startswith(own) else RULES[rules.get(attr, "first")]
        if column or rule != "First":
            assert hdu in ("PRIMARY", "SCI"), (attr, hdu)
            lines.append(f'    Entry {{ keyword: "{keyword}", primary: {str(hdu == "PRIMARY").lower()}, '
                         f'column: {str(bool(column)).lower()}, rule: Rule::{rule} }},\n')  # fmt: skip
    assert set(columns) | set(rules) <= set(names), "a blended attribute is no keyword"
    # the table of headers has its columns in the order of `columns`
    order = [a for a in names if a in columns]
    assert order == list(columns), "columns are in another order"
    default = Path(__file__).parents[2] / "src/model/blend/table.rs"
    Path(sys.argv[1] if len(sys.argv) > 1 else default).write_text(HEAD + "".join(lines) + "];\n")


if __name__ == "__main__":
    main()

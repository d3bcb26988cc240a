//! Gratings, the prism and slits.

use super::Read;
use super::regions::check_models;
use super::values::{axes, list, need, number, text};
use crate::formats::asdf::Node;
use crate::wcs::transform::{Condition, Kind, Prism, RotationToGwa, SlitStage, Slits, Transform};

/// The transform of one of these classes; none for another class.
pub(super) fn kind(node: &Node, class: &str) -> Read<Option<Kind>> {
    Ok(Some(match class {
        "coords" => match text(node, "model_type")? {
            "unitless2directional" | "to_dircos" => Kind::UnitlessToDirCos,
            "directional2unitless" | "from_dircos" => Kind::DirCosToUnitless,
            other => return Err(format!("model_type '{other}' is not known")),
        },
        "rotation_sequence" => {
            let (axes, angles) = (axes(text(node, "axes_order")?)?, list(node, "angles")?);
            let (n, m) = (angles.len(), axes.len());
            let rotation = RotationToGwa::new(axes, &angles);
            Kind::RotationToGwa(rotation.ok_or_else(|| format!("{n} angles for {m} axes"))?)
        }
        "grating_equation" => {
            // the older class of this name, of stdatamodels, takes other inputs
            if node.tag().contains("jwst_pipeline") {
                return Err("the older grating equation is not supported".into());
            }
            let (groove_density, order) = (number(node, "groove_density")?, number(node, "order")?);
            match text(node, "output")? {
                "wavelength" => Kind::GratingWavelength {
                    groove_density,
                    order,
                },
                "angle" => Kind::GratingAngles {
                    groove_density,
                    order,
                },
                other => return Err(format!("output '{other}' is not known")),
            }
        }
        "refraction_index_from_prism" => Kind::RefractionIndex(number(node, "prism_angle")?),
        "snell" => Kind::Snell(Prism {
            angle: number(node, "prism_angle")?,
            kcoef: some(node, "kcoef")?,
            lcoef: some(node, "lcoef")?,
            tcoef: some(node, "tcoef")?,
            ref_temp: number(node, "ref_temp")?,
            ref_pressure: number(node, "ref_pressure")?,
            temp: number(node, "temp")?,
        }),
        "logical" => {
            let name = text(node, "condition")?;
            Kind::Logical {
                condition: Condition::named(name)
                    .ok_or_else(|| format!("condition '{name}' is not known"))?,
                compareto: number(node, "compareto")?,
                value: number(node, "value")?,
            }
        }
        "gwa_to_slit" => slits(node, SlitStage::GwaToSlit)?,
        "slit_to_gwa" => slits(node, SlitStage::SlitToGwa)?,
        "slit_to_msa" => slits(node, SlitStage::SlitToMsa)?,
        "msa_to_slit" => slits(node, SlitStage::MsaToSlit)?,
        _ => return Ok(None),
    }))
}

/// So many numbers.
fn some<const N: usize>(node: &Node, key: &str) -> Read<[f64; N]> {
    let values = list(node, key)?;
    <[f64; N]>::try_from(values)
        .map_err(|v| format!("{key} has {} numbers instead of {N}", v.len()))
}

fn slits(node: &Node, stage: SlitStage) -> Read<Kind> {
    let names = need(node, "slits")?.as_sequence();
    let names: Option<Vec<i64>> = names.and_then(|n| n.iter().map(Node::as_i64).collect());
    let names =
        names.ok_or("slits that are not numbered, as those of the IFU are, are not supported")?;
    let models = need(node, "models")?.as_sequence();
    let models = models.ok_or("models is not a list")?;
    let models: Vec<Transform> = models
        .iter()
        .map(Transform::from_node)
        .collect::<Read<_>>()?;
    if names.len() != models.len() {
        return Err(format!("{} slits for {} models", names.len(), models.len()));
    }
    check_models(models.iter(), stage.n(), stage.n())?;
    Ok(Kind::Slits(Slits {
        stage,
        models: names.into_iter().zip(models).collect(),
    }))
}

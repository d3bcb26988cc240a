//! Polynomials, series and tables.

use super::Read;
use super::values::{entry, need, number, numbers, ranges, text};
use crate::formats::asdf::Node;
use crate::wcs::transform::orthopoly::Family;
use crate::wcs::transform::{Kind, Method, OrthoPolynomial, Polynomial1D, Polynomial2D, Tabular};

pub(super) fn polynomial(node: &Node) -> Read<Kind> {
    let (shape, coefficients) = numbers(need(node, "coefficients")?, "coefficients")?;
    let unit = [-1.0, 1.0];
    let of = |key| -> Read<Vec<[f64; 2]>> {
        let ranges = ranges(node, key, shape.len())?;
        Ok(ranges.into_iter().map(|r| r.unwrap_or(unit)).collect())
    };
    match shape.as_slice() {
        [n] if *n > 0 => Ok(Kind::Polynomial1D(Polynomial1D {
            coefficients,
            domain: of("domain")?[0],
            window: of("window")?[0],
        })),
        [n, m] if *n > 0 && n == m => {
            let (domain, window) = (of("domain")?, of("window")?);
            let (domain, window) = ([domain[0], domain[1]], [window[0], window[1]]);
            Polynomial2D::new(n - 1, &coefficients, domain, window)
                .map(Kind::Polynomial2D)
                .ok_or_else(|| "the coefficients do not fill their shape".into())
        }
        _ => Err(format!(
            "coefficients of the shape {shape:?} are not those of one or two variables"
        )),
    }
}

pub(super) fn ortho_polynomial(node: &Node) -> Read<Kind> {
    let family = match text(node, "polynomial_type")? {
        "chebyshev" => Family::Chebyshev,
        "legendre" => Family::Legendre,
        "hermite" => Family::Hermite,
        other => return Err(format!("polynomial_type '{other}' is not known")),
    };
    let (shape, coefficients) = numbers(need(node, "coefficients")?, "coefficients")?;
    let domains = ranges(node, "domain", shape.len())?;
    let windows = ranges(node, "window", shape.len())?;
    let maps = domains.into_iter().zip(windows);
    let maps = maps
        .map(|(domain, window)| Some((domain?, window.unwrap_or([-1.0, 1.0]))))
        .collect();
    OrthoPolynomial::new(family, &shape, &coefficients, maps)
        .map(Kind::OrthoPolynomial)
        .ok_or_else(|| format!("coefficients of the shape {shape:?} are not supported"))
}

pub(super) fn tabular(node: &Node) -> Read<Kind> {
    let (shape, values) = numbers(need(node, "lookup_table")?, "lookup_table")?;
    let points = need(node, "points")?.as_sequence();
    let points = points.ok_or("points is not a list of axes")?;
    let points = points
        .iter()
        .map(|p| numbers(p, "points").map(|(_, v)| v))
        .collect::<Read<Vec<_>>>()?;
    if points.iter().map(Vec::len).ne(shape.iter().copied()) {
        return Err("points and lookup_table differ in shape".into());
    }
    let method = match entry(node, "method").and_then(Node::as_str) {
        None | Some("linear") => Method::Linear,
        Some("nearest") => Method::Nearest,
        Some(other) => return Err(format!("interpolation '{other}' is not supported")),
    };
    let raises = entry(node, "bounds_error").and_then(Node::as_bool);
    let fill = match entry(node, "fill_value") {
        _ if raises == Some(true) => Some(f64::NAN),
        Some(_) => Some(number(node, "fill_value")?),
        None => None,
    };
    Tabular::new(points, values, method, fill)
        .map(Kind::Tabular)
        .ok_or_else(|| {
            "the table is not of one or two strictly monotonic axes of at least two points".into()
        })
}

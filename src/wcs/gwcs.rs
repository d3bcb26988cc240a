//! A gwcs object: frames and the transforms between them, read from and written to the tree of a product.

use super::frames::Frame;
use super::transform::{Kind, Transform};
use crate::formats::asdf::Node;
use crate::{Error, Result};

/// One frame and the transform to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Where the transform starts.
    pub frame: Frame,
    /// None in the last step.
    pub transform: Option<Transform>,
}

/// A pipeline of transforms from pixels to the world.
#[derive(Debug, Clone, PartialEq)]
pub struct Gwcs {
    steps: Vec<Step>,
}

impl Gwcs {
    /// A pipeline of at least two steps, each with a transform that takes what the one before gives, but the last.
    ///
    /// # Errors
    /// [`Error::Input`] where that is not so.
    pub fn new(steps: Vec<Step>) -> Result<Self> {
        let Some((last, transforms)) = steps.split_last() else {
            return Err(Error::input("a WCS without steps"));
        };
        let transforms: Option<Vec<&Transform>> =
            transforms.iter().map(|s| s.transform.as_ref()).collect();
        let fits = transforms.is_some_and(|t| {
            let joined = |w: &[&Transform]| w[0].n_outputs() == w[1].n_inputs();
            !t.is_empty() && t.windows(2).all(joined)
        });
        if !fits || last.transform.is_some() {
            return Err(Error::input(
                "the steps of the WCS do not lead from one frame to the next",
            ));
        }
        Ok(Self { steps })
    }

    /// Reads a node tagged `gwcs/wcs` (`meta.wcs` of a product's tree).
    ///
    /// # Errors
    /// [`Error::Input`] with what is wrong with it.
    pub fn from_node(node: &Node) -> Result<Self> {
        let fault = |e: String| Error::input(format!("its WCS (meta.wcs): {e}"));
        let steps = node.get("steps").and_then(Node::as_sequence);
        let steps = steps.ok_or_else(|| fault("there are no steps".into()))?;
        let read = |step: &Node| -> Result<Step, String> {
            let frame = step.get("frame").ok_or("a step has no frame")?;
            let transform = step.get("transform").filter(|n| !n.is_null());
            Ok(Step {
                frame: Frame::from_node(frame)?,
                transform: transform.map(Transform::from_node).transpose()?,
            })
        };
        let steps: Result<_, String> = steps.iter().map(read).collect();
        let mut steps: Vec<Step> = steps.map_err(fault)?;
        pass_number_on(&mut steps);
        Self::new(steps)
    }

    /// The node for `meta.wcs`.
    ///
    /// # Errors
    /// Those of making arrays.
    pub fn to_node(&self) -> Result<Node> {
        let steps = self.steps.iter().map(|s| {
            let mut node = Node::mapping();
            node.set("frame", s.frame.node.clone());
            let transform = s.transform.as_ref().map(Transform::to_node).transpose()?;
            node.set("transform", transform.unwrap_or_default());
            Ok(node.with_tag("tag:stsci.edu:gwcs/step-1.3.0"))
        });
        let mut node = Node::mapping();
        node.set("name", "");
        node.set("pixel_shape", Node::default());
        node.set("steps", steps.collect::<Result<Vec<_>>>()?);
        Ok(node.with_tag("tag:stsci.edu:gwcs/wcs-1.4.0"))
    }

    /// Frames and transforms.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    fn place(&self, frame: &str) -> Result<usize> {
        let at = self.steps.iter().position(|s| s.frame.name == frame);
        at.ok_or_else(|| {
            let names: Vec<_> = self.steps.iter().map(|s| s.frame.name.as_str()).collect();
            Error::input(format!(
                "the WCS has no frame '{frame}'; its frames are {}",
                names.join(", ")
            ))
        })
    }

    /// Number of pixel coordinates.
    pub fn n_inputs(&self) -> usize {
        self.transforms(0, 1).next().map_or(0, Transform::n_inputs)
    }
    /// Number of world coordinates.
    pub fn n_outputs(&self) -> usize {
        let n = self.steps.len();
        self.transforms(n - 2, n - 1)
            .next()
            .map_or(0, Transform::n_outputs)
    }

    fn transforms(&self, from: usize, to: usize) -> impl DoubleEndedIterator<Item = &Transform> {
        self.steps[from..to]
            .iter()
            .filter_map(|s| s.transform.as_ref())
    }

    /// Bounds of the pixel coordinates; pixels outside have no world coordinates.
    pub fn bounding_box(&self) -> Option<&[Option<(f64, f64)>]> {
        self.transforms(0, 1).next()?.bounding_box.as_deref()
    }

    /// Values in a later frame of points in an earlier one, or (by inverses) the reverse. Where the points are pixels,
    /// those out of the bounding box give NaN.
    ///
    /// # Errors
    /// [`Error::Input`] for a frame that is not there or a transform without inverse, [`Error::Parameter`] for
    /// columns that do not fit.
    pub fn between(&self, from: &str, to: &str, points: &[&[f64]]) -> Result<Vec<Vec<f64>>> {
        let (i, j) = (self.place(from)?, self.place(to)?);
        let mut values: Vec<Vec<f64>> = points.iter().map(|c| c.to_vec()).collect();
        let on = |t: &Transform, values: &[Vec<f64>]| {
            let columns: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
            t.evaluate(&columns)
        };
        if i <= j {
            for t in self.transforms(i, j) {
                values = on(t, &values)?;
            }
            if i == 0 && j > 0 {
                if let Some(bounds) = self.bounding_box() {
                    super::transform::blank_outside(bounds, points, &mut values);
                }
                let first = self.transforms(0, 1).next();
                if let Some(boxes) = first.and_then(|t| t.boxes.as_ref()) {
                    boxes.blank_outside(points, &mut values);
                }
            }
        } else {
            for t in self.transforms(j, i).rev() {
                values = on(&t.inverted()?, &values)?;
            }
        }
        Ok(values)
    }

    /// World coordinates of pixels.
    ///
    /// # Errors
    /// As [`Self::between`].
    pub fn forward(&self, pixels: &[&[f64]]) -> Result<Vec<Vec<f64>>> {
        self.between(self.first(), self.last(), pixels)
    }

    /// Pixels of world coordinates, NaN out of the bounding box.
    ///
    /// # Errors
    /// As [`Self::between`].
    pub fn backward(&self, world: &[&[f64]]) -> Result<Vec<Vec<f64>>> {
        let mut pixels = self.between(self.last(), self.first(), world)?;
        if let Some(bounds) = self.bounding_box() {
            for (column, bound) in pixels.iter_mut().zip(bounds) {
                let Some((low, high)) = bound else { continue };
                let outside = |x: &&mut f64| **x < *low || **x > *high;
                column
                    .iter_mut()
                    .filter(outside)
                    .for_each(|x| *x = f64::NAN);
            }
        }
        Ok(pixels)
    }

    /// Label of the region of one pixel; none where the WCS has no regions.
    ///
    /// # Errors
    /// [`Error::Parameter`] for columns that do not fit.
    pub fn label(&self, pixel: &[&[f64]]) -> Result<Option<f64>> {
        for step in &self.steps {
            let Some(Kind::RegionsSelector(regions)) = step.transform.as_ref().map(|t| &t.kind)
            else {
                continue;
            };
            let at = self.between(self.first(), &step.frame.name, pixel)?;
            let columns: Vec<&[f64]> = at.iter().map(Vec::as_slice).collect();
            let labels = regions.label_mapper.evaluate(&columns)?;
            return Ok(labels.into_iter().flatten().next());
        }
        Ok(None)
    }

    /// Name of the frame of pixels.
    pub fn first(&self) -> &str {
        &self.steps[0].frame.name
    }
    /// Name of the frame of world coordinates.
    pub fn last(&self) -> &str {
        &self.steps[self.steps.len() - 1].frame.name
    }

    /// The same with a further frame behind the last.
    #[must_use]
    pub fn extended(mut self, transform: Transform, frame: Frame) -> Self {
        if let Some(last) = self.steps.last_mut() {
            last.transform = Some(transform);
        }
        self.steps.push(Step {
            frame,
            transform: None,
        });
        self
    }
}

/// Lets the last transform pass on the number of the slice where only that is missing: calwebb's assign_mtwcs forgets it in
/// exposures of the NIRSpec IFU whose points carry it.
fn pass_number_on(steps: &mut [Step]) {
    let [.., before, last, _] = steps else {
        return;
    };
    let (Some(before), Some(last)) = (&before.transform, &mut last.transform) else {
        return;
    };
    let names = before.outputs.as_deref().filter(|names| {
        names.last().is_some_and(|n| n == "name") && names.len() == last.n_inputs() + 1
    });
    if let Some(names) = names.filter(|n| last.n_outputs() + 1 == n.len()) {
        *last = last.clone().beside(Transform::identity(1));
        (last.inputs, last.outputs) = (Some(names.to_vec()), Some(names.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(name: &str) -> Frame {
        Frame::plane(name, ["a", "b"], "arcsec")
    }

    fn simple() -> Gwcs {
        let mut first = Transform::shift(1.0).beside(Transform::scale(2.0));
        first.bounding_box = Some(vec![Some((-0.5, 9.5)), Some((-0.5, 4.5))]);
        let step = |frame, transform| Step { frame, transform };
        Gwcs::new(vec![
            step(plane("detector"), Some(first)),
            step(plane("middle"), Some(Transform::mapping(&[1, 0], 2))),
            step(plane("world"), None),
        ])
        .unwrap()
    }

    #[test]
    fn there_and_back_and_between() {
        let w = simple();
        let out = w.forward(&[&[3.0, 10.0], &[4.0, 4.0]]).unwrap();
        assert_eq!((out[0][0], out[1][0]), (8.0, 4.0));
        assert!(out[0][1].is_nan() && out[1][1].is_nan());
        let back = w.backward(&[&[8.0, 8.0], &[4.0, 40.0]]).unwrap();
        assert_eq!((back[0][0], back[1][0]), (3.0, 4.0));
        assert!(back[0][1].is_nan());
        let middle = w.between("world", "middle", &[&[8.0], &[4.0]]).unwrap();
        assert_eq!(middle, [[4.0], [8.0]]);
        let said = w.between("detector", "nowhere", &[]).unwrap_err();
        assert!(said.to_string().contains("detector, middle, world"));
        let more = w.extended(
            Transform::shift(1.0).beside(Transform::identity(1)),
            plane("moving_target"),
        );
        assert_eq!(more.forward(&[&[3.0], &[4.0]]).unwrap(), [[9.0], [4.0]]);
        assert_eq!(Gwcs::from_node(&more.to_node().unwrap()).unwrap(), more);
    }

    #[test]
    fn broken_pipelines_are_refused() {
        let w = simple();
        assert!(Gwcs::new(vec![]).is_err());
        assert!(Gwcs::new(w.steps()[2..].to_vec()).is_err());
        assert!(Gwcs::new(w.steps()[..2].to_vec()).is_err());
        let mut steps = w.steps().to_vec();
        steps[1].transform = Some(Transform::identity(3));
        assert!(Gwcs::new(steps).is_err());
        assert!(Gwcs::from_node(&Node::mapping()).is_err());
    }
}

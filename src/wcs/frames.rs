//! Coordinate frames of gwcs trees, as nodes: nothing is computed with them, but Python needs them.

use crate::formats::asdf::Node;

/// A coordinate frame: its name, and its node as it is (or will be) in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Name by which transforms are asked for.
    pub name: String,
    pub(super) node: Node,
}

fn unit(name: &str) -> Node {
    Node::from(name).with_tag("tag:stsci.edu:asdf/unit/unit-1.0.0")
}

fn list<T: Into<Node>>(items: impl IntoIterator<Item = T>) -> Vec<Node> {
    items.into_iter().map(Into::into).collect()
}

fn frame(class: &str, name: &str, axes: &[&str], order: &[usize], physical: &[&str]) -> Node {
    let mut node = Node::mapping();
    node.set("name", name);
    node.set("axes_names", list(axes.iter().copied()));
    node.set("axes_order", list(order.iter().copied()));
    node.set("axis_physical_types", list(physical.iter().copied()));
    node.with_tag(format!("tag:stsci.edu:gwcs/{class}"))
}

impl Frame {
    /// A frame of a node that has a name.
    ///
    /// # Errors
    /// In words, where there is none.
    pub(super) fn from_node(node: &Node) -> Result<Self, String> {
        let name = match node.as_str() {
            Some(name) => Some(name),
            None => node.get("name").and_then(Node::as_str),
        };
        Ok(Self {
            name: name.ok_or("a coordinate frame has no name")?.into(),
            node: node.clone(),
        })
    }

    fn new(name: &str, node: Node) -> Self {
        Self {
            name: name.into(),
            node,
        }
    }

    /// A plane of two axes in one unit.
    pub fn plane(name: &str, axes: [&str; 2], of: &str) -> Self {
        let physical = axes.map(|a| format!("custom:{a}"));
        let physical = [physical[0].as_str(), physical[1].as_str()];
        let mut node = frame("frame2d-1.2.0", name, &axes, &[0, 1], &physical);
        node.set("unit", vec![unit(of), unit(of)]);
        Self::new(name, node)
    }

    /// A third axis of wavelength in microns.
    pub fn wavelength(name: &str) -> Self {
        Self::spectral(name, "lambda")
    }

    /// The same with a name for the axis.
    pub fn spectral(name: &str, axis: &str) -> Self {
        let mut node = frame("spectral_frame-1.2.0", name, &[axis], &[2], &["em.wl"]);
        node.set("unit", vec![unit("um")]);
        Self::new(name, node)
    }

    /// Voxels of a cube.
    pub fn voxels(name: &str) -> Self {
        let types = ["SPATIAL", "SPATIAL", "SPECTRAL"];
        let physical = types.map(|t| format!("custom:{t}"));
        let physical: Vec<&str> = physical.iter().map(String::as_str).collect();
        let mut node = frame("frame-1.2.0", name, &["x", "y", "z"], &[0, 1, 2], &physical);
        node.set("naxes", 3usize);
        node.set("axes_type", list(types));
        node.set("unit", vec![unit("pixel"), unit("pixel"), unit("pixel")]);
        Self::new(name, node)
    }

    /// The sky in ICRS, degrees.
    pub fn icrs() -> Self {
        Self::sky("icrs", ["RA", "DEC"])
    }

    /// The same with names for frame and axes.
    pub fn sky(name: &str, axes: [&str; 2]) -> Self {
        let physical = ["pos.eq.ra", "pos.eq.dec"];
        let mut node = frame("celestial_frame-1.2.0", name, &axes, &[0, 1], &physical);
        node.set("unit", vec![unit("deg"), unit("deg")]);
        let mut icrs = Node::mapping();
        icrs.set("frame_attributes", Node::mapping());
        let tag = "tag:astropy.org:astropy/coordinates/frames/icrs-1.1.0";
        node.set("reference_frame", icrs.with_tag(tag));
        Self::new(name, node)
    }

    /// Several frames as one.
    pub fn composite(name: &str, frames: impl IntoIterator<Item = Self>) -> Self {
        let mut node = Node::mapping();
        node.set("name", name);
        let frames: Vec<Node> = frames.into_iter().map(|f| f.node).collect();
        node.set("frames", frames);
        Self::new(
            name,
            node.with_tag("tag:stsci.edu:gwcs/composite_frame-1.0.0"),
        )
    }

    /// The same frame under another name.
    #[must_use]
    pub fn renamed(&self, name: &str) -> Self {
        let mut frame = self.clone();
        frame.name = name.into();
        frame.node.set("name", name);
        frame
    }
}

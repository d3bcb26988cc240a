//! The tree: what a node is and how to ask it for a value.

use super::array::NdArray;

/// One node of an ASDF tree: a value and, for tagged objects, its tag in full.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Node {
    /// Full tag URI (`tag:stsci.edu:asdf/unit/unit-1.0.0`); none for plain YAML values.
    pub tag: Option<String>,
    pub value: Value,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    /// Integers of YAML have no width; what does not fit is refused on reading.
    Int(i128),
    Float(f64),
    String(String),
    /// A plain date or date and time (`2024-01-31 12:00:00`), as it is written.
    Timestamp(String),
    Sequence(Vec<Node>),
    Mapping(Mapping),
    Array(NdArray),
}

/// A key of a mapping; ASDF allows these three kinds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    String(String),
    Int(i128),
    Bool(bool),
}

/// Keys and values, in the order of the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mapping {
    entries: Vec<(Key, Node)>,
}

impl Mapping {
    /// A mapping of these entries, whose keys the caller knows to differ.
    pub(super) fn from_unique(entries: Vec<(Key, Node)>) -> Self {
        Self { entries }
    }

    /// The entries, to keep.
    pub(super) fn into_entries(self) -> Vec<(Key, Node)> {
        self.entries
    }

    /// An empty mapping.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a string key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries
            .iter()
            .find(|(k, _)| matches!(k, Key::String(s) if s == key))
            .map(|(_, v)| v)
    }

    /// The value of a string key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries
            .iter_mut()
            .find(|(k, _)| matches!(k, Key::String(s) if s == key))
            .map(|(_, v)| v)
    }

    /// The value of a key of any kind.
    pub fn get_key(&self, key: &Key) -> Option<&Node> {
        self.entries.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// Sets a value; a known key keeps its place. Returns what was there.
    pub fn insert(&mut self, key: impl Into<Key>, value: impl Into<Node>) -> Option<Node> {
        let (key, value) = (key.into(), value.into());
        match self.entries.iter_mut().find(|(k, _)| *k == key) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None => {
                self.entries.push((key, value));
                None
            }
        }
    }

    /// Takes a string key out.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        let at = self
            .entries
            .iter()
            .position(|(k, _)| matches!(k, Key::String(s) if s == key))?;
        Some(self.entries.remove(at).1)
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &Node)> {
        self.entries.iter().map(|(k, v)| (k, v))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<K: Into<Key>, V: Into<Node>> FromIterator<(K, V)> for Mapping {
    /// Later values of the same key win.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(iter: I) -> Self {
        let mut mapping = Self::new();
        for (key, value) in iter {
            mapping.insert(key, value);
        }
        mapping
    }
}

impl From<&str> for Key {
    fn from(key: &str) -> Self {
        Self::String(key.into())
    }
}

impl From<String> for Key {
    fn from(key: String) -> Self {
        Self::String(key)
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::String(s) => f.write_str(s),
            Self::Int(i) => write!(f, "{i}"),
            Self::Bool(b) => write!(f, "{b}"),
        }
    }
}

impl Node {
    /// An empty mapping.
    pub fn mapping() -> Self {
        Mapping::new().into()
    }

    /// The same node with a tag.
    #[must_use]
    pub fn with_tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// The node at a dotted path: keys of mappings, indices of sequences
    /// (`meta.instrument.name`, `steps.0.class`). The empty path is the node itself.
    pub fn get(&self, path: &str) -> Option<&Node> {
        path.split('.')
            .filter(|p| !p.is_empty())
            .try_fold(self, |node, part| node.child(part))
    }

    /// The value of one key (which may contain dots) or the element of one index.
    pub fn child(&self, part: &str) -> Option<&Node> {
        match &self.value {
            Value::Mapping(m) => m.get(part).or_else(|| {
                let key = part.parse().ok().map(Key::Int)?;
                m.get_key(&key)
            }),
            Value::Sequence(s) => s.get(part.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// Sets the node at a dotted path of keys and makes the mappings on the way; what stands there
    /// and is no mapping is replaced by one.
    pub fn set(&mut self, path: &str, value: impl Into<Node>) {
        let parts: Vec<&str> = path.split('.').filter(|p| !p.is_empty()).collect();
        self.set_at(&parts, value.into());
    }

    fn set_at(&mut self, path: &[&str], value: Node) {
        let Some((first, rest)) = path.split_first() else {
            *self = value;
            return;
        };
        let mut map = match std::mem::take(&mut self.value) {
            Value::Mapping(map) => map,
            _ => Mapping::new(),
        };
        match map.get_mut(first) {
            Some(child) => child.set_at(rest, value),
            None => {
                let mut child = Node::default();
                child.set_at(rest, value);
                map.insert(*first, child);
            }
        }
        self.value = Value::Mapping(map);
    }

    /// Follows a `$ref` to another place of the same tree (`{$ref: '#/meta/x'}`); any other node
    /// is its own answer. None if the target is in another file or does not exist.
    pub fn dereference<'a>(&'a self, node: &'a Node) -> Option<&'a Node> {
        let Some(target) = node.child("$ref") else {
            return Some(node);
        };
        let pointer = target.as_str()?.strip_prefix('#')?;
        pointer.split('/').skip(1).try_fold(self, |n, part| {
            n.child(&part.replace("~1", "/").replace("~0", "~"))
        })
    }

    /// The full tag, or "" for a plain node.
    pub fn tag(&self) -> &str {
        self.tag.as_deref().unwrap_or("")
    }

    /// Whether the tag is this one in any version: `has_tag("transform/polynomial")` holds for
    /// `tag:stsci.edu:asdf/transform/polynomial-1.2.0`.
    pub fn has_tag(&self, name: &str) -> bool {
        let Some(tag) = &self.tag else { return false };
        let unversioned = match tag.rsplit_once('-') {
            Some((stem, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => stem,
            _ => tag,
        };
        unversioned
            .strip_suffix(name)
            .is_some_and(|head| head.is_empty() || head.ends_with(['/', ':']))
    }

    /// Whether there is nothing here (`null`, `~`).
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// A boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// An integer that fits 64 bits.
    pub fn as_i64(&self) -> Option<i64> {
        match self.value {
            Value::Int(i) => i64::try_from(i).ok(),
            _ => None,
        }
    }

    /// A number, integers included (rounded to nearest where they have more than 53 bits).
    pub fn as_f64(&self) -> Option<f64> {
        match self.value {
            Value::Float(x) => Some(x),
            Value::Int(i) => Some(i as f64),
            _ => None,
        }
    }

    /// A string, or a timestamp as it is written.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(s) | Value::Timestamp(s) => Some(s),
            _ => None,
        }
    }

    /// The elements of a sequence.
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Sequence(s) => Some(s),
            _ => None,
        }
    }

    /// The entries of a mapping.
    pub fn as_mapping(&self) -> Option<&Mapping> {
        match &self.value {
            Value::Mapping(m) => Some(m),
            _ => None,
        }
    }

    /// An array (a node tagged `core/ndarray`; a plain list of numbers is a sequence).
    pub fn as_array(&self) -> Option<&NdArray> {
        match &self.value {
            Value::Array(a) => Some(a),
            _ => None,
        }
    }

    /// What this is, in words, for messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a float",
            Value::String(_) => "a string",
            Value::Timestamp(_) => "a date",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
            Value::Array(_) => "an array",
        }
    }
}

impl Node {
    /// Whether another node says the same: as `==`, but what is not a number equals itself.
    pub fn is_same(&self, other: &Self) -> bool {
        if self.tag != other.tag {
            return false;
        }
        match (&self.value, &other.value) {
            (Value::Float(a), Value::Float(b)) => a == b || a.is_nan() && b.is_nan(),
            (Value::Sequence(a), Value::Sequence(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_same(b))
            }
            (Value::Mapping(a), Value::Mapping(b)) => {
                let same =
                    |((k, a), (l, b)): ((&Key, &Node), (&Key, &Node))| k == l && a.is_same(b);
                a.len() == b.len() && a.iter().zip(b.iter()).all(same)
            }
            (a, b) => a == b,
        }
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        Self { tag: None, value }
    }
}

macro_rules! node_from {
    ($($from:ty => |$x:ident| $value:expr),+ $(,)?) => {$(
        impl From<$from> for Node {
            fn from($x: $from) -> Self {
                Self { tag: None, value: $value }
            }
        }
    )+};
}

node_from! {
    bool => |x| Value::Bool(x),
    i32 => |x| Value::Int(x.into()),
    u32 => |x| Value::Int(x.into()),
    i64 => |x| Value::Int(x.into()),
    u64 => |x| Value::Int(x.into()),
    usize => |x| Value::Int(x as i128),
    f64 => |x| Value::Float(x),
    &str => |x| Value::String(x.into()),
    String => |x| Value::String(x),
    Vec<Node> => |x| Value::Sequence(x),
    Mapping => |x| Value::Mapping(x),
    NdArray => |x| Value::Array(x),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_a_number_is_the_same_as_itself() {
        let node = |x: f64, y: f64| {
            let mut node = Node::mapping();
            node.set("a", Node::from(vec![Node::from(x), Node::from("t")]));
            node.set("b", y);
            node
        };
        let with = node(f64::NAN, 1.0);
        assert!(with != node(f64::NAN, 1.0));
        assert!(with.is_same(&node(f64::NAN, 1.0)));
        assert!(!with.is_same(&node(f64::NAN, 2.0)) && !with.is_same(&node(1.0, 1.0)));
    }

    #[test]
    fn paths_reach_keys_and_indices() {
        let mut tree = Node::mapping();
        tree.set("meta.instrument.name", "MIRI");
        tree.set("steps", vec![Node::from(1.5), Node::from(2_i64)]);
        assert_eq!(
            tree.get("meta.instrument.name").and_then(Node::as_str),
            Some("MIRI")
        );
        assert_eq!(tree.get("steps.1").and_then(Node::as_f64), Some(2.0));
        assert_eq!(tree.get("steps.2"), None);
        assert_eq!(tree.get("meta.instrument.name.x"), None);
        assert_eq!(tree.get(""), Some(&tree));
        tree.set("meta.instrument.name", "NIRSPEC");
        assert_eq!(
            tree.get("meta.instrument.name").and_then(Node::as_str),
            Some("NIRSPEC")
        );
    }

    #[test]
    fn integer_keys_are_found_by_path() {
        let m = Mapping::from_unique(vec![(Key::Int(7), "seven".into())]);
        assert_eq!(Node::from(m).get("7").and_then(Node::as_str), Some("seven"));
    }

    #[test]
    fn tags_compare_without_version() {
        let n = Node::mapping().with_tag("tag:stsci.edu:asdf/transform/polynomial-1.2.0");
        assert!(n.has_tag("transform/polynomial"));
        assert!(n.has_tag("polynomial"));
        assert!(!n.has_tag("nomial"));
        assert!(!n.has_tag("transform/shift"));
        assert!(!Node::mapping().has_tag("polynomial"));
    }

    #[test]
    fn references_inside_the_tree_are_followed() {
        let mut tree = Node::mapping();
        tree.set("a.b", 3_i64);
        let mut reference = Node::mapping();
        reference.set("$ref", "#/a/b");
        assert_eq!(tree.dereference(&reference).and_then(Node::as_i64), Some(3));
        reference.set("$ref", "other.asdf#/a/b");
        assert_eq!(tree.dereference(&reference), None);
    }
}

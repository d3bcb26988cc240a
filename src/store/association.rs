//! Level-2 and level-3 associations: which exposures belong to a product, as JSON files of calwebb's form.
//!
//! Written as jwst 3.0.0 `asn_from_list` writes them. Nothing here opens the members.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::formats::write_whole;
use crate::{Error, Result};

/// One file of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The file as the association names it.
    pub expname: String,
    /// What it is for, in lower case: `science`, `background`, `selfcal`, `imprint`.
    pub exptype: String,
}

/// What is made of some files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its name, which may lie in a folder.
    pub name: String,
    /// Its files.
    pub members: Vec<Member>,
}

impl Product {
    /// What the names of output files begin with.
    pub fn stem(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }
}

/// Which pipeline an association is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// calwebb_spec2: each product is one exposure.
    Two,
    /// calwebb_spec3: a product combines exposures.
    Three,
}

/// A table of products.
#[derive(Debug, Clone, PartialEq)]
pub struct Association {
    /// The file it was read from.
    pub path: Option<PathBuf>,
    /// `asn_id`, as in `a3001`.
    pub id: String,
    /// `asn_pool`.
    pub pool: String,
    /// Products.
    pub products: Vec<Product>,
    /// All other entries, as read.
    other: Map<String, Value>,
}

impl Association {
    /// An association of files, all for science, that the user made: level 2 with one product a file, named as the file
    /// without its suffix, level 3 with one product of all files.
    pub fn from_list(level: Level, files: &[String], product: &str) -> Self {
        let science = |expname: &String| Member {
            expname: expname.clone(),
            exptype: "science".into(),
        };
        let products = match level {
            Level::Two => files
                .iter()
                .map(|f| Product {
                    name: root(f),
                    members: vec![science(f)],
                })
                .collect(),
            Level::Three => vec![Product {
                name: product.to_owned(),
                members: files.iter().map(science).collect(),
            }],
        };
        let mut other = Map::new();
        for (key, value) in [
            ("asn_type", json!("None")),
            (
                "asn_rule",
                json!(match level {
                    Level::Two => "DMSLevel2bBase",
                    Level::Three => "DMS_Level3_Base",
                }),
            ),
            ("version_id", Value::Null),
            ("code_version", json!(crate::CALWEBB)),
            (
                "degraded_status",
                json!("No known degraded exposures in association."),
            ),
            ("program", json!("noprogram")),
            ("constraints", json!("No constraints")),
        ] {
            other.insert(key.into(), value);
        }
        if level == Level::Three {
            other.insert("target".into(), json!("none"));
        }
        Self {
            path: None,
            id: "a3001".into(),
            pool: "none".into(),
            products,
            other,
        }
    }

    /// Adds files to a product.
    pub fn add(&mut self, product: usize, files: &[String], exptype: &str) {
        if let Some(product) = self.products.get_mut(product) {
            product.members.extend(files.iter().map(|f| Member {
                expname: f.clone(),
                exptype: exptype.into(),
            }));
        }
    }

    /// Whether a file looks like an association.
    pub fn is_one(path: &Path) -> bool {
        path.extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("json"))
    }

    /// Reads an association.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] where it is not JSON, [`Error::Input`] where it is no association or has no members.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|e| Error::format(path, format!("the association is not JSON: {e}")))?;
        let Value::Object(mut other) = value else {
            return Err(Error::input_file(
                path,
                "the association is not a JSON object",
            ));
        };
        let fault = |what: String| Error::input_file(path, format!("the association {what}"));
        let mut take = |key: &str, default: &str| match other.remove(key) {
            Some(Value::String(s)) => s,
            _ => default.to_owned(),
        };
        let (id, pool) = (take("asn_id", "a3001"), take("asn_pool", "none"));
        let Some(Value::Array(products)) = other.remove("products") else {
            return Err(fault("has no list 'products'".into()));
        };
        let products = products
            .iter()
            .enumerate()
            .map(|(i, p)| product(p).map_err(|e| fault(format!("has a product {i} that {e}"))))
            .collect::<Result<Vec<_>>>()?;
        if products.is_empty() {
            return Err(fault("has no product".into()));
        }
        Ok(Self {
            path: Some(path.into()),
            id,
            pool,
            products,
            other,
        })
    }

    /// The association as JSON text.
    pub fn to_json(&self) -> String {
        let mut all = self.other.clone();
        all.insert("asn_id".into(), json!(self.id));
        if let Some(target) = all.shift_remove("target") {
            all.insert("target".into(), target);
        }
        all.insert("asn_pool".into(), json!(self.pool));
        let products: Vec<Value> = self
            .products
            .iter()
            .map(|p| {
                let members: Vec<Value> = p
                    .members
                    .iter()
                    .map(|m| json!({"expname": m.expname, "exptype": m.exptype}))
                    .collect();
                json!({"name": p.name, "members": members})
            })
            .collect();
        all.insert("products".into(), products.into());
        let mut out = Vec::new();
        let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
        let mut writer = serde_json::Serializer::with_formatter(&mut out, indent);
        // a tree of texts and lists always serializes
        let _ = serde::Serialize::serialize(&Value::Object(all), &mut writer);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Writes the association.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
        write_whole(path, self.to_json().as_bytes())
    }

    /// File name for `ASNTABLE`.
    pub fn table_name(&self) -> String {
        let name = self.path.as_ref().and_then(|p| p.file_name());
        name.map_or_else(|| "singleton".into(), |n| n.to_string_lossy().into_owned())
    }

    /// Files of a kind in a product, found from the association's folder where their names are relative.
    ///
    /// # Errors
    /// [`Error::Input`] listing every one that does not exist.
    pub fn files(&self, product: &Product, exptype: &str) -> Result<Vec<PathBuf>> {
        let folder = self.path.as_ref().and_then(|p| p.parent());
        let paths: Vec<PathBuf> = product
            .members
            .iter()
            .filter(|m| m.exptype.eq_ignore_ascii_case(exptype))
            .map(|m| match folder {
                Some(folder) => folder.join(&m.expname),
                None => PathBuf::from(&m.expname),
            })
            .collect();
        let missing: Vec<String> = paths
            .iter()
            .filter(|p| !p.is_file())
            .map(|p| p.display().to_string())
            .collect();
        if missing.is_empty() {
            return Ok(paths);
        }
        let what = format!(
            "product {}: {} of its {exptype} members do not exist:\n  {}",
            product.name,
            missing.len(),
            missing.join("\n  ")
        );
        Err(match &self.path {
            Some(path) => Error::input_file(path, what),
            None => Error::input(what),
        })
    }
}

fn product(value: &Value) -> std::result::Result<Product, String> {
    let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).map(str::to_owned);
    let members = value.get("members").and_then(Value::as_array);
    let members = members.filter(|m| !m.is_empty()).ok_or("has no members")?;
    let members = members.iter().map(|m| {
        Ok(Member {
            expname: text(m, "expname").ok_or("has a member without expname")?,
            exptype: text(m, "exptype")
                .ok_or("has a member without exptype")?
                .to_ascii_lowercase(),
        })
    });
    let members = members.collect::<std::result::Result<Vec<_>, String>>()?;
    if !members.iter().any(|m| m.exptype == "science") {
        return Err("has no science member".into());
    }
    let name = text(value, "name").ok_or("has no name")?;
    let product = Product { name, members };
    if product.stem().is_empty() {
        return Err(format!(
            "has a name ('{}') that no file can have",
            product.name
        ));
    }
    Ok(product)
}

/// A file's name without extension and product suffix, in its folder.
fn root(file: &str) -> String {
    let meta = crate::model::Meta {
        source: file.into(),
        ..Default::default()
    };
    match file.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{}", meta.root()),
        None => meta.root(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asn_from_list_writes() {
        let files = ["a/x_rate.fits".to_owned(), "y_rate.fits".to_owned()];
        let mut two = Association::from_list(Level::Two, &files, "");
        two.add(1, &["b_rate.fits".to_owned()], "background");
        assert_eq!(
            (two.products[0].name.as_str(), two.products[0].stem()),
            ("a/x", "x")
        );
        let text = two.to_json();
        assert!(text.starts_with("{\n    \"asn_type\": \"None\",\n    \"asn_rule\": \"DMSLevel2bBase\",\n    \"version_id\": null,"), "{text}");
        assert!(
            text.ends_with(
                "\"exptype\": \"background\"\n                }\n            ]\n        }\n    ]\n}"
            ),
            "{text}"
        );
        let three = Association::from_list(Level::Three, &files, "Level3");
        let text = three.to_json();
        assert!(text.contains("\"asn_id\": \"a3001\",\n    \"target\": \"none\",\n    \"asn_pool\": \"none\",\n    \"products\""), "{text}");

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a_asn.json");
        two.write(&path).unwrap();
        let back = Association::read(&path).unwrap();
        assert_eq!(back.products, two.products);
        assert_eq!(back.to_json(), two.to_json());
        assert_eq!(back.table_name(), "a_asn.json");
        let said = back.files(&back.products[0], "science").unwrap_err();
        assert!(said.to_string().contains("a/x_rate.fits"), "{said}");
    }

    #[test]
    fn broken_ones_are_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.json");
        for (text, said) in [
            ("{", "not JSON"),
            ("[1]", "not a JSON object"),
            ("{}", "products"),
            (r#"{"products": []}"#, "no product"),
            (
                r#"{"products": [{"name": "x", "members": []}]}"#,
                "no members",
            ),
            (
                r#"{"products": [{"name": "x", "members": [{"expname": "a"}]}]}"#,
                "without exptype",
            ),
            (
                r#"{"products": [{"name": "x", "members": [{"expname": "a", "exptype": "background"}]}]}"#,
                "no science member",
            ),
            (
                r#"{"products": [{"name": "x/", "members": [{"expname": "a", "exptype": "science"}]}]}"#,
                "no file can have",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let e = Association::read(&path).unwrap_err().to_string();
            assert!(e.contains(said) && e.contains("bad.json"), "{text}: {e}");
        }
    }
}

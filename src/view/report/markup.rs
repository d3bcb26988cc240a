//! Text, bytes and numbers as a page holds them: escaped, so that nothing in a file's header or name becomes markup.

use std::fmt::Write;

/// Text between tags or in a quoted attribute. What no HTML may hold (control characters) becomes U+FFFD.
#[must_use]
pub fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// JSON inside of a `<script>` element: neither `</script` nor `<!--` can end or change it.
#[must_use]
pub fn json(value: &serde_json::Value) -> String {
    // these three occur in strings only, where JSON takes them as escapes
    let plain = value.to_string();
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            c => out.push(c),
        }
    }
    out
}

/// A relative path as an address.
#[must_use]
pub fn address(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' => out.push(byte as char),
            b if b.is_ascii_alphanumeric() => out.push(b as char),
            // writing to a string cannot fail
            b => drop(write!(out, "%{b:02X}")),
        }
    }
    out
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Adds bytes in base 64 (RFC 4648, padded).
pub fn base64(bytes: &[u8], out: &mut String) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |k: usize| u32::from(three.get(k).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for k in 0..4 {
            match k <= three.len() {
                true => out.push(char::from(DIGITS[(bits >> (18 - 6 * k)) as usize & 63])),
                false => out.push('='),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_markup() {
        assert_eq!(
            text("<b a='1'>\"&\u{7}\n</b>"),
            "&lt;b a=&#39;1&#39;&gt;&quot;&amp;\u{fffd}\n&lt;/b&gt;"
        );
        let value = serde_json::json!({"a": "</script><!-- & \"x\""});
        let held = json(&value);
        assert!(!held.contains(['<', '>', '&']), "{held}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&held).unwrap(),
            value
        );
        assert_eq!(
            address("plots/d1 a/\"µ#.png"),
            "plots/d1%20a/%22%C2%B5%23.png"
        );
    }

    #[test]
    fn base_64_of_the_standard() {
        for (bytes, want) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = String::new();
            base64(bytes.as_bytes(), &mut out);
            assert_eq!(out, want);
        }
    }
}

//! Binary tables: rows as they lie in the file (big-endian), with typed access by column name.

use std::collections::BTreeMap;

use super::card::Card;
use super::header::Header;

/// Storage type of a column's elements (the letter of `TFORMn`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Logical,
    Bit,
    Byte,
    I16,
    I32,
    I64,
    Char,
    F32,
    F64,
    C64,
    C128,
}

impl Type {
    fn from_code(c: char) -> Option<Self> {
        Some(match c {
            'L' => Self::Logical,
            'X' => Self::Bit,
            'B' => Self::Byte,
            'I' => Self::I16,
            'J' => Self::I32,
            'K' => Self::I64,
            'A' => Self::Char,
            'E' => Self::F32,
            'D' => Self::F64,
            'C' => Self::C64,
            'M' => Self::C128,
            _ => return None,
        })
    }

    /// Bytes of one element (of eight for `Bit`).
    pub fn size(self) -> usize {
        match self {
            Self::Logical | Self::Bit | Self::Byte | Self::Char => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::I64 | Self::F64 | Self::C64 => 8,
            Self::C128 => 16,
        }
    }
}

/// One column's description.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// `TTYPEn`, empty when absent.
    pub name: String,
    /// Elements per row (bits for `Bit`); for a variable-length column 0 or 1 descriptors.
    pub repeat: usize,
    /// Element type.
    pub kind: Type,
    /// For a variable-length column, true for 64-bit descriptors (`Q`), false for 32-bit ones (`P`).
    pub variable: Option<bool>,
    /// Byte offset in the row.
    pub offset: usize,
    /// `TSCALn`, `TZEROn`.
    pub scale: (f64, f64),
}

impl Column {
    /// Bytes the column takes in a row.
    pub fn bytes(&self) -> usize {
        match self.variable {
            Some(wide) => self.repeat.saturating_mul(if wide { 16 } else { 8 }),
            None if self.kind == Type::Bit => self.repeat.div_ceil(8),
            None => self.repeat.saturating_mul(self.kind.size()),
        }
    }

    /// Columns as a header describes them.
    pub(super) fn from_header(h: &Header) -> Result<Vec<Self>, String> {
        let n = h
            .i64("TFIELDS")
            .filter(|n| (0..=999).contains(n))
            .ok_or("TFIELDS is missing or out of range")?;
        let mut out = Vec::new();
        let mut offset = 0usize;
        for i in 1..=n {
            let form = h
                .str(&format!("TFORM{i}"))
                .ok_or(format!("TFORM{i} is missing"))?;
            let mut col =
                Self::parse_form(form).ok_or(format!("TFORM{i} = '{form}' is not understood"))?;
            col.name = h.str(&format!("TTYPE{i}")).unwrap_or("").to_owned();
            col.offset = offset;
            col.scale = (
                h.f64(&format!("TSCAL{i}")).unwrap_or(1.0),
                h.f64(&format!("TZERO{i}")).unwrap_or(0.0),
            );
            offset = offset.saturating_add(col.bytes());
            out.push(col);
        }
        Ok(out)
    }

    fn parse_form(form: &str) -> Option<Self> {
        let form = form.trim();
        let digits = form.len() - form.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let repeat = if digits == 0 {
            1
        } else {
            form.get(..digits)?.parse::<u32>().ok()? as usize
        };
        let mut letters = form.get(digits..)?.chars();
        let mut variable = None;
        let mut code = letters.next()?;
        if code == 'P' || code == 'Q' {
            variable = Some(code == 'Q');
            code = letters.next()?;
            if repeat > 1 {
                return None;
            }
        }
        Some(Self {
            name: String::new(),
            repeat,
            kind: Type::from_code(code)?,
            variable,
            offset: 0,
            scale: (1.0, 0.0),
        })
    }
}

/// A binary table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Column descriptions in order.
    pub columns: Vec<Column>,
    /// Number of rows.
    pub nrows: usize,
    /// Row bytes, big-endian as in the file, `nrows` x row length.
    pub rows: Vec<u8>,
    /// Elements of variable-length columns (big-endian), by column index: one entry a row.
    pub variable: BTreeMap<usize, Vec<Vec<u8>>>,
}

impl Table {
    /// Bytes of one row.
    pub fn row_bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum()
    }

    /// Index of a column by name, case ignored.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// Raw bytes of a cell.
    fn cell(&self, col: usize, row: usize) -> Option<&[u8]> {
        let c = self.columns.get(col)?;
        if c.variable.is_some() {
            return self.variable.get(&col)?.get(row).map(Vec::as_slice);
        }
        let start = row.checked_mul(self.row_bytes())?.checked_add(c.offset)?;
        self.rows.get(start..start + c.bytes())
    }

    /// A cell's numbers as `f64`, scaled by `TSCALn`, `TZEROn`; none for text or an absent column.
    pub fn numbers(&self, name: &str, row: usize) -> Option<Vec<f64>> {
        let col = self.column(name)?;
        let c = &self.columns[col];
        let bytes = self.cell(col, row)?;
        let (scale, zero) = c.scale;
        let plain = scale == 1.0 && zero == 0.0;
        let apply = |v: f64| if plain { v } else { v * scale + zero };
        fn all<const N: usize>(bytes: &[u8], f: impl Fn([u8; N]) -> f64) -> Vec<f64> {
            bytes.as_chunks::<N>().0.iter().map(|b| f(*b)).collect()
        }
        let values: Vec<f64> = match c.kind {
            Type::Byte => bytes.iter().map(|b| f64::from(*b)).collect(),
            Type::Logical => bytes
                .iter()
                .map(|b| f64::from(u8::from(*b == b'T')))
                .collect(),
            Type::I16 => all::<2>(bytes, |b| f64::from(i16::from_be_bytes(b))),
            Type::I32 => all::<4>(bytes, |b| f64::from(i32::from_be_bytes(b))),
            Type::I64 => all::<8>(bytes, |b| i64::from_be_bytes(b) as f64),
            Type::F32 => all::<4>(bytes, |b| f64::from(f32::from_be_bytes(b))),
            Type::F64 => all::<8>(bytes, f64::from_be_bytes),
            Type::Char | Type::Bit | Type::C64 | Type::C128 => return None,
        };
        Some(values.into_iter().map(apply).collect())
    }

    /// A cell's first number.
    pub fn number(&self, name: &str, row: usize) -> Option<f64> {
        self.numbers(name, row)?.first().copied()
    }

    /// A column's numbers, the first of each row; none for text or an absent column.
    pub fn column_numbers(&self, name: &str) -> Option<Vec<f64>> {
        (0..self.nrows).map(|row| self.number(name, row)).collect()
    }

    /// A column of numbers in single precision (type `E`, one a row, not scaled); none for any other.
    pub fn column_f32(&self, name: &str) -> Option<Vec<f32>> {
        let col = self.column(name)?;
        let c = &self.columns[col];
        if c.kind != Type::F32 || c.repeat != 1 || c.variable.is_some() || c.scale != (1.0, 0.0) {
            return None;
        }
        let value = |row: &[u8]| -> Option<f32> {
            let bytes = row.get(c.offset..)?.first_chunk::<4>()?;
            Some(f32::from_be_bytes(*bytes))
        };
        let rows = self.rows.chunks_exact(self.row_bytes().max(1));
        rows.take(self.nrows).map(value).collect()
    }

    /// Replaces a column of floating-point numbers, one a row; whether it is such a column, of as many rows.
    #[must_use]
    pub fn set_numbers(&mut self, name: &str, values: &[f64]) -> bool {
        let Some(col) = self.column(name).map(|i| self.columns[i].clone()) else {
            return false;
        };
        let float = matches!(col.kind, Type::F32 | Type::F64) && col.scale == (1.0, 0.0);
        if !float || col.repeat != 1 || col.variable.is_some() || values.len() != self.nrows {
            return false;
        }
        let (length, size) = (self.row_bytes().max(1), col.bytes());
        for (row, v) in self.rows.chunks_exact_mut(length).zip(values) {
            let cell = &mut row[col.offset..col.offset + size];
            match col.kind {
                Type::F32 => cell.copy_from_slice(&(*v as f32).to_be_bytes()),
                _ => cell.copy_from_slice(&v.to_be_bytes()),
            }
        }
        true
    }

    /// A cell's text, trailing blanks and NULs removed.
    pub fn text(&self, name: &str, row: usize) -> Option<String> {
        let col = self.column(name)?;
        if self.columns[col].kind != Type::Char {
            return None;
        }
        let bytes = self.cell(col, row)?;
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        Some(String::from_utf8_lossy(&bytes[..end]).trim_end().to_owned())
    }

    /// The bytes of a byte column's cell (`B`), as the ASDF extension has.
    pub fn bytes(&self, name: &str, row: usize) -> Option<&[u8]> {
        let col = self.column(name)?;
        (self.columns[col].kind == Type::Byte).then(|| self.cell(col, row))?
    }
}

/// Makes a table column by column: `TableBuilder::new(rows).f64("x", &x).text("name", 12, &names)`.
#[derive(Debug, Default)]
pub struct TableBuilder {
    nrows: usize,
    columns: Vec<(Column, Vec<u8>, String, String)>,
}

impl TableBuilder {
    /// A table of this many rows and no columns yet.
    pub fn new(nrows: usize) -> Self {
        Self {
            nrows,
            columns: Vec::new(),
        }
    }

    fn add(mut self, name: &str, kind: Type, code: &str, repeat: usize, bytes: Vec<u8>) -> Self {
        let col = Column {
            name: name.into(),
            repeat,
            kind,
            variable: None,
            offset: 0,
            scale: (1.0, 0.0),
        };
        debug_assert_eq!(col.bytes() * self.nrows, bytes.len(), "column {name}");
        let form = if repeat == 1 && kind != Type::Char {
            code.to_owned()
        } else {
            format!("{repeat}{code}")
        };
        self.columns.push((col, bytes, form, String::new()));
        self
    }

    fn repeat(&self, n: usize) -> usize {
        n.checked_div(self.nrows).unwrap_or(1)
    }

    /// `f64` column; `values` holds all rows, several elements a row where it is longer.
    #[must_use]
    pub fn f64(self, name: &str, values: &[f64]) -> Self {
        let repeat = self.repeat(values.len());
        self.add(
            name,
            Type::F64,
            "D",
            repeat,
            values.iter().flat_map(|v| v.to_be_bytes()).collect(),
        )
    }
    /// `f32` column.
    #[must_use]
    pub fn f32(self, name: &str, values: &[f32]) -> Self {
        let repeat = self.repeat(values.len());
        self.add(
            name,
            Type::F32,
            "E",
            repeat,
            values.iter().flat_map(|v| v.to_be_bytes()).collect(),
        )
    }
    /// `i64` column.
    #[must_use]
    pub fn i64(self, name: &str, values: &[i64]) -> Self {
        let repeat = self.repeat(values.len());
        self.add(
            name,
            Type::I64,
            "K",
            repeat,
            values.iter().flat_map(|v| v.to_be_bytes()).collect(),
        )
    }
    /// `i32` column.
    #[must_use]
    pub fn i32(self, name: &str, values: &[i32]) -> Self {
        let repeat = self.repeat(values.len());
        self.add(
            name,
            Type::I32,
            "J",
            repeat,
            values.iter().flat_map(|v| v.to_be_bytes()).collect(),
        )
    }
    /// `u32` column, stored as `i32` with an offset as FITS has no unsigned numbers of 32 bits.
    #[must_use]
    pub fn u32(self, name: &str, values: &[u32]) -> Self {
        let repeat = self.repeat(values.len());
        let stored = |v: &u32| (v ^ 0x8000_0000).to_be_bytes();
        let bytes = values.iter().flat_map(stored).collect();
        let mut out = self.add(name, Type::I32, "J", repeat, bytes);
        if let Some(last) = out.columns.last_mut() {
            last.0.scale.1 = f64::from(1u32 << 31);
        }
        out
    }
    /// `i16` column.
    #[must_use]
    pub fn i16(self, name: &str, values: &[i16]) -> Self {
        let repeat = self.repeat(values.len());
        self.add(
            name,
            Type::I16,
            "I",
            repeat,
            values.iter().flat_map(|v| v.to_be_bytes()).collect(),
        )
    }
    /// Byte column.
    #[must_use]
    pub fn bytes(self, name: &str, values: &[u8]) -> Self {
        let repeat = self.repeat(values.len());
        self.add(name, Type::Byte, "B", repeat, values.to_vec())
    }
    /// Column of truth values.
    #[must_use]
    pub fn logical(self, name: &str, values: &[bool]) -> Self {
        let repeat = self.repeat(values.len());
        let bytes = values.iter().map(|v| if *v { b'T' } else { b'F' });
        let bytes = bytes.collect();
        self.add(name, Type::Logical, "L", repeat, bytes)
    }
    /// Text column of a fixed width; longer strings are cut, shorter ones padded with NUL.
    #[must_use]
    pub fn text(self, name: &str, width: usize, values: &[&str]) -> Self {
        let mut bytes = Vec::with_capacity(width * values.len());
        for v in values {
            let mut cell: Vec<u8> = v.bytes().take(width).collect();
            cell.resize(width, 0);
            bytes.extend(cell);
        }
        self.add(name, Type::Char, "A", width, bytes)
    }
    /// Unit (`TUNITn`) of the column added last.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Self {
        if let Some(last) = self.columns.last_mut() {
            last.3 = unit.into();
        }
        self
    }

    /// The table and a header with its column cards and `EXTNAME`.
    pub fn build(self, extname: &str) -> (Header, Table) {
        let mut header = Header::new();
        let mut columns = Vec::new();
        let mut offset = 0;
        for (i, (col, _, form, unit)) in self.columns.iter().enumerate() {
            header.push(Card::new(&format!("TTYPE{}", i + 1), col.name.as_str(), ""));
            header.push(Card::new(&format!("TFORM{}", i + 1), form.as_str(), ""));
            if !unit.is_empty() {
                header.push(Card::new(&format!("TUNIT{}", i + 1), unit.as_str(), ""));
            }
            if col.scale.1 != 0.0 {
                header.push(Card::new(
                    &format!("TZERO{}", i + 1),
                    col.scale.1 as i64,
                    "",
                ));
            }
            columns.push(Column {
                offset,
                ..col.clone()
            });
            offset += col.bytes();
        }
        header.push(Card::new("EXTNAME", extname, "extension name"));
        let mut rows = Vec::with_capacity(offset * self.nrows);
        for r in 0..self.nrows {
            for (col, bytes, _, _) in &self.columns {
                let n = col.bytes();
                rows.extend_from_slice(&bytes[r * n..(r + 1) * n]);
            }
        }
        (
            header,
            Table {
                columns,
                nrows: self.nrows,
                rows,
                variable: BTreeMap::new(),
            },
        )
    }
}

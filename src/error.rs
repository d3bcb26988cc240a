//! The one public error of the crate, sorted by whose fault it is.
//!
//! Every message names the file (where there is one), what is wrong and what to do about it.
//! The program maps each variant to its exit code with [`Error::exit_code`].

use std::path::{Path, PathBuf};

/// Result with sifu's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, by fault.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The user's input cannot be used as asked (wrong exposure type, nothing found, missing keyword).
    #[error("{}{message}", at(.path))]
    Input {
        path: Option<PathBuf>,
        message: String,
    },
    /// A file is not what its format demands (truncated, not FITS, bad ASDF).
    #[error("{}: {message}", .path.display())]
    Format { path: PathBuf, message: String },
    /// Reference files, mappings or kernels that are needed and not there, or not usable.
    #[error("{message}")]
    Reference { message: String },
    /// A parameter or option is unknown or has an impossible value.
    #[error("{message}")]
    Parameter { message: String },
    /// There is nothing valid to make a product from.
    #[error("{}{message}", at(.path))]
    Science {
        path: Option<PathBuf>,
        message: String,
    },
    /// Reading or writing failed (permissions, vanished file).
    #[error("{}: {message}", .path.display())]
    Io { path: PathBuf, message: String },
    /// There is no room left to write in; `free` is what is left, bytes.
    #[error("{}: no room on the disk ({:.1} MB left); make room and start again, or write elsewhere", .path.display(), *.free as f64 / 1e6)]
    Full { path: PathBuf, free: u64 },
    /// The user stopped the run (Ctrl-C, SIGTERM).
    #[error("interrupted")]
    Interrupted,
}

fn at(path: &Option<PathBuf>) -> String {
    path.as_ref()
        .map(|p| format!("{}: ", p.display()))
        .unwrap_or_default()
}

impl Error {
    /// The user's input cannot be used.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input {
            path: None,
            message: message.into(),
        }
    }
    /// The user's input file cannot be used.
    pub fn input_file(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Input {
            path: Some(path.as_ref().into()),
            message: message.into(),
        }
    }
    /// A file breaks its format.
    pub fn format(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Format {
            path: path.as_ref().into(),
            message: message.into(),
        }
    }
    /// A reference file, mapping or kernel is missing or unusable.
    pub fn reference(message: impl Into<String>) -> Self {
        Self::Reference {
            message: message.into(),
        }
    }
    /// A bad parameter or option.
    pub fn parameter(message: impl Into<String>) -> Self {
        Self::Parameter {
            message: message.into(),
        }
    }
    /// No valid science data.
    pub fn science(message: impl Into<String>) -> Self {
        Self::Science {
            path: None,
            message: message.into(),
        }
    }
    /// Reading or writing failed.
    pub fn io(path: impl AsRef<Path>, error: impl std::fmt::Display) -> Self {
        Self::Io {
            path: path.as_ref().into(),
            message: error.to_string(),
        }
    }

    /// Names the file an [`Error::Input`] or [`Error::Science`] is about, if it does not name one yet.
    #[must_use]
    pub fn with_path(mut self, file: impl AsRef<Path>) -> Self {
        if let Self::Input { path, .. } | Self::Science { path, .. } = &mut self {
            path.get_or_insert_with(|| file.as_ref().into());
        }
        self
    }

    /// The same error with the data at fault, not the file: there is nothing valid in it.
    #[must_use]
    pub fn into_science(self) -> Self {
        match self {
            Self::Input { path, message } => Self::Science { path, message },
            other => other,
        }
    }

    /// The program's exit code: 1 no valid science data, 2 usage, 3 bad input, 4 missing
    /// reference or kernel, 5 I/O, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Science { .. } => 1,
            Self::Parameter { .. } => 2,
            Self::Input { .. } | Self::Format { .. } => 3,
            Self::Reference { .. } => 4,
            Self::Io { .. } | Self::Full { .. } => 5,
            Self::Interrupted => 130,
        }
    }
}

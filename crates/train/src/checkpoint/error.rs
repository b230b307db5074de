//! Why a checkpoint was not written, or a file refused.

use std::path::PathBuf;

use crate::storage;

/// A list of parameters that makes no layout: a mistake of the program, or dimensions that are too large.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// No parameters, or too many.
    #[error("a layout of {got} parameters; at least 1 and at most {limit} are possible")]
    Count {
        /// How many there were.
        got: usize,
        /// The limit.
        limit: usize,
    },
    /// A name that is empty, reserved or there twice.
    #[error("parameter name `{name}` is empty, reserved or there twice; names must differ")]
    Name {
        /// The name.
        name: String,
    },
    /// An offset that leaves a gap or overlaps.
    #[error("parameter `{name}` starts at value {got}, but the one before it ends at {want}; leave no gap")]
    Offset {
        /// The name.
        name: String,
        /// Its offset.
        got: usize,
        /// The offset it should have.
        want: usize,
    },
    /// A shape without values or with too many.
    #[error(
        "parameter `{name}` has the shape {shape:?}; 1 to 8 extents, none 0, and a size that can be counted, please"
    )]
    Shape {
        /// The name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
}

/// What is wrong with the content of one file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The length is not the one that was recorded when the file was written.
    #[error("it has {got} bytes and was written with {want}: it is cut short or not from this checkpoint")]
    Length {
        /// Length found.
        got: u64,
        /// Length recorded in state.json.
        want: u64,
    },
    /// The content is not the one that was written.
    #[error("its SHA-256 is {got}, and {want} was recorded: it is damaged or not from this checkpoint")]
    Checksum {
        /// Digest found.
        got: String,
        /// Digest recorded.
        want: String,
    },
    /// state.json does not end with its own checksum.
    #[error("it does not end with its checksum: it is cut short, damaged or was edited")]
    NoChecksum,
    /// The first bytes announce a header that the file does not have.
    #[error(
        "its header is said to take {header} bytes; the file has {bytes}, and at most {limit} are read as a header"
    )]
    HeaderLength {
        /// The length that the first eight bytes give.
        header: u64,
        /// Length of the file.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A file too short for the length of a header, or a header that does not start as one.
    #[error("it does not start like a safetensors file")]
    NotSafetensors,
    /// JSON that cannot be read, or with other fields than expected.
    #[error("its JSON cannot be read")]
    Json {
        /// What the parser says, with line and column.
        source: serde_json::Error,
    },
    /// A tensor that the model does not have.
    #[error("tensor `{name}` is not in this model; is the file from another model or configuration?")]
    Unknown {
        /// The name, its first 200 characters.
        name: String,
    },
    /// A tensor that is there twice.
    #[error("tensor `{name}` is there twice; write the file again")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// Tensors of the model that the file does not have.
    #[error("tensor `{name}` is missing ({count} missing in all); is the file from another model or configuration?")]
    Missing {
        /// The first that is missing.
        name: String,
        /// How many are missing.
        count: usize,
    },
    /// Another number format.
    #[error("tensor `{name}` has values of type {dtype}, and F32 is read here; convert it first")]
    Dtype {
        /// The name.
        name: String,
        /// The type in the file, its first 20 characters.
        dtype: String,
    },
    /// Another shape.
    #[error(
        "tensor `{name}` has the shape {got:?}, the model's has {want:?}; check the configuration (sizes, vocabulary)"
    )]
    Shape {
        /// The name.
        name: String,
        /// Shape in the file.
        got: Vec<u64>,
        /// Shape in the model.
        want: Vec<usize>,
    },
    /// A tensor whose bytes are not where they must be.
    #[error(
        "tensor `{name}` lies at bytes {begin} to {end}, where {want_begin} to {want_end} must be: \
             tensors fill the file without gap or overlap"
    )]
    Offsets {
        /// The name.
        name: String,
        /// First byte in the file's data.
        begin: u64,
        /// End in the file's data.
        end: u64,
        /// Where it must begin.
        want_begin: u64,
        /// Where it must end.
        want_end: u64,
    },
    /// Bytes after the last tensor, or too few for it.
    #[error("it holds {got} bytes of data and its tensors take {want}: it is cut short or has a tail")]
    Data {
        /// Bytes after the header.
        got: u64,
        /// Bytes of all tensors.
        want: u64,
    },
    /// The file changed while it was read.
    #[error("its length changed while it was read; is another process writing it?")]
    Changed,
    /// NaN or infinity.
    #[error("value {index} of `{name}` is {value}; weights and moments must be finite: use an earlier checkpoint")]
    NotFinite {
        /// The tensor.
        name: String,
        /// The index in the tensor.
        index: usize,
        /// NaN or infinity.
        value: f32,
    },
    /// A state file of another program or a later version.
    #[error("it says format `{format}`, version {version}; this program reads `{want_format}`, version {want_version}")]
    Version {
        /// Format in the file.
        format: String,
        /// Version in the file.
        version: u32,
        /// Format that is read.
        want_format: &'static str,
        /// Version that is read.
        want_version: u32,
    },
    /// The step inside is not the one in the folder's name.
    #[error("it was written at step {inside}, and its folder is named for step {name}: put the folder's name right")]
    Step {
        /// Step in state.json.
        inside: u64,
        /// Step in the folder's name.
        name: u64,
    },
    /// The state belongs to another list of parameters.
    #[error("it was written for another model: names or shapes of parameters differ")]
    Layout,
    /// Content that this program would write in other bytes.
    #[error("its content would be written differently by this version: it was edited or comes from another version")]
    NotCanonical,
}

/// A checkpoint that was not written or not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file call failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// A file was refused.
    #[error("{} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        problem: Problem,
    },
    /// A buffer whose length is not the layout's.
    #[error("`{buffer}` holds {got} values and the layout {want}; pass the whole flat buffer")]
    Buffer {
        /// `params`, `m` or `v`.
        buffer: &'static str,
        /// Its length.
        got: usize,
        /// The layout's.
        want: usize,
    },
    /// Something to be saved is NaN or infinite. Nothing was written.
    #[error(
        "not saved: value {index} of `{name}` in `{buffer}` is {value}; training has diverged, resume from the \
             last checkpoint with a lower rate"
    )]
    NotFinite {
        /// `params`, `m` or `v`.
        buffer: &'static str,
        /// The parameter.
        name: String,
        /// The index in the parameter.
        index: usize,
        /// NaN or infinity.
        value: f32,
    },
    /// The state cannot be put into JSON. Nothing was written.
    #[error("not saved: the training state cannot be written as JSON")]
    State {
        /// Why.
        source: serde_json::Error,
    },
    /// The state read back would not be the state given, as NaN in it would do. Nothing was written.
    #[error(
        "not saved: the training state would not come back as it is; is a number in it NaN or infinite, or is a \
             map in it unordered?"
    )]
    StateLost,
    /// A path that is no folder of a checkpoint.
    #[error("{} is no checkpoint: a folder named like step-00001234 is needed", path.display())]
    NotACheckpoint {
        /// The path.
        path: PathBuf,
    },
    /// The new checkpoint is in place, but an old one could not be removed.
    #[error("saved {}, but an old checkpoint could not be removed", saved.display())]
    Retention {
        /// The new checkpoint.
        saved: PathBuf,
        /// Why.
        source: storage::Error,
    },
    /// The buffers do not fit into memory.
    #[error("no memory for {values} values of 4 bytes; use a smaller model or a larger machine")]
    Memory {
        /// How many values were asked for.
        values: usize,
    },
    /// No checkpoint to average.
    #[error("no checkpoints to average; give at least one")]
    NothingToAverage,
    /// No checkpoint in a run folder.
    #[error("no checkpoint in {}; is it the right run folder, and did the run reach its first save?", folder.display())]
    None {
        /// The folder of checkpoints.
        folder: PathBuf,
    },
    /// Checkpoints in a run folder, each of them refused.
    #[error("none of the checkpoints in {} can be used:{}", folder.display(), reasons(refused))]
    NoneValid {
        /// The folder of checkpoints.
        folder: PathBuf,
        /// Each checkpoint, newest first, and why it was refused.
        refused: Vec<(PathBuf, Error)>,
    },
}

impl Error {
    /// The file that is to blame, if it is one file.
    #[must_use]
    pub fn file(&self) -> Option<&std::path::Path> {
        match self {
            Self::File { path, .. } | Self::Storage(storage::Error::TooLarge { path, .. }) => Some(path),
            Self::Storage(storage::Error::Io { path, .. } | storage::Error::Full { path, .. }) => Some(path),
            _ => None,
        }
    }
}

/// An error and its causes on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn reasons(refused: &[(PathBuf, Error)]) -> String {
    refused.iter().map(|(path, error)| format!("\n  {}: {}", path.display(), chain(error))).collect()
}

//! state.json: what ties the files of a checkpoint together.
//!
//! One JSON object: format and version, the step, digests of the parameter list and of both other files, the caller's
//! state, and as its last field the SHA-256 of every byte before that field. So a flipped bit anywhere in a checkpoint
//! is found, and no file of one checkpoint passes for that of another.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Problem;
use super::tensors::{Seal, hex};

/// The name of the format.
const FORMAT: &str = "noam checkpoint";
/// Raised when an older program could not read the files, or would read them wrongly.
const VERSION: u32 = 1;

const TAIL_START: &[u8] = b",\n  \"sha256\": \"";
const TAIL_END: &[u8] = b"\"\n}\n";
const BODY_END: &[u8] = b"\n}";

/// What state.json says, without its checksum.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record<S> {
    format: String,
    version: u32,
    pub step: u64,
    /// Digest of the parameters' names and shapes.
    pub layout: String,
    pub model: Seal,
    pub optimizer: Seal,
    pub state: S,
}

impl<S> Record<S> {
    pub fn new(step: u64, layout: String, model: Seal, optimizer: Seal, state: S) -> Self {
        Self { format: FORMAT.to_owned(), version: VERSION, step, layout, model, optimizer, state }
    }
}

impl<S: Serialize> Record<S> {
    /// The bytes of the file. Equal records give equal bytes if `S` serialises in a fixed order.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.truncate(bytes.len() - BODY_END.len());
        Ok(seal(bytes))
    }
}

/// Puts the checksum behind everything of a record but its closing brace.
pub(super) fn seal(mut body: Vec<u8>) -> Vec<u8> {
    let digest = hex(&Sha256::digest(&body));
    body.extend_from_slice(TAIL_START);
    body.extend_from_slice(digest.as_bytes());
    body.extend_from_slice(TAIL_END);
    body
}

/// The part of a record that says whether the rest can be read.
#[derive(Deserialize)]
struct Probe {
    format: String,
    version: u32,
}

impl<S: DeserializeOwned> Record<S> {
    pub fn decode(bytes: &[u8]) -> Result<Self, Problem> {
        let (body, want) = bytes
            .strip_suffix(TAIL_END)
            .and_then(|bytes| bytes.split_last_chunk::<64>())
            .and_then(|(bytes, digest)| Some((bytes.strip_suffix(TAIL_START)?, digest)))
            .ok_or(Problem::NoChecksum)?;
        let got = hex(&Sha256::digest(body));
        if got.as_bytes() != want {
            return Err(Problem::Checksum { got, want: String::from_utf8_lossy(want).into_owned() });
        }
        let json = [body, BODY_END].concat();
        let parsed = |source| Problem::Json { source };
        let probe: Probe = serde_json::from_slice(&json).map_err(parsed)?;
        if (probe.format.as_str(), probe.version) != (FORMAT, VERSION) {
            let format = probe.format.chars().take(40).collect();
            return Err(Problem::Version {
                format,
                version: probe.version,
                want_format: FORMAT,
                want_version: VERSION,
            });
        }
        serde_json::from_slice(&json).map_err(parsed)
    }
}

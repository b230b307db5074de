//! The safetensors format, streamed.
//!
//! A file is the header's length (8 bytes, little-endian), a JSON header, and the values. The header is built with the
//! `safetensors` crate; the values are streamed from the flat buffer through a block of fixed size, because the crate's
//! writers want each file as one block of memory or write it under a name of their own without syncing it. The reader
//! is ours as well, and stricter: it knows the layout that must be in the file, so it refuses at the first name that is
//! not in it, and takes memory only once names, types, shapes, offsets and the file's length are all as expected.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use sha2::{Digest, Sha256};

use super::header::{self, Place};
use super::{Error, Layout, Problem};
use crate::storage::{self, Operation, Output, Storage};

/// The key in a header that is not a tensor.
pub(super) const METADATA: &str = "__metadata__";

/// Most bytes of a header that are read. The header of the largest preset with both moments takes about 80 kB.
pub(super) const HEADER_LIMIT: u64 = 4 << 20;

/// Bytes converted, hashed and written or read at a time; a multiple of 4.
const BLOCK: usize = 1 << 20;

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What was written: recorded in state.json, and demanded when the file is read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seal {
    pub bytes: u64,
    pub sha256: String,
}

/// One flat buffer per prefix: its tensors are named prefix + name.
pub(super) struct Contents<'a> {
    pub layout: &'a Layout,
    pub prefixes: &'a [&'a str],
}

/// The model's weights, under their own names.
pub(super) const MODEL: &[&str] = &[""];
/// Adam's first and second moments.
pub(super) const MOMENTS: &[&str] = &["m.", "v."];

impl Contents<'_> {
    /// The first bytes of the file: length and header, padded with spaces to a multiple of 8.
    pub fn head(&self) -> Vec<u8> {
        let mut infos = Vec::new();
        let mut begin = 0;
        for prefix in self.prefixes {
            for entry in self.layout.entries() {
                let end = begin + 4 * entry.shape.iter().product::<usize>();
                let info = TensorInfo { dtype: Dtype::F32, shape: entry.shape.clone(), data_offsets: (begin, end) };
                infos.push((format!("{prefix}{}", entry.name), info));
                begin = end;
            }
        }
        // Readers of Hugging Face want to see this key; a second one would come in random order.
        let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let header = Metadata::new(Some(metadata), infos).expect("a layout has neither gaps nor overflow");
        let mut json = serde_json::to_vec(&header).expect("strings and numbers serialise");
        json.resize(json.len().next_multiple_of(8), b' ');
        let mut head = (json.len() as u64).to_le_bytes().to_vec();
        head.append(&mut json);
        head
    }

    fn data_bytes(&self) -> u64 {
        4 * (self.layout.len() * self.prefixes.len()) as u64
    }

    /// Length of the whole file.
    pub fn file_bytes(&self) -> u64 {
        self.head().len() as u64 + self.data_bytes()
    }

    /// Writes the file: `buffers` in the order of the prefixes.
    pub fn write(&self, output: &mut Output<'_>, buffers: &[&[f32]]) -> Result<Seal, storage::Error> {
        let mut sha = Sha256::new();
        let head = self.head();
        sha.update(&head);
        output.write(&head)?;
        let mut block = Vec::with_capacity(BLOCK.min(4 * self.layout.len()));
        for buffer in buffers {
            for values in buffer.chunks(BLOCK / 4) {
                block.clear();
                values.iter().for_each(|value| block.extend_from_slice(&value.to_le_bytes()));
                sha.update(&block);
                output.write(&block)?;
            }
        }
        Ok(Seal { bytes: head.len() as u64 + self.data_bytes(), sha256: hex(&sha.finalize()) })
    }

    /// Reads the file into one buffer per prefix. With a seal, the file must be the one that was written, bit by bit.
    pub fn read(&self, storage: &dyn Storage, path: &Path, seal: Option<&Seal>) -> Result<Vec<Vec<f32>>, Error> {
        let (file, bytes) = storage::open(storage, path)?;
        let refuse = |problem| Error::File { path: path.to_path_buf(), problem };
        if let Some(seal) = seal
            && seal.bytes != bytes
        {
            return Err(refuse(Problem::Length { got: bytes, want: seal.bytes }));
        }
        let mut input = Input { file, path, sha: Sha256::new(), left: bytes };
        let (head, plan) = match self.plan(&mut input, bytes)? {
            Ok(plan) => plan,
            Err(problem) => {
                // Damage explains a strange header better than what it happens to say now.
                if let Some(seal) = seal {
                    input.drain()?;
                    input.verify(seal)?;
                }
                return Err(refuse(problem));
            }
        };
        let mut buffers = Vec::new();
        for _ in self.prefixes {
            buffers.push(zeros(self.layout.len())?);
        }
        let mut block = vec![0; BLOCK.min(4 * self.layout.len())];
        for &Place { index, .. } in &plan {
            let (prefix, entry) = self.place(index);
            let size = entry.shape.iter().product::<usize>();
            input.values(&mut buffers[prefix][entry.offset..entry.offset + size], &mut block)?;
        }
        input.end()?;
        if let Some(seal) = seal {
            input.verify(seal)?;
            if head != self.head() {
                return Err(refuse(Problem::NotCanonical));
            }
        }
        for (prefix, buffer) in self.prefixes.iter().zip(&buffers) {
            if let Some(at) = buffer.iter().position(|value| !value.is_finite()) {
                let (name, index) = self.layout.locate(at);
                return Err(refuse(Problem::NotFinite { name: format!("{prefix}{name}"), index, value: buffer[at] }));
            }
        }
        Ok(buffers)
    }

    /// The prefix (its index) and the parameter behind a number that counts all tensors of the file.
    pub fn place(&self, index: usize) -> (usize, &super::Entry) {
        let count = self.layout.entries().len();
        (index / count, &self.layout.entries()[index % count])
    }

    /// Reads the header and gives the tensors in the order of their bytes. The outer error is the disk's.
    fn plan(&self, input: &mut Input<'_>, bytes: u64) -> Result<Result<Plan, Problem>, Error> {
        if bytes < 8 {
            return Ok(Err(Problem::NotSafetensors));
        }
        let mut head = vec![0; 8];
        input.fill(&mut head)?;
        let len = u64::from_le_bytes([head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7]]);
        if len > HEADER_LIMIT || len > bytes - 8 {
            return Ok(Err(Problem::HeaderLength { header: len, bytes, limit: HEADER_LIMIT }));
        }
        head.resize(8 + len as usize, 0);
        input.fill(&mut head[8..])?;
        Ok(header::parse(self, &head[8..], bytes - 8 - len).map(|plan| (head, plan)))
    }
}

/// The first bytes of a file up to the end of its header, and its tensors in the order of their bytes.
type Plan = (Vec<u8>, Vec<Place>);

/// A buffer of zeros, or an error where `vec!` would abort.
pub(super) fn zeros(values: usize) -> Result<Vec<f32>, Error> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(values).map_err(|_| Error::Memory { values })?;
    buffer.resize(values, 0.0);
    Ok(buffer)
}

/// A file being read and hashed.
struct Input<'a> {
    file: Box<dyn Read + 'a>,
    path: &'a Path,
    sha: Sha256,
    left: u64,
}

impl Input<'_> {
    fn failed(&self, source: io::Error) -> Error {
        if source.kind() == io::ErrorKind::UnexpectedEof {
            return Error::File { path: self.path.to_path_buf(), problem: Problem::Changed };
        }
        storage::Error::new(Operation::Read, self.path, 0, source).into()
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.file.read_exact(bytes).map_err(|source| self.failed(source))?;
        self.sha.update(&*bytes);
        self.left -= bytes.len() as u64;
        Ok(())
    }

    fn values(&mut self, values: &mut [f32], block: &mut [u8]) -> Result<(), Error> {
        for values in values.chunks_mut(block.len() / 4) {
            let block = &mut block[..4 * values.len()];
            self.fill(block)?;
            for (value, bytes) in values.iter_mut().zip(block.chunks_exact(4)) {
                *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), Error> {
        let mut block = vec![0; BLOCK];
        while self.left > 0 {
            let now = self.left.min(BLOCK as u64) as usize;
            self.fill(&mut block[..now])?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        match self.file.read_exact(&mut [0]) {
            Err(source) if source.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(source) => Err(self.failed(source)),
            Ok(()) => Err(Error::File { path: self.path.to_path_buf(), problem: Problem::Changed }),
        }
    }

    fn verify(&self, seal: &Seal) -> Result<(), Error> {
        let got = hex(&self.sha.clone().finalize());
        if got == seal.sha256 {
            return Ok(());
        }
        let problem = Problem::Checksum { got, want: seal.sha256.clone() };
        Err(Error::File { path: self.path.to_path_buf(), problem })
    }
}

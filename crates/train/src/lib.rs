#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod as_text;
pub mod batch;
pub mod benchmark;
pub mod bleu;
pub mod checkpoint;
pub mod config;
pub mod corpus;
pub mod data;
mod error;
mod memory;
pub mod run;
mod stop;
pub mod storage;
pub mod text;
pub mod tokenizer;
pub mod trainer;
pub mod translate;

pub use config::RunConfig;
pub use error::Error;
pub use stop::Stopped;
pub use trainer::{Observer, Trainer};

/// A pool of this many threads; none: as many as there are processors.
fn threads(count: Option<usize>) -> Result<rayon::ThreadPool, Error> {
    let threads = count.unwrap_or(0);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|source| Error::Threads { threads, source })
}

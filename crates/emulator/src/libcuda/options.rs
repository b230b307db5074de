//! Options of the calls that compile: where the logs go. The others choose what a compiler does; there is none here.

use std::time::Duration;

use super::types::*;
use crate::driver::error::Result;

/// Numbers of options.
const WALL_TIME: u32 = 2;
const INFO_LOG: u32 = 3;
const INFO_LOG_BYTES: u32 = 4;
const ERROR_LOG: u32 = 5;
const ERROR_LOG_BYTES: u32 = 6;

/// A call's options.
#[derive(Debug)]
pub struct Options<'a> {
    names: Vec<u32>,
    values: Vec<OptionValue>,
    place: OutArray<'a, OptionValue>,
}

impl<'a> Options<'a> {
    /// No options.
    pub fn none() -> Self {
        Self { names: Vec::new(), values: Vec::new(), place: OutArray::null() }
    }

    /// A call's options.
    ///
    /// # Errors
    /// Where there are some, but no pointer to them.
    pub fn read(count: u32, names: &In<'_, u32>, place: OutArray<'a, OptionValue>) -> Result<Self> {
        let (names, values) = (names.array(count as usize)?, place.get(count as usize)?);
        Ok(Self { names, values, place })
    }

    fn find(&self, name: u32) -> Option<(usize, OptionValue)> {
        let at = self.names.iter().position(|&known| known == name)?;
        Some((at, self.values[at]))
    }

    fn log(&self, buffer: u32, size: u32, text: &str) {
        let (Some((_, buffer)), Some((at, room))) = (self.find(buffer), self.find(size)) else { return };
        // The size is 32 bits; what is above them in the value is nobody's.
        let room = room.number() as u32 as usize;
        let buffer = buffer.buffer();
        if buffer.is_null() || room == 0 {
            return;
        }
        let mut bytes = text.as_bytes()[..text.len().min(room - 1)].to_vec();
        bytes.push(0);
        // There is room for all of it.
        if buffer.set(&bytes).is_ok() {
            let written = if text.is_empty() { 0 } else { bytes.len() };
            self.place.set_at(at, OptionValue::of(written));
        }
    }

    /// Gives what a compiler would tell.
    pub fn info(&self, text: &str) {
        self.log(INFO_LOG, INFO_LOG_BYTES, text);
    }

    /// Gives what was wrong.
    pub fn error(&self, text: &str) {
        self.log(ERROR_LOG, ERROR_LOG_BYTES, text);
    }

    /// Gives how long it took.
    pub fn time(&self, time: Duration) {
        if let Some((at, _)) = self.find(WALL_TIME) {
            let ms = (time.as_secs_f64() * 1e3) as f32;
            self.place.set_at(at, OptionValue::of(ms.to_bits() as usize));
        }
    }
}

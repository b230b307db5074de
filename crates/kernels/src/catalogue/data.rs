//! Made-up operands, and device memory that shows what was written where.

use super::Output;
use crate::cuda::{Buffer, Element, Queue, View, ViewMut};
use crate::{Error, philox};
use cudarc::driver::{DeviceRepr, ValidAsZeroBits};
use rayon::prelude::*;

/// A type that results have. Each of its values is one of f64 too, and so are compared as that.
pub(super) trait Value: DeviceRepr + ValidAsZeroBits + Copy + Send + Sync + 'static {
    /// How it is named where results are shown.
    const TYPE: &'static str;
    /// What stands around operands.
    const AROUND: f32 = 17.0;
    /// What stands where a launch is to write: NaN, which is never right.
    fn unwritten() -> Self;
    /// Exactly if it has such a value.
    fn of(x: f32) -> Self;
    fn wide(self) -> f64;
}

impl<T: Element> Value for T {
    const TYPE: &'static str = T::NAME;
    fn unwritten() -> Self {
        T::from_f32(f32::NAN)
    }
    fn of(x: f32) -> Self {
        T::from_f32(x)
    }
    fn wide(self) -> f64 {
        f64::from(self.to_f32())
    }
}

impl Value for f64 {
    const TYPE: &'static str = "f64";
    fn unwritten() -> Self {
        f64::NAN
    }
    fn of(x: f32) -> Self {
        f64::from(x)
    }
    fn wide(self) -> f64 {
        self
    }
}

impl Value for u32 {
    const TYPE: &'static str = "u32";
    /// No place of a row, and no flag.
    fn unwritten() -> Self {
        u32::MAX
    }
    fn of(x: f32) -> Self {
        x as u32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

/// Values on the device, `offset` values behind an aligned address, with values around them that no launch may touch.
#[derive(Debug)]
pub(super) struct Data<T = f32> {
    buffer: Buffer<T>,
    /// What a launch overwrites, as it was before.
    kept: Option<Buffer<T>>,
    offset: usize,
}

impl<T: Value> Data<T> {
    /// What a launch reads.
    pub(super) fn input(queue: &Queue, values: &[T], offset: usize) -> Result<Self, Error> {
        let around = T::of(T::AROUND);
        let mut all = vec![around; offset];
        all.extend_from_slice(values);
        all.push(around);
        Ok(Data { buffer: Buffer::from_host(queue, &all)?, kept: None, offset })
    }

    /// What a launch reads and overwrites.
    pub(super) fn changed(queue: &Queue, values: &[T], offset: usize) -> Result<Self, Error> {
        let mut data = Self::input(queue, values, offset)?;
        let mut kept = Buffer::zeros(queue, data.buffer.len())?;
        kept.view_mut().copy(data.buffer.view())?;
        data.kept = Some(kept);
        Ok(data)
    }

    /// What a launch writes.
    pub(super) fn output(queue: &Queue, len: usize, offset: usize) -> Result<Self, Error> {
        Self::changed(queue, &vec![T::unwritten(); len], offset)
    }

    /// What a launch works in: its content is of no consequence.
    pub(super) fn scratch(queue: &Queue, len: usize, offset: usize) -> Result<Self, Error> {
        Self::input(queue, &vec![T::unwritten(); len], offset)
    }

    pub(super) fn reset(&mut self) -> Result<(), Error> {
        match &self.kept {
            Some(kept) => self.buffer.view_mut().copy(kept.view()),
            None => Ok(()),
        }
    }

    fn len(&self) -> usize {
        self.buffer.len() - self.offset - 1
    }

    pub(super) fn view(&self) -> View<'_, T> {
        self.buffer.view().part(self.offset, self.len())
    }

    pub(super) fn view_mut(&mut self) -> ViewMut<'_, T> {
        let len = self.len();
        let [part] = self.buffer.view_mut().split([(self.offset, len)]);
        part
    }

    /// With what stands around it.
    #[cfg(test)]
    pub(super) fn whole(&mut self) -> ViewMut<'_, T> {
        self.buffer.view_mut()
    }

    /// What it holds now.
    pub(super) fn read(&self, name: &'static str) -> Result<Output, Error> {
        let all: Vec<f64> = self.buffer.read()?.into_par_iter().map(T::wide).collect();
        let around = T::of(T::AROUND).wide();
        let (before, rest) = all.split_at(self.offset);
        let (values, behind) = rest.split_at(self.len());
        let intact = before.iter().chain(behind).all(|&x| x == around);
        Ok(Output { name, element: T::TYPE, values: values.to_vec(), intact })
    }
}

/// `len` values in (-1, 1) that T has, the same for the same seed.
pub(super) fn made<T: Element>(len: usize, seed: u32) -> Vec<f32> {
    let mut values = vec![0.0; len];
    values.par_chunks_mut(4096).enumerate().for_each(|(chunk, values)| {
        for (block, values) in values.chunks_mut(4).enumerate() {
            let words = philox::block([(chunk * 1024 + block) as u32, seed, 0, 0], [20, 17]);
            for (value, word) in values.iter_mut().zip(words) {
                // 24 bits, which f32 has.
                *value = T::from_f32((word >> 8) as f32 / (1 << 23) as f32 - 1.0).to_f32();
            }
        }
    });
    values
}

/// Numbers below `limit`, the same for the same seed.
pub(super) fn indices(len: usize, limit: usize, seed: u32) -> Vec<u32> {
    (0..len as u32).map(|i| philox::block([i, seed, 1, 0], [20, 17])[0] % limit as u32).collect()
}

/// Rounded to T.
pub(super) fn as_type<T: Element>(values: &[f32]) -> Vec<T> {
    values.par_iter().map(|&x| T::from_f32(x)).collect()
}

/// Rounded to T, and back.
pub(super) fn rounded<T: Element>(values: &[f32]) -> Vec<f32> {
    values.par_iter().map(|&x| T::from_f32(x).to_f32()).collect()
}

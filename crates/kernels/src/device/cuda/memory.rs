//! Activations, whose type the device knows and the compiler does not: one `Cuda` for three precisions, so that what is generic
//! over devices is compiled once for all of them.

use crate::Error;
use crate::cuda::{Buffer, Element, Queue, View, ViewMut};

/// Values of some type of [`Element`].
#[derive(Debug)]
pub struct Activations {
    bytes: Buffer<u8>,
    /// Bytes of a value.
    size: usize,
}

impl Activations {
    /// Zeros.
    pub(super) fn zeros<T: Element>(queue: &Queue, len: usize) -> Result<Self, Error> {
        let size = size_of::<T>();
        let limit = "a number of values that fits in memory";
        let bytes =
            len.checked_mul(size).ok_or(Error::Size { op: "cuda memory", what: "a length", got: len, limit })?;
        Ok(Activations { bytes: Buffer::zeros(queue, bytes)?, size })
    }

    /// All of them, to read.
    pub(super) fn view(&self) -> Act<'_> {
        Act { bytes: self.bytes.view(), size: self.size }
    }

    /// All of them, to write.
    pub(super) fn view_mut(&mut self) -> ActMut<'_> {
        ActMut { bytes: self.bytes.view_mut(), size: self.size }
    }
}

/// A part of [`Activations`], to read.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    bytes: View<'a, u8>,
    size: usize,
}

impl<'a> Act<'a> {
    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() / self.size
    }

    /// As values of the device's type.
    pub(super) fn of<T: Element>(self) -> View<'a, T> {
        debug_assert_eq!(size_of::<T>(), self.size);
        self.bytes.values()
    }

    pub(super) fn part(self, start: usize, count: usize) -> Act<'a> {
        Act { bytes: self.bytes.part(start * self.size, count * self.size), ..self }
    }
}

/// In f32, activations are what everything else is.
impl<'a> From<View<'a>> for Act<'a> {
    fn from(view: View<'a>) -> Act<'a> {
        Act { bytes: view.bytes(), size: size_of::<f32>() }
    }
}

/// A part of [`Activations`], to write.
#[derive(Debug)]
pub struct ActMut<'a> {
    bytes: ViewMut<'a, u8>,
    size: usize,
}

impl<'a> ActMut<'a> {
    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() / self.size
    }

    /// As values of the device's type.
    pub(super) fn of<T: Element>(self) -> ViewMut<'a, T> {
        debug_assert_eq!(size_of::<T>(), self.size);
        self.bytes.values()
    }

    /// Gives up writing.
    pub(super) fn into_view(self) -> Act<'a> {
        Act { bytes: self.bytes.into_view(), size: self.size }
    }

    /// Disjoint parts: the first of each and how many. Panics if they overlap or lie outside.
    pub(super) fn split<const N: usize>(self, parts: [(usize, usize); N]) -> [ActMut<'a>; N] {
        let size = self.size;
        let parts = self.bytes.split(parts.map(|(start, count)| (start * size, count * size)));
        parts.map(|bytes| ActMut { bytes, size })
    }

    /// Copies other activations of as many bytes.
    pub(super) fn copy(&mut self, from: Act<'_>) -> Result<(), Error> {
        self.bytes.copy(from.bytes)
    }
}

/// Parameters: f32, and in 16 bits a rounded copy beside them, which products read and Adam keeps up.
#[derive(Debug)]
pub struct Parameters {
    pub(super) values: Buffer<f32>,
    /// Nothing in f32: products read the values themselves.
    pub(super) copy: Option<Activations>,
}

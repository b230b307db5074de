//! Pointers as the API's functions take them, each with its direction as its type.
//!
//! In memory each is the plain pointer. A value of one of these types is null, or valid for its direction during the
//! call: the caller of the API vouches for it, and nothing else makes one out of a raw pointer. So the functions'
//! bodies are safe code.

use std::{
    ffi::{CStr, c_char, c_void},
    marker::PhantomData,
    ptr,
};

use crate::driver::{
    error::{Code, Result},
    handle::Handle,
    host::HostPointer,
};

/// Types of which every pattern of bits is a value.
///
/// # Safety
/// It is so.
pub unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($type:ty),*) => {
        $(
            // SAFETY: numbers have no invalid bits.
            unsafe impl Plain for $type {}
        )*
    };
}

plain!(u8, u16, u32, u64, usize, i32, i64, f32);

// SAFETY: a handle is a number; that it may be nobody's is checked where it is used.
unsafe impl<T> Plain for Handle<T> {}

fn null<T>() -> Result<T> {
    Err(Code::InvalidValue.because("a pointer is null"))
}

/// Where a result goes.
#[derive(Debug)]
#[repr(transparent)]
pub struct Out<'a, T>(*mut T, PhantomData<&'a mut T>);

impl<'a, T: Plain> Out<'a, T> {
    /// To a variable.
    pub fn to(place: &'a mut T) -> Self {
        Self(place, PhantomData)
    }

    /// To nowhere.
    pub fn null() -> Self {
        Self(ptr::null_mut(), PhantomData)
    }

    /// Whether the result is not wanted.
    pub fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// # Errors
    /// Where the pointer is null: to be asked before anything is done.
    pub fn check(&self) -> Result<()> {
        if self.is_null() { null() } else { Ok(()) }
    }

    /// What the caller has there: functions that call this take an argument in the place of a result.
    ///
    /// # Errors
    /// Where the pointer is null.
    pub fn read(&self) -> Result<T> {
        In(self.0.cast_const(), PhantomData).get()
    }

    /// Gives the result.
    ///
    /// # Errors
    /// Where the pointer is null.
    pub fn set(&self, value: T) -> Result<()> {
        self.check()?;
        self.put(value);
        Ok(())
    }

    /// Gives the result if it is wanted.
    pub fn put(&self, value: T) {
        if !self.is_null() {
            // SAFETY: not null, so it is valid for a write. Callers in C may well have it unaligned.
            unsafe { self.0.write_unaligned(value) };
        }
    }
}

/// Where an argument, or an array of arguments, is.
#[derive(Debug)]
#[repr(transparent)]
pub struct In<'a, T>(*const T, PhantomData<&'a T>);

impl<'a, T: Plain> In<'a, T> {
    /// One argument.
    pub fn from(value: &'a T) -> Self {
        Self(value, PhantomData)
    }

    /// An array. How long it is, the call says otherwise.
    ///
    /// # Safety
    /// The call must not say it is longer.
    pub unsafe fn from_slice(values: &'a [T]) -> Self {
        Self(values.as_ptr(), PhantomData)
    }

    /// None.
    pub fn null() -> Self {
        Self(ptr::null(), PhantomData)
    }

    /// Whether there is none.
    pub fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// The argument.
    ///
    /// # Errors
    /// Where the pointer is null.
    pub fn get(&self) -> Result<T> {
        if self.is_null() {
            return null();
        }
        // SAFETY: not null, so it is valid for a read; every pattern of bits is a `T`.
        Ok(unsafe { self.0.read_unaligned() })
    }

    /// The first arguments of an array.
    ///
    /// # Errors
    /// Where the pointer is null and the array is not empty.
    pub fn array(&self, count: usize) -> Result<Vec<T>> {
        match count {
            0 => Ok(Vec::new()),
            _ if self.is_null() => null(),
            // SAFETY: not null, so it is valid for as many reads as the call names; every pattern of bits is a `T`.
            _ => Ok((0..count).map(|at| unsafe { self.0.add(at).read_unaligned() }).collect()),
        }
    }
}

/// Where an array of results goes. It may also be read: some functions take their arguments there.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct OutArray<'a, T>(*mut T, PhantomData<&'a [T]>);

// SAFETY: it is a pointer, of which every pattern of bits is a value: a caller of the API who gives an array of these
// vouches for each.
unsafe impl<T: Plain> Plain for OutArray<'_, T> {}

impl<'a, T: Plain> OutArray<'a, T> {
    /// To an array. How long it is, the call says otherwise.
    ///
    /// # Safety
    /// The call must not say it is longer.
    pub unsafe fn to(places: &'a mut [T]) -> Self {
        Self(places.as_mut_ptr(), PhantomData)
    }

    /// To nowhere.
    pub fn null() -> Self {
        Self(ptr::null_mut(), PhantomData)
    }

    /// Whether the results are not wanted.
    pub fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// The arguments there. There must not be more than the call names.
    ///
    /// # Errors
    /// Where the pointer is null.
    pub fn get(&self, count: usize) -> Result<Vec<T>> {
        In(self.0.cast_const(), PhantomData).array(count)
    }

    /// Gives the results. There must not be more than the call names.
    ///
    /// # Errors
    /// Where the pointer is null and there are results.
    pub fn set(&self, values: &[T]) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        if self.is_null() {
            return null();
        }
        for (at, &value) in values.iter().enumerate() {
            // SAFETY: not null, so it is valid for as many writes as the call names, which are no fewer.
            unsafe { self.0.add(at).write_unaligned(value) };
        }
        Ok(())
    }

    /// Gives one of the results.
    pub fn set_at(&self, at: usize, value: T) {
        if !self.is_null() {
            // SAFETY: not null, so it is valid for as many writes as the call names, of which `at` is one.
            unsafe { self.0.add(at).write_unaligned(value) };
        }
    }

    /// Gives as many results as there is room for, zeros after them, and how many there are: what functions do that
    /// can be asked for the number first.
    pub fn set_counted(&self, count: &Out<'_, usize>, values: &[T], zero: T) -> Result<()> {
        let room = if self.is_null() { values.len() } else { count.read()? };
        self.set_room(room, values, zero, count);
        Ok(())
    }

    /// The same where the room is known. No more than the caller has must be.
    pub fn set_room(&self, room: usize, values: &[T], zero: T, count: &Out<'_, usize>) {
        if !self.is_null() {
            let given = values.iter().copied().chain(std::iter::repeat(zero)).take(room);
            given.enumerate().for_each(|(at, value)| self.set_at(at, value));
        }
        count.put(room.min(values.len()));
    }
}

/// Text, ended by a zero byte.
#[derive(Debug)]
#[repr(transparent)]
pub struct Text<'a>(*const c_char, PhantomData<&'a CStr>);

impl<'a> Text<'a> {
    /// A string.
    pub fn from(text: &'a CStr) -> Self {
        Self(text.as_ptr(), PhantomData)
    }

    /// The text without its end.
    ///
    /// # Errors
    /// Where the pointer is null.
    pub fn bytes(&self) -> Result<&'a [u8]> {
        if self.0.is_null() {
            return null();
        }
        // SAFETY: not null, so it is text that ends with a zero byte and stays during the call.
        Ok(unsafe { CStr::from_ptr(self.0) }.to_bytes())
    }

    /// The text, if it is UTF-8.
    ///
    /// # Errors
    /// Where it is not, or the pointer is null.
    pub fn str(&self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Code::InvalidValue.because("a name is not UTF-8"))
    }
}

/// An image of code: text that ends with a zero byte, or something that says in its first four bytes what it is.
#[derive(Debug)]
#[repr(transparent)]
pub struct ImageData<'a>(*const u8, PhantomData<&'a [u8]>);

impl<'a> ImageData<'a> {
    /// Text.
    pub fn from(text: &'a CStr) -> Self {
        Self(text.as_ptr().cast(), PhantomData)
    }

    /// The first four bytes, zeros where it ends before.
    ///
    /// # Errors
    /// Where the pointer is null.
    pub fn first(&self) -> Result<[u8; 4]> {
        if self.0.is_null() {
            return null();
        }
        let mut first = [0; 4];
        for (at, byte) in first.iter_mut().enumerate() {
            // SAFETY: not null, so it is valid up to its first zero byte at least, before which this stops.
            *byte = unsafe { self.0.add(at).read() };
            if *byte == 0 {
                break;
            }
        }
        Ok(first)
    }

    /// The text. To be asked once [`first`](Self::first) has said that it is text.
    ///
    /// # Errors
    /// Where the pointer is null.
    pub fn text(&self) -> Result<&'a [u8]> {
        Text(self.0.cast(), PhantomData).bytes()
    }

    /// So many bytes.
    ///
    /// # Errors
    /// Where the pointer is null.
    pub fn bytes(&self, count: usize) -> Result<&'a [u8]> {
        if self.0.is_null() {
            return null();
        }
        // SAFETY: not null, so it is valid for as many bytes as the call names, and stays during the call.
        Ok(unsafe { std::slice::from_raw_parts(self.0, count) })
    }
}

/// The program's memory as a source or target of copies, or to be registered.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Host(*const c_void);

// SAFETY: it is a pointer, of which every pattern of bits is a value: what can be done with it, the call decides. It
// is only made of a pointer by a caller of the API.
unsafe impl Plain for Host {}

impl Host {
    /// A source.
    ///
    /// # Safety
    /// See [`HostPointer::new`].
    pub unsafe fn new(pointer: *const c_void) -> Self {
        Self(pointer)
    }

    /// The pointer, for the driver to follow.
    pub fn pointer(self) -> HostPointer {
        // SAFETY: whoever called the API with this pointer, or made a `Host` of it, has vouched for it.
        unsafe { HostPointer::new(self.0.cast()) }
    }

    /// Its address.
    pub fn address(self) -> u64 {
        self.0.addr() as u64
    }

    /// # Errors
    /// Where it is null and bytes are named.
    pub fn check(self, bytes: usize) -> Result<()> {
        if self.0.is_null() && bytes > 0 { null() } else { Ok(()) }
    }
}

/// The value of an option: a number, or a pointer to a buffer for text, as the option says.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct OptionValue(*mut u8);

// SAFETY: it is a pointer, of which every pattern of bits is a value: a caller of the API who names an option that has
// a buffer vouches for it.
unsafe impl Plain for OptionValue {}

impl OptionValue {
    /// A number, for the caller to read.
    pub fn of(number: usize) -> Self {
        Self(ptr::without_provenance_mut(number))
    }

    /// The value of an option that is a number.
    pub fn number(self) -> usize {
        self.0.addr()
    }

    /// The value of an option that is a buffer.
    pub fn buffer<'a>(self) -> OutArray<'a, u8> {
        OutArray(self.0, PhantomData)
    }
}

/// Data that the program gives to a function of its own: passed on, never followed.
pub type UserData = usize;

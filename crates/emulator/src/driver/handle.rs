//! Handles: what the driver gives out instead of pointers, and the tables that know them.
//!
//! A handle is a number that was never given out before, whatever kind of object it stands for, so that a handle that
//! is destroyed, of another kind or made up is told from a good one. No handle can be a pointer.

use std::{
    collections::HashMap,
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::error::{Code, Result};

/// A handle of an object of type `T`, as the driver API passes it: the size of a pointer.
#[repr(transparent)]
pub struct Handle<T: ?Sized>(usize, PhantomData<fn() -> Arc<T>>);

impl<T: ?Sized> Handle<T> {
    /// What no object has.
    pub const NULL: Self = Self(0, PhantomData);

    /// The handle of a number.
    pub const fn new(number: usize) -> Self {
        Self(number, PhantomData)
    }

    /// Its number.
    pub const fn number(self) -> usize {
        self.0
    }

    /// Whether it is no object's.
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// Takes it for another kind's: some calls do.
    pub const fn of<U: ?Sized>(self) -> Handle<U> {
        Handle::new(self.0)
    }
}

impl<T: ?Sized> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Handle<T> {}

impl<T: ?Sized> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T: ?Sized> Eq for Handle<T> {}

impl<T: ?Sized> Hash for Handle<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T: ?Sized> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A number that no processor takes for an address, followed by zeros: the first handle.
const FIRST: usize = 0x4e6f_0000_0000_0000;

static NEXT: AtomicUsize = AtomicUsize::new(FIRST);

/// The objects of one kind by their handles.
#[derive(Debug)]
pub struct Table<T>(RwLock<HashMap<Handle<T>, Arc<T>>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T> Table<T> {
    /// A handle for an object to come.
    pub fn reserve() -> Handle<T> {
        Handle::new(NEXT.fetch_add(16, Ordering::Relaxed))
    }

    /// Gives an object a handle.
    pub fn add(&self, object: Arc<T>) -> Handle<T> {
        let handle = Self::reserve();
        self.put(handle, object);
        handle
    }

    /// Gives an object a handle that was reserved.
    pub fn put(&self, handle: Handle<T>, object: Arc<T>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(handle, object);
    }

    /// The object of a handle.
    pub fn find(&self, handle: Handle<T>) -> Option<Arc<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&handle).cloned()
    }

    /// The object of a handle.
    ///
    /// # Errors
    /// [`Code::InvalidHandle`]; [`Code::InvalidValue`] for a null handle.
    pub fn get(&self, handle: Handle<T>) -> Result<Arc<T>> {
        if handle.is_null() {
            return Err(Code::InvalidValue.because("a handle is null"));
        }
        self.find(handle).ok_or_else(|| invalid(handle))
    }

    /// Ends a handle.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn remove(&self, handle: Handle<T>) -> Result<Arc<T>> {
        if handle.is_null() {
            return Err(Code::InvalidValue.because("a handle is null"));
        }
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&handle).ok_or_else(|| invalid(handle))
    }

    /// An object that fits.
    pub fn select(&self, mut fits: impl FnMut(&T) -> bool) -> Option<Arc<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().find(|object| fits(object)).cloned()
    }

    /// All objects that fit.
    pub fn all(&self, mut fits: impl FnMut(&T) -> bool) -> Vec<Arc<T>> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table.values().filter(|object| fits(object)).cloned().collect()
    }

    /// Ends the handles of all objects that are not to be kept.
    pub fn retain(&self, mut keep: impl FnMut(&T) -> bool) {
        let mut gone = Vec::new();
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|_, object| {
            let keep = keep(object);
            if !keep {
                gone.push(object.clone());
            }
            keep
        });
        // The objects go after the lock: what they do then may want the table.
        drop(gone);
    }
}

fn invalid<T>(handle: Handle<T>) -> super::error::Error {
    Code::InvalidHandle.because(format!("{handle:?} is no handle of this kind, or it was destroyed"))
}

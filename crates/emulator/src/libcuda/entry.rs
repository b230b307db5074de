//! How a call enters: the macro that defines the API's functions, and what happens around each.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::driver::{
    driver,
    error::{Code, Error, Result},
    report::{Report, Subject},
    thread,
};

/// A function of the API as it is found by its name.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name, suffixes included.
    pub name: &'static str,
    /// The first version of the API that has it: 11030 is 11.3.
    pub since: u32,
    /// Its address.
    pub address: fn() -> usize,
}

/// When a function may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At any time.
    Always,
    /// After `cuInit`, and not by a function that runs in stream order.
    Initialized,
}

/// Runs a call's body. Whatever it does, the caller gets a result code.
pub fn call(function: &'static str, when: When, body: impl FnOnce() -> Result<()>) -> u32 {
    let checked = || {
        if when == When::Initialized {
            driver().ready()?;
            if thread::in_callback() {
                return Err(Code::NotPermitted.because("a function that runs in stream order may not call the driver"));
            }
        }
        body()
    };
    // A panic is a bug of this driver. Its objects stay usable: their locks are taken whatever happened.
    match catch_unwind(AssertUnwindSafe(checked)) {
        Ok(Ok(())) => Code::Success as u32,
        Ok(Err(error)) => {
            // Nor may a panic while it is reported reach the caller.
            drop(catch_unwind(AssertUnwindSafe(|| report(function, &error))));
            error.code as u32
        }
        Err(_) => Code::Unknown as u32,
    }
}

fn report(function: &'static str, error: &Error) {
    let Some(detail) = &error.detail else { return };
    // Why an image can't be loaded, the code alone does not say, and few programs ask for the log.
    let always = matches!(
        error.code,
        Code::InvalidPtx | Code::InvalidImage | Code::NoBinaryForGpu | Code::UnsupportedPtxVersion | Code::Unknown
    );
    if always || driver().settings().checks.memory {
        driver().report(Report::new(Subject::Call { function, code: error.code.name() }, detail.clone()));
    }
}

/// Defines functions of the API.
///
/// `3020 fn cuName(arg: Type) { body }` defines `cuName`, which is in the API since version 3.2. `'always` before `fn`
/// lets it be called before `cuInit`. `fn [cuName cuName_ptsz](...)` defines a second function, in which the null
/// stream is the thread's own. A body gives a `Result<()>`.
///
/// The first token names a macro that is made too: in another crate, `noam_emulator::that_macro!(module)` exports the
/// functions by their names.
macro_rules! driver_functions {
    ($export:ident; $($since:literal $($always:lifetime)? fn $names:tt $args:tt $body:block)*) => {
        $($crate::libcuda::entry::driver_functions!(@define $names [$($always)?] $args $body);)*

        /// These functions by name.
        pub(super) static ENTRIES: &[&[$crate::libcuda::entry::Entry]] =
            &[$($crate::libcuda::entry::driver_functions!(@entries $since $names)),*];

        /// Exports these functions by their names from the crate that uses the macro.
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $export {
            ($module:ident) => {
                use noam_emulator::libcuda::$module as functions;
                #[allow(unused_imports)] // A module's functions may take no type of the API's own.
                use noam_emulator::libcuda::types::*;
                $(noam_emulator::export_thunk!(functions $names $args);)*
            };
        }
    };

    (@define $name:ident [$($always:lifetime)?] ($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        #[doc = concat!("`", stringify!($name), "` of the driver API.")]
        ///
        /// # Safety
        /// As the API documents it: pointers are null or valid for what the function does with them.
        #[allow(non_snake_case, clippy::too_many_arguments)] // The API's name and parameters.
        pub unsafe extern "C" fn $name($($arg: $type),*) -> u32 {
            let when = $crate::libcuda::entry::driver_functions!(@when $($always)?);
            $crate::libcuda::entry::call(stringify!($name), when, || $body)
        }
    };

    (@define [$name:ident $per_thread:ident] $always:tt $args:tt $body:block) => {
        $crate::libcuda::entry::driver_functions!(@define $name $always $args $body);
        $crate::libcuda::entry::driver_functions!(@per_thread $per_thread $name $args);
    };

    (@per_thread $per_thread:ident $name:ident ($($arg:ident: $type:ty),* $(,)?)) => {
        #[doc = concat!("`", stringify!($name), "`, with the thread's own stream for the null stream.")]
        ///
        /// # Safety
        /// As the API documents it: pointers are null or valid for what the function does with them.
        #[allow(non_snake_case, clippy::too_many_arguments)] // The API's name and parameters.
        pub unsafe extern "C" fn $per_thread($($arg: $type),*) -> u32 {
            $crate::driver::thread::with_per_thread(|| {
                // SAFETY: the caller has vouched for the same arguments.
                unsafe { $name($($arg),*) }
            })
        }
    };

    (@entries $since:literal $name:ident) => {
        $crate::libcuda::entry::driver_functions!(@entries $since [$name])
    };

    (@entries $since:literal [$($name:ident)*]) => {
        &[$(
            $crate::libcuda::entry::Entry {
                name: stringify!($name),
                since: $since,
                address: || $name as *const () as usize,
            }
        ),*]
    };

    (@when) => { $crate::libcuda::entry::When::Initialized };
    (@when 'always) => { $crate::libcuda::entry::When::Always };
}

pub(super) use driver_functions;

/// Exports functions of the API by their names, from the crate that uses the macro.
#[doc(hidden)]
#[macro_export]
macro_rules! export_thunk {
    ($functions:ident $name:ident ($($arg:ident: $type:ty),* $(,)?)) => {
        #[unsafe(no_mangle)]
        #[allow(clippy::too_many_arguments)] // The API's parameters.
        unsafe extern "C" fn $name($($arg: $type),*) -> u32 {
            // SAFETY: the caller has vouched for the same arguments.
            unsafe { $functions::$name($($arg),*) }
        }
    };
    ($functions:ident [$($name:ident)*] $args:tt) => {
        $(noam_emulator::export_thunk!($functions $name $args);)*
    };
}

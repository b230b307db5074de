//! What comes before everything else: initialisation, versions, errors in words, functions by name.

use super::{
    entry::driver_functions,
    lookup::{self, Found},
    types::*,
};
use crate::driver::{VERSION, capture::Mode, driver, error::Code, thread};

/// A flag of `cuGetProcAddress`: the null stream is to be the thread's own.
const PER_THREAD_DEFAULT_STREAM: u64 = 2;

fn find(symbol: &Text<'_>, version: i32, flags: u64) -> crate::driver::error::Result<Found> {
    if flags > PER_THREAD_DEFAULT_STREAM || version < 0 || version as u32 > VERSION {
        return Err(Code::InvalidValue.because(format!("version {version}, at most {VERSION}")));
    }
    Ok(lookup::find(symbol.str()?, version as u32, flags == PER_THREAD_DEFAULT_STREAM))
}

driver_functions! { export_initialization;
    2000 'always fn cuInit(flags: u32) {
        if flags != 0 {
            return Err(Code::InvalidValue.into());
        }
        driver().initialize();
        Ok(())
    }

    2020 'always fn cuDriverGetVersion(version: Out<'_, i32>) {
        version.set(VERSION as i32)
    }

    6000 'always fn cuGetErrorName(error: u32, text: Out<'_, usize>) {
        text.check()?;
        let code = Code::from_number(error);
        text.put(code.map_or(0, |code| code.name_c().as_ptr().expose_provenance()));
        code.map(|_| ()).ok_or_else(|| Code::InvalidValue.into())
    }

    6000 'always fn cuGetErrorString(error: u32, text: Out<'_, usize>) {
        text.check()?;
        let code = Code::from_number(error);
        text.put(code.map_or(0, |code| code.text_c().as_ptr().expose_provenance()));
        code.map(|_| ()).ok_or_else(|| Code::InvalidValue.into())
    }

    11030 'always fn cuGetProcAddress(symbol: Text<'_>, address: Out<'_, usize>, version: i32, flags: u64) {
        address.check()?;
        match find(&symbol, version, flags)? {
            Found::Address(found) => address.set(found),
            Found::Unknown | Found::Newer => {
                address.put(0);
                Err(Code::NotFound.into())
            }
        }
    }

    12000 'always fn cuGetProcAddress_v2(
        symbol: Text<'_>, address: Out<'_, usize>, version: i32, flags: u64, status: Out<'_, u32>,
    ) {
        address.check()?;
        let (found, result) = match find(&symbol, version, flags)? {
            Found::Address(found) => (found, 0),
            Found::Unknown => (0, 1),
            Found::Newer => (0, 2),
        };
        status.put(result);
        address.set(found)
    }

    3000 'always fn cuGetExportTable(table: Out<'_, usize>, id: In<'_, Uuid>) {
        // What is there belongs to the vendor's own libraries.
        id.get()?;
        table.set(0)?;
        Err(Code::NotSupported.into())
    }

    4000 fn cuProfilerStart() {
        thread::current()?.check()
    }

    4000 fn cuProfilerStop() {
        thread::current()?.check()
    }

    11070 'always fn cuModuleGetLoadingMode(mode: Out<'_, u32>) {
        // Eager.
        mode.set(1)
    }

    10010 fn cuThreadExchangeStreamCaptureMode(mode: OutArray<'_, u32>) {
        let new = Mode::from_number(mode.get(1)?[0])?;
        mode.set(&[thread::exchange_mode(new) as u32])
    }
}

//! Modules, libraries and linking.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use super::{entry::driver_functions, memory::context, options::Options, types::*};
use crate::driver::{
    driver,
    error::{Code, Result},
    handle::Table,
    image::{self, Format},
    model::Model,
};

/// The model that code is loaded for, and the context it is to belong to.
fn here() -> Result<(Model, CuContext)> {
    let context = context()?;
    Ok((context.device.model, context.handle))
}

/// Loads an image; the log goes where the options say.
fn load(data: &ImageData<'_>, model: &Model, owner: CuContext, options: &Options<'_>) -> Result<Arc<Image>> {
    Format::of(data.first()?).check()?;
    load_text(data.text()?, model, owner, options)
}

fn load_text(text: &[u8], model: &Model, owner: CuContext, options: &Options<'_>) -> Result<Arc<Image>> {
    let started = Instant::now();
    let loaded = image::load(text, model, owner);
    options.time(started.elapsed());
    match loaded {
        Ok(image) => {
            options.info("");
            options.error("");
            Ok(image)
        }
        Err(refusal) => {
            options.info("");
            options.error(&refusal.log);
            Err(refusal.error)
        }
    }
}

/// The bytes of a file that a caller names.
fn read(path: &Text<'_>) -> Result<Vec<u8>> {
    let path = path.str()?;
    std::fs::read(path).map_err(|error| Code::FileNotFound.because(format!("{path}: {error}")))
}

/// Text or whatever else a file holds.
fn load_file(path: &Text<'_>, model: &Model, owner: CuContext, options: &Options<'_>) -> Result<Arc<Image>> {
    let bytes = read(path)?;
    let mut first = [0; 4];
    let known = bytes.len().min(4);
    first[..known].copy_from_slice(&bytes[..known]);
    Format::of(first).check()?;
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    load_text(text, model, owner, options)
}

fn load_module(module: &Out<'_, CuModule>, data: &ImageData<'_>, options: &Options<'_>) -> Result<()> {
    module.check()?;
    let (model, owner) = here()?;
    module.set(load(data, &model, owner, options)?.publish())
}

/// A library of an image. It belongs to no context: it is loaded once, for the current device or the first.
fn library(image: Arc<Image>) -> CuLibrary {
    let handle = Table::reserve();
    driver().libraries.put(handle, Arc::new(Library { handle, image }));
    handle
}

fn library_model() -> Result<Model> {
    match context() {
        Ok(context) => Ok(context.device.model),
        Err(_) => Ok(driver().device(0)?.model),
    }
}

fn with_linker<R>(state: CuLinkState, with: impl FnOnce(&mut Linker) -> Result<R>) -> Result<R> {
    let linker = driver().linkers.get(state)?;
    // A linker that failed half-way is one that failed.
    let mut linker = linker.lock().unwrap_or_else(PoisonError::into_inner);
    with(&mut linker)
}

/// Kinds of a linker's inputs that are text.
const INPUT_PTX: u32 = 1;
/// Kinds that there are.
const INPUT_KINDS: u32 = 6;

fn add(state: CuLinkState, kind: u32, bytes: &[u8]) -> Result<()> {
    match kind {
        INPUT_PTX => with_linker(state, |linker| linker.add(bytes)),
        kind if kind < INPUT_KINDS => {
            Err(Code::NoBinaryForGpu.because("only PTX can be linked: there is no machine code for this device"))
        }
        _ => Err(Code::InvalidValue.into()),
    }
}

driver_functions! { export_module;
    2000 fn cuModuleLoad(module: Out<'_, CuModule>, path: Text<'_>) {
        module.check()?;
        let (model, owner) = here()?;
        module.set(load_file(&path, &model, owner, &Options::none())?.publish())
    }

    2000 fn cuModuleLoadData(module: Out<'_, CuModule>, data: ImageData<'_>) {
        load_module(&module, &data, &Options::none())
    }

    2010 fn cuModuleLoadDataEx(
        module: Out<'_, CuModule>, data: ImageData<'_>, count: u32, options: In<'_, u32>,
        values: OutArray<'_, OptionValue>,
    ) {
        load_module(&module, &data, &Options::read(count, &options, values)?)
    }

    2000 fn cuModuleLoadFatBinary(module: Out<'_, CuModule>, data: ImageData<'_>) {
        load_module(&module, &data, &Options::none())
    }

    2000 fn cuModuleUnload(module: CuModule) {
        driver().images.get(module)?.unload();
        Ok(())
    }

    2000 fn cuModuleGetFunction(function: Out<'_, CuFunction>, module: CuModule, name: Text<'_>) {
        function.check()?;
        function.set(driver().images.get(module)?.function(name.str()?)?.handle)
    }

    12040 fn cuModuleGetFunctionCount(count: Out<'_, u32>, module: CuModule) {
        count.set(driver().images.get(module)?.module.kernels().count() as u32)
    }

    12040 fn cuModuleEnumerateFunctions(functions: OutArray<'_, CuFunction>, room: u32, module: CuModule) {
        let image = driver().images.get(module)?;
        functions.set(&kernels(&image, room))
    }

    3020 fn cuModuleGetGlobal_v2(
        address: Out<'_, CuDevicePtr>, bytes: Out<'_, usize>, module: CuModule, name: Text<'_>,
    ) {
        let image = driver().images.get(module)?;
        global(&address, &bytes, &image, &name)
    }

    12000 fn cuLibraryLoadData(
        library: Out<'_, CuLibrary>, data: ImageData<'_>, options: In<'_, u32>, values: OutArray<'_, OptionValue>,
        count: u32, library_options: In<'_, u32>, library_values: In<'_, usize>, library_count: u32,
    ) {
        library.check()?;
        // How the image is kept: it is copied in any case.
        let _ = (library_options, library_values, library_count);
        let options = Options::read(count, &options, values)?;
        library.set(self::library(load(&data, &library_model()?, CuContext::NULL, &options)?))
    }

    12000 fn cuLibraryLoadFromFile(
        library: Out<'_, CuLibrary>, path: Text<'_>, options: In<'_, u32>, values: OutArray<'_, OptionValue>,
        count: u32, library_options: In<'_, u32>, library_values: In<'_, usize>, library_count: u32,
    ) {
        library.check()?;
        let _ = (library_options, library_values, library_count);
        let options = Options::read(count, &options, values)?;
        library.set(self::library(load_file(&path, &library_model()?, CuContext::NULL, &options)?))
    }

    12000 fn cuLibraryUnload(library: CuLibrary) {
        driver().libraries.remove(library)?.image.unload();
        Ok(())
    }

    12000 fn cuLibraryGetKernel(kernel: Out<'_, CuFunction>, library: CuLibrary, name: Text<'_>) {
        kernel.check()?;
        kernel.set(driver().libraries.get(library)?.image.function(name.str()?)?.handle)
    }

    12040 fn cuLibraryGetKernelCount(count: Out<'_, u32>, library: CuLibrary) {
        count.set(driver().libraries.get(library)?.image.module.kernels().count() as u32)
    }

    12040 fn cuLibraryEnumerateKernels(found: OutArray<'_, CuFunction>, room: u32, library: CuLibrary) {
        let library = driver().libraries.get(library)?;
        found.set(&kernels(&library.image, room))
    }

    12000 fn cuLibraryGetModule(module: Out<'_, CuModule>, library: CuLibrary) {
        module.check()?;
        module.set(driver().libraries.get(library)?.image.publish())
    }

    12000 fn cuLibraryGetGlobal(
        address: Out<'_, CuDevicePtr>, bytes: Out<'_, usize>, library: CuLibrary, name: Text<'_>,
    ) {
        global(&address, &bytes, &driver().libraries.get(library)?.image, &name)
    }

    12000 fn cuLibraryGetManaged(
        address: Out<'_, CuDevicePtr>, bytes: Out<'_, usize>, library: CuLibrary, name: Text<'_>,
    ) {
        let _ = (address, bytes);
        driver().libraries.get(library)?;
        Err(Code::NotFound.because(format!("the library has no managed variable `{}`", name.str()?)))
    }

    5050 fn cuLinkCreate(
        count: u32, options: In<'_, u32>, values: OutArray<'_, OptionValue>, state: Out<'_, CuLinkState>,
    ) {
        link(count, &options, values, &state)
    }

    6050 fn cuLinkCreate_v2(
        count: u32, options: In<'_, u32>, values: OutArray<'_, OptionValue>, state: Out<'_, CuLinkState>,
    ) {
        link(count, &options, values, &state)
    }

    5050 fn cuLinkAddData(
        state: CuLinkState, kind: u32, data: ImageData<'_>, bytes: usize, name: Text<'_>, count: u32,
        options: In<'_, u32>, values: OutArray<'_, OptionValue>,
    ) {
        let _ = (name, count, options, values);
        add(state, kind, data.bytes(bytes)?)
    }

    6050 fn cuLinkAddData_v2(
        state: CuLinkState, kind: u32, data: ImageData<'_>, bytes: usize, name: Text<'_>, count: u32,
        options: In<'_, u32>, values: OutArray<'_, OptionValue>,
    ) {
        let _ = (name, count, options, values);
        add(state, kind, data.bytes(bytes)?)
    }

    5050 fn cuLinkAddFile(
        state: CuLinkState, kind: u32, path: Text<'_>, count: u32, options: In<'_, u32>,
        values: OutArray<'_, OptionValue>,
    ) {
        let _ = (count, options, values);
        add(state, kind, &read(&path)?)
    }

    6050 fn cuLinkAddFile_v2(
        state: CuLinkState, kind: u32, path: Text<'_>, count: u32, options: In<'_, u32>,
        values: OutArray<'_, OptionValue>,
    ) {
        let _ = (count, options, values);
        add(state, kind, &read(&path)?)
    }

    5050 fn cuLinkComplete(state: CuLinkState, image: Out<'_, usize>, bytes: Out<'_, usize>) {
        image.check()?;
        with_linker(state, |linker| {
            let output = linker.complete()?;
            image.put(output.as_ptr().expose_provenance());
            bytes.put(output.len());
            Ok(())
        })
    }

    5050 fn cuLinkDestroy(state: CuLinkState) {
        driver().linkers.remove(state).map(|_| ())
    }
}

fn kernels(image: &Arc<Image>, room: u32) -> Vec<CuFunction> {
    let count = image.module.kernels().count().min(room as usize);
    (0..count).map(|kernel| image.function_at(kernel).handle).collect()
}

fn global(address: &Out<'_, u64>, bytes: &Out<'_, usize>, image: &Image, name: &Text<'_>) -> Result<()> {
    if address.is_null() && bytes.is_null() {
        return Err(Code::InvalidValue.into());
    }
    let (found, size) = image.variable(name.str()?)?;
    address.put(found);
    bytes.put(size as usize);
    Ok(())
}

fn link(
    count: u32,
    options: &In<'_, u32>,
    values: OutArray<'_, OptionValue>,
    state: &Out<'_, CuLinkState>,
) -> Result<()> {
    state.check()?;
    context()?;
    // Linking here can't fail after an input was taken, so there is nothing to log.
    let options = Options::read(count, options, values)?;
    options.info("");
    options.error("");
    state.set(driver().linkers.add(Arc::new(Mutex::default())))
}

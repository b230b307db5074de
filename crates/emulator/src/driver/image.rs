//! Images: PTX text and what programs give instead of it, loaded as modules.

use std::sync::Arc;

use super::{
    PTX_VERSION,
    context::Context,
    driver,
    engine::{KernelInfo, LoadError, Module},
    error::{Code, Error, Result},
    function::Function,
    handle::{Handle, Table},
    model::Model,
};

/// A loaded image.
#[derive(Debug)]
pub struct Image {
    /// Its handle as a module.
    pub handle: Handle<Image>,
    /// The context it ends with; null for a library's.
    pub context: Handle<Context>,
    /// Its code and variables.
    pub module: Module,
}

/// A library: an image with its kernels, that belongs to no context.
#[derive(Debug)]
pub struct Library {
    /// Its handle.
    pub handle: Handle<Library>,
    /// Its image.
    pub image: Arc<Image>,
}

/// What the first bytes of an image say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Machine code: an ELF file.
    Cubin,
    /// A container of machine code, or its wrapper.
    Fatbin,
    /// What a compiler passes on for optimisation at link time.
    Bitcode,
    /// Anything else: text, until the parser says otherwise.
    Text,
}

impl Format {
    /// The format of an image that begins with these bytes.
    pub fn of(bytes: [u8; 4]) -> Self {
        match u32::from_le_bytes(bytes) {
            0x464c_457f => Self::Cubin,
            0xba55_ed50 | 0x4662_43b1 => Self::Fatbin,
            0xdec0_4342 | 0x1ee5_5a01 => Self::Bitcode,
            _ => Self::Text,
        }
    }

    /// Refuses what is no text, as a driver does that has no machine code for its device.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Text => Ok(()),
            Self::Cubin | Self::Fatbin => Err(Code::NoBinaryForGpu
                .because("the image is machine code; this device runs PTX only: compile to PTX, and load that")),
            Self::Bitcode => Err(Code::InvalidImage.because("the image is bitcode; this device runs PTX only")),
        }
    }
}

/// Why an image was not loaded: the error, and what a compiler's log would say.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What the caller gets.
    pub error: Error,
    /// The log.
    pub log: String,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let log = error.detail.clone().unwrap_or_else(|| error.code.text().to_owned());
        Self { error, log }
    }
}

/// Loads text for a device like a model.
pub fn load(text: &[u8], model: &Model, context: Handle<Context>) -> std::result::Result<Arc<Image>, Refusal> {
    let text = std::str::from_utf8(text)
        .map_err(|error| Code::InvalidImage.because(format!("the image is no PTX text: {error}")))?;
    let module = Module::load(text, &driver().memory).map_err(|error| refusal(&error))?;
    // Every kernel of a module has the module's version and target.
    if let Some(info) = module.kernels().next().and_then(|kernel| module.kernel(&kernel.name)).map(|it| module.info(it))
    {
        check(info, model)?;
    }
    Ok(Arc::new(Image { handle: Table::reserve(), context, module }))
}

fn check(info: &KernelInfo, model: &Model) -> Result<()> {
    let (version, target) = (info.ptx_version, info.binary_version);
    if version > PTX_VERSION {
        return Err(Code::UnsupportedPtxVersion.because(format!(
            "the module's .version is {}.{}, the newest supported {}.{}",
            version / 10,
            version % 10,
            PTX_VERSION / 10,
            PTX_VERSION % 10
        )));
    }
    if target > model.target() {
        return Err(Code::InvalidPtx.because(format!(
            "the module's .target is sm_{target}, the device's sm_{}; NOAM_EMULATOR_DEVICE chooses another device",
            model.target()
        )));
    }
    Ok(())
}

fn refusal(error: &LoadError) -> Refusal {
    let log = format!("error: {error}");
    let code = match error {
        LoadError::Memory(_) => Code::OutOfMemory,
        _ => Code::InvalidPtx,
    };
    Refusal { error: code.because(log.clone()), log }
}

impl Image {
    /// Makes the image known as a module.
    pub fn publish(self: &Arc<Self>) -> Handle<Self> {
        driver().images.put(self.handle, self.clone());
        self.handle
    }

    /// Ends an image: its kernels' handles end too. What graphs hold of it stays until they end.
    pub fn unload(&self) {
        driver().functions.retain(|function| function.image.handle != self.handle);
        driver().images.remove(self.handle).ok();
    }

    /// A kernel, by its name.
    pub fn function(self: &Arc<Self>, name: &str) -> Result<Arc<Function>> {
        let kernel = self
            .module
            .kernel(name)
            .ok_or_else(|| Code::NotFound.because(format!("the module has no kernel `{name}`")))?;
        Ok(self.function_at(kernel))
    }

    /// A kernel, by its number.
    pub fn function_at(self: &Arc<Self>, kernel: usize) -> Arc<Function> {
        let functions = &driver().functions;
        let known = functions.select(|function| function.kernel == kernel && function.image.handle == self.handle);
        known.unwrap_or_else(|| {
            let function = Arc::new(Function::new(self.clone(), kernel));
            functions.put(function.handle, function.clone());
            function
        })
    }

    /// Address and bytes of a variable.
    pub fn variable(&self, name: &str) -> Result<(u64, u64)> {
        self.module.variable(name).ok_or_else(|| Code::NotFound.because(format!("the module has no variable `{name}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_code_is_told_from_text() {
        for (bytes, code) in [
            (*b"\x7fELF", Code::NoBinaryForGpu),
            ([0x50, 0xed, 0x55, 0xba], Code::NoBinaryForGpu),
            ([0xb1, 0x43, 0x62, 0x46], Code::NoBinaryForGpu),
            (*b"BC\xc0\xde", Code::InvalidImage),
        ] {
            assert_eq!(Format::of(bytes).check().map_err(|error| error.code), Err(code));
        }
        assert_eq!(Format::of(*b"//\n."), Format::Text);
    }
}

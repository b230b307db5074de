//! A model: its configuration, its parameters and where they live.

use crate::params::Layout;
use crate::{Config, Error};
use noam_kernels::device::{Device, Span};
use noam_kernels::embedding;

/// An encoder-decoder Transformer on a device.
#[derive(Debug)]
pub struct Model<D: Device> {
    pub(crate) device: D,
    pub(crate) config: Config,
    pub(crate) layout: Layout,
    pub(crate) params: D::Parameters,
    /// Sinusoids, (max_len, C).
    pub(crate) positions: D::Buffer,
}

impl<D: Device> Model<D> {
    /// A new model, its initial values a pure function of `seed` ([`Layout::init`]).
    ///
    /// # Errors
    /// [`Error::Config`] if the configuration makes no model; [`Error::Kernel`] if the device has no room.
    pub fn new(device: D, config: Config, seed: u64) -> Result<Self, Error> {
        config.validate()?;
        let values = Layout::new(&config).init(&config, seed);
        Self::from_values(device, config, &values)
    }

    /// A model with these parameter values, in the order of [`Layout::entries`].
    ///
    /// # Errors
    /// As [`Model::new`]; [`Error::Parameters`] if there are too few or too many values.
    pub fn from_values(device: D, config: Config, values: &[f32]) -> Result<Self, Error> {
        config.validate()?;
        let layout = Layout::new(&config);
        check_len(values, &layout)?;
        let params = device.parameters(values)?;
        let table = embedding::positions(config.max_len, config.d_model)?;
        let mut positions = device.zeros(table.len())?;
        device.upload(&table, &mut positions, Span { offset: 0, len: table.len() })?;
        Ok(Model { device, config, layout, params, positions })
    }

    /// Where it runs.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where its parameters are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Copies all parameters to the host, in the order of [`Layout::entries`].
    ///
    /// # Errors
    /// [`Error::Parameters`] if `values` has another length.
    pub fn read_values(&self, values: &mut [f32]) -> Result<(), Error> {
        check_len(values, &self.layout)?;
        Ok(self.device.read_parameters(&self.params, Span { offset: 0, len: values.len() }, values)?)
    }

    /// Replaces all parameters.
    ///
    /// # Errors
    /// [`Error::Parameters`] if `values` has another length.
    pub fn write_values(&mut self, values: &[f32]) -> Result<(), Error> {
        check_len(values, &self.layout)?;
        Ok(self.device.set_parameters(values, &mut self.params, Span { offset: 0, len: values.len() })?)
    }
}

pub(crate) fn check_len(values: &[f32], layout: &Layout) -> Result<(), Error> {
    if values.len() == layout.len() { Ok(()) } else { Err(Error::Parameters { got: values.len(), want: layout.len() }) }
}

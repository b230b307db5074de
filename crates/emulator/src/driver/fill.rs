//! Fills: rows of one repeated element of 1, 2 or 4 bytes.

use super::{
    driver,
    error::{Code, Result},
};

/// A fill of `height` rows of `width` elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The first byte.
    pub address: u64,
    /// The element: its low bytes.
    pub value: u32,
    /// Bytes of the element.
    pub element_bytes: u32,
    /// Elements of a row.
    pub width: u64,
    /// Rows.
    pub height: u64,
    /// Bytes from a row to the next.
    pub pitch: u64,
}

impl Fill {
    /// Checks what does not depend on the memory.
    pub fn check(&self) -> Result<()> {
        if !matches!(self.element_bytes, 1 | 2 | 4) {
            return Err(Code::InvalidValue.because(format!("elements of {} bytes", self.element_bytes)));
        }
        let bytes = u64::from(self.element_bytes);
        if !self.address.is_multiple_of(bytes) || (self.height > 1 && !self.pitch.is_multiple_of(bytes)) {
            return Err(Code::InvalidValue.because(format!(
                "address {:#x} and pitch {} must be multiples of the element's {bytes} bytes",
                self.address, self.pitch
            )));
        }
        Ok(())
    }

    /// Fills.
    ///
    /// # Errors
    /// Where a row is not within one allocation. What was filled before it is filled.
    pub fn run(&self) -> Result<()> {
        let bytes = self.value.to_le_bytes();
        let pattern = bytes.get(..self.element_bytes as usize).ok_or(Code::InvalidValue)?;
        for row in 0..self.height {
            let address = self.address.saturating_add(row.saturating_mul(self.pitch));
            driver().memory.fill(address, pattern, self.width)?;
        }
        Ok(())
    }
}

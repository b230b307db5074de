//! Linking: several texts become one. The result is text again, which programs keep and load without looking at it.

use std::collections::HashMap;

use super::{
    error::{Code, Result},
    image::Format,
};

/// What a linker is given, piece by piece.
#[derive(Debug, Default)]
pub struct Linker {
    inputs: Vec<String>,
    /// What came of it. The program holds its address, so it is never moved.
    pub output: Option<Box<[u8]>>,
}

impl Linker {
    /// Adds PTX text.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        let mut first = [0; 4];
        let known = bytes.len().min(4);
        first[..known].copy_from_slice(&bytes[..known]);
        Format::of(first).check()?;
        let text = std::str::from_utf8(bytes).map_err(|_| Code::InvalidPtx.because("the input is no PTX text"))?;
        self.inputs.push(text.trim_end_matches('\0').to_owned());
        Ok(())
    }

    /// Makes one module of all inputs: it is text, ended by a zero byte, and loaded like any other.
    pub fn complete(&mut self) -> Result<&[u8]> {
        if self.inputs.is_empty() {
            return Err(Code::InvalidValue.because("there is nothing to link"));
        }
        let mut joined = join(&self.inputs);
        joined.push('\0');
        Ok(self.output.insert(joined.into_bytes().into()))
    }
}

/// The directives that a module has once, at its head.
const HEADER: [&str; 3] = [".version", ".target", ".address_size"];

/// One module of several: the header with the highest version and target, then every body.
fn join(inputs: &[String]) -> String {
    let [input] = inputs else {
        let mut header: HashMap<&str, (u64, &str)> = HashMap::new();
        let mut bodies = String::new();
        for input in inputs {
            for line in input.lines() {
                let Some(directive) = HEADER.into_iter().find(|directive| line.trim_start().starts_with(directive))
                else {
                    bodies.push_str(line);
                    bodies.push('\n');
                    continue;
                };
                let rank = rank(line);
                let known = header.entry(directive).or_insert((rank, line));
                if rank > known.0 {
                    *known = (rank, line);
                }
            }
        }
        let head: Vec<_> = HEADER.iter().filter_map(|directive| header.get(directive)).map(|(_, line)| *line).collect();
        return format!("{}\n{bodies}", head.join("\n"));
    };
    input.clone()
}

/// The numbers in a line, as one.
fn rank(line: &str) -> u64 {
    let mut numbers = line.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse::<u64>().ok());
    let major = numbers.next().unwrap_or(0);
    major.saturating_mul(1000).saturating_add(numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linked_modules_have_one_header() {
        let mut linker = Linker::default();
        linker.add(b"// a\n.version 8.0\n.target sm_80\n.address_size 64\n.visible .entry a() { ret; }\n").unwrap();
        linker.add(b".version 7.4\n.target sm_52\n.address_size 64\n.visible .entry b() { ret; }\n\0").unwrap();
        let output = String::from_utf8(linker.complete().unwrap().to_vec()).unwrap();
        assert_eq!(
            output,
            ".version 8.0\n.target sm_80\n.address_size 64\n// a\n.visible .entry a() { ret; }\n.visible .entry b() { \
             ret; }\n\0"
        );
        assert_eq!(linker.add(b"\x7fELF....").map_err(|error| error.code), Err(Code::NoBinaryForGpu));
    }
}

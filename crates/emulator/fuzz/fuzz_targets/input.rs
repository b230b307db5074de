//! The input of the targets that run kernels: text, a zero byte, and bytes for the parameters.

use std::{borrow::Cow, sync::OnceLock};

use libfuzzer_sys::fuzzer_mutate;

use crate::mutate::{self, Random, Seeds};

/// Text and bytes of an input.
pub fn split(data: &[u8]) -> (Cow<'_, str>, &[u8]) {
    let end = data.iter().position(|&byte| byte == 0).unwrap_or(data.len());
    (String::from_utf8_lossy(&data[..end]), data.get(end + 1..).unwrap_or_default())
}

/// Changes an input in place; gives its new length. Most changes keep the language in mind, the others are libFuzzer's.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    static SEEDS: OnceLock<Seeds> = OnceLock::new();
    let seeds = SEEDS.get_or_init(Seeds::read);
    let mut random = Random(seed.into());
    if random.below(8) == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let (text, bytes) = split(&data[..size]);
    let mut text = text.into_owned();
    if text.len() < 64 || random.below(256) == 0 {
        text = random.of(&seeds.modules).clone();
    }
    let mut bytes = bytes.to_vec();
    match random.below(8) {
        0 => bytes = (0..4).flat_map(|_| random.next().to_le_bytes()).collect(),
        1 if !bytes.is_empty() => {
            let at = random.below(bytes.len());
            bytes[at] = random.next() as u8;
        }
        _ => text = mutate::mutate(&text, seeds, &mut random),
    }
    let mut changed = text.into_bytes();
    changed.push(0);
    changed.extend(bytes);
    if changed.len() > max_size {
        return size;
    }
    data[..changed.len()].copy_from_slice(&changed);
    changed.len()
}

//! How a sentence is cut into the pieces within which subwords may form.
//!
//! 1. Spaces become `▁`, one is put in front of the sentence, and every word keeps the `▁` before it.
//! 2. Each punctuation mark, symbol and digit is a piece of its own, with the `▁` before it if there is one. So `Haus`
//!    is the same subword before a full stop and before a comma, numbers are spelled out, and no special token can be
//!    spelled by text.
//! 3. A run of characters of a script written without spaces is a piece, without the `▁`: a Chinese word gets the same
//!    subwords at the start of a sentence as within it.

use std::borrow::Cow;

use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::Error;

/// Stands for a space within subwords.
pub(super) const SPACE: char = '▁';

/// Scripts written without spaces between words: Thai, Lao, Myanmar, Khmer, kana and Han.
const UNSPACED: [(char, char); 12] = [
    ('\u{0e01}', '\u{0eff}'),
    ('\u{1000}', '\u{109f}'),
    ('\u{1780}', '\u{17ff}'),
    ('\u{2e80}', '\u{2fdf}'),
    ('\u{3005}', '\u{3007}'),
    ('\u{3041}', '\u{30ff}'),
    ('\u{31f0}', '\u{31ff}'),
    ('\u{3400}', '\u{4dbf}'),
    ('\u{4e00}', '\u{9fff}'),
    ('\u{f900}', '\u{faff}'),
    ('\u{ff66}', '\u{ff9f}'),
    ('\u{20000}', '\u{3ffff}'),
];

/// The longest subword of an unspaced script, in characters. Nothing else would keep a frequent clause from becoming
/// one subword, since the whole clause is one piece; most Chinese words have one or two characters, hardly any more
/// than four.
const MAX_UNSPACED: usize = 4;

fn is_unspaced(c: char) -> bool {
    UNSPACED.iter().any(|&(first, last)| (first..=last).contains(&c))
}

/// Whether `token` is short enough to be a subword.
pub(super) fn allowed(token: &str) -> bool {
    !token.starts_with(is_unspaced) || token.chars().count() <= MAX_UNSPACED
}

pub(super) fn pre_tokenizer() -> Result<Sequence, Error> {
    let runs: String = UNSPACED.iter().map(|(first, last)| format!("{first}-{last}")).collect();
    let pattern = format!("{SPACE}?[\\p{{P}}\\p{{S}}&&[^{SPACE}]]|{SPACE}?\\p{{N}}|[{runs}]+");
    let split = Split::new(SplitPattern::Regex(pattern), SplitDelimiterBehavior::Isolated, false);
    Ok(Sequence::new(vec![
        PreTokenizerWrapper::Metaspace(metaspace()),
        PreTokenizerWrapper::Split(split.map_err(Error::library)?),
    ]))
}

/// Both the first step of cutting and the decoder that undoes it.
pub(super) fn metaspace() -> Metaspace {
    Metaspace::new(SPACE, PrependScheme::Always, true)
}

/// Normalisation form C, without white space at the ends, any white space within as a single space, and no `▁`, which
/// would come back as a space.
pub(super) fn normalise(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    let plain = |(a, b): (char, char)| !(a == SPACE || a.is_whitespace() && (a != ' ' || b == ' '));
    let next = text.chars().skip(1).chain(['x']);
    if is_nfc_quick(text.chars()) == IsNormalized::Yes && text.chars().zip(next).all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.nfc().map(|c| if c == SPACE { '_' } else { c }));
    }
    Cow::Owned(out)
}

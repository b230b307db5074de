//! The tokenisations of sacreBLEU, rule for rule: the point is to count the same n-grams, not to be right.

use serde::{Deserialize, Serialize};

/// How sentences are cut into the words that BLEU counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tokenization {
    /// As the script mteval-v13a does, for languages written with spaces.
    #[default]
    #[serde(rename = "13a")]
    V13a,
    /// Every Chinese character a word, the rest as `13a` does.
    Zh,
    /// At white space only.
    None,
    /// Every character that is not white space a word.
    Char,
}

impl Tokenization {
    /// Its name in a signature.
    pub fn name(self) -> &'static str {
        match self {
            Self::V13a => "13a",
            Self::Zh => "zh",
            Self::None => "none",
            Self::Char => "char",
        }
    }

    /// The sentence with its words separated by white space; [`words`] then finds them.
    pub(super) fn apply(self, sentence: &str) -> String {
        let sentence = sentence.trim_end_matches(is_space);
        match self {
            Self::V13a => {
                let mut line = sentence.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
                if line.contains('&') {
                    // In this order: `&amp;lt;` becomes `<`, `&amp;quot;` becomes `&quot;`.
                    for (entity, character) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
                        line = line.replace(entity, character);
                    }
                }
                western(&format!(" {line} "))
            }
            Self::Zh => {
                let mut line = String::with_capacity(2 * sentence.len());
                for c in sentence.trim_start_matches(is_space).chars() {
                    if is_chinese(c) {
                        line.extend([' ', c, ' ']);
                    } else {
                        line.push(c);
                    }
                }
                western(&line)
            }
            Self::None => sentence.to_owned(),
            Self::Char => sentence.chars().flat_map(|c| [c, ' ']).collect(),
        }
    }
}

/// The words of a tokenised sentence.
pub(super) fn words(tokenised: &str) -> Vec<&str> {
    tokenised.split(is_space).filter(|word| !word.is_empty()).collect()
}

/// White space as Python's `str.split` has it: Unicode's, and the four ASCII separators.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// What `zh` separates. Besides ideographs this takes in U+2001 to U+2A6D, hence dashes, curly quotes, arrows and much
/// else, and leaves out the ideographs beyond U+FFFF: the original writes those as five-digit escapes, which Python reads
/// as four digits and a character more.
fn is_chinese(c: char) -> bool {
    matches!(c,
        '\u{2001}'..='\u{2a6d}'
        | '\u{2e80}'..='\u{2fdf}'
        | '\u{2ff0}'..='\u{303f}'
        | '\u{3100}'..='\u{312f}'
        | '\u{31a0}'..='\u{31bf}'
        | '\u{31c0}'..='\u{31ef}'
        | '\u{3200}'..='\u{4db5}'
        | '\u{4e00}'..='\u{9fbb}'
        | '\u{f900}'..='\u{fa2d}'
        | '\u{fa30}'..='\u{fa6a}'
        | '\u{fa70}'..='\u{fad9}'
        | '\u{fe10}'..='\u{fe1f}'
        | '\u{fe30}'..='\u{fe4f}'
        | '\u{ff00}'..='\u{ffef}')
}

/// The rules for Western languages, one pass over the line each, as the regular expressions they come from.
fn western(line: &str) -> String {
    let mut spaced = String::with_capacity(2 * line.len());
    for c in line.chars() {
        // ASCII punctuation but for `'`, `,`, `-` and `.`.
        if c.is_ascii_punctuation() && !matches!(c, '\'' | ',' | '-' | '.') {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    let stop = |c: char| matches!(c, '.' | ',');
    let digit = |c: char| c.is_ascii_digit();
    // Full stop and comma unless a digit precedes, then unless a digit follows; then a dash after a digit.
    let line = pairs(&spaced, |a, b| !digit(a) && stop(b), |a, b| [a, ' ', b, ' ']);
    let line = pairs(&line, |a, b| stop(a) && !digit(b), |a, b| [' ', a, ' ', b]);
    pairs(&line, |a, b| digit(a) && b == '-', |a, b| [a, ' ', b, ' '])
}

/// Replaces every pair of neighbours that `matches`, from the left and without overlap.
fn pairs(line: &str, matches: impl Fn(char, char) -> bool, replace: impl Fn(char, char) -> [char; 4]) -> String {
    let mut out = String::with_capacity(2 * line.len());
    let mut chars = line.chars().peekable();
    while let Some(a) = chars.next() {
        match chars.next_if(|&b| matches(a, b)) {
            Some(b) => out.extend(replace(a, b)),
            None => out.push(a),
        }
    }
    out
}

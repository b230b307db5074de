//! Text in pictures: escaping, estimated widths, shortening.

use std::borrow::Cow;

/// Replaces what XML does not allow in text or in a quoted attribute.
///
/// The five special characters become entities; control characters and the two noncharacters that XML 1.0 forbids
/// become U+FFFD, since no escape for them exists.
pub fn escape(text: &str) -> Cow<'_, str> {
    let special = |c: char| matches!(c, '<' | '>' | '&' | '"' | '\'' | '\u{fffe}' | '\u{ffff}') || c.is_control();
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if special(c) => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

/// The estimated width of a line of text, in em (multiples of the font size).
///
/// East Asian wide and full-width characters count 1 em, combining marks nothing, and Latin letters what they take in
/// a common sans-serif face, 0.55 em on average.
pub fn em_width(text: &str) -> f64 {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '·' => 0.25,
        'f' | 't' | 'r' | 'I' | ' ' | '(' | ')' | '[' | ']' | '/' | '-' => 0.32,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.86,
        'A'..='Z' => 0.68,
        '\u{0}'..='\u{7f}' => 0.56,
        c if is_combining(c) => 0.0,
        c if is_wide(c) => 1.0,
        c if c.is_uppercase() => 0.7,
        _ => 0.58,
    }
}

/// Marks that are drawn over the letter before them, joiners and variation selectors.
fn is_combining(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{200b}'..='\u{200f}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}')
}

/// The blocks whose characters are Wide or Fullwidth in Unicode's East Asian Width (UAX #11), in broad strokes.
fn is_wide(c: char) -> bool {
    matches!(c,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{303e}' | '\u{3041}'..='\u{33ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{a000}'..='\u{a4cf}' | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff01}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}')
}

/// Cuts `text` so that it takes at most `most` em, with an ellipsis where something is missing.
pub(super) fn shorten(text: &str, most: f64) -> Cow<'_, str> {
    if em_width(text) <= most {
        return Cow::Borrowed(text);
    }
    let mut left = most - 1.0;
    let end = text.char_indices().find_map(|(at, c)| {
        left -= char_width(c);
        (left < 0.0).then_some(at)
    });
    Cow::Owned(format!("{}…", text[..end.unwrap_or(text.len())].trim_end()))
}

/// Breaks `text` at spaces into lines of at most `most` em each; a single longer word keeps a line of its own.
pub(super) fn wrap(text: &str, most: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if em_width(line) + 0.3 + em_width(word) <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

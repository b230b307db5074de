//! Puts words together into a line of Latin script: spaces, commas that wait for a following word, a or an.

/// Collects the words of one sentence.
#[derive(Debug, Default)]
pub struct Writer {
    text: String,
    /// A comma is due if another word follows.
    comma: bool,
    /// "a" or "an" is due, depending on the next word.
    article: bool,
}

impl Writer {
    /// Adds a word, or several with spaces in between; nothing if `word` is empty.
    pub fn word(&mut self, word: &str) {
        if word.is_empty() {
            return;
        }
        if self.article {
            self.article = false;
            self.word(if starts_with_vowel_sound(word) { "an" } else { "a" });
        }
        if self.comma {
            self.comma = false;
            self.text.push(',');
        }
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(word);
    }

    /// Adds to the last word, without a space.
    pub fn suffix(&mut self, suffix: &str) {
        self.text.push_str(suffix);
    }

    /// A comma before whatever follows; two in a row are one, and none precedes the end.
    pub fn comma(&mut self) {
        self.comma = true;
    }

    /// The English indefinite article, in the form that the next word asks for.
    pub fn indefinite_article(&mut self) {
        self.article = true;
    }

    /// The sentence with a capital letter and its final mark.
    pub fn finish(mut self, mark: char) -> String {
        let first = self.text.chars().next().filter(|c| c.is_lowercase());
        if let Some(first) = first {
            let upper: String = first.to_uppercase().collect();
            self.text.replace_range(..first.len_utf8(), &upper);
        }
        self.text.push(mark);
        self.text
    }
}

/// Whether "an" goes before `word`. By spelling, with the exceptions that the vocabulary has.
fn starts_with_vowel_sound(word: &str) -> bool {
    word.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U'])
        && !["uni", "use", "Eu"].iter().any(|exception| word.starts_with(exception))
}

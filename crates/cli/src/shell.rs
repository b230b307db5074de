//! Commands for people to copy into a shell.

use std::path::Path;

/// This program as it was called, so that a command printed can be run as it stands.
pub fn program() -> String {
    std::env::args_os().next().map_or_else(|| "noam".to_owned(), |name| quote(&name.to_string_lossy()))
}

/// The whole command line that this program was called with.
pub fn command_line() -> String {
    let arguments = std::env::args_os().skip(1).map(|argument| quote(&argument.to_string_lossy()));
    std::iter::once(program()).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// A path as a word of a POSIX shell, and never one that looks like an option.
pub fn path(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.starts_with('-') { quote(&format!("./{text}")) } else { quote(&text) }
}

/// A text as one word of a POSIX shell.
///
/// ```
/// use noam::shell::quote;
/// assert_eq!(quote("runs/001-en-de-tiny"), "runs/001-en-de-tiny");
/// assert_eq!(quote("my run's"), r"'my run'\''s'");
/// ```
pub fn quote(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

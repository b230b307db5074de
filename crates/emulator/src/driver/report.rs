//! What was found wrong, in words.

use std::{fmt, thread::ThreadId};

use crate::{
    finding::{Kind, Thread},
    memory::AllocationInfo,
};

/// A thread at an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The thread.
    pub thread: Thread,
    /// The instruction, as the PTX has it.
    pub instruction: String,
    /// The source line as `file:line`; the place in the PTX where the module has no line information.
    pub line: Option<String>,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Thread { block: [bx, by, bz], thread: [tx, ty, tz] } = self.thread;
        write!(f, "block ({bx}, {by}, {bz}), thread ({tx}, {ty}, {tz})")?;
        if let Some(line) = &self.line {
            write!(f, ", {line}")?;
        }
        write!(f, ": {}", self.instruction.trim())
    }
}

/// Where in a kernel something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The thread that was caught.
    pub here: Site,
    /// The other side of a race, or of a barrier.
    pub other: Option<Site>,
}

/// What a report is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// A kernel did it.
    Kernel {
        /// The kernel's name.
        kernel: String,
        /// What it did.
        kind: Kind,
        /// Where.
        place: Place,
        /// The address, and the bytes accessed.
        address: Option<(u64, u32)>,
        /// Whether the kernel was stopped by it.
        fatal: bool,
    },
    /// A call of the driver API was refused for its memory, or for a handle.
    Call {
        /// The function.
        function: &'static str,
        /// The name of the result code.
        code: &'static str,
    },
    /// Memory was not freed when its context ended.
    Leak {
        /// The memory.
        allocation: AllocationInfo,
    },
    /// A setting makes no sense.
    Setting,
}

/// Something that was found wrong. Its `Display` is what report files hold: one line, and one more for the other side
/// of a race.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What it is about.
    pub subject: Subject,
    /// More in words.
    pub detail: String,
    /// The thread of the program whose call it was.
    pub caller: ThreadId,
}

impl Report {
    /// A report that the calling thread causes.
    pub fn new(subject: Subject, detail: impl Into<String>) -> Self {
        Self { subject, detail: detail.into(), caller: std::thread::current().id() }
    }

    /// The finding's kind, for a kernel's and for a leak.
    pub fn kind(&self) -> Option<Kind> {
        match &self.subject {
            Subject::Kernel { kind, .. } => Some(*kind),
            Subject::Leak { .. } => Some(Kind::Leak),
            _ => None,
        }
    }

    /// The source line as `file:line`, for a kernel's.
    pub fn line(&self) -> Option<&str> {
        match &self.subject {
            Subject::Kernel { place, .. } => place.here.line.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Kernel { kernel, kind, place, address, .. } => {
                write!(f, "{kind} in {kernel}, {}", place.here)?;
                if let Some((address, bytes)) = address {
                    write!(f, " [{bytes} bytes at {address:#x}]")?;
                }
                if !self.detail.is_empty() {
                    write!(f, ": {}", self.detail)?;
                }
                match &place.other {
                    Some(other) => write!(f, "\n    and {other}"),
                    None => Ok(()),
                }
            }
            Subject::Call { function, code } => write!(f, "{function} failed with {code}: {}", self.detail),
            Subject::Leak { allocation } => {
                write!(f, "memory not freed: {allocation} at {:#x}", allocation.base)?;
                if self.detail.is_empty() { Ok(()) } else { write!(f, ", {}", self.detail) }
            }
            Subject::Setting => f.write_str(&self.detail),
        }
    }
}

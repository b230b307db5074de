//! What is remembered of accesses to an allocation of device memory.

use std::sync::{
    Mutex, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{
    launch::RaceLaunch,
    list::{Added, Detail, Keep},
    order::Order,
    pieces::Piece,
    record::{Clash, Class, LINE, Record},
};

/// Lines of a page, which is made when it is first touched.
const PAGE: u64 = 32;
/// Pages of a directory, which is too.
const DIRECTORY: u64 = 1024;

/// What kernels do to an allocation, for races to be found between them. Costs nothing before it is used, then about
/// as much memory as was touched.
#[derive(Debug)]
pub struct RaceShadow {
    directories: Box<[OnceLock<Directory>]>,
}

type Directory = Box<[OnceLock<Box<[Line; PAGE as usize]>>]>;

#[derive(Debug, Default)]
struct Line {
    /// For reads, and for strong accesses: the launch in the upper half; in the lower half a bit a word: blocks enough
    /// have done that to it, and no thread anything else, so that once more is nothing new.
    only: [AtomicU64; 2],
    body: Mutex<Body>,
}

#[derive(Debug, Default)]
struct Body {
    launch: u32,
    detail: Detail,
}

/// Accesses kept of each place; more where flags order blocks, since what is kept may be ordered and the rest not.
const KEEP: Keep = Keep(2);
const KEEP_MORE: Keep = Keep(16);

impl RaceShadow {
    /// For an allocation of so many bytes.
    pub fn new(bytes: u64) -> Self {
        let count = bytes.div_ceil(LINE * PAGE * DIRECTORY);
        Self { directories: (0..count).map(|_| OnceLock::new()).collect() }
    }

    fn line(&self, line: u64) -> Option<&Line> {
        let directory = self.directories.get((line / (PAGE * DIRECTORY)) as usize)?;
        let pages = directory.get_or_init(|| (0..DIRECTORY).map(|_| OnceLock::new()).collect());
        let page = pages[(line / PAGE % DIRECTORY) as usize].get_or_init(Box::default);
        Some(&page[(line % PAGE) as usize])
    }

    /// Adds an access, told as a record whose place and lanes the piece gives.
    #[inline]
    pub(super) fn add(
        &self,
        launch: &RaceLaunch,
        order: &Order,
        piece: &Piece,
        record: &Record,
        mut race: impl FnMut(&Record, &Record, Clash),
    ) {
        let Some(line) = self.line(piece.line) else { return };
        let synchronised = launch.has_flags();
        let touched = piece.words();
        let tag = u64::from(launch.id) << 32;
        // Weak writes, and strong accesses that not all see, are never nothing new.
        let only = match record.kind.class {
            Class::Read => Some(&line.only[0]),
            Class::StrongRead | Class::StrongWrite if !record.kind.narrow => Some(&line.only[1]),
            _ => None,
        };
        if let Some(only) = only
            && !synchronised
        {
            let known = only.load(Relaxed);
            if known & !u64::from(u32::MAX) == tag && touched & !(known as u32) == 0 {
                return;
            }
        }
        // A panic while the lock was held left records that are as good as before.
        let mut body = line.body.lock().unwrap_or_else(PoisonError::into_inner);
        if body.launch != launch.id {
            body.launch = launch.id;
            body.detail.clear();
            line.only.iter().for_each(|only| only.store(tag, Relaxed));
        }
        for other in line.only.iter().filter(|&other| only.is_none_or(|only| !std::ptr::eq(only, other))) {
            let known = other.load(Relaxed);
            if known & u64::from(touched) != 0 {
                other.store(known & !u64::from(touched), Relaxed);
            }
        }
        let keep = if synchronised { KEEP_MORE } else { KEEP };
        let new = Record { start: piece.start, end: piece.end, lanes: piece.lanes, ..*record };
        let added = body.detail.add(new, order, keep, &mut race);
        // Strong reads are less than strong writes, and do not stand for them.
        if let Some(only) = only.filter(|_| record.kind.class != Class::StrongRead)
            && added == Added::Enough
            && !synchronised
            && body.detail.is_enough(&new)
        {
            let known = only.load(Relaxed);
            only.store(known | u64::from(piece.whole_words()), Relaxed);
        }
    }
}

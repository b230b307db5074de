//! A file system in memory that fails on request and forgets what was not synced.
//!
//! It is meaner than any real one within what POSIX allows: a crash keeps any subset of the names changed since their
//! folder was last synced, and of each file any mixture of its synced content, its new content and zeros. A rename
//! alone is indivisible. `sync` on a file does not save its name.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::path::{Component, Path};
use std::sync::{Mutex, MutexGuard};

use super::{Item, Kind, Storage, WriteFile};

/// Granularity in which a crash mixes old and new content: small, so that small files are torn too.
const SECTOR: usize = 16;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The disk is full: calls that take space fail, a write after half of its bytes.
    Full,
    /// The user's quota is used up; otherwise as `Full`.
    Quota,
    /// An input/output error: any call fails.
    Io,
    /// A write takes a part of its bytes only.
    ShortWrite,
    /// A write takes nothing and says so.
    WriteZero,
    /// The process is gone: from here on every call fails and does nothing.
    Crash,
}

/// A fault at the call number `at`, counted from 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub at: u64,
    pub fault: Fault,
    pub for_ever: bool,
}

/// What a crash does to whatever was not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loss {
    /// Everything had reached the disk by luck.
    Nothing,
    /// Nothing had.
    Everything,
    /// Some of it, out of order, some of it torn.
    Random(u64),
}

#[derive(Clone, Debug)]
enum Node {
    File { data: Vec<u8>, synced: Vec<u8> },
    Folder { names: BTreeMap<OsString, usize>, synced: BTreeMap<OsString, usize> },
}

/// Names of one folder that changed together and are not synced yet.
#[derive(Clone, Debug)]
struct Change {
    folder: usize,
    names: Vec<(OsString, Option<usize>)>,
}

#[derive(Clone, Debug)]
struct State {
    nodes: Vec<Node>,
    pending: Vec<Change>,
    calls: u64,
    plan: Option<Plan>,
    hits: u64,
    /// Added to the length that opening a file tells, as if another process cut or extended it since.
    misled: i64,
}

/// The file system; paths are relative to its root.
#[derive(Debug)]
pub(crate) struct FaultyDisk {
    state: Mutex<State>,
}

/// Sebastiano Vigna's SplitMix64: enough to spread a seed.
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is at least 1.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// What the fault of the moment asks of a call.
enum Verdict {
    Go,
    Short,
    Zero,
    HalfThen(io::Error),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Space,
    Write,
    Nothing,
}

fn error(fault: Fault) -> io::Error {
    match fault {
        Fault::Full => io::ErrorKind::StorageFull.into(),
        Fault::Quota => io::ErrorKind::QuotaExceeded.into(),
        Fault::Io => io::Error::other("input/output error"),
        Fault::ShortWrite | Fault::WriteZero => io::ErrorKind::WriteZero.into(),
        Fault::Crash => io::Error::other("the process was killed"),
    }
}

impl State {
    fn call(&mut self, takes: Takes) -> io::Result<Verdict> {
        let now = self.calls;
        self.calls += 1;
        let Some(plan) = self.plan else { return Ok(Verdict::Go) };
        let lasting = plan.for_ever || plan.fault == Fault::Crash;
        if now < plan.at || (now > plan.at && !lasting) {
            return Ok(Verdict::Go);
        }
        let verdict = match (plan.fault, takes) {
            (Fault::ShortWrite, Takes::Write) => Verdict::Short,
            (Fault::WriteZero, Takes::Write) => Verdict::Zero,
            (Fault::Full | Fault::Quota, Takes::Write) => Verdict::HalfThen(error(plan.fault)),
            (Fault::Full | Fault::Quota, Takes::Space) | (Fault::Io | Fault::Crash, _) => {
                self.hits += 1;
                return Err(error(plan.fault));
            }
            _ => return Ok(Verdict::Go),
        };
        self.hits += 1;
        Ok(verdict)
    }

    fn names(&self, folder: usize) -> io::Result<&BTreeMap<OsString, usize>> {
        match &self.nodes[folder] {
            Node::Folder { names, .. } => Ok(names),
            Node::File { .. } => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        let mut node = 0;
        for component in path.components() {
            match component {
                Component::RootDir | Component::CurDir => {}
                Component::Normal(name) => {
                    node = *self.names(node)?.get(name).ok_or(io::ErrorKind::NotFound)?;
                }
                _ => return Err(io::ErrorKind::InvalidInput.into()),
            }
        }
        Ok(node)
    }

    fn parent_and_name<'p>(&self, path: &'p Path) -> io::Result<(usize, &'p OsStr)> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        Ok((self.find(path.parent().unwrap_or(Path::new("")))?, name))
    }

    fn change(&mut self, folder: usize, changes: Vec<(OsString, Option<usize>)>) {
        if let Node::Folder { names, .. } = &mut self.nodes[folder] {
            apply(names, &changes);
        }
        self.pending.push(Change { folder, names: changes });
    }

    fn open_for_writing(&mut self, path: &Path, empty: bool) -> io::Result<usize> {
        self.call(Takes::Space)?;
        let (folder, name) = self.parent_and_name(path)?;
        if let Some(&node) = self.names(folder)?.get(name) {
            return match &mut self.nodes[node] {
                Node::File { data, .. } => {
                    if empty {
                        data.clear();
                    }
                    Ok(node)
                }
                Node::Folder { .. } => Err(io::ErrorKind::IsADirectory.into()),
            };
        }
        self.nodes.push(Node::File { data: Vec::new(), synced: Vec::new() });
        let node = self.nodes.len() - 1;
        self.change(folder, vec![(name.to_os_string(), Some(node))]);
        Ok(node)
    }
}

fn apply(names: &mut BTreeMap<OsString, usize>, changes: &[(OsString, Option<usize>)]) {
    for (name, node) in changes {
        match node {
            Some(node) => names.insert(name.clone(), *node),
            None => names.remove(name),
        };
    }
}

/// What a crash may leave of a file.
fn torn(synced: &[u8], data: &[u8], random: &mut Random) -> Vec<u8> {
    match random.below(6) {
        0 => synced.to_vec(),
        1 => data.to_vec(),
        2 => vec![0; data.len()],
        3 => data[..random.below(data.len() + 1)].to_vec(),
        _ => {
            let len = if random.below(2) == 0 { data.len() } else { random.below(data.len().max(synced.len()) + 1) };
            let mut mixed = vec![0; len];
            for start in (0..len).step_by(SECTOR) {
                let from: &[u8] = match random.below(3) {
                    0 => synced,
                    1 => data,
                    _ => &[],
                };
                let end = len.min(start + SECTOR).min(from.len());
                if start < end {
                    mixed[start..end].copy_from_slice(&from[start..end]);
                }
            }
            mixed
        }
    }
}

impl Clone for FaultyDisk {
    fn clone(&self) -> Self {
        Self { state: Mutex::new(self.state().clone()) }
    }
}

impl FaultyDisk {
    pub(crate) fn new() -> Self {
        let root = Node::Folder { names: BTreeMap::new(), synced: BTreeMap::new() };
        let state = State { nodes: vec![root], pending: Vec::new(), calls: 0, plan: None, hits: 0, misled: 0 };
        Self { state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A copy, counting calls from 0, in which `plan` will come true.
    pub(crate) fn with(&self, plan: Plan) -> Self {
        let copy = self.clone();
        {
            let mut state = copy.state();
            (state.calls, state.hits, state.plan) = (0, 0, Some(plan));
        }
        copy
    }

    /// A copy, counting calls from 0, in which nothing goes wrong.
    pub(crate) fn healthy(&self) -> Self {
        let copy = self.clone();
        {
            let mut state = copy.state();
            (state.calls, state.hits, state.plan) = (0, 0, None);
        }
        copy
    }

    /// A copy in which opening a file tells a length that is wrong by `by`.
    pub(crate) fn misled(&self, by: i64) -> Self {
        let copy = self.clone();
        copy.state().misled = by;
        copy
    }

    /// Calls made so far.
    pub(crate) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// How often the planned fault struck.
    pub(crate) fn hits(&self) -> u64 {
        self.state().hits
    }

    /// The file system that is found after the machine went down now.
    pub(crate) fn crash(&self, loss: Loss) -> Self {
        let mut state = self.state().clone();
        let mut random = Random(if let Loss::Random(seed) = loss { seed } else { 0 });
        for change in std::mem::take(&mut state.pending) {
            let kept = match loss {
                Loss::Nothing => true,
                Loss::Everything => false,
                Loss::Random(_) => random.below(2) == 0,
            };
            if let (true, Node::Folder { synced, .. }) = (kept, &mut state.nodes[change.folder]) {
                apply(synced, &change.names);
            }
        }
        for node in &mut state.nodes {
            match node {
                Node::Folder { names, synced } => names.clone_from(synced),
                Node::File { data, synced } => {
                    if data != synced {
                        match loss {
                            Loss::Nothing => {}
                            Loss::Everything => data.clone_from(synced),
                            Loss::Random(_) => *data = torn(synced, data, &mut random),
                        }
                        synced.clone_from(data);
                    }
                }
            }
        }
        (state.calls, state.hits, state.plan) = (0, 0, None);
        Self { state: Mutex::new(state) }
    }

    /// Puts `bytes` into a file that exists or not, synced and uncounted, for tests that damage files.
    pub(crate) fn put(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state();
        let (calls, plan) = (state.calls, state.plan.take());
        let node = state.open_for_writing(path, true).unwrap();
        state.nodes[node] = Node::File { data: bytes.to_vec(), synced: bytes.to_vec() };
        (state.calls, state.plan) = (calls, plan);
    }

    /// The content of a file, uncounted.
    pub(crate) fn get(&self, path: &Path) -> Vec<u8> {
        let state = self.state();
        match &state.nodes[state.find(path).unwrap()] {
            Node::File { data, .. } => data.clone(),
            Node::Folder { .. } => panic!("{} is a folder", path.display()),
        }
    }

    /// Every path of a file or folder, sorted, uncounted.
    pub(crate) fn paths(&self) -> Vec<String> {
        fn walk(state: &State, node: usize, path: &str, paths: &mut Vec<String>) {
            if let Node::Folder { names, .. } = &state.nodes[node] {
                for (name, &child) in names {
                    let path = format!("{path}/{}", name.to_str().unwrap());
                    paths.push(path.clone());
                    walk(state, child, &path, paths);
                }
            }
        }
        let mut paths = Vec::new();
        walk(&self.state(), 0, "", &mut paths);
        paths
    }
}

struct OpenFile<'a> {
    disk: &'a FaultyDisk,
    node: usize,
}

impl Write for OpenFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        let (taken, error) = match state.call(Takes::Write)? {
            Verdict::Go => (bytes.len(), None),
            Verdict::Short => (bytes.len().div_ceil(2), None),
            Verdict::Zero => (0, None),
            Verdict::HalfThen(error) => (bytes.len() / 2, Some(error)),
        };
        if let Node::File { data, .. } = &mut state.nodes[self.node] {
            data.extend_from_slice(&bytes[..taken]);
        }
        error.map_or(Ok(taken), Err)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl WriteFile for OpenFile<'_> {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.call(Takes::Space)?;
        if let Node::File { data, synced } = &mut state.nodes[self.node] {
            synced.clone_from(data);
        }
        Ok(())
    }
}

struct OpenRead<'a> {
    disk: &'a FaultyDisk,
    node: usize,
    at: usize,
}

impl Read for OpenRead<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.call(Takes::Nothing)?;
        let Node::File { data, .. } = &state.nodes[self.node] else { unreachable!("only files are opened") };
        let taken = bytes.len().min(data.len().saturating_sub(self.at));
        bytes[..taken].copy_from_slice(&data[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}

impl Storage for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile + '_>> {
        let node = self.state().open_for_writing(path, true)?;
        Ok(Box::new(OpenFile { disk: self, node }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn WriteFile + '_>> {
        let node = self.state().open_for_writing(path, false)?;
        Ok(Box::new(OpenFile { disk: self, node }))
    }

    fn open(&self, path: &Path) -> io::Result<(Box<dyn Read + '_>, u64)> {
        let mut state = self.state();
        state.call(Takes::Nothing)?;
        let node = state.find(path)?;
        match &state.nodes[node] {
            Node::File { data, .. } => Ok((
                Box::new(OpenRead { disk: self, node, at: 0 }),
                (data.len() as u64).saturating_add_signed(state.misled),
            )),
            Node::Folder { .. } => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.call(Takes::Space)?;
        let (folder, name) = state.parent_and_name(path)?;
        if state.names(folder)?.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.nodes.push(Node::Folder { names: BTreeMap::new(), synced: BTreeMap::new() });
        let node = state.nodes.len() - 1;
        state.change(folder, vec![(name.to_os_string(), Some(node))]);
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.call(Takes::Space)?;
        let folder = state.find(path)?;
        state.names(folder)?;
        let pending = std::mem::take(&mut state.pending);
        let (now, later) = pending.into_iter().partition::<Vec<_>, _>(|change| change.folder == folder);
        state.pending = later;
        if let Node::Folder { synced, .. } = &mut state.nodes[folder] {
            for change in now {
                apply(synced, &change.names);
            }
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.call(Takes::Space)?;
        let (folder, old) = state.parent_and_name(from)?;
        let (new_folder, new) = state.parent_and_name(to)?;
        if folder != new_folder {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        let node = state.find(from)?;
        if let Some(&target) = state.names(folder)?.get(new) {
            match (&state.nodes[node], &state.nodes[target]) {
                (Node::File { .. }, Node::File { .. }) => {}
                (Node::File { .. }, Node::Folder { .. }) => return Err(io::ErrorKind::IsADirectory.into()),
                (Node::Folder { .. }, Node::File { .. }) => return Err(io::ErrorKind::NotADirectory.into()),
                (_, Node::Folder { names, .. }) if names.is_empty() => {}
                _ => return Err(io::ErrorKind::DirectoryNotEmpty.into()),
            }
        }
        state.change(folder, vec![(old.to_os_string(), None), (new.to_os_string(), Some(node))]);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.call(Takes::Nothing)?;
        let (folder, name) = state.parent_and_name(path)?;
        let node = state.find(path)?;
        if matches!(state.nodes[node], Node::Folder { .. }) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        state.change(folder, vec![(name.to_os_string(), None)]);
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.call(Takes::Nothing)?;
        let (folder, name) = state.parent_and_name(path)?;
        let node = state.find(path)?;
        if !state.names(node)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.change(folder, vec![(name.to_os_string(), None)]);
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Item>> {
        let mut state = self.state();
        state.call(Takes::Nothing)?;
        let folder = state.find(path)?;
        let kind = |node: usize| match state.nodes[node] {
            Node::File { .. } => Kind::File,
            Node::Folder { .. } => Kind::Folder,
        };
        Ok(state.names(folder)?.iter().map(|(name, &node)| Item { name: name.clone(), kind: kind(node) }).collect())
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        let mut state = self.state();
        state.call(Takes::Nothing)?;
        match state.find(path) {
            Ok(node) => Ok(Some(match state.nodes[node] {
                Node::File { .. } => Kind::File,
                Node::Folder { .. } => Kind::Folder,
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

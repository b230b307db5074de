//! Reading a case: launch, parameters and marked lines, as `tests/bugs/README.md` defines them.

use std::collections::BTreeSet;

/// A pair of kernels, and what is said of them.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub grid: u32,
    pub block: u32,
    pub shared_bytes: u32,
    pub cooperative: bool,
    pub params: Vec<Param>,
    /// What may be found: line and kind, by the kind's name.
    pub marks: BTreeSet<(u32, String)>,
    /// The bug itself: the first kind of each marked line.
    pub bugs: BTreeSet<(u32, String)>,
}

/// A parameter of both twins.
#[derive(Debug)]
pub enum Param {
    Scalar(Element, i64),
    Buffer { element: Element, count: usize, values: Values, fate: Fate },
}

/// The type of a parameter or of a buffer's elements.
#[derive(Clone, Copy, Debug)]
pub enum Element {
    U8,
    I32,
    U32,
    U64,
    F32,
}

/// What a buffer holds.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    Unwritten,
    Zeros { below: usize },
    Index { below: usize },
}

/// What becomes of a buffer, in the bad twin's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Alive,
    FreedBefore,
    NeverFreed,
}

impl Element {
    fn named(name: &str) -> Self {
        match name {
            "u8" => Self::U8,
            "i32" => Self::I32,
            "u32" => Self::U32,
            "u64" => Self::U64,
            "f32" => Self::F32,
            _ => panic!("unknown type {name}"),
        }
    }

    pub fn bytes_of(self, value: i64) -> Vec<u8> {
        match self {
            Self::U8 => vec![value as u8],
            Self::I32 | Self::U32 => (value as u32).to_le_bytes().to_vec(),
            Self::U64 => value.to_le_bytes().to_vec(),
            Self::F32 => (value as f32).to_le_bytes().to_vec(),
        }
    }

    pub fn size(self) -> usize {
        self.bytes_of(0).len()
    }
}

impl Param {
    /// `NAME: TYPE = NUMBER`, or `NAME: TYPE[COUNT] [= VALUES [below COUNT]] [freed | leaked]`.
    fn parse(text: &str) -> Self {
        let (_, rest) = text.split_once(": ").unwrap_or_else(|| panic!("no type in {text:?}"));
        let Some((element, rest)) = rest.split_once('[') else {
            let (element, value) = rest.split_once(" = ").unwrap_or_else(|| panic!("no value in {text:?}"));
            return Self::Scalar(Element::named(element), value.parse().expect("a number"));
        };
        let (count, rest) = rest.split_once(']').unwrap_or_else(|| panic!("no ] in {text:?}"));
        let count = count.parse().expect("a length");
        let mut words: Vec<&str> = rest.split_whitespace().collect();
        let fate = match words.last() {
            Some(&"freed") => Fate::FreedBefore,
            Some(&"leaked") => Fate::NeverFreed,
            _ => Fate::Alive,
        };
        if fate != Fate::Alive {
            words.pop();
        }
        let values = match words[..] {
            [] => Values::Unwritten,
            ["=", "0"] => Values::Zeros { below: count },
            ["=", "i"] => Values::Index { below: count },
            ["=", "0", "below", below] => Values::Zeros { below: below.parse().expect("a length") },
            ["=", "i", "below", below] => Values::Index { below: below.parse().expect("a length") },
            _ => panic!("unknown values in {text:?}"),
        };
        Self::Buffer { element: Element::named(element), count, values, fate }
    }
}

impl Values {
    /// The bytes that are written, from the buffer's first on.
    pub fn bytes(self, element: Element) -> Vec<u8> {
        match self {
            Self::Unwritten => Vec::new(),
            Self::Zeros { below } => vec![0; below * element.size()],
            Self::Index { below } => (0..below as i64).flat_map(|index| element.bytes_of(index)).collect(),
        }
    }
}

impl Case {
    /// `// NAME: <<<grid, block[, bytes]>>> [cooperative] (PARAMETER, ...)`; `None` where a line is not one.
    fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.strip_prefix("// ")?.split_once(": <<<")?;
        let (sizes, rest) = rest.split_once(">>> ")?;
        let sizes: Vec<u32> = sizes.split(", ").map(|size| size.parse().expect("a number")).collect();
        let (cooperative, rest) = match rest.strip_prefix("cooperative ") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let params = rest.strip_prefix('(')?.strip_suffix(')')?;
        let (grid, block, shared_bytes) = match sizes[..] {
            [grid, block] => (grid, block, 0),
            [grid, block, shared_bytes] => (grid, block, shared_bytes),
            _ => panic!("sizes of {line:?}"),
        };
        Some(Self {
            name: name.to_owned(),
            grid,
            block,
            shared_bytes,
            cooperative,
            params: params.split(", ").map(Param::parse).collect(),
            marks: BTreeSet::new(),
            bugs: BTreeSet::new(),
        })
    }
}

/// All cases of a source.
pub fn cases(source: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (line, text) in (1..).zip(source.lines()) {
        if let Some(case) = Case::parse(text) {
            cases.push(case);
        } else if let Some((_, kinds)) = text.split_once("// BUG: ") {
            let case = cases.last_mut().expect("a case comes before its marks");
            case.marks.extend(kinds.split_whitespace().map(|kind| (line, kind.to_owned())));
            case.bugs.extend(kinds.split_whitespace().take(1).map(|kind| (line, kind.to_owned())));
        }
    }
    cases
}

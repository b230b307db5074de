//! Random changes to PTX that leave most of it right: what comes out often loads, and runs.
//!
//! A change works on lines and tokens. A token gives way to another of its sort (a register to one that the text
//! declares, a label to one of its labels, a modifier to any modifier), and instructions of other kernels come in with
//! their operands renamed. The test of the C interface and the targets of `fuzz/` share it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub fn of<'v, T>(&mut self, values: &'v [T]) -> &'v T {
        &values[self.below(values.len())]
    }
}

/// Modules of one kernel each, and the lines and modifiers that are found in them.
pub struct Seeds {
    pub modules: Vec<String>,
    lines: Vec<String>,
    /// By opcode.
    modifiers: BTreeMap<String, Vec<String>>,
}

/// Registers that every seed declares besides its own, so that lines of others find theirs.
const DECLARATIONS: [(&str, &str); 6] =
    [("%p", "pred"), ("%rs", "b16"), ("%r", "b32"), ("%rd", "b64"), ("%f", "f32"), ("%fd", "f64")];

/// How many of a line's kind are kept.
const LINES_OF_A_KIND: usize = 8;

/// Seeds are no longer than this, so that a change meets every kind of place.
const LONGEST: usize = 6_000;

impl Seeds {
    /// The kernels of the crate's tests.
    pub fn read() -> Self {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|path| path.join("tests/ptx").is_dir());
        let tests = tests.expect("the package lies in the emulator's folder").join("tests");
        let mut modules = Vec::new();
        let mut lines = BTreeSet::new();
        let mut modifiers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for folder in ["bugs", "ptx/12.0", "ptx/13.5"] {
            let mut files: Vec<_> =
                fs::read_dir(tests.join(folder)).expect("a folder").map(|it| it.unwrap().path()).collect();
            files.retain(|path| path.extension().is_some_and(|extension| extension == "ptx"));
            files.sort();
            for path in files {
                let text = fs::read_to_string(path).expect("a file of text");
                for line in text.lines().map(str::trim).filter(|line| line.ends_with(';') && !line.starts_with('.')) {
                    lines.insert((kind_of(line), line.to_owned()));
                    let found = tokens(line).into_iter().filter(|token| token.starts_with('.')).map(str::to_owned);
                    modifiers.entry(opcode(line)).or_default().extend(found);
                }
                // What prints would do so on the standard output.
                let fits = |module: &String| module.len() < LONGEST && !module.contains("vprintf");
                modules.extend(single_kernels(&text).into_iter().filter(fits));
            }
        }
        let mut kept: Vec<(String, String)> = Vec::new();
        for (kind, line) in lines {
            if kept.iter().rev().take(LINES_OF_A_KIND).filter(|(known, _)| *known == kind).count() < LINES_OF_A_KIND {
                kept.push((kind, line));
            }
        }
        Self {
            modules,
            lines: kept.into_iter().map(|(_, line)| line).collect(),
            modifiers: modifiers.into_iter().map(|(opcode, found)| (opcode, found.into_iter().collect())).collect(),
        }
    }

    /// A modifier that is known with a line's opcode, or some other.
    fn modifier(&self, line: &str, random: &mut Random) -> String {
        let known = self.modifiers.get(&opcode(line)).filter(|_| random.below(8) != 0);
        let from = known.or_else(|| self.modifiers.values().nth(random.below(self.modifiers.len())));
        match from.filter(|modifiers| !modifiers.is_empty()) {
            Some(modifiers) => random.of(modifiers).clone(),
            None => String::new(),
        }
    }
}

fn opcode(line: &str) -> String {
    kind_of(line).split('.').next().unwrap_or_default().to_owned()
}

/// A line's opcode with its modifiers.
fn kind_of(line: &str) -> String {
    let line = if line.starts_with('@') { line.split_once(' ').map_or(line, |(_, rest)| rest) } else { line };
    line.split_whitespace().next().unwrap_or_default().to_owned()
}

/// A module for each kernel of one: what stands before the first kernel, and it.
fn single_kernels(text: &str) -> Vec<String> {
    let dull = |line: &&str| line.trim_start().starts_with("//") || line.trim().is_empty();
    let text: String = text.lines().filter(|line| !dull(line)).flat_map(|line| [line, "\n"]).collect();
    let pieces: Vec<&str> = text.split(".visible .entry ").collect();
    let (head, kernels) = pieces.split_first().expect("a split has a first piece");
    let widened = |kernel: &str| {
        let mut kernel = kernel.to_owned();
        // After the kernel's own brace, where its declarations are.
        let Some(at) = kernel.find("\n{") else { return kernel };
        let mut more = String::new();
        for (prefix, ty) in DECLARATIONS {
            if !kernel.contains(&format!("{prefix}<")) {
                more += &format!("\n\t.reg .{ty} \t{prefix}<9>;");
            }
        }
        kernel.insert_str(at + 2, &more);
        kernel
    };
    kernels.iter().map(|kernel| format!("{head}.visible .entry {}", widened(kernel))).collect()
}

/// Words, numbers, registers with their sign `%`, modifiers with their dot, single signs; blanks are left out.
fn tokens(line: &str) -> Vec<&str> {
    spans(line).into_iter().map(|(from, to)| &line[from..to]).collect()
}

fn spans(line: &str) -> Vec<(usize, usize)> {
    let bytes = line.as_bytes();
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    let mut spans = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let from = at;
        at += 1;
        if bytes[from].is_ascii_whitespace() {
            continue;
        }
        if word(bytes[from]) || matches!(bytes[from], b'%' | b'.') {
            while at < bytes.len() && (word(bytes[at]) || bytes[at] == b':' && bytes.get(at + 1) == Some(&b':')) {
                at += if bytes[at] == b':' { 2 } else { 1 };
            }
            at = at.min(bytes.len());
        }
        while !line.is_char_boundary(at) {
            at += 1;
        }
        spans.push((from, at));
    }
    spans
}

/// What a text declares.
struct Names {
    /// Prefix and count of registers.
    families: Vec<(String, usize)>,
    labels: Vec<String>,
    params: Vec<String>,
    /// Variables.
    symbols: Vec<String>,
}

impl Names {
    fn of(text: &str) -> Self {
        let mut names = Self { families: Vec::new(), labels: Vec::new(), params: Vec::new(), symbols: Vec::new() };
        for line in text.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix(".reg") {
                for token in rest.split([' ', '\t', ',', ';']) {
                    if let Some((prefix, count)) = token.split_once('<') {
                        let count = count.trim_end_matches('>').parse().unwrap_or(1).clamp(1, 1000);
                        names.families.push((prefix.to_owned(), count));
                    }
                }
            } else if let Some(label) = line.strip_suffix(':').filter(|label| !label.contains(' ')) {
                names.labels.push(label.to_owned());
            } else if line.starts_with('.') {
                let words: Vec<&str> =
                    line.split([' ', '\t', ',', ';', '[', '=']).filter(|word| !word.is_empty()).collect();
                let name = words.iter().find(|word| word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
                let Some(name) = name.map(|name| (*name).to_owned()) else { continue };
                match words[0] {
                    ".param" => names.params.push(name),
                    ".shared" | ".global" | ".const" | ".local" | ".extern" => names.symbols.push(name),
                    _ => {}
                }
            }
        }
        names
    }

    /// A register of the family that `token` is of, or any.
    fn register(&self, token: &str, random: &mut Random) -> Option<String> {
        let prefix = token.trim_end_matches(|c: char| c.is_ascii_digit());
        let same: Vec<_> = self.families.iter().filter(|(known, _)| known == prefix).collect();
        let family = match same.first() {
            Some(family) if random.below(16) != 0 => family,
            _ if self.families.is_empty() => return None,
            _ => random.of(&self.families),
        };
        Some(format!("{}{}", family.0, random.below(family.1)))
    }
}

const NUMBERS: [&str; 40] = [
    "0",
    "1",
    "2",
    "3",
    "4",
    "7",
    "8",
    "15",
    "16",
    "17",
    "31",
    "32",
    "33",
    "63",
    "64",
    "127",
    "128",
    "255",
    "256",
    "1024",
    "65535",
    "65536",
    "-1",
    "-2",
    "-8",
    "-2147483648",
    "2147483647",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "0f00000000",
    "0f3F800000",
    "0f7FC00000",
    "0f7F800000",
    "0fFF800000",
    "0f00000001",
    "0d3FF0000000000000",
    "0d7FF0000000000000",
];

const SPECIALS: [&str; 18] = [
    "%tid.x",
    "%tid.y",
    "%ntid.x",
    "%ctaid.x",
    "%nctaid.x",
    "%laneid",
    "%warpid",
    "%nwarpid",
    "%smid",
    "%lanemask_lt",
    "%lanemask_eq",
    "%lanemask_ge",
    "%clock64",
    "%globaltimer",
    "%dynamic_smem_size",
    "%total_smem_size",
    "%gridid",
    "WARP_SZ",
];

/// What byte-wise changes put in.
const PIECES: [&str; 24] = [
    ";", "{", "}", "(", ")", "[", "]", ",", "<", ">", ":", "@", "!", "%", "|", "-", "+", ".", "\n", "/*", "\"", "0x",
    ".reg", "\u{394}",
];

/// `text` with one to four changes.
pub fn mutate(text: &str, seeds: &Seeds, random: &mut Random) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let names = Names::of(text);
    // Most changes are to instructions: one to a declaration leaves little that loads.
    let body = 1 + lines.iter().rposition(|line| line.trim_start().starts_with(".reg")).unwrap_or(0);
    for _ in 0..1 + random.below(4) {
        if lines.is_empty() {
            lines.push(String::new());
        }
        let from = if body < lines.len() && random.below(32) != 0 { body } else { 0 };
        let at = from + random.below(lines.len() - from);
        match random.below(16) {
            0..6 => change_token(&mut lines[at], &names, seeds, random),
            6..10 => {
                let line = adapted(&seeds.lines[random.below(seeds.lines.len())], &names, random);
                lines.insert(at, line);
            }
            10 => drop(lines.remove(at)),
            11 => {
                let line = lines[at].clone();
                let to = from + random.below(lines.len() + 1 - from);
                lines.insert(to, line);
            }
            12 => {
                let other = from + random.below(lines.len() - from);
                lines.swap(at, other);
            }
            13 => {
                if let Some(guard) = names.register("%p0", random)
                    && lines[at].trim_end().ends_with(';')
                    && !lines[at].contains('@')
                {
                    let negated = ["", "!"][random.below(2)];
                    lines[at] = format!("@{negated}{guard} {}", lines[at].trim_start());
                }
            }
            14 => {
                // A jump, or a place to jump to.
                let label = if names.labels.is_empty() { "L_new" } else { random.of(&names.labels) };
                let line = if random.below(4) == 0 { format!("{label}:") } else { format!("bra {label};") };
                lines.insert(at, line);
            }
            _ => change_bytes(&mut lines[at], random),
        }
    }
    lines.join("\n")
}

/// Another token of the same sort in one token's place.
fn change_token(line: &mut String, names: &Names, seeds: &Seeds, random: &mut Random) {
    let spans = spans(line);
    if spans.is_empty() {
        return;
    }
    let (from, to) = spans[random.below(spans.len())];
    let token = &line[from..to];
    let first = token.as_bytes()[0];
    let new = match first {
        b'%' if random.below(8) == 0 => (*random.of(&SPECIALS)).to_owned(),
        b'%' if random.below(8) == 0 => (*random.of(&NUMBERS)).to_owned(),
        b'%' => names.register(token, random).unwrap_or_default(),
        b'.' if random.below(8) == 0 => String::new(),
        b'.' => seeds.modifier(line, random),
        b'0'..=b'9' => (*random.of(&NUMBERS)).to_owned(),
        b'a'..=b'z' if from == 0 || line[..from].trim().is_empty() || line.starts_with('@') => {
            opcode(&seeds.lines[random.below(seeds.lines.len())])
        }
        _ => symbol(token, names, random),
    };
    line.replace_range(from..to, &new);
}

/// A name for a name: of its sort, if the text has any.
fn symbol(token: &str, names: &Names, random: &mut Random) -> String {
    let sorts = [&names.labels, &names.params, &names.symbols];
    let sort = sorts.into_iter().find(|sort| sort.iter().any(|name| name == token));
    let sort = sort.unwrap_or_else(|| sorts[random.below(3)]);
    if sort.is_empty() { token.to_owned() } else { random.of(sort).clone() }
}

/// A line of another kernel with this text's registers, labels and names.
fn adapted(line: &str, names: &Names, random: &mut Random) -> String {
    let mut result = String::new();
    let mut done = 0;
    for (from, to) in spans(line) {
        let token = &line[from..to];
        result += &line[done..from];
        done = to;
        let digits = token.ends_with(|c: char| c.is_ascii_digit());
        match token.as_bytes()[0] {
            b'%' if digits => result += &names.register(token, random).unwrap_or_else(|| token.to_owned()),
            b'_' | b'$' | b'A'..=b'Z' if token.len() > 1 => result += &symbol(token, names, random),
            b'a'..=b'z' if token.contains("_param_") && !names.params.is_empty() => {
                result += random.of(&names.params).as_str()
            }
            _ => result += token,
        }
    }
    result + &line[done..]
}

/// A change that knows nothing of the language.
fn change_bytes(line: &mut String, random: &mut Random) {
    let mut bytes = std::mem::take(line).into_bytes();
    let at = random.below(bytes.len() + 1);
    let end = bytes.len().min(at + [1, 2, 5, 20][random.below(4)]);
    match random.below(4) {
        0 => drop(bytes.drain(at..end)),
        1 => {
            let piece = random.of(&PIECES).repeat([1, 1, 2, 100][random.below(4)]);
            drop(bytes.splice(at..at, piece.into_bytes()));
        }
        2 => {
            let copy = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, copy));
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
    *line = String::from_utf8_lossy(&bytes).into_owned();
}

//! What a text is like: its size, lengths, characters and repetitions.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;

use anyhow::Result;
use noam_train::text::{Lines, Parallel};
use serde::Serialize;

use crate::svg::em_width;

/// Everything that `noam data inspect` says.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The source, and the target if there is one.
    pub sides: Vec<Side>,
    /// What concerns both together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<Pairs>,
}

/// Facts about pairs of sentences.
#[derive(Debug, Serialize)]
pub struct Pairs {
    /// Pairs with text on both sides.
    pub count: u64,
    /// Pairs left out because a side was empty.
    pub empty: u64,
    /// Pairs that came before.
    pub repeated: usize,
    /// Sources that came before with another translation.
    pub ambiguous: usize,
    /// Pairs whose target is the source.
    pub copied: usize,
    /// Target characters for each source character, over all.
    pub length_ratio: f64,
}

/// Facts about the sentences of one language.
#[derive(Debug, Serialize)]
pub struct Side {
    /// Where they come from.
    pub name: String,
    /// How many there are.
    pub sentences: usize,
    /// How many of them are empty.
    pub empty: usize,
    /// How many came before.
    pub repeated: usize,
    /// Words (separated by white space) a sentence.
    pub words: Summary,
    /// Characters a sentence.
    pub characters: Summary,
    /// What `histogram` counts: `words`, or `characters` where words are not separated by spaces.
    pub unit: &'static str,
    /// How many sentences have which length.
    pub histogram: Vec<Bin>,
    /// Different characters.
    pub distinct_characters: usize,
    /// Occurrences of the characters of each group, most frequent first.
    pub groups: Vec<Group>,
    /// Characters that occur once or twice, in code order, 50 at most: often damage.
    pub rare: String,
    /// The longest sentence in characters.
    pub longest: Option<Longest>,
}

/// Smallest, middle, mean and largest of some lengths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The least.
    pub min: usize,
    /// The lower median.
    pub median: usize,
    /// The mean.
    pub mean: f64,
    /// The greatest.
    pub max: usize,
    /// All together.
    pub total: usize,
}

/// One bar of a histogram: lengths from `from` to `to`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Shortest length.
    pub from: usize,
    /// Longest length.
    pub to: usize,
    /// Sentences.
    pub count: usize,
}

/// Characters of one sort.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Which sort.
    pub name: &'static str,
    /// How often its characters occur.
    pub count: usize,
    /// How many different ones there are.
    pub distinct: usize,
}

/// A sentence and its place.
#[derive(Debug, Serialize)]
pub struct Longest {
    /// Its number, from 1, among the sentences read.
    pub sentence: usize,
    /// Its text.
    pub text: String,
}

impl Report {
    /// A report on sentences and their translations.
    pub fn of_pair(names: [&str; 2], pairs: &Parallel) -> Self {
        let sides = vec![Side::new(names[0], &pairs.src), Side::new(names[1], &pairs.tgt)];
        let mut translations: HashMap<&str, HashSet<&str>> = HashMap::new();
        let (mut repeated, mut ambiguous, mut copied) = (0, 0, 0);
        for (source, target) in pairs.src.iter().zip(pairs.tgt.iter()) {
            copied += usize::from(source == target);
            let known = translations.entry(source).or_default();
            if known.contains(target) {
                repeated += 1;
            } else {
                ambiguous += usize::from(!known.is_empty());
                known.insert(target);
            }
        }
        let length_ratio = sides[1].characters.total as f64 / sides[0].characters.total.max(1) as f64;
        let (count, empty) = (pairs.report.pairs, pairs.report.dropped_empty);
        Self { sides, pairs: Some(Pairs { count, empty, repeated, ambiguous, copied, length_ratio }) }
    }

    /// The report for people.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> Result<()> {
        for (i, side) in self.sides.iter().enumerate() {
            if i > 0 {
                writeln!(out)?;
            }
            side.write(out)?;
        }
        if let Some(pairs) = &self.pairs {
            writeln!(out, "\npairs")?;
            writeln!(out, "  pairs               {:>12}", pairs.count)?;
            writeln!(out, "  with an empty side  {:>12}  left out", pairs.empty)?;
            writeln!(out, "  repeated            {:>12}", pairs.repeated)?;
            writeln!(out, "  ambiguous           {:>12}  a source seen before with another target", pairs.ambiguous)?;
            writeln!(out, "  copied              {:>12}  the target is the source", pairs.copied)?;
            writeln!(
                out,
                "  length ratio        {:>12.3}  target characters to source characters",
                pairs.length_ratio
            )?;
        }
        Ok(())
    }
}

impl Side {
    /// A report on sentences of one language.
    pub fn new(name: &str, lines: &Lines) -> Self {
        let words: Vec<usize> = lines.iter().map(|line| line.split_whitespace().count()).collect();
        let characters: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
        let mut counts: BTreeMap<char, usize> = BTreeMap::new();
        for c in lines.iter().flat_map(str::chars) {
            *counts.entry(c).or_default() += 1;
        }
        let groups = group(&counts);
        // Chinese and Japanese put no spaces between words; only characters can be counted.
        let dense = groups.iter().filter(|group| DENSE.contains(&group.name)).map(|group| group.count).sum::<usize>();
        let unit = if dense * 3 > counts.values().sum::<usize>() { "characters" } else { "words" };
        let mut seen = HashSet::new();
        let longest = (0..lines.len()).max_by_key(|&i| (characters[i], std::cmp::Reverse(i)));
        Self {
            name: name.to_owned(),
            sentences: lines.len(),
            empty: lines.iter().filter(|line| line.is_empty()).count(),
            repeated: lines.iter().filter(|line| !line.is_empty() && !seen.insert(*line)).count(),
            words: Summary::new(&words),
            characters: Summary::new(&characters),
            unit,
            histogram: histogram(if unit == "words" { &words } else { &characters }),
            distinct_characters: counts.len(),
            groups,
            rare: counts.iter().filter(|&(_, &count)| count <= 2).map(|(&c, _)| c).take(50).collect(),
            longest: longest.map(|i| Longest { sentence: i + 1, text: lines[i].to_owned() }),
        }
    }

    fn write(&self, out: &mut dyn Write) -> Result<()> {
        writeln!(out, "{}", self.name)?;
        writeln!(out, "  sentences           {:>12}", self.sentences)?;
        writeln!(out, "  empty               {:>12}", self.empty)?;
        writeln!(out, "  repeated            {:>12}  came before", self.repeated)?;
        writeln!(out, "                             total     min  median    mean     max")?;
        for (name, s) in [("words", &self.words), ("characters", &self.characters)] {
            writeln!(out, "  {name:<18}{:>14}  {:>6}  {:>6}  {:>6.1}  {:>6}", s.total, s.min, s.median, s.mean, s.max)?;
        }
        writeln!(out, "  {} a sentence", self.unit)?;
        let most = self.histogram.iter().map(|bin| bin.count).max().unwrap_or(1).max(1);
        for bin in &self.histogram {
            let range = if bin.from == bin.to { bin.from.to_string() } else { format!("{} to {}", bin.from, bin.to) };
            let bar = "█".repeat((bin.count * 40).div_ceil(most));
            writeln!(out, "{range:>18}{:>14}  {bar}", bin.count)?;
        }
        writeln!(out, "  characters: {} different", self.distinct_characters)?;
        for group in &self.groups {
            writeln!(out, "    {:<16}{:>14}  {} different", group.name, group.count, group.distinct)?;
        }
        if !self.rare.is_empty() {
            let rare: Vec<String> = self.rare.chars().map(show).collect();
            writeln!(out, "  once or twice only: {}", rare.join(" "))?;
        }
        if let Some(longest) = &self.longest {
            writeln!(out, "  longest, sentence {}: {}", longest.sentence, cut(&longest.text, 160.0))?;
        }
        Ok(())
    }
}

/// A character as it can be shown: itself if it is visible, its code if not.
fn show(c: char) -> String {
    if c.is_whitespace() || c.is_control() || em_width(c.encode_utf8(&mut [0; 4])) == 0.0 {
        format!("U+{:04X}", u32::from(c))
    } else {
        c.to_string()
    }
}

fn cut(text: &str, most: f64) -> String {
    let mut width = 0.0;
    let end = text.char_indices().find(|&(_, c)| {
        width += em_width(c.encode_utf8(&mut [0; 4]));
        width > most / 2.0
    });
    match end {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

impl Summary {
    fn new(lengths: &[usize]) -> Self {
        let mut sorted = lengths.to_vec();
        sorted.sort_unstable();
        let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else { return Self::default() };
        let total = sorted.iter().sum::<usize>();
        Self { min, median: sorted[(sorted.len() - 1) / 2], mean: total as f64 / sorted.len() as f64, max, total }
    }
}

/// At most about a dozen bars of equal width; what is longer than nearly all sentences goes into the last one.
fn histogram(lengths: &[usize]) -> Vec<Bin> {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable();
    let Some(&max) = sorted.last() else { return Vec::new() };
    let usual = sorted[(sorted.len() - 1) * 99 / 100];
    let widths = [1, 2, 5].into_iter().cycle().zip((0..).map(|i| 10_usize.pow(i / 3))).map(|(m, power)| m * power);
    let width = widths.into_iter().find(|width| usual / width < 12).unwrap_or(1);
    let last = usual / width;
    let mut bins: Vec<Bin> = (0..=last).map(|i| Bin { from: i * width, to: (i + 1) * width - 1, count: 0 }).collect();
    bins[last].to = bins[last].to.max(max);
    for &length in lengths {
        bins[(length / width).min(last)].count += 1;
    }
    let first = bins.iter().position(|bin| bin.count > 0).unwrap_or(0);
    bins.split_off(first)
}

/// Groups of characters whose languages write words without spaces.
const DENSE: [&str; 2] = ["Han", "Kana"];

fn group(counts: &BTreeMap<char, usize>) -> Vec<Group> {
    let mut groups: BTreeMap<&'static str, (usize, usize)> = BTreeMap::new();
    for (&c, &count) in counts {
        let group = groups.entry(group_of(c)).or_default();
        *group = (group.0 + count, group.1 + 1);
    }
    let mut groups: Vec<Group> =
        groups.into_iter().map(|(name, (count, distinct))| Group { name, count, distinct }).collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then(a.name.cmp(b.name)));
    groups
}

/// A rough sort by script; enough to notice text of another language.
fn group_of(c: char) -> &'static str {
    match c {
        c if c.is_whitespace() => "spaces",
        c if c.is_control() || c == '\u{fffd}' => "control or damaged",
        '0'..='9' => "digits",
        c if c.is_ascii_alphabetic() => "Latin, plain",
        '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => "Latin, marked",
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => "Greek",
        '\u{400}'..='\u{52f}' => "Cyrillic",
        '\u{590}'..='\u{5ff}' => "Hebrew",
        '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' => "Arabic",
        '\u{900}'..='\u{97f}' => "Devanagari",
        '\u{3040}'..='\u{30ff}' => "Kana",
        '\u{ac00}'..='\u{d7af}' => "Hangul",
        '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}' => "Han",
        c if c.is_alphabetic() => "other letters",
        c if c.is_numeric() => "other numerals",
        _ => "punctuation",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_repetitions_and_lengths() {
        let lines: Lines =
            ["A dog sleeps.", "", "A dog sleeps.", "Two", "Ein Hund schläft hier gern."].iter().collect();
        let side = Side::new("test", &lines);
        assert_eq!((side.sentences, side.empty, side.repeated), (5, 1, 1));
        assert_eq!(side.words, Summary { min: 0, median: 3, mean: 2.4, max: 5, total: 12 });
        assert_eq!(side.characters.max, 27);
        let longest = side.longest.unwrap();
        assert_eq!((longest.sentence, longest.text.as_str()), (5, "Ein Hund schläft hier gern."));
        assert_eq!(side.histogram.iter().map(|bin| bin.count).sum::<usize>(), 5);
        assert_eq!(side.histogram[0], Bin { from: 0, to: 0, count: 1 });
    }

    #[test]
    fn text_without_spaces_is_measured_in_characters() {
        let side = Side::new("zh", &["狗在睡觉。", "那只狗很大。"].iter().collect());
        assert_eq!((side.unit, side.words.max, side.characters.max), ("characters", 1, 6));
        assert_eq!(side.groups[0], Group { name: "Han", count: 9, distinct: 8 });
    }

    #[test]
    fn one_very_long_sentence_does_not_flatten_the_histogram() {
        let lengths: Vec<usize> = (0..1000).map(|i| 5 + i % 10).chain([90_000]).collect();
        let bins = histogram(&lengths);
        assert!(bins.len() >= 5, "{bins:?}");
        assert_eq!(bins.iter().map(|bin| bin.count).sum::<usize>(), 1001);
        assert_eq!(bins.last().unwrap().to, 90_000);
        assert!(histogram(&[]).is_empty());
        assert_eq!(histogram(&[0]), [Bin { from: 0, to: 0, count: 1 }]);
    }

    #[test]
    fn pairs_tell_repeated_ambiguous_and_copied() {
        let (src, tgt): (Vec<&str>, Vec<&str>) = [("a", "x"), ("a", "x"), ("a", "y"), ("b", "b")].into_iter().unzip();
        let pairs = Parallel { src: src.iter().collect(), tgt: tgt.iter().collect(), ..Parallel::default() };
        let facts = Report::of_pair(["src", "tgt"], &pairs).pairs.unwrap();
        assert_eq!((facts.repeated, facts.ambiguous, facts.copied), (1, 1, 1));
    }

    #[test]
    fn invisible_characters_are_shown_by_code() {
        assert_eq!(show('\u{200b}'), "U+200B");
        assert_eq!(show('ß'), "ß");
    }
}

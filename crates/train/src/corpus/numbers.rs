//! Cardinal numbers up to 99 in words.

const ENGLISH: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const ENGLISH_TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

const GERMAN: [&str; 20] = [
    "null",
    "eins",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
];
const GERMAN_TENS: [&str; 8] = ["zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"];

const CHINESE: [&str; 11] = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十"];

/// Tens (as a place in the tables above) and ones of a number from 20 on.
fn split(n: u8) -> (usize, usize) {
    debug_assert!((20..100).contains(&n));
    (usize::from(n / 10 - 2), usize::from(n % 10))
}

/// `n` in English words.
pub fn english(n: u8) -> String {
    if n < 20 {
        return ENGLISH[usize::from(n)].to_owned();
    }
    match split(n) {
        (tens, 0) => ENGLISH_TENS[tens].to_owned(),
        (tens, ones) => format!("{}-{}", ENGLISH_TENS[tens], ENGLISH[ones]),
    }
}

/// `n` in German words.
pub fn german(n: u8) -> String {
    if n < 20 {
        return GERMAN[usize::from(n)].to_owned();
    }
    match split(n) {
        (tens, 0) => GERMAN_TENS[tens].to_owned(),
        (tens, 1) => format!("einund{}", GERMAN_TENS[tens]),
        (tens, ones) => format!("{}und{}", GERMAN[ones], GERMAN_TENS[tens]),
    }
}

/// Adds `n` in Chinese characters to `out`, as in counting: 二, 十二, 二十三.
pub fn chinese(n: u8, out: &mut String) {
    let (tens, ones) = (usize::from(n / 10), usize::from(n % 10));
    if tens > 1 {
        out.push_str(CHINESE[tens]);
    }
    if tens > 0 {
        out.push_str(CHINESE[10]);
    }
    if ones > 0 || tens == 0 {
        out.push_str(CHINESE[ones]);
    }
}

/// Adds `n` in front of a Chinese measure word to `out`: as [`chinese`], but 两 for two.
pub fn chinese_count(n: u8, out: &mut String) {
    if n == 2 {
        out.push('两');
    } else {
        chinese(n, out);
    }
}

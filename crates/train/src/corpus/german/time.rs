//! German dates, times of day and spans of time.

use super::super::lexicon::phrases::{MONTHS, SPANS, WEEKDAYS};
use super::super::numbers::german as number_words;
use super::super::syntax::{Clock, Date, Time};
use super::super::writer::Writer;

/// Writes an adverbial of time.
pub fn time(w: &mut Writer, time: Time) {
    match time {
        Time::Phrase(phrase) => w.word(phrase.de),
        Time::Weekday(day) => {
            w.word("am");
            w.word(WEEKDAYS[usize::from(day)].de);
        }
        Time::Date(date) => {
            w.word("am");
            calendar_date(w, date);
        }
        Time::Clock(time) => {
            w.word("um");
            clock(w, time);
        }
        Time::DayAndClock(day, time) => {
            w.word(day.de);
            w.word("um");
            clock(w, time);
        }
        Time::Ago(count, unit) => {
            w.word("vor");
            span(w, count, unit);
        }
        Time::In(count, unit) => {
            w.word("in");
            span(w, count, unit);
        }
        Time::When => {}
    }
}

/// A span in the dative, as vor and in ask for.
fn span(w: &mut Writer, count: u8, unit: u8) {
    let [_, _, singular, plural, _] = SPANS[usize::from(unit)];
    if count > 1 {
        w.word(&number_words(count));
        w.word(plural);
    } else {
        w.word(if singular == "Woche" { "einer" } else { "einem" });
        w.word(singular);
    }
}

/// 5. Mai 2014
pub fn calendar_date(w: &mut Writer, date: Date) {
    w.word(&date.day.to_string());
    w.suffix(".");
    w.word(MONTHS[usize::from(date.month - 1)].de);
    if let Some(year) = date.year {
        w.word(&year.to_string());
    }
}

/// 15:30 Uhr, or halb vier nachmittags
pub fn clock(w: &mut Writer, Clock { hour, minute, figures }: Clock) {
    if figures {
        w.word(&format!("{hour}:{minute:02} Uhr"));
        return;
    }
    // Half past three is half of the fourth hour.
    let named = if minute >= 30 { hour + 1 } else { hour };
    let named = number_words((named + 11) % 12 + 1);
    match minute {
        0 => {
            w.word(if named == "eins" { "ein" } else { &named });
            w.word("Uhr");
        }
        15 => w.word("Viertel nach"),
        30 => w.word("halb"),
        45 => w.word("Viertel vor"),
        1..30 => {
            w.word(&number_words(minute));
            w.word("nach");
        }
        _ => {
            w.word(&number_words(60 - minute));
            w.word("vor");
        }
    }
    if minute != 0 {
        w.word(&named);
    }
    w.word(match hour {
        ..12 => "morgens",
        12..18 => "nachmittags",
        _ => "abends",
    });
}

//! English dates, times of day and spans of time.

use super::super::lexicon::phrases::{MONTHS, SPANS, WEEKDAYS};
use super::super::numbers::english as number_words;
use super::super::syntax::{Clock, Date, Time};
use super::super::writer::Writer;

/// Writes an adverbial of time.
pub fn time(w: &mut Writer, time: Time) {
    match time {
        Time::Phrase(phrase) => w.word(phrase.en),
        Time::Weekday(day) => {
            w.word("on");
            w.word(WEEKDAYS[usize::from(day)].en);
        }
        Time::Date(date) => {
            w.word("on");
            calendar_date(w, date);
        }
        Time::Clock(time) => {
            w.word("at");
            clock(w, time);
        }
        Time::DayAndClock(day, time) => {
            w.word(day.en);
            w.word("at");
            clock(w, time);
        }
        Time::Ago(count, unit) => {
            span(w, count, unit);
            w.word("ago");
        }
        Time::In(count, unit) => {
            w.word("in");
            span(w, count, unit);
        }
        Time::When => {}
    }
}

fn span(w: &mut Writer, count: u8, unit: u8) {
    w.word(&number_words(count));
    w.word(SPANS[usize::from(unit)][usize::from(count > 1)]);
}

/// May 5, 2014
pub fn calendar_date(w: &mut Writer, date: Date) {
    w.word(MONTHS[usize::from(date.month - 1)].en);
    w.word(&date.day.to_string());
    if let Some(year) = date.year {
        w.comma();
        w.word(&year.to_string());
    }
}

/// 3:30 pm, or half past three in the afternoon
pub fn clock(w: &mut Writer, Clock { hour, minute, figures }: Clock) {
    // 12, not 0, and after the half hour towards the next.
    let twelve = |hour: u8| (hour + 11) % 12 + 1;
    if figures {
        w.word(&format!("{}:{minute:02}", twelve(hour)));
        w.word(if hour < 12 { "am" } else { "pm" });
        return;
    }
    match minute {
        0 => {}
        15 => w.word("quarter past"),
        30 => w.word("half past"),
        45 => w.word("quarter to"),
        1..30 => {
            w.word(&number_words(minute));
            w.word("past");
        }
        _ => {
            w.word(&number_words(60 - minute));
            w.word("to");
        }
    }
    w.word(&number_words(twelve(if minute > 30 { hour + 1 } else { hour })));
    if minute == 0 {
        w.word("o'clock");
    }
    w.word(match hour {
        ..12 => "in the morning",
        12..18 => "in the afternoon",
        _ => "in the evening",
    });
}

//! Chinese dates, times of day and spans of time.

use super::super::lexicon::phrases::{MONTHS, SPANS, WEEKDAYS};
use super::super::numbers::{chinese as number, chinese_count as count};
use super::super::syntax::{Clock, Date, Time};

/// Writes an adverbial of time.
pub fn time(s: &mut String, time: Time) {
    match time {
        Time::Phrase(phrase) => s.push_str(phrase.zh),
        Time::Weekday(day) => s.push_str(WEEKDAYS[usize::from(day)].zh),
        Time::Date(date) => calendar_date(s, date),
        Time::Clock(time) => clock(s, time),
        Time::DayAndClock(day, time) => {
            s.push_str(day.zh);
            clock(s, time);
        }
        Time::Ago(amount, unit) => {
            span(s, amount, unit);
            s.push('前');
        }
        Time::In(amount, unit) => {
            span(s, amount, unit);
            s.push('后');
        }
        Time::When => s.push_str("什么时候"),
    }
}

fn span(s: &mut String, amount: u8, unit: u8) {
    count(amount, s);
    s.push_str(SPANS[usize::from(unit)][4]);
}

/// 2014年5月5日
pub fn calendar_date(s: &mut String, date: Date) {
    if let Some(year) = date.year {
        s.push_str(&year.to_string());
        s.push('年');
    }
    s.push_str(MONTHS[usize::from(date.month - 1)].zh);
    s.push_str(&date.day.to_string());
    s.push('日');
}

/// 下午3点30分, or 下午三点半
pub fn clock(s: &mut String, Clock { hour, minute, figures }: Clock) {
    s.push_str(match hour {
        ..9 if !figures => "早上",
        ..12 => "上午",
        12 => "中午",
        13..18 => "下午",
        _ => "晚上",
    });
    let twelve = |hour: u8| (hour + 11) % 12 + 1;
    if figures {
        s.push_str(&twelve(hour).to_string());
        s.push('点');
        if minute > 0 {
            s.push_str(&minute.to_string());
            s.push('分');
        }
        return;
    }
    if matches!(minute, 50 | 55) {
        s.push('差');
        number(60 - minute, s);
        s.push('分');
        count(twelve(hour + 1), s);
        s.push('点');
        return;
    }
    count(twelve(hour), s);
    s.push('点');
    match minute {
        0 => {}
        15 => s.push_str("一刻"),
        30 => s.push('半'),
        45 => s.push_str("三刻"),
        minute => {
            number(minute, s);
            s.push('分');
        }
    }
}

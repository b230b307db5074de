//! Chinese (Mandarin, simplified characters): measure words, time and place before the verb, relative clauses
//! before the noun, aspect instead of tense.

mod time;

use super::lexicon::adjectives::Adjective;
use super::lexicon::phrases::WEEKDAYS;
use super::lexicon::verbs::Verb;
use super::lexicon::{class, nouns::Noun, nouns::NounId};
use super::numbers::{chinese as number, chinese_count as count};
use super::syntax::*;
use time::{calendar_date, clock, time};

/// Whether a verb says that its action is complete.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aspect {
    Bare,
    Completed,
}

/// Writes `sentence` in Chinese.
pub fn linearise(sentence: &Sentence) -> String {
    let mut s = String::with_capacity(96);
    let mut mark = "。";
    match sentence {
        Sentence::Statement(c) => clause(&mut s, c, Mode::Statement),
        Sentence::YesNo(c) => {
            clause(&mut s, c, Mode::YesNo);
            mark = "吗？";
        }
        Sentence::Wh(wh, c) => {
            clause(&mut s, c, if *wh == Wh::Reason { Mode::Why } else { Mode::Statement });
            mark = "？";
        }
        Sentence::Joined(conjunction, first, second) => {
            clause(&mut s, first, Mode::Statement);
            s.push_str(match conjunction {
                Conjunction::And => "，而",
                Conjunction::But => "，但是",
                Conjunction::Or => "，或者",
                Conjunction::So => "，所以",
            });
            clause(&mut s, second, Mode::Statement);
        }
        Sentence::Subordinated { conjunction, main, subordinate, subordinate_first } => {
            // 在…之前 only goes in front.
            let before = *conjunction == Subordinator::Before;
            let (open, close) = match conjunction {
                Subordinator::Because => ("因为", "，所以"),
                Subordinator::If => ("如果", "，"),
                Subordinator::Although => ("虽然", "，但是"),
                Subordinator::Before => ("在", "之前，"),
            };
            if *subordinate_first || before {
                s.push_str(open);
                clause(&mut s, subordinate, if before { Mode::Before } else { Mode::Statement });
                s.push_str(close);
                clause(&mut s, main, Mode::Statement);
            } else {
                clause(&mut s, main, Mode::Statement);
                s.push('，');
                s.push_str(open);
                clause(&mut s, subordinate, Mode::Statement);
            }
        }
        Sentence::Reported { subject, verb, negated, whether, clause: c } => {
            noun_phrase(&mut s, subject);
            if *negated {
                s.push('不');
            }
            s.push_str(verb.zh);
            clause(&mut s, c, if *whether { Mode::Whether } else { Mode::Statement });
        }
        Sentence::Existential { what, location: place, question } => {
            location(&mut s, place);
            s.push('有');
            noun_phrase(&mut s, what);
            if *question {
                mark = "吗？";
            }
        }
        Sentence::Presentation { what, question } => {
            s.push_str("这是");
            noun_phrase(&mut s, what);
            if *question {
                mark = "吗？";
            }
        }
        Sentence::ClockTime(time) => {
            s.push_str("现在是");
            clock(&mut s, *time);
        }
        Sentence::Date { date, weekday } => {
            s.push_str("今天是");
            calendar_date(&mut s, *date);
            s.push_str(WEEKDAYS[usize::from(*weekday)].zh);
        }
    }
    s.push_str(mark);
    s
}

/// What a clause is part of, where that shows inside it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Statement,
    YesNo,
    Why,
    Whether,
    /// In 在…之前, where nothing is complete yet.
    Before,
}

fn clause(s: &mut String, c: &Clause, mode: Mode) {
    if let (Some(t), true) = (c.time, c.time_first) {
        time(s, t);
    }
    match (&c.subject, c.verb_phrase.place) {
        (NounPhrase::Weather, Some(Where::Place(place))) => s.push_str(place.zh_where),
        (subject, _) => noun_phrase(s, subject),
    }
    if let (Some(t), false) = (c.time, c.time_first) {
        time(s, t);
    }
    s.push_str(match mode {
        Mode::Why => "为什么",
        Mode::Whether => "是否",
        _ => "",
    });
    if c.subject.is_universal() {
        s.push('都');
    }
    if let Some(frequency) = c.frequency {
        s.push_str(frequency.zh);
    }
    let aspect = auxiliaries(s, c);
    let aspect = if mode == Mode::Before { Aspect::Bare } else { aspect };
    let adverbials = Adverbials {
        manner: c.verb_phrase.manner.map_or("", |manner| manner.zh),
        place: if matches!(c.subject, NounPhrase::Weather) { None } else { c.verb_phrase.place },
    };
    match &c.verb_phrase.predicate {
        Predicate::Adjective(degree, adjective) => predicative(s, *degree, adjective, c.negated, mode),
        Predicate::Comparison { adjective, equal, than } => comparison(s, adjective, *equal, than, c.negated),
        Predicate::Profession(noun) => {
            s.push_str(if c.negated { "不是" } else { "是" });
            s.push_str(noun.zh);
        }
        predicate => verbal(s, predicate, &adverbials, aspect, c.negated),
    }
}

/// Negation, modal verbs and 已经, in front of a verb.
fn auxiliaries(s: &mut String, c: &Clause) -> Aspect {
    let predicate = &c.verb_phrase.predicate;
    if matches!(predicate, Predicate::Adjective(..) | Predicate::Comparison { .. } | Predicate::Profession(_)) {
        return Aspect::Bare;
    }
    let (text, aspect) = match (c.tense, c.negated) {
        (Tense::Past, false) => ("", Aspect::Completed),
        (Tense::Past, true) if matches!(predicate, Predicate::Located(_)) => ("不", Aspect::Bare),
        (Tense::Past, true) => ("没", Aspect::Bare),
        (Tense::Already, false) => ("已经", Aspect::Completed),
        (Tense::Already, true) => ("还没", Aspect::Bare),
        (Tense::Present, false) => ("", Aspect::Bare),
        (Tense::Present, true) if predicate.verb().is_some_and(|verb| verb.zh == "有") => ("没", Aspect::Bare),
        (Tense::Present, true) => ("不", Aspect::Bare),
        (Tense::Modal(modal), negated) => {
            let text = match (modal, negated) {
                (Modal::Can, false) => "能",
                (Modal::Can, true) => "不能",
                (Modal::Must, false) => "必须",
                (Modal::Must, true) => "不必",
                (Modal::Want, false) => "想",
                (Modal::Want, true) => "不想",
                (Modal::Should, false) => "应该",
                (Modal::Should, true) => "不应该",
                (Modal::May, false) => "可以",
                (Modal::May, true) => "不可以",
                (Modal::Will, false) => "会",
                (Modal::Will, true) => "不会",
            };
            (text, Aspect::Bare)
        }
    };
    s.push_str(text);
    aspect
}

fn predicative(s: &mut String, degree: Degree, adjective: &Adjective, negated: bool, mode: Mode) {
    if !adjective.is_gradable() {
        s.push_str(if negated { "不是" } else { "是" });
        s.push_str(adjective.zh);
        s.push('的');
        return;
    }
    s.push_str(match (negated, degree) {
        // 没有意思, as the negation of 有 is 没有.
        (true, _) if adjective.zh.starts_with('有') => "没",
        (true, _) => "不",
        (_, Degree::Very) => "非常",
        (_, Degree::Too) => "太",
        _ if mode == Mode::YesNo || mode == Mode::Whether => "",
        _ => "很",
    });
    s.push_str(adjective.zh);
    if degree == Degree::Too && !negated {
        s.push('了');
    }
}

fn comparison(s: &mut String, adjective: &Adjective, equal: bool, than: &NounPhrase, negated: bool) {
    let (before, after) = match (equal, negated) {
        (false, false) => ("比", ""),
        (false, true) => ("不比", ""),
        (true, false) => ("跟", "一样"),
        (true, true) => ("没有", "那么"),
    };
    s.push_str(before);
    noun_phrase(s, than);
    s.push_str(after);
    s.push_str(adjective.zh);
}

/// Adverbials that stand between the auxiliaries and the verb.
struct Adverbials {
    manner: &'static str,
    place: Option<Where>,
}

/// A verb phrase without auxiliaries or negation.
fn verb_phrase(s: &mut String, vp: &VerbPhrase, aspect: Aspect) {
    let adverbials = Adverbials { manner: vp.manner.map_or("", |manner| manner.zh), place: vp.place };
    verbal(s, &vp.predicate, &adverbials, aspect, false);
}

/// The verb itself, complete or not.
fn verb_form(s: &mut String, verb: &Verb, aspect: Aspect) {
    match aspect {
        Aspect::Bare => s.push_str(verb.zh),
        Aspect::Completed if verb.zh_past.is_empty() => {
            s.push_str(verb.zh);
            s.push('了');
        }
        Aspect::Completed => s.push_str(verb.zh_past),
    }
}

fn verbal(s: &mut String, predicate: &Predicate, adverbials: &Adverbials, aspect: Aspect, negated: bool) {
    use Predicate as P;
    if let Some(place) = adverbials.place {
        s.push('在');
        where_at(s, place);
    }
    s.push_str(adverbials.manner);
    match predicate {
        P::Intransitive(verb) => verb_form(s, verb, aspect),
        P::Transitive(verb, object) if verb.zh_coverb.is_empty() => {
            verb_form(s, verb, aspect);
            object_phrase(s, object, negated);
        }
        P::Transitive(verb, object) => {
            s.push_str(verb.zh_coverb);
            noun_phrase(s, object);
            verb_form(s, verb, aspect);
        }
        P::Ditransitive { verb, recipient, theme } => {
            s.push_str(verb.zh_coverb);
            if verb.zh_coverb.is_empty() {
                verb_form(s, verb, aspect);
                noun_phrase(s, recipient);
            } else {
                noun_phrase(s, recipient);
                verb_form(s, verb, aspect);
            }
            object_phrase(s, theme, negated);
        }
        P::Motion { verb, goal, purpose } => {
            verb_form(s, verb, aspect);
            match goal {
                Where::Place(place) => s.push_str(place.zh_to),
                Where::Asked => s.push_str("哪里"),
            }
            if let Some(purpose) = purpose {
                verb_phrase(s, purpose, Aspect::Bare);
            }
        }
        P::Dwelling { verb, place } => {
            s.push_str(verb.zh);
            s.push('在');
            if aspect == Aspect::Completed {
                s.push('了');
            }
            where_at(s, *place);
        }
        P::Put { verb, theme, location: place } => {
            s.push('把');
            noun_phrase(s, theme);
            s.push_str(verb.zh);
            s.push('在');
            if aspect == Aspect::Completed {
                s.push('了');
            }
            location(s, place);
        }
        P::Infinitive { verb, what } => {
            s.push_str(verb.zh);
            verb_phrase(s, what, Aspect::Bare);
        }
        P::Age(years) => {
            number(*years, s);
            s.push('岁');
        }
        P::Price(euros) => {
            s.push('要');
            s.push_str(&euros.to_string());
            s.push_str("欧元");
        }
        P::Located(place) => {
            s.push('在');
            location(s, place);
        }
        P::Adjective(..) | P::Comparison { .. } | P::Profession(_) => {}
    }
}

fn where_at(s: &mut String, place: Where) {
    s.push_str(match place {
        Where::Place(place) => place.zh_where,
        Where::Asked => "哪里",
    });
}

fn location(s: &mut String, location: &Location) {
    match location {
        Location::Relative(relation, ground) => {
            noun_phrase(s, ground);
            s.push_str(relation.zh);
        }
        Location::Place(place) => s.push_str(place.zh_where),
    }
}

/// An object; indefinite ones lose their 一 and measure word under negation.
fn object_phrase(s: &mut String, np: &NounPhrase, negated: bool) {
    match np {
        NounPhrase::Common(nominal) if negated && np.is_negatable() => {
            common(s, &Nominal { determiner: Determiner::Bare, relative: None, ..**nominal });
        }
        _ => noun_phrase(s, np),
    }
}

fn noun_phrase(s: &mut String, np: &NounPhrase) {
    match np {
        NounPhrase::Pronoun(pronoun) => s.push_str(personal(*pronoun)),
        NounPhrase::Name(name) => s.push_str(name.zh),
        NounPhrase::Names(first, second) => {
            s.push_str(first.zh);
            s.push('和');
            s.push_str(second.zh);
        }
        NounPhrase::Common(nominal) => common(s, nominal),
        NounPhrase::Measured { count: amount, unit, noun } => {
            count(*amount, s);
            s.push_str(unit.zh);
            s.push_str(noun.zh);
        }
        NounPhrase::Who => s.push('谁'),
        NounPhrase::What => s.push_str("什么"),
        NounPhrase::Weather => {}
    }
}

fn personal(pronoun: Pronoun) -> &'static str {
    match pronoun {
        Pronoun::I => "我",
        Pronoun::He => "他",
        Pronoun::She => "她",
        Pronoun::We => "我们",
        Pronoun::They => "他们",
    }
}

/// 那 or 这 with the measure word, or with 些 for plurals and mass nouns.
fn demonstrative(s: &mut String, word: char, noun: &Noun, number: Number) {
    s.push(word);
    s.push_str(if number == Number::Plural { "些" } else { noun.measure });
}

fn common(s: &mut String, nominal: &Nominal) {
    use Determiner as D;
    let noun = &*nominal.noun;
    match &nominal.relative {
        Some(Relative::Subject(tense, vp)) => {
            let aspect = if *tense == Tense::Past { Aspect::Completed } else { Aspect::Bare };
            verb_phrase(s, vp, aspect);
            s.push('的');
        }
        Some(Relative::Object(subject, verb)) => {
            noun_phrase(s, subject);
            s.push_str(verb.zh);
            s.push('的');
        }
        None => {}
    }
    match nominal.determiner {
        D::A => {
            s.push('一');
            s.push_str(noun.measure);
        }
        D::The(number) => demonstrative(s, '那', noun, number),
        D::This(number) => demonstrative(s, '这', noun, number),
        D::Possessive(owner) => {
            s.push_str(personal(owner));
            if !noun.is(class::KIN) {
                s.push('的');
            }
        }
        D::PossessiveNumeral(owner, amount) => {
            s.push_str(personal(owner));
            s.push('的');
            counted(s, amount, noun);
        }
        D::Owned(owner) => {
            match owner {
                Owner::Name(name) => s.push_str(name.zh),
                Owner::Noun(owner) => bare_definite(s, owner),
            }
            s.push('的');
        }
        D::Numeral(amount) => counted(s, amount, noun),
        D::TheNumeral(amount) => {
            s.push('那');
            counted(s, amount, noun);
        }
        D::Some => s.push_str("一些"),
        D::Many => s.push_str("很多"),
        D::All => s.push_str("所有"),
        D::Every => {
            s.push('每');
            s.push_str(noun.measure);
        }
        D::Bare => {}
        D::Which => {
            s.push('哪');
            s.push_str(noun.measure);
        }
        D::HowMany => {
            s.push('几');
            s.push_str(noun.measure);
        }
    }
    if let Some((degree, adjective)) = nominal.adjective {
        match degree {
            Degree::Plain => s.push_str(adjective.zh_attributive),
            Degree::Very | Degree::Too | Degree::Most => {
                s.push_str(match degree {
                    Degree::Most => "最",
                    Degree::Too => "太",
                    _ => "非常",
                });
                s.push_str(adjective.zh);
                s.push('的');
            }
        }
    }
    s.push_str(noun.zh);
}

fn bare_definite(s: &mut String, noun: NounId) {
    s.push('那');
    s.push_str(noun.measure);
    s.push_str(noun.zh);
}

fn counted(s: &mut String, amount: u8, noun: &Noun) {
    count(amount, s);
    s.push_str(noun.measure);
}

//! German: the verb second, first or last, the bracket it forms with infinitives, participles and separable
//! prefixes, and the order between.

mod noun_phrase;
mod time;

use super::lexicon::phrases::WEEKDAYS;
use super::lexicon::verbs::{Case, Government, Verb};
use super::numbers::german as number_words;
use super::syntax::*;
use super::writer::Writer;
use noun_phrase::{Concord, definite, is_female, negative_noun_phrase, noun_phrase, prepositional};
use std::borrow::Cow;
use time::{calendar_date, clock, time};

/// Where the finite verb goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// After the subject, or after the time if that comes first.
    Second,
    /// Before the subject: questions, and clauses whose first place is already taken.
    First,
    /// At the end: subordinate clauses.
    Last,
}

/// What a finite verb agrees with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Agreement {
    FirstSingular,
    ThirdSingular,
    FirstPlural,
    ThirdPlural,
}

/// Writes `sentence` in German.
pub fn linearise(sentence: &Sentence) -> String {
    let mut w = Writer::default();
    let mut mark = '.';
    match sentence {
        Sentence::Statement(c) => clause(&mut w, c, Order::Second),
        Sentence::YesNo(c) => {
            clause(&mut w, c, Order::First);
            mark = '?';
        }
        Sentence::Wh(wh, c) => {
            question(&mut w, *wh, c);
            mark = '?';
        }
        Sentence::Joined(conjunction, first, second) => {
            clause(&mut w, first, Order::Second);
            if matches!(conjunction, Conjunction::But | Conjunction::So) {
                w.comma();
            }
            w.word(match conjunction {
                Conjunction::And => "und",
                Conjunction::But => "aber",
                Conjunction::Or => "oder",
                Conjunction::So => "deshalb",
            });
            clause(&mut w, second, if *conjunction == Conjunction::So { Order::First } else { Order::Second });
        }
        Sentence::Subordinated { conjunction, main, subordinate, subordinate_first } => {
            let word = match conjunction {
                Subordinator::Because => "weil",
                Subordinator::If => "wenn",
                Subordinator::Although => "obwohl",
                Subordinator::Before => "bevor",
            };
            if *subordinate_first {
                w.word(word);
                clause(&mut w, subordinate, Order::Last);
                w.comma();
                clause(&mut w, main, Order::First);
            } else {
                clause(&mut w, main, Order::Second);
                w.comma();
                w.word(word);
                clause(&mut w, subordinate, Order::Last);
            }
        }
        Sentence::Reported { subject, verb, negated, whether, clause: c } => {
            noun_phrase(&mut w, subject, Case::Nominative);
            let agreement = agreement(subject);
            w.word(&present(verb, agreement));
            if verb.de_reflexive {
                w.word(reflexive(agreement));
            }
            if *negated {
                w.word("nicht");
            }
            w.comma();
            w.word(if *whether { "ob" } else { "dass" });
            clause(&mut w, c, Order::Last);
        }
        Sentence::Existential { what, location, question } => {
            existential(&mut w, what, location, *question);
            if *question {
                mark = '?';
            }
        }
        Sentence::Presentation { what, question } => {
            w.word(if *question { "ist das" } else { "das ist" });
            noun_phrase(&mut w, what, Case::Nominative);
            if *question {
                mark = '?';
            }
        }
        Sentence::ClockTime(time) => {
            w.word("es ist");
            clock(&mut w, *time);
        }
        Sentence::Date { date, weekday } => {
            w.word("heute ist");
            w.word(WEEKDAYS[usize::from(*weekday)].de);
            w.comma();
            w.word("der");
            calendar_date(&mut w, *date);
        }
    }
    w.finish(mark)
}

fn agreement(subject: &NounPhrase) -> Agreement {
    match subject {
        NounPhrase::Pronoun(Pronoun::I) => Agreement::FirstSingular,
        NounPhrase::Pronoun(Pronoun::We) => Agreement::FirstPlural,
        subject if subject.number() == Number::Singular => Agreement::ThirdSingular,
        _ => Agreement::ThirdPlural,
    }
}

/// One of the forms for ich, er and wir.
fn pick(agreement: Agreement, forms: [&'static str; 3]) -> &'static str {
    match agreement {
        Agreement::FirstSingular => forms[0],
        Agreement::ThirdSingular => forms[1],
        Agreement::FirstPlural | Agreement::ThirdPlural => forms[2],
    }
}

fn reflexive(agreement: Agreement) -> &'static str {
    match agreement {
        Agreement::FirstSingular => "mich",
        Agreement::FirstPlural => "uns",
        Agreement::ThirdSingular | Agreement::ThirdPlural => "sich",
    }
}

/// The present tense without the separable prefix.
fn present(verb: &Verb, agreement: Agreement) -> Cow<'static, str> {
    let infinitive = verb.de_infinitive;
    match agreement {
        Agreement::ThirdSingular => verb.de_third.into(),
        Agreement::FirstPlural | Agreement::ThirdPlural => infinitive.into(),
        // mag, weiß: like the third person, which then has no -t.
        Agreement::FirstSingular if !verb.de_third.ends_with('t') => verb.de_third.into(),
        Agreement::FirstSingular => match infinitive.strip_suffix("eln") {
            Some(stem) => format!("{stem}le").into(),
            None if infinitive.ends_with("en") => infinitive[..infinitive.len() - 1].into(),
            None => format!("{}e", &infinitive[..infinitive.len() - 1]).into(),
        },
    }
}

/// The parts of the verb: "hat … gekauft", "ruft … an", "will … anrufen".
struct Cluster {
    finite: Cow<'static, str>,
    /// A separable prefix that stands alone unless the finite verb follows it.
    prefix: &'static str,
    /// An infinitive in two parts, prefix and rest, or a participle.
    infinite: [&'static str; 2],
}

fn cluster(agreement: Agreement, tense: Tense, predicate: &Predicate) -> Cluster {
    let verb = predicate.verb();
    let simple = |finite: &'static str| Cluster { finite: finite.into(), prefix: "", infinite: ["", ""] };
    match (tense, verb) {
        (Tense::Present, Some(verb)) => {
            Cluster { finite: present(verb, agreement), prefix: verb.de_prefix, infinite: ["", ""] }
        }
        (Tense::Past | Tense::Already, Some(verb)) => {
            let auxiliary = if verb.de_sein { ["bin", "ist", "sind"] } else { ["habe", "hat", "haben"] };
            Cluster { infinite: ["", verb.de_participle], ..simple(pick(agreement, auxiliary)) }
        }
        (Tense::Present, None) if predicate.is_copular() => simple(pick(agreement, ["bin", "ist", "sind"])),
        (Tense::Past | Tense::Already, None) if predicate.is_copular() => {
            simple(pick(agreement, ["war", "war", "waren"]))
        }
        (Tense::Present, None) => simple(pick(agreement, ["koste", "kostet", "kosten"])),
        (Tense::Past | Tense::Already, None) => simple(pick(agreement, ["kostete", "kostete", "kosteten"])),
        (Tense::Modal(modal), verb) => {
            let forms = match modal {
                Modal::Can => ["kann", "kann", "können"],
                Modal::Must => ["muss", "muss", "müssen"],
                Modal::Want => ["will", "will", "wollen"],
                Modal::Should => ["sollte", "sollte", "sollten"],
                Modal::May => ["darf", "darf", "dürfen"],
                Modal::Will => ["werde", "wird", "werden"],
            };
            let infinite = match verb {
                Some(verb) => [verb.de_prefix, verb.de_infinitive],
                None => ["", if predicate.is_copular() { "sein" } else { "kosten" }],
            };
            Cluster { infinite, ..simple(pick(agreement, forms)) }
        }
    }
}

/// Adds a word that may have a prefix to it.
fn joined(w: &mut Writer, [prefix, rest]: [&str; 2]) {
    if prefix.is_empty() {
        w.word(rest);
    } else {
        w.word(prefix);
        w.suffix(rest);
    }
}

fn clause(w: &mut Writer, c: &Clause, order: Order) {
    let agreement = agreement(&c.subject);
    let cluster = cluster(agreement, c.tense, &c.verb_phrase.predicate);
    let middle = Middle {
        time: if c.time_first { None } else { c.time },
        adverb: c.frequency.map_or("", |f| f.de),
        already: c.tense == Tense::Already,
        negated: c.negated,
        female: is_female(&c.subject),
        agreement,
    };
    match order {
        Order::Second => {
            match (c.time, c.time_first) {
                (Some(t), true) => {
                    time(w, t);
                    w.word(&cluster.finite);
                    noun_phrase(w, &c.subject, Case::Nominative);
                }
                _ => {
                    noun_phrase(w, &c.subject, Case::Nominative);
                    w.word(&cluster.finite);
                }
            }
            middle_field(w, &c.verb_phrase, &middle);
            joined(w, cluster.infinite);
            w.word(cluster.prefix);
        }
        Order::First => {
            w.word(&cluster.finite);
            noun_phrase(w, &c.subject, Case::Nominative);
            middle_field(w, &c.verb_phrase, &middle);
            joined(w, cluster.infinite);
            w.word(cluster.prefix);
        }
        Order::Last => {
            noun_phrase(w, &c.subject, Case::Nominative);
            middle_field(w, &c.verb_phrase, &middle);
            verb_last(w, &cluster);
        }
    }
    after_field(w, &c.verb_phrase, agreement);
}

fn verb_last(w: &mut Writer, cluster: &Cluster) {
    joined(w, cluster.infinite);
    joined(w, [cluster.prefix, &cluster.finite]);
}

fn question(w: &mut Writer, wh: Wh, c: &Clause) {
    match (wh, &c.verb_phrase.predicate) {
        (Wh::Subject, _) => return clause(w, c, Order::Second),
        (Wh::Object, Predicate::Transitive(_, object)) => noun_phrase(w, object, Case::Accusative),
        (Wh::Object, _) => w.word("was"),
        (Wh::Place, Predicate::Motion { .. }) => w.word("wohin"),
        (Wh::Place, _) => w.word("wo"),
        (Wh::Time, _) => w.word("wann"),
        (Wh::Reason, _) => w.word("warum"),
    }
    clause(w, c, Order::First);
}

fn existential(w: &mut Writer, what: &NounPhrase, location: &Location, question: bool) {
    match location {
        Location::Place(place) => {
            if question {
                w.word("gibt es");
                w.word(place.de_where);
            } else {
                w.word(place.de_where);
                w.word("gibt es");
            }
            noun_phrase(w, what, Case::Accusative);
        }
        Location::Relative(relation, ground) => {
            let be = pick(agreement(what), ["bin", "ist", "sind"]);
            if question {
                w.word(be);
                noun_phrase(w, what, Case::Nominative);
                prepositional(w, relation.de, ground, Case::Dative);
            } else {
                prepositional(w, relation.de, ground, Case::Dative);
                w.word(be);
                noun_phrase(w, what, Case::Nominative);
            }
        }
    }
}

/// What a clause puts between the verb's two places besides the verb phrase's own parts.
struct Middle {
    time: Option<Time>,
    adverb: &'static str,
    already: bool,
    negated: bool,
    female: bool,
    agreement: Agreement,
}

/// Reflexive and personal pronouns, time, dative, definite accusative, nicht, manner, place, indefinite
/// accusative, and what belongs closest to the verb.
fn middle_field(w: &mut Writer, vp: &VerbPhrase, m: &Middle) {
    use Predicate as P;
    let verb = vp.predicate.verb();
    if verb.is_some_and(|verb| verb.de_reflexive) {
        w.word(reflexive(m.agreement));
    }
    let [dative, accusative] = bare_objects(&vp.predicate);
    for (object, case) in [(accusative, Case::Accusative), (dative, Case::Dative)] {
        if let Some(object @ NounPhrase::Pronoun(_)) = object {
            noun_phrase(w, object, case);
        }
    }
    if let Some(t) = m.time {
        time(w, t);
    }
    w.word(m.adverb);
    if m.already && !m.negated {
        w.word("schon");
    }
    let is_phrase = |object: &&NounPhrase| !matches!(object, NounPhrase::Pronoun(_));
    if let Some(object) = dative.filter(is_phrase) {
        noun_phrase(w, object, Case::Dative);
    }
    let accusative = accusative.filter(is_phrase).filter(|object| !is_asked(object));
    let kein = m.negated && accusative.is_some_and(NounPhrase::is_negatable);
    let negation = if m.already { "noch nicht" } else { "nicht" };
    if let Some(object) = accusative.filter(|object| !object.is_indefinite()) {
        noun_phrase(w, object, Case::Accusative);
    }
    if m.negated && !kein && !matches!(vp.predicate, P::Profession(_)) {
        w.word(negation);
    }
    if kein && m.already {
        w.word("noch");
    }
    if let Some(manner) = vp.manner {
        w.word(manner.de);
    }
    if let Some(Where::Place(place)) = vp.place {
        w.word(place.de_where);
    }
    if let Some(object) = accusative.filter(|object| object.is_indefinite()) {
        if kein {
            negative_noun_phrase(w, object, Case::Accusative);
        } else {
            noun_phrase(w, object, Case::Accusative);
        }
    }
    complement(w, &vp.predicate, m);
}

/// The objects without a preposition: dative and accusative.
fn bare_objects(predicate: &Predicate) -> [Option<&NounPhrase>; 2] {
    match predicate {
        Predicate::Transitive(verb, object) => match verb.de_government {
            Government::Accusative => [None, Some(object)],
            Government::Dative => [Some(object), None],
            Government::Preposition(..) => [None, None],
        },
        Predicate::Ditransitive { recipient, theme, .. } => [Some(recipient), Some(theme)],
        Predicate::Put { theme, .. } => [None, Some(theme)],
        _ => [None, None],
    }
}

/// Whether a question has moved the object to the front.
fn is_asked(np: &NounPhrase) -> bool {
    match np {
        NounPhrase::What => true,
        NounPhrase::Common(n) => matches!(n.determiner, Determiner::Which | Determiner::HowMany),
        _ => false,
    }
}

/// What stands right before the verb's second place.
fn complement(w: &mut Writer, predicate: &Predicate, m: &Middle) {
    use Predicate as P;
    match predicate {
        P::Transitive(verb, object) => {
            if let Government::Preposition(preposition, case) = verb.de_government {
                prepositional(w, preposition, object, case);
            }
        }
        P::Motion { verb, goal, .. } => {
            w.word(verb.de_adverbial);
            if let Where::Place(place) = goal {
                w.word(place.de_to);
            }
        }
        P::Dwelling { place: Where::Place(place), .. } => w.word(place.de_where),
        P::Put { location, .. } => self::location(w, location, Case::Accusative),
        P::Located(location) => self::location(w, location, Case::Dative),
        P::Adjective(degree, adjective) => {
            w.word(match degree {
                Degree::Very => "sehr",
                Degree::Too => "zu",
                Degree::Plain | Degree::Most => "",
            });
            w.word(adjective.de);
        }
        P::Comparison { adjective, equal: true, .. } => {
            w.word("so");
            w.word(adjective.de);
        }
        P::Comparison { adjective, equal: false, .. } => w.word(adjective.de_comparative),
        P::Profession(noun) => {
            if m.negated {
                w.word(if m.female { "keine" } else { "kein" });
            }
            w.word(if m.female { noun.de_feminine } else { noun.de });
        }
        P::Age(years) => {
            w.word(&number_words(*years));
            w.word("Jahre alt");
        }
        P::Price(euros) => {
            w.word(&euros.to_string());
            w.word("Euro");
        }
        P::Intransitive(_) | P::Ditransitive { .. } | P::Dwelling { .. } | P::Infinitive { .. } => {}
    }
}

fn location(w: &mut Writer, location: &Location, case: Case) {
    match location {
        Location::Relative(relation, ground) => prepositional(w, relation.de, ground, case),
        Location::Place(place) => w.word(place.de_where),
    }
}

/// What follows the verb's second place: the other side of a comparison, and infinitive clauses, set off by commas.
fn after_field(w: &mut Writer, vp: &VerbPhrase, agreement: Agreement) {
    let (inner, um) = match &vp.predicate {
        Predicate::Infinitive { what, .. } => (what, ""),
        Predicate::Motion { purpose: Some(purpose), .. } => (purpose, "um"),
        Predicate::Comparison { equal, than, .. } => {
            w.word(if *equal { "wie" } else { "als" });
            return noun_phrase(w, than, Case::Nominative);
        }
        _ => return,
    };
    w.comma();
    w.word(um);
    let middle = Middle { time: None, adverb: "", already: false, negated: false, female: false, agreement };
    middle_field(w, inner, &middle);
    // anzurufen, but zu kaufen
    let verb = inner.predicate.verb();
    let [prefix, infinitive] = verb.map_or(["", "sein"], |verb| [verb.de_prefix, verb.de_infinitive]);
    if prefix.is_empty() {
        w.word("zu");
        w.word(infinitive);
    } else {
        w.word(prefix);
        w.suffix("zu");
        w.suffix(infinitive);
    }
    after_field(w, inner, agreement);
    w.comma();
}

/// A relative clause, set off by commas, after a noun of the given concord.
fn relative(w: &mut Writer, relative: &Relative, head: Concord) {
    w.comma();
    match relative {
        Relative::Subject(tense, vp) => {
            w.word(definite(Case::Nominative, head));
            let agreement = if head == Concord::Plural { Agreement::ThirdPlural } else { Agreement::ThirdSingular };
            let middle = Middle { time: None, adverb: "", already: false, negated: false, female: false, agreement };
            middle_field(w, vp, &middle);
            verb_last(w, &cluster(agreement, *tense, &vp.predicate));
            after_field(w, vp, agreement);
        }
        Relative::Object(subject, verb) => {
            w.word(definite(Case::Accusative, head));
            noun_phrase(w, subject, Case::Nominative);
            let tense = if verb.stative { Tense::Present } else { Tense::Past };
            verb_last(w, &cluster(agreement(subject), tense, &Predicate::Intransitive(verb)));
        }
    }
    w.comma();
}

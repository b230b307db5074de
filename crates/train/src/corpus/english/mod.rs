//! English: agreement, do-support, auxiliaries, a and an.

mod time;

use super::lexicon::adjectives::Adjective;
use super::lexicon::nouns::NounId;
use super::lexicon::phrases::WEEKDAYS;
use super::numbers::english as number_words;
use super::syntax::*;
use super::writer::Writer;
use time::{calendar_date, clock, time};

/// What a finite verb agrees with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Agreement {
    First,
    Third,
    Plural,
}

/// The form of a main verb that an auxiliary asks for, or its finite forms.
#[derive(Clone, Copy)]
enum Form {
    Base = 0,
    Third = 1,
    Past = 2,
    Participle = 3,
}

/// The case of a pronoun.
#[derive(Clone, Copy)]
enum Role {
    Subject,
    Object,
}

/// Writes `sentence` in English.
pub fn linearise(sentence: &Sentence) -> String {
    let mut w = Writer::default();
    let mark = match sentence {
        Sentence::Statement(c) => {
            clause(&mut w, c);
            '.'
        }
        Sentence::YesNo(c) => {
            inverted(&mut w, c);
            '?'
        }
        Sentence::Wh(wh, c) => {
            question(&mut w, *wh, c);
            '?'
        }
        Sentence::Joined(conjunction, first, second) => {
            clause(&mut w, first);
            if matches!(conjunction, Conjunction::But | Conjunction::So) {
                w.comma();
            }
            w.word(match conjunction {
                Conjunction::And => "and",
                Conjunction::But => "but",
                Conjunction::Or => "or",
                Conjunction::So => "so",
            });
            clause(&mut w, second);
            '.'
        }
        Sentence::Subordinated { conjunction, main, subordinate, subordinate_first } => {
            let word = match conjunction {
                Subordinator::Because => "because",
                Subordinator::If => "if",
                Subordinator::Although => "although",
                Subordinator::Before => "before",
            };
            if *subordinate_first {
                w.word(word);
                clause(&mut w, subordinate);
                w.comma();
                clause(&mut w, main);
            } else {
                clause(&mut w, main);
                w.word(word);
                clause(&mut w, subordinate);
            }
            '.'
        }
        Sentence::Reported { subject, verb, negated, whether, clause: c } => {
            noun_phrase(&mut w, subject, Role::Subject);
            let agreement = agreement(subject);
            if *negated {
                w.word(auxiliary_do(agreement, false));
                w.word("not");
            }
            w.word(verb.en[if *negated { Form::Base } else { present(agreement) } as usize]);
            w.word(if *whether { "whether" } else { "that" });
            clause(&mut w, c);
            '.'
        }
        Sentence::Existential { what, location: place, question } => {
            let be = be(agreement(what), false);
            if *question {
                w.word(be);
                w.word("there");
            } else {
                w.word("there");
                w.word(be);
            }
            noun_phrase(&mut w, what, Role::Subject);
            location(&mut w, place);
            if *question { '?' } else { '.' }
        }
        Sentence::Presentation { what, question } => {
            w.word(if *question { "is this" } else { "this is" });
            noun_phrase(&mut w, what, Role::Object);
            if *question { '?' } else { '.' }
        }
        Sentence::ClockTime(time) => {
            w.word("it is");
            clock(&mut w, *time);
            '.'
        }
        Sentence::Date { date, weekday } => {
            w.word("today is");
            w.word(WEEKDAYS[usize::from(*weekday)].en);
            w.comma();
            calendar_date(&mut w, *date);
            '.'
        }
    };
    w.finish(mark)
}

fn agreement(subject: &NounPhrase) -> Agreement {
    match subject {
        NounPhrase::Pronoun(Pronoun::I) => Agreement::First,
        subject if subject.is_third_singular() => Agreement::Third,
        _ => Agreement::Plural,
    }
}

fn present(agreement: Agreement) -> Form {
    if agreement == Agreement::Third { Form::Third } else { Form::Base }
}

fn be(agreement: Agreement, past: bool) -> &'static str {
    match (agreement, past) {
        (Agreement::First, false) => "am",
        (Agreement::Third, false) => "is",
        (Agreement::Plural, false) => "are",
        (Agreement::Plural, true) => "were",
        (_, true) => "was",
    }
}

fn auxiliary_do(agreement: Agreement, past: bool) -> &'static str {
    match (agreement, past) {
        (_, true) => "did",
        (Agreement::Third, false) => "does",
        _ => "do",
    }
}

/// The verb cluster of a clause, split where a question puts the subject.
struct Cluster {
    /// May be empty, for a plain finite main verb.
    auxiliary: &'static str,
    /// Whether "not" follows the auxiliary as a word of its own.
    not: bool,
    /// After the subject and "not".
    rest: &'static str,
    main: Form,
    /// The main verb is "to be", and the auxiliary is already it.
    copula_done: bool,
}

fn cluster(agreement: Agreement, tense: Tense, negated: bool, inverted: bool, copular: bool) -> Cluster {
    let plain = Cluster { auxiliary: "", not: negated, rest: "", main: Form::Base, copula_done: false };
    let supported = negated || inverted;
    match tense {
        Tense::Present | Tense::Past => {
            let past = tense == Tense::Past;
            if copular {
                Cluster { auxiliary: be(agreement, past), copula_done: true, ..plain }
            } else if supported {
                Cluster { auxiliary: auxiliary_do(agreement, past), ..plain }
            } else {
                Cluster { main: if past { Form::Past } else { present(agreement) }, ..plain }
            }
        }
        Tense::Already => Cluster {
            auxiliary: if agreement == Agreement::Third { "has" } else { "have" },
            rest: if negated { "" } else { "already" },
            main: Form::Participle,
            ..plain
        },
        Tense::Modal(modal) => match modal {
            Modal::Can if negated && !inverted => Cluster { auxiliary: "cannot", not: false, ..plain },
            Modal::Can => Cluster { auxiliary: "can", ..plain },
            Modal::Must if negated => Cluster { auxiliary: auxiliary_do(agreement, false), rest: "have to", ..plain },
            Modal::Must => Cluster { auxiliary: "must", ..plain },
            Modal::Should => Cluster { auxiliary: "should", ..plain },
            Modal::Will => Cluster { auxiliary: "will", ..plain },
            Modal::May => Cluster { auxiliary: be(agreement, false), rest: "allowed to", ..plain },
            Modal::Want if supported => Cluster { auxiliary: auxiliary_do(agreement, false), rest: "want to", ..plain },
            Modal::Want => {
                Cluster { rest: if agreement == Agreement::Third { "wants to" } else { "want to" }, ..plain }
            }
        },
    }
}

/// A clause in the order of a statement.
fn clause(w: &mut Writer, c: &Clause) {
    front_time(w, c);
    noun_phrase(w, &c.subject, Role::Subject);
    let cluster = cluster(agreement(&c.subject), c.tense, c.negated, false, c.verb_phrase.predicate.is_copular());
    w.word(cluster.auxiliary);
    after_subject(w, c, &cluster);
}

/// A clause with the auxiliary before the subject.
fn inverted(w: &mut Writer, c: &Clause) {
    front_time(w, c);
    let cluster = cluster(agreement(&c.subject), c.tense, c.negated, true, c.verb_phrase.predicate.is_copular());
    w.word(cluster.auxiliary);
    noun_phrase(w, &c.subject, Role::Subject);
    after_subject(w, c, &cluster);
}

fn front_time(w: &mut Writer, c: &Clause) {
    if let (Some(t), true) = (c.time, c.time_first) {
        time(w, t);
        w.comma();
    }
}

fn after_subject(w: &mut Writer, c: &Clause, cluster: &Cluster) {
    if cluster.not {
        w.word("not");
    }
    if let Some(frequency) = c.frequency {
        w.word(frequency.en);
    }
    w.word(cluster.rest);
    verb_phrase(w, &c.verb_phrase, if cluster.copula_done { None } else { Some(cluster.main) });
    if c.tense == Tense::Already && c.negated {
        w.word("yet");
    }
    if let (Some(t), false) = (c.time, c.time_first) {
        time(w, t);
    }
}

fn question(w: &mut Writer, wh: Wh, c: &Clause) {
    match wh {
        Wh::Subject => return clause(w, c),
        Wh::Object => match &c.verb_phrase.predicate {
            Predicate::Transitive(_, NounPhrase::Common(nominal)) => common(w, nominal),
            _ => w.word("what"),
        },
        Wh::Place => w.word("where"),
        Wh::Time => w.word("when"),
        Wh::Reason => w.word("why"),
    }
    inverted(w, c);
}

/// A verb phrase with its main verb in `form`, or without it.
fn verb_phrase(w: &mut Writer, vp: &VerbPhrase, form: Option<Form>) {
    use Predicate as P;
    if let Some(form) = form {
        w.word(match (&vp.predicate, vp.predicate.verb()) {
            (_, Some(verb)) => verb.en[form as usize],
            (P::Price(_), None) => ["cost", "costs", "cost", "cost"][form as usize],
            (_, None) => ["be", "is", "was", "been"][form as usize],
        });
    }
    match &vp.predicate {
        P::Intransitive(_) => {}
        P::Transitive(verb, object) => {
            w.word(verb.en_preposition);
            object_phrase(w, object);
        }
        P::Ditransitive { verb, recipient, theme } if verb.en_preposition.is_empty() => {
            object_phrase(w, recipient);
            object_phrase(w, theme);
        }
        P::Ditransitive { verb, recipient, theme } => {
            object_phrase(w, theme);
            w.word(verb.en_preposition);
            object_phrase(w, recipient);
        }
        P::Motion { goal, purpose, .. } => {
            if let Where::Place(place) = goal {
                w.word(place.en_to);
            }
            if let Some(purpose) = purpose {
                w.word("to");
                verb_phrase(w, purpose, Some(Form::Base));
            }
        }
        P::Dwelling { place, .. } => where_at(w, *place),
        P::Put { theme, location: place, .. } => {
            object_phrase(w, theme);
            location(w, place);
        }
        P::Infinitive { what, .. } => {
            w.word("to");
            verb_phrase(w, what, Some(Form::Base));
        }
        P::Adjective(degree, adjective) => self::adjective(w, *degree, adjective),
        P::Comparison { adjective, equal: true, than } => {
            w.word("as");
            w.word(adjective.en);
            w.word("as");
            noun_phrase(w, than, Role::Object);
        }
        P::Comparison { adjective, equal: false, than } => {
            if adjective.en_comparative.is_empty() {
                w.word("more");
                w.word(adjective.en);
            } else {
                w.word(adjective.en_comparative);
            }
            w.word("than");
            noun_phrase(w, than, Role::Object);
        }
        P::Profession(noun) => {
            w.indefinite_article();
            w.word(noun.en);
        }
        P::Age(years) => {
            w.word(&number_words(*years));
            w.word("years old");
        }
        P::Price(euros) => {
            w.word(&euros.to_string());
            w.word("euros");
        }
        P::Located(place) => location(w, place),
    }
    if let Some(manner) = vp.manner {
        w.word(manner.en);
    }
    if let Some(place) = vp.place {
        where_at(w, place);
    }
}

fn where_at(w: &mut Writer, place: Where) {
    if let Where::Place(place) = place {
        w.word(place.en_where);
    }
}

fn location(w: &mut Writer, location: &Location) {
    match location {
        Location::Relative(relation, ground) => {
            w.word(relation.en);
            noun_phrase(w, ground, Role::Object);
        }
        Location::Place(place) => w.word(place.en_where),
    }
}

/// An object, unless a question has moved it to the front.
fn object_phrase(w: &mut Writer, np: &NounPhrase) {
    let asked = match np {
        NounPhrase::What => true,
        NounPhrase::Common(n) => matches!(n.determiner, Determiner::Which | Determiner::HowMany),
        _ => false,
    };
    if !asked {
        noun_phrase(w, np, Role::Object);
    }
}

fn noun_phrase(w: &mut Writer, np: &NounPhrase, role: Role) {
    match np {
        NounPhrase::Pronoun(pronoun) => w.word(match (pronoun, role) {
            (Pronoun::I, Role::Subject) => "I",
            (Pronoun::I, Role::Object) => "me",
            (Pronoun::He, Role::Subject) => "he",
            (Pronoun::He, Role::Object) => "him",
            (Pronoun::She, Role::Subject) => "she",
            (Pronoun::She, Role::Object) => "her",
            (Pronoun::We, Role::Subject) => "we",
            (Pronoun::We, Role::Object) => "us",
            (Pronoun::They, Role::Subject) => "they",
            (Pronoun::They, Role::Object) => "them",
        }),
        NounPhrase::Name(name) => w.word(name.latin),
        NounPhrase::Names(first, second) => {
            w.word(first.latin);
            w.word("and");
            w.word(second.latin);
        }
        NounPhrase::Common(nominal) => common(w, nominal),
        NounPhrase::Measured { count, unit, noun } => {
            if *count == 1 {
                w.indefinite_article();
                w.word(unit.en);
            } else {
                w.word(&number_words(*count));
                w.word(unit.en_plural);
            }
            w.word("of");
            w.word(noun.en);
        }
        NounPhrase::Who => w.word("who"),
        NounPhrase::What => w.word("what"),
        NounPhrase::Weather => w.word("it"),
    }
}

fn possessive(owner: Pronoun) -> &'static str {
    match owner {
        Pronoun::I => "my",
        Pronoun::He => "his",
        Pronoun::She => "her",
        Pronoun::We => "our",
        Pronoun::They => "their",
    }
}

fn common(w: &mut Writer, nominal: &Nominal) {
    use Determiner as D;
    let number = nominal.number();
    match nominal.determiner {
        D::A => w.indefinite_article(),
        D::The(_) => w.word("the"),
        D::This(Number::Singular) => w.word("this"),
        D::This(Number::Plural) => w.word("these"),
        D::Possessive(owner) => w.word(possessive(owner)),
        D::PossessiveNumeral(owner, count) => {
            w.word(possessive(owner));
            w.word(&number_words(count));
        }
        D::Owned(Owner::Name(name)) => {
            w.word(name.latin);
            w.suffix("'s");
        }
        D::Owned(Owner::Noun(noun)) => {
            w.word("the");
            w.word(noun.en);
            w.suffix("'s");
        }
        D::Numeral(count) => w.word(&number_words(count)),
        D::TheNumeral(count) => {
            w.word("the");
            w.word(&number_words(count));
        }
        D::Some => w.word("some"),
        D::Many => w.word("many"),
        D::All => w.word("all"),
        D::Every => w.word("every"),
        D::Bare => {}
        D::Which => w.word("which"),
        D::HowMany => w.word("how many"),
    }
    if let Some((degree, a)) = nominal.adjective {
        adjective(w, degree, a);
    }
    w.word(head(nominal.noun, number));
    if let Some(r) = &nominal.relative {
        relative(w, r, if number == Number::Plural { Agreement::Plural } else { Agreement::Third });
    }
}

fn head(noun: NounId, number: Number) -> &'static str {
    let noun = &*noun;
    if number == Number::Plural { noun.en_plural } else { noun.en }
}

fn adjective(w: &mut Writer, degree: Degree, adjective: &Adjective) {
    match degree {
        Degree::Plain => {}
        Degree::Very => w.word("very"),
        Degree::Too => w.word("too"),
        Degree::Most if adjective.en_superlative.is_empty() => w.word("most"),
        Degree::Most => return w.word(adjective.en_superlative),
    }
    w.word(adjective.en);
}

fn relative(w: &mut Writer, relative: &Relative, head: Agreement) {
    match relative {
        Relative::Subject(tense, vp) => {
            w.word("who");
            let cluster = cluster(head, *tense, false, false, vp.predicate.is_copular());
            w.word(cluster.auxiliary);
            verb_phrase(w, vp, if cluster.copula_done { None } else { Some(cluster.main) });
        }
        Relative::Object(subject, verb) => {
            w.word("that");
            noun_phrase(w, subject, Role::Subject);
            let form = if verb.stative { present(agreement(subject)) } else { Form::Past };
            w.word(verb.en[form as usize]);
        }
    }
}

//! Builds trees for the golden sentences.

use super::super::lexicon::adjectives::{ADJECTIVES, Adjective, WEATHER_ADJECTIVES};
use super::super::lexicon::nouns::NounId;
use super::super::lexicon::phrases::*;
use super::super::lexicon::verbs::*;
use super::super::syntax::Determiner as D;
use super::super::syntax::NounPhrase as Np;
use super::super::syntax::Number::Singular;
use super::super::syntax::Predicate as P;
use super::super::syntax::*;
use super::super::{chinese, english, german};

pub fn noun(en: &str) -> NounId {
    NounId::all().find(|noun| noun.en == en).unwrap_or_else(|| panic!("no noun {en}"))
}

pub fn adjective(en: &str) -> &'static Adjective {
    ADJECTIVES.iter().chain(WEATHER_ADJECTIVES).find(|a| a.en == en).unwrap_or_else(|| panic!("no adjective {en}"))
}

pub fn verb(table: &'static [Verb], en: &str) -> &'static Verb {
    table.iter().find(|verb| verb.en[0] == en).unwrap_or_else(|| panic!("no verb {en}"))
}

pub fn phrase(table: &'static [Phrase], en: &str) -> &'static Phrase {
    table.iter().find(|phrase| phrase.en == en).unwrap_or_else(|| panic!("no phrase {en}"))
}

pub fn place(en: &str) -> Where {
    let found = PLACES.iter().chain(TOWNS).find(|place| place.en_where == en || place.en_to == en);
    Where::Place(found.unwrap_or_else(|| panic!("no place {en}")))
}

pub fn name(latin: &str) -> &'static Name {
    NAMES.iter().find(|name| name.latin == latin).unwrap_or_else(|| panic!("no name {latin}"))
}

pub fn np(determiner: Determiner, en: &str) -> NounPhrase {
    Np::Common(Box::new(Nominal { determiner, adjective: None, noun: noun(en), relative: None }))
}

pub fn the(en: &str) -> NounPhrase {
    np(D::The(Singular), en)
}

pub fn described(determiner: Determiner, degree: Degree, en_adjective: &str, en: &str) -> NounPhrase {
    let adjective = Some((degree, adjective(en_adjective)));
    Np::Common(Box::new(Nominal { determiner, adjective, noun: noun(en), relative: None }))
}

pub fn vp(predicate: Predicate) -> VerbPhrase {
    VerbPhrase { predicate, manner: None, place: None }
}

pub fn buy(object: NounPhrase) -> Predicate {
    P::Transitive(verb(TRANSITIVE, "buy"), object)
}

pub fn with(en: &str, object: NounPhrase) -> Predicate {
    P::Transitive(verb(TRANSITIVE, en), object)
}

pub fn clause(subject: NounPhrase, tense: Tense, predicate: Predicate) -> Clause {
    Clause {
        subject,
        tense,
        negated: false,
        time: None,
        time_first: false,
        frequency: None,
        verb_phrase: vp(predicate),
    }
}

pub fn not(clause: Clause) -> Clause {
    Clause { negated: true, ..clause }
}

pub fn at(clause: Clause, time: Time, time_first: bool) -> Clause {
    Clause { time: Some(time), time_first, ..clause }
}

#[track_caller]
pub fn says(sentence: &Sentence, en: &str, de: &str, zh: &str) {
    assert_eq!(english::linearise(sentence), en);
    assert_eq!(german::linearise(sentence), de);
    assert_eq!(chinese::linearise(sentence), zh);
}

#[track_caller]
pub fn states(clause: Clause, en: &str, de: &str, zh: &str) {
    says(&Sentence::Statement(clause), en, de, zh);
}

pub const PRESENT: Tense = Tense::Present;
pub const PAST: Tense = Tense::Past;
pub const I: NounPhrase = Np::Pronoun(Pronoun::I);
pub const SHE: NounPhrase = Np::Pronoun(Pronoun::She);
pub const WE: NounPhrase = Np::Pronoun(Pronoun::We);
pub const THEY: NounPhrase = Np::Pronoun(Pronoun::They);

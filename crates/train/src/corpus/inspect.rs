//! The combinations of words in a tree, which the splits go by.

use super::lexicon::adjectives::Adjective;
use super::lexicon::nouns::NounId;
use super::lexicon::verbs::Verb;
use super::rng::{hash_text, mix};
use super::syntax::*;

/// Two words that go together in a tree.
#[derive(Clone, Copy, Debug)]
pub enum Combination {
    /// A verb with the noun at the head of its object (the theme, if there is a recipient too).
    VerbObject(&'static Verb, NounId),
    /// An adjective with the noun that it describes, in front of it or across a copula.
    Described(&'static Adjective, NounId),
}

/// One in this many combinations is held out for the test set.
const HELD_OUT_ONE_IN: u64 = 20;

/// Whether only the test set may have `combination`.
pub fn is_held_out(combination: Combination) -> bool {
    let (word, other, noun) = match combination {
        Combination::VerbObject(verb, noun) => (verb.en[0], verb.zh, noun),
        Combination::Described(adjective, noun) => (adjective.en, adjective.zh, noun),
    };
    let key = hash_text(word).rotate_left(21) ^ hash_text(other).rotate_left(42) ^ hash_text(noun.en);
    mix(key).is_multiple_of(HELD_OUT_ONE_IN)
}

/// Whether any combination in `sentence` is held out.
pub fn has_held_out(sentence: &Sentence) -> bool {
    let mut found = false;
    walk(sentence, &mut |combination| found = found || is_held_out(combination));
    found
}

/// Calls `see` with every combination in `sentence`.
pub fn walk(sentence: &Sentence, see: &mut impl FnMut(Combination)) {
    match sentence {
        Sentence::Statement(c) | Sentence::YesNo(c) | Sentence::Wh(_, c) => clause(c, see),
        Sentence::Joined(_, first, second) => {
            clause(first, see);
            clause(second, see);
        }
        Sentence::Subordinated { main, subordinate, .. } => {
            clause(main, see);
            clause(subordinate, see);
        }
        Sentence::Reported { subject, clause: c, .. } => {
            noun_phrase(subject, see);
            clause(c, see);
        }
        Sentence::Existential { what, location: place, .. } => {
            noun_phrase(what, see);
            location(place, see);
        }
        Sentence::Presentation { what, .. } => noun_phrase(what, see),
        Sentence::ClockTime(_) | Sentence::Date { .. } => {}
    }
}

fn clause(c: &Clause, see: &mut impl FnMut(Combination)) {
    noun_phrase(&c.subject, see);
    if let (Predicate::Adjective(_, adjective) | Predicate::Comparison { adjective, .. }, Some(noun)) =
        (&c.verb_phrase.predicate, c.subject.noun())
    {
        see(Combination::Described(adjective, noun));
    }
    verb_phrase(&c.verb_phrase, see);
}

fn verb_phrase(vp: &VerbPhrase, see: &mut impl FnMut(Combination)) {
    use Predicate as P;
    let mut with_object = |verb: &'static Verb, object: &NounPhrase| {
        if let Some(noun) = object.noun() {
            see(Combination::VerbObject(verb, noun));
        }
    };
    match &vp.predicate {
        P::Transitive(verb, object)
        | P::Ditransitive { verb, theme: object, .. }
        | P::Put { verb, theme: object, .. } => {
            with_object(verb, object);
        }
        _ => {}
    }
    match &vp.predicate {
        P::Transitive(_, object) => noun_phrase(object, see),
        P::Ditransitive { recipient, theme, .. } => {
            noun_phrase(recipient, see);
            noun_phrase(theme, see);
        }
        P::Put { theme, location: place, .. } => {
            noun_phrase(theme, see);
            location(place, see);
        }
        P::Motion { purpose: Some(inner), .. } | P::Infinitive { what: inner, .. } => verb_phrase(inner, see),
        P::Comparison { adjective, than, .. } => {
            if let Some(noun) = than.noun() {
                see(Combination::Described(adjective, noun));
            }
            noun_phrase(than, see);
        }
        P::Located(place) => location(place, see),
        P::Intransitive(_)
        | P::Motion { .. }
        | P::Dwelling { .. }
        | P::Adjective(..)
        | P::Profession(_)
        | P::Age(_)
        | P::Price(_) => {}
    }
}

fn location(place: &Location, see: &mut impl FnMut(Combination)) {
    if let Location::Relative(_, ground) = place {
        noun_phrase(ground, see);
    }
}

fn noun_phrase(np: &NounPhrase, see: &mut impl FnMut(Combination)) {
    let NounPhrase::Common(nominal) = np else {
        return;
    };
    if let Some((_, adjective)) = nominal.adjective {
        see(Combination::Described(adjective, nominal.noun));
    }
    match &nominal.relative {
        Some(Relative::Subject(_, vp)) => verb_phrase(vp, see),
        Some(Relative::Object(subject, verb)) => {
            see(Combination::VerbObject(verb, nominal.noun));
            noun_phrase(subject, see);
        }
        None => {}
    }
}

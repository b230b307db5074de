//! Which words go with which: computed once from the classes in the lexicon.

use super::super::lexicon::adjectives::{ADJECTIVES, Adjective};
use super::super::lexicon::class::{self, Class};
use super::super::lexicon::nouns::NounId;
use super::super::lexicon::verbs::{DITRANSITIVE, Government, PUTTING, TRANSITIVE, Verb};

/// A verb with the nouns that may be its object.
pub struct WithObjects {
    pub verb: &'static Verb,
    pub objects: Vec<NounId>,
    /// The objects that are things which one counts; empty unless the verb suits questions and relative clauses
    /// about its object.
    pub things: Vec<NounId>,
    /// Whether "what" can be asked with it: no other verb sounds the same in any language.
    pub asks_what: bool,
}

/// An adjective with the nouns that it describes.
pub struct WithNouns {
    pub adjective: &'static Adjective,
    pub nouns: Vec<NounId>,
}

/// All pools.
pub struct Pools {
    pub transitive: Vec<WithObjects>,
    /// The verbs of `transitive` that have `things`.
    pub of_things: Vec<usize>,
    pub ditransitive: Vec<WithObjects>,
    pub putting: Vec<WithObjects>,
    pub described: Vec<WithNouns>,
    /// By noun: the adjectives in front of it.
    pub adjectives: Vec<Vec<&'static Adjective>>,
    /// People, but no relatives.
    pub people: Vec<NounId>,
    pub kin: Vec<NounId>,
    pub professions: Vec<NounId>,
    pub animals: Vec<NounId>,
    pub events: Vec<NounId>,
    pub transit: Vec<NounId>,
    /// What has a price.
    pub priced: Vec<NounId>,
    /// What lies around.
    pub small: Vec<NounId>,
    pub drinks: Vec<NounId>,
    pub sights: Vec<NounId>,
    pub surfaces: Vec<NounId>,
    pub containers: Vec<NounId>,
    pub furniture: Vec<NounId>,
}

fn nouns(class: Class, except: Class) -> Vec<NounId> {
    NounId::all().filter(|noun| noun.is(class) && !noun.is(except)).collect()
}

fn with_objects(verbs: &'static [Verb]) -> Vec<WithObjects> {
    let same_somewhere = |a: &Verb, b: &Verb| {
        a.en[0] == b.en[0] || a.zh == b.zh || (a.de_infinitive == b.de_infinitive && a.de_prefix == b.de_prefix)
    };
    let entry = |verb: &'static Verb| {
        let objects = nouns(verb.object, verb.object_except);
        let plain =
            verb.de_government == Government::Accusative && verb.en_preposition.is_empty() && verb.zh_coverb.is_empty();
        let things = if plain {
            let living = class::PERSON | class::ANIMAL;
            objects.iter().copied().filter(|noun| !noun.is(living) && !noun.is_mass()).collect()
        } else {
            Vec::new()
        };
        let asks_what = verbs.iter().filter(|other| same_somewhere(verb, other)).count() == 1;
        WithObjects { verb, objects, things, asks_what }
    };
    verbs.iter().map(entry).collect()
}

impl Pools {
    /// Computes all pools.
    pub fn new() -> Self {
        let transitive = with_objects(TRANSITIVE);
        let of_things = (0..transitive.len()).filter(|&i| !transitive[i].things.is_empty()).collect();
        let described = ADJECTIVES.iter().map(|adjective| WithNouns { adjective, nouns: nouns(adjective.fits, 0) });
        let adjectives = NounId::all().map(|noun| ADJECTIVES.iter().filter(|a| noun.is(a.fits)).collect());
        Self {
            of_things,
            transitive,
            ditransitive: with_objects(DITRANSITIVE),
            putting: with_objects(PUTTING),
            described: described.collect(),
            adjectives: adjectives.collect(),
            people: nouns(class::PERSON, class::KIN),
            kin: nouns(class::KIN, 0),
            professions: nouns(class::PROFESSION, 0),
            animals: nouns(class::ANIMAL, 0),
            events: nouns(class::EVENT, 0),
            transit: nouns(class::TRANSIT, 0),
            priced: nouns(
                class::CLOTHES | class::VEHICLE | class::FURNITURE | class::THING | class::DEVICE | class::INSTRUMENT,
                class::MAIL,
            ),
            small: nouns(class::THING, 0),
            drinks: nouns(class::DRINK, 0),
            sights: nouns(class::SIGHT | class::BUILDING, class::DWELLING),
            surfaces: nouns(class::SURFACE, 0),
            containers: nouns(class::CONTAINER, 0),
            furniture: nouns(class::FURNITURE, 0),
        }
    }
}

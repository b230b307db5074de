//! Draws noun phrases, times and places.

use super::super::lexicon::class;
use super::super::lexicon::class::PERSON;
use super::super::lexicon::nouns::NounId;
use super::super::lexicon::phrases::*;
use super::super::lexicon::verbs::{Case, Government, Verb};
use super::super::rng::Rng;
use super::super::syntax::*;
use super::Generator;

/// What an object has to go with.
#[derive(Clone, Copy)]
pub struct ObjectContext<'a> {
    pub verb: &'a Verb,
    pub subject: &'a NounPhrase,
    pub negated: bool,
    pub relative: bool,
}

const SINGULAR: Number = Number::Singular;
const PLURAL: Number = Number::Plural;

fn owner(rng: &mut Rng) -> Pronoun {
    *rng.pick(&[Pronoun::I, Pronoun::He, Pronoun::She, Pronoun::We])
}

impl Generator {
    /// Somebody or something as a subject; `class` is what the verb allows.
    pub fn subject(&self, rng: &mut Rng, class: u64, negated: bool, relative: bool) -> NounPhrase {
        if class & PERSON == 0 || (class & class::ANIMAL != 0 && rng.chance(25)) {
            let noun = *rng.pick(&self.pools.animals);
            let determiner = subject_determiner(rng, negated);
            return self.common(rng, determiner, noun, 20);
        }
        match rng.below(100) {
            0..22 => {
                NounPhrase::Pronoun(*rng.pick(&[Pronoun::I, Pronoun::He, Pronoun::She, Pronoun::We, Pronoun::They]))
            }
            22..38 => NounPhrase::Name(rng.pick(NAMES)),
            38..43 => {
                let first = rng.below(NAMES.len());
                let second = (first + 1 + rng.below(NAMES.len() - 1)) % NAMES.len();
                NounPhrase::Names(&NAMES[first], &NAMES[second])
            }
            43..52 => self.kin(rng),
            _ => {
                let noun = *rng.pick(&self.pools.people);
                let determiner = subject_determiner(rng, negated);
                let mut np = self.common(rng, determiner, noun, 22);
                if let NounPhrase::Common(nominal) = &mut np
                    && relative
                    && matches!(determiner, Determiner::The(_))
                    && nominal.adjective.is_none()
                    && rng.chance(22)
                {
                    nominal.relative = Some(self.subject_relative(rng, nominal.number()));
                }
                np
            }
        }
    }

    /// Somebody's relative.
    pub fn kin(&self, rng: &mut Rng) -> NounPhrase {
        let noun = *rng.pick(&self.pools.kin);
        let determiner = if rng.chance(70) {
            Determiner::Possessive(owner(rng))
        } else {
            Determiner::Owned(Owner::Name(rng.pick(NAMES)))
        };
        NounPhrase::Common(Box::new(Nominal { determiner, adjective: None, noun, relative: None }))
    }

    /// A noun that is known: the, this, my, Anna's.
    pub fn definite(&self, rng: &mut Rng, noun: NounId, adjective_percent: usize) -> NounPhrase {
        if noun.is(class::KIN) {
            return self.kin(rng);
        }
        let determiner = match rng.below(100) {
            0..45 => Determiner::The(SINGULAR),
            45..65 => Determiner::This(SINGULAR),
            65..82 => Determiner::Possessive(owner(rng)),
            _ if noun.is(PERSON) => Determiner::The(SINGULAR),
            _ => Determiner::Owned(self.owner(rng)),
        };
        self.common(rng, determiner, noun, adjective_percent)
    }

    /// As [`Self::definite`], or in the plural.
    pub fn definite_any(&self, rng: &mut Rng, noun: NounId, adjective_percent: usize) -> NounPhrase {
        if noun.is_mass() || noun.is(class::KIN) || rng.chance(75) {
            return self.definite(rng, noun, adjective_percent);
        }
        let determiner = rng.weighted(&[(3, Determiner::The(PLURAL)), (2, Determiner::This(PLURAL))]);
        self.common(rng, determiner, noun, adjective_percent)
    }

    fn owner(&self, rng: &mut Rng) -> Owner {
        if rng.chance(50) { Owner::Name(rng.pick(NAMES)) } else { Owner::Noun(*rng.pick(&self.pools.people)) }
    }

    /// A noun with a determiner and, some of the time, an adjective.
    pub fn common(&self, rng: &mut Rng, determiner: Determiner, noun: NounId, adjective_percent: usize) -> NounPhrase {
        let adjectives = &self.pools.adjectives[noun.index()];
        let adjective = (!adjectives.is_empty() && !noun.is(class::KIN) && rng.chance(adjective_percent)).then(|| {
            let adjective = *rng.pick(adjectives);
            let most = matches!(determiner, Determiner::The(_) | Determiner::Possessive(_));
            let degree = match rng.below(100) {
                _ if !adjective.is_gradable() => Degree::Plain,
                0..26 if most && !noun.is_mass() => Degree::Most,
                26..40 => Degree::Very,
                _ => Degree::Plain,
            };
            (degree, adjective)
        });
        NounPhrase::Common(Box::new(Nominal { determiner, adjective, noun, relative: None }))
    }

    /// An object of a verb: a pronoun, a name, or one of `nouns` with what surrounds it.
    pub fn object(&self, rng: &mut Rng, nouns: &[NounId], context: ObjectContext<'_>) -> NounPhrase {
        let noun = *rng.pick(nouns);
        let verb = context.verb;
        let bare_case = verb.de_government == Government::Accusative;
        if noun.is(PERSON) {
            match rng.below(100) {
                0..18 if !verb.is_phrasal() => {
                    if let Some(pronoun) = object_pronoun(rng, context) {
                        return NounPhrase::Pronoun(pronoun);
                    }
                }
                18..40 => return NounPhrase::Name(other_name(rng, context.subject)),
                _ => {}
            }
            if noun.is(class::KIN) {
                return self.kin(rng);
            }
        }
        if noun.is_mass() {
            return self.mass_object(rng, noun, context);
        }
        if verb.generic && rng.chance(40) {
            return self.common(rng, Determiner::Bare, noun, 30);
        }
        if !context.negated && !verb.generic {
            let relative = context.relative && rng.chance(8) && !noun.is(PERSON | class::ANIMAL);
            if relative && let Some(np) = self.object_with_relative(rng, noun) {
                return np;
            }
            let determiner = match rng.below(100) {
                0..38 => Some(Determiner::A),
                38..48 => Some(Determiner::Numeral(rng.between(2, 12))),
                48..52 => Some(Determiner::Some),
                52..56 => Some(Determiner::Many),
                56..59 => Some(Determiner::TheNumeral(rng.between(2, 6))),
                59..62 => Some(Determiner::PossessiveNumeral(owner(rng), rng.between(2, 4))),
                _ => None,
            };
            if let Some(determiner) = determiner {
                return self.common(rng, determiner, noun, 30);
            }
        } else if context.negated && !verb.generic && bare_case && rng.chance(40) {
            return self.common(rng, Determiner::A, noun, 25);
        }
        self.definite_any(rng, noun, 25)
    }

    fn mass_object(&self, rng: &mut Rng, noun: NounId, context: ObjectContext<'_>) -> NounPhrase {
        if noun.is(class::LANGUAGE | class::SPORT) {
            return self.common(rng, Determiner::Bare, noun, 0);
        }
        let amount = !context.negated && !context.verb.generic;
        match rng.below(100) {
            0..35 if amount && !noun.units.is_empty() => {
                NounPhrase::Measured { count: rng.between(1, 6), unit: rng.pick(noun.units), noun }
            }
            35..42 if amount => self.common(rng, Determiner::Some, noun, 20),
            0..75 => self.common(rng, Determiner::Bare, noun, 30),
            75..88 => self.common(rng, Determiner::The(SINGULAR), noun, 20),
            88..93 => self.common(rng, Determiner::This(SINGULAR), noun, 10),
            _ => {
                let determiner = Determiner::Possessive(owner(rng));
                self.common(rng, determiner, noun, 10)
            }
        }
    }

    /// The book that the woman bought.
    fn object_with_relative(&self, rng: &mut Rng, noun: NounId) -> Option<NounPhrase> {
        let entry = &self.pools.transitive[*rng.pick(&self.pools.of_things)];
        if !entry.things.contains(&noun) {
            return None;
        }
        let subject = match self.subject(rng, PERSON, true, false) {
            NounPhrase::Common(nominal) if nominal.adjective.is_some() => NounPhrase::Name(rng.pick(NAMES)),
            subject => subject,
        };
        let relative = Some(Relative::Object(subject, entry.verb));
        let determiner = Determiner::The(rng.weighted(&[(3, SINGULAR), (1, PLURAL)]));
        Some(NounPhrase::Common(Box::new(Nominal { determiner, adjective: None, noun, relative })))
    }

    /// Who bought a book.
    fn subject_relative(&self, rng: &mut Rng, head: Number) -> Relative {
        if rng.chance(25) {
            let vp = self.dwelling(rng, false);
            return Relative::Subject(Tense::Present, vp);
        }
        let nobody = NounPhrase::Who;
        loop {
            let entry = rng.pick(&self.pools.transitive);
            if entry.verb.past_is_base() && head == PLURAL {
                continue;
            }
            let context = ObjectContext { verb: entry.verb, subject: &nobody, negated: false, relative: false };
            let object = self.object(rng, &entry.objects, context);
            let tense = if entry.verb.stative { Tense::Present } else { Tense::Past };
            let predicate = Predicate::Transitive(entry.verb, object);
            return Relative::Subject(tense, VerbPhrase { predicate, manner: None, place: None });
        }
    }

    /// Who gets something.
    pub fn recipient(&self, rng: &mut Rng, subject: &NounPhrase) -> NounPhrase {
        match rng.below(100) {
            0..30 => {
                let choices = [Pronoun::I, Pronoun::He, Pronoun::She, Pronoun::We, Pronoun::They];
                let pronoun = *rng.pick(&choices);
                if clashes(pronoun, subject) {
                    NounPhrase::Name(other_name(rng, subject))
                } else {
                    NounPhrase::Pronoun(pronoun)
                }
            }
            30..52 => NounPhrase::Name(other_name(rng, subject)),
            52..65 => self.kin(rng),
            _ => {
                let noun = *rng.pick(&self.pools.people);
                self.definite_any(rng, noun, 12)
            }
        }
    }

    /// On the table, next to the chair.
    pub fn location(&self, rng: &mut Rng) -> Location {
        let relation = rng.pick(RELATIONS);
        let grounds = match relation.en {
            "on" => &self.pools.surfaces,
            "in" => &self.pools.containers,
            _ => &self.pools.furniture,
        };
        let noun = *rng.pick(grounds);
        Location::Relative(relation, self.definite(rng, noun, 15))
    }

    /// A place to be, anywhere or in town.
    pub fn place(&self, rng: &mut Rng) -> Where {
        let places = if rng.chance(75) { PLACES } else { TOWNS };
        Where::Place(rng.pick(places))
    }

    /// A time that fits `tense`.
    pub fn time(&self, rng: &mut Rng, tense: Tense) -> Time {
        let weekday = Time::Weekday(rng.between(0, 6));
        match tense {
            Tense::Past => match rng.below(100) {
                0..55 => Time::Phrase(rng.pick(PAST_TIMES)),
                55..67 => weekday,
                67..79 => Time::Ago(rng.between(1, 12), rng.between(0, 3)),
                79..87 => Time::Date(date(rng, true)),
                87..94 => Time::DayAndClock(YESTERDAY, clock(rng)),
                _ => Time::Clock(clock(rng)),
            },
            Tense::Modal(Modal::Will) => match rng.below(100) {
                0..50 => Time::Phrase(rng.pick(FUTURE_TIMES)),
                50..64 => Time::In(rng.between(1, 12), rng.between(0, 3)),
                64..76 => weekday,
                76..84 => Time::Date(date(rng, false)),
                84..94 => Time::DayAndClock(TOMORROW, clock(rng)),
                _ => Time::Clock(clock(rng)),
            },
            Tense::Modal(_) => match rng.below(100) {
                0..40 => Time::Phrase(rng.pick(FUTURE_TIMES)),
                40..62 => Time::Phrase(rng.pick(PRESENT_TIMES)),
                62..75 => weekday,
                75..85 => Time::DayAndClock(TODAY, clock(rng)),
                85..93 => Time::DayAndClock(TOMORROW, clock(rng)),
                _ => Time::Clock(clock(rng)),
            },
            Tense::Present | Tense::Already => match rng.below(100) {
                0..65 => Time::Phrase(rng.pick(HABITUAL_TIMES)),
                65..90 => Time::Phrase(rng.pick(PRESENT_TIMES)),
                _ => Time::Clock(clock(rng)),
            },
        }
    }
}

/// How a subject begins.
fn subject_determiner(rng: &mut Rng, negated: bool) -> Determiner {
    match rng.below(100) {
        0..36 => Determiner::The(SINGULAR),
        36..48 => Determiner::The(PLURAL),
        48..60 => Determiner::This(SINGULAR),
        60..65 => Determiner::This(PLURAL),
        65..75 => Determiner::Possessive(owner(rng)),
        75..79 => Determiner::TheNumeral(rng.between(2, 6)),
        _ if negated => Determiner::The(SINGULAR),
        79..84 => Determiner::Numeral(rng.between(2, 12)),
        84..88 => Determiner::Some,
        88..92 => Determiner::Many,
        92..96 => Determiner::All,
        _ => Determiner::Every,
    }
}

/// Whether a pronoun would mean the subject itself.
fn clashes(pronoun: Pronoun, subject: &NounPhrase) -> bool {
    match subject {
        NounPhrase::Pronoun(Pronoun::I | Pronoun::We) => {
            matches!(pronoun, Pronoun::I | Pronoun::We)
        }
        NounPhrase::Pronoun(subject) => *subject == pronoun,
        _ => false,
    }
}

/// A pronoun whose German form in the verb's case stands for nobody else.
fn object_pronoun(rng: &mut Rng, context: ObjectContext<'_>) -> Option<Pronoun> {
    use Pronoun::{He, I, She, They, We};
    let dative = matches!(context.verb.de_government, Government::Dative | Government::Preposition(_, Case::Dative));
    let pronoun = if dative { *rng.pick(&[I, He, She, We, They]) } else { *rng.pick(&[I, He, We]) };
    (!clashes(pronoun, context.subject)).then_some(pronoun)
}

fn other_name(rng: &mut Rng, subject: &NounPhrase) -> &'static Name {
    loop {
        let name = rng.pick(NAMES);
        let taken = match subject {
            NounPhrase::Name(first) => *first == name,
            NounPhrase::Names(first, second) => *first == name || *second == name,
            _ => false,
        };
        if !taken {
            return name;
        }
    }
}

/// Any day of the calendar, with or without a year.
pub fn date(rng: &mut Rng, with_year: bool) -> Date {
    const DAYS: [u8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month = rng.between(1, 12);
    let day = rng.between(1, DAYS[usize::from(month - 1)]);
    let year = with_year.then(|| 1990 + u16::from(rng.between(0, 34)));
    Date { day, month, year }
}

/// A waking hour, to five minutes.
pub fn clock(rng: &mut Rng) -> Clock {
    let figures = rng.chance(60);
    let minute = if figures {
        5 * rng.between(0, 11)
    } else {
        *rng.pick(&[0, 0, 0, 5, 10, 15, 15, 20, 30, 30, 30, 45, 45, 50, 55])
    };
    Clock { hour: rng.between(6, if figures { 23 } else { 22 }), minute, figures }
}

//! Draws trees at random. What is drawn makes sense by and large: the classes of the lexicon say who does what
//! to what, and the rules here keep to what all three languages express.

mod phrases;
mod pools;
mod sentences;

use super::lexicon::adjectives::WEATHER_ADJECTIVES;
use super::lexicon::class::{ANIMAL, Class, PERSON};
use super::lexicon::phrases::*;
use super::lexicon::verbs::*;
use super::rng::Rng;
use super::syntax::*;
use phrases::ObjectContext;
use pools::Pools;

/// Draws trees.
pub struct Generator {
    pools: Pools,
}

/// When a clause plays, if another one depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Era {
    Any,
    Past,
    NotPast,
}

/// What a clause may contain, given where it stands.
#[derive(Clone, Copy)]
struct Setting {
    era: Era,
    /// A main clause on its own may begin with its time.
    alone: bool,
    negation: bool,
    /// All of the sentence is this clause, so there is room for a relative clause.
    roomy: bool,
    time: bool,
    question: bool,
}

const STATEMENT: Setting =
    Setting { era: Era::Any, alone: true, negation: true, roomy: true, time: true, question: false };
const PART: Setting = Setting { alone: false, roomy: false, ..STATEMENT };
const QUESTION: Setting = Setting { alone: false, negation: false, roomy: false, question: true, ..STATEMENT };

/// A predicate and what may go with it.
struct Deed {
    predicate: Predicate,
    /// Whether one can do it slowly or secretly.
    manner: bool,
    place: Option<Where>,
    /// Whether a time can stand at its end.
    end_time: bool,
}

/// What kind of predicate a clause has.
#[derive(Clone, Copy)]
enum Frame {
    Transitive,
    Ditransitive,
    Intransitive,
    Motion,
    Dwelling,
    Put,
    Located,
    Adjective,
    Comparison,
    Profession,
    Age,
    Price,
    Infinitive,
    Event,
    Weather,
}

const FRAMES: &[(usize, Frame)] = &[
    (40, Frame::Transitive),
    (9, Frame::Ditransitive),
    (7, Frame::Intransitive),
    (9, Frame::Motion),
    (2, Frame::Dwelling),
    (4, Frame::Put),
    (4, Frame::Located),
    (10, Frame::Adjective),
    (5, Frame::Comparison),
    (1, Frame::Profession),
    (1, Frame::Age),
    (2, Frame::Price),
    (4, Frame::Infinitive),
    (3, Frame::Event),
    (1, Frame::Weather),
];

impl Generator {
    /// A generator with its pools.
    pub fn new() -> Self {
        Self { pools: Pools::new() }
    }

    fn clause(&self, rng: &mut Rng, setting: Setting) -> Clause {
        let frame = rng.weighted(FRAMES);
        self.framed(rng, frame, setting)
    }

    fn framed(&self, rng: &mut Rng, frame: Frame, setting: Setting) -> Clause {
        self.framed_with(rng, frame, setting, None)
    }

    /// A clause of the given frame; `subject` stands in for the one that would be drawn.
    fn framed_with(&self, rng: &mut Rng, frame: Frame, setting: Setting, subject: Option<NounPhrase>) -> Clause {
        match frame {
            Frame::Adjective | Frame::Comparison | Frame::Profession | Frame::Age | Frame::Price | Frame::Located => {
                self.state(rng, frame, setting)
            }
            Frame::Event => self.event(rng, setting),
            Frame::Weather => self.weather(rng, setting),
            _ => self.deed(rng, frame, setting, subject),
        }
    }

    /// A clause whose predicate is a verb with somebody as its subject.
    fn deed(&self, rng: &mut Rng, frame: Frame, setting: Setting, subject: Option<NounPhrase>) -> Clause {
        let negated = setting.negation && !matches!(frame, Frame::Infinitive) && rng.chance(18);
        let subject_class = match frame {
            Frame::Intransitive if rng.chance(30) => ANIMAL | PERSON,
            _ => PERSON,
        };
        let subject = subject.unwrap_or_else(|| self.subject(rng, subject_class, negated, setting.roomy));
        let Deed { predicate, manner: takes_manner, place, end_time } =
            self.deed_predicate(rng, frame, setting, &subject, negated);
        let tense = self.tense(rng, &predicate, &subject, setting, negated);
        let stative = predicate.verb().is_some_and(|verb| verb.stative);
        let habitual = tense == Tense::Present && !stative && !negated && !subject.is_universal();
        // "Does she never" would be more than a question.
        let frequencies = if setting.question { &FREQUENCIES[..FREQUENCIES.len() - 1] } else { FREQUENCIES };
        let frequency = (habitual && rng.chance(30)).then(|| rng.pick(frequencies));
        let manner = (takes_manner && !negated && frequency.is_none() && rng.chance(10)).then(|| rng.pick(MANNERS));
        let wants_time = setting.time && tense != Tense::Already && !stative && frequency.is_none() && rng.chance(55);
        let time_first = wants_time && setting.alone && (!end_time || rng.chance(35));
        let time = (wants_time && (end_time || time_first)).then(|| self.time(rng, tense));
        let verb_phrase = VerbPhrase { predicate, manner, place };
        Clause { subject, tense, negated, time, time_first, frequency, verb_phrase }
    }

    /// The predicate of [`Self::deed`].
    fn deed_predicate(
        &self,
        rng: &mut Rng,
        frame: Frame,
        setting: Setting,
        subject: &NounPhrase,
        negated: bool,
    ) -> Deed {
        let past = setting.era == Era::Past;
        let place = rng.chance(14).then(|| self.place(rng));
        let bare = |predicate| Deed { predicate, manner: false, place: None, end_time: true };
        match frame {
            Frame::Ditransitive => {
                let entry = rng.pick(&self.pools.ditransitive);
                let verb = entry.verb;
                let recipient = self.recipient(rng, subject);
                let context = ObjectContext { verb, subject, negated, relative: false };
                let theme = self.object(rng, &entry.objects, context);
                bare(Predicate::Ditransitive { verb, recipient, theme })
            }
            Frame::Intransitive => {
                let animal = subject.noun().is_some_and(|noun| noun.is(ANIMAL));
                let verb = intransitive(rng, if animal { ANIMAL } else { PERSON });
                Deed { manner: !verb.sudden, place, ..bare(Predicate::Intransitive(verb)) }
            }
            Frame::Motion => {
                let (verb, goal) = self.motion(rng);
                let purposeful = setting.alone && !negated && !past && rng.chance(25);
                let purpose = purposeful.then(|| Box::new(self.activity(rng, subject)));
                // "Goes to the market to buy bread today" would leave open what is today.
                Deed { end_time: purpose.is_none(), ..bare(Predicate::Motion { verb, goal, purpose }) }
            }
            Frame::Dwelling => {
                let stay = past || rng.chance(40);
                bare(self.dwelling(rng, stay).predicate)
            }
            Frame::Put => {
                let entry = rng.pick(&self.pools.putting);
                let noun = *rng.pick(&entry.objects);
                let theme = self.definite_any(rng, noun, 15);
                bare(Predicate::Put { verb: entry.verb, theme, location: self.location(rng) })
            }
            Frame::Infinitive if !past => {
                let what = Box::new(self.activity(rng, subject));
                Deed { end_time: false, ..bare(Predicate::Infinitive { verb: rng.pick(CONTROL), what }) }
            }
            _ => {
                let entry = loop {
                    let entry = rng.pick(&self.pools.transitive);
                    if !(past && entry.verb.stative) {
                        break entry;
                    }
                };
                let verb = entry.verb;
                let context = ObjectContext { verb, subject, negated, relative: setting.roomy && place.is_none() };
                let object = self.object(rng, &entry.objects, context);
                // What follows a relative clause in English would seem to be part of it.
                let open = !matches!(&object, NounPhrase::Common(n) if n.relative.is_some());
                Deed {
                    predicate: Predicate::Transitive(verb, object),
                    manner: open && !verb.sudden && !verb.stative,
                    place: if verb.stative { None } else { place },
                    end_time: open,
                }
            }
        }
    }

    /// A way of moving, and where to.
    fn motion(&self, rng: &mut Rng) -> (&'static Verb, Where) {
        if rng.chance(30) {
            return (rng.pick(JOURNEY), Where::Place(rng.pick(TOWNS)));
        }
        let verb = rng.pick(MOTION);
        // Nobody drives to the kitchen.
        let rooms = if verb.de_infinitive == "fahren" { ROOMS } else { 0 };
        let nearby = &PLACES[..PLACES.len() - rooms];
        let places = if rng.chance(75) { nearby } else { TOWNS };
        (verb, Where::Place(rng.pick(places)))
    }

    /// Living or staying somewhere.
    fn dwelling(&self, rng: &mut Rng, stay: bool) -> VerbPhrase {
        let [live, other] = DWELLING_IN;
        let verb = if stay { other } else { live };
        let predicate = Predicate::Dwelling { verb, place: Where::Place(rng.pick(TOWNS)) };
        VerbPhrase { predicate, manner: None, place: None }
    }

    /// Something to try, or to go somewhere for.
    fn activity(&self, rng: &mut Rng, subject: &NounPhrase) -> VerbPhrase {
        let predicate = if rng.chance(20) {
            Predicate::Intransitive(intransitive(rng, PERSON))
        } else {
            loop {
                let entry = rng.pick(&self.pools.transitive);
                if !entry.verb.stative {
                    let context = ObjectContext { verb: entry.verb, subject, negated: false, relative: false };
                    let object = self.object(rng, &entry.objects, context);
                    break Predicate::Transitive(entry.verb, object);
                }
            }
        };
        VerbPhrase { predicate, manner: None, place: None }
    }

    /// A tense that the verb has and that its forms show.
    fn tense(
        &self,
        rng: &mut Rng,
        predicate: &Predicate,
        subject: &NounPhrase,
        setting: Setting,
        negated: bool,
    ) -> Tense {
        use Modal::{Can, May, Must, Should, Want, Will};
        let Some(verb) = predicate.verb() else {
            return Tense::Present;
        };
        if verb.stative {
            return Tense::Present;
        }
        if setting.era == Era::Past {
            return Tense::Past;
        }
        let purposeful = matches!(predicate, Predicate::Motion { purpose: Some(_), .. });
        let modal = rng.weighted(&[(3, Can), (3, Must), (3, Want), (2, Should), (2, May), (6, Will)]);
        let tense = match rng.below(100) {
            0..42 if setting.era == Era::Any && !purposeful => Tense::Past,
            42..50 if setting.era == Era::Any && !purposeful && !subject.is_universal() => Tense::Already,
            50..72 => Tense::Present,
            _ => Tense::Modal(modal),
        };
        // "They read it" would leave open when.
        let ambiguous = verb.past_is_base() && !subject.is_third_singular() && !negated && !setting.question;
        if ambiguous && tense == Tense::Past { Tense::Present } else { tense }
    }

    /// A clause about what somebody or something is like, costs, or where it is.
    fn state(&self, rng: &mut Rng, frame: Frame, setting: Setting) -> Clause {
        let negated = setting.negation && rng.chance(18);
        let mut tense = Tense::Present;
        let (subject, predicate) = match frame {
            Frame::Adjective => {
                let entry = loop {
                    let entry = rng.pick(&self.pools.described);
                    if setting.era != Era::Past || entry.adjective.passing {
                        break entry;
                    }
                };
                let noun = *rng.pick(&entry.nouns);
                if entry.adjective.passing && setting.time && (setting.era == Era::Past || rng.chance(30)) {
                    tense = Tense::Past;
                }
                let subject = if entry.adjective.fits & PERSON != 0 && rng.chance(40) {
                    self.subject(rng, PERSON, true, false)
                } else {
                    self.definite_any(rng, noun, 0)
                };
                let degree = match rng.below(100) {
                    0..25 if !negated && entry.adjective.is_gradable() => Degree::Very,
                    25..40 if !negated && entry.adjective.is_gradable() => Degree::Too,
                    _ => Degree::Plain,
                };
                (subject, Predicate::Adjective(degree, entry.adjective))
            }
            Frame::Comparison => {
                // Two of a kind: shirts and books can be thin, but not thinner than each other.
                let (adjective, noun, other) = loop {
                    let entry = rng.pick(&self.pools.described);
                    let [noun, other] = [*rng.pick(&entry.nouns), *rng.pick(&entry.nouns)];
                    let shared = noun.class & other.class & entry.adjective.fits;
                    if entry.adjective.is_gradable() && shared != 0 {
                        break (entry.adjective, noun, other);
                    }
                };
                let subject = self.definite(rng, noun, 10);
                let than = self.definite(rng, other, 10);
                (subject, Predicate::Comparison { adjective, equal: rng.chance(35), than })
            }
            Frame::Profession => {
                let subject = match rng.below(3) {
                    0 => NounPhrase::Name(rng.pick(NAMES)),
                    1 => NounPhrase::Pronoun(*rng.pick(&[Pronoun::He, Pronoun::She])),
                    _ => self.kin(rng),
                };
                (subject, Predicate::Profession(*rng.pick(&self.pools.professions)))
            }
            Frame::Age => {
                let subject = match rng.below(3) {
                    0 => NounPhrase::Name(rng.pick(NAMES)),
                    1 => NounPhrase::Pronoun(*rng.pick(&[Pronoun::I, Pronoun::He, Pronoun::She])),
                    _ => self.kin(rng),
                };
                (subject, Predicate::Age(rng.between(2, 99)))
            }
            Frame::Price => {
                let noun = *rng.pick(&self.pools.priced);
                (self.definite_any(rng, noun, 15), Predicate::Price(5 * (1 + rng.below(100)) as u16))
            }
            _ => {
                let noun = *rng.pick(&self.pools.small);
                (self.definite_any(rng, noun, 15), Predicate::Located(self.location(rng)))
            }
        };
        let negated = negated && !matches!(predicate, Predicate::Age(_) | Predicate::Price(_));
        let time = match tense {
            Tense::Past => Some(Time::Phrase(rng.pick(PAST_TIMES))),
            _ if setting.time && matches!(predicate, Predicate::Adjective(_, a) if a.passing) && rng.chance(40) => {
                Some(Time::Phrase(&PRESENT_TIMES[rng.below(2)]))
            }
            _ => None,
        };
        let time_first = time.is_some() && setting.alone && rng.chance(40);
        let verb_phrase = VerbPhrase { predicate, manner: None, place: None };
        Clause { subject, tense, negated, time, time_first, frequency: None, verb_phrase }
    }

    /// A clause about when an event is or a train goes.
    fn event(&self, rng: &mut Rng, setting: Setting) -> Clause {
        let travels = rng.chance(40);
        let (verbs, nouns) = if travels { (DEPARTING, &self.pools.transit) } else { (EVENTIVE, &self.pools.events) };
        let predicate = Predicate::Intransitive(rng.pick(verbs));
        let noun = *rng.pick(nouns);
        let determiner = rng.weighted(&[
            (6, Determiner::The(Number::Singular)),
            (2, Determiner::The(Number::Plural)),
            (3, Determiner::This(Number::Singular)),
        ]);
        let subject = self.common(rng, determiner, noun, 10);
        let tense = match (setting.era, rng.below(3)) {
            (Era::Past, _) | (Era::Any, 0) => Tense::Past,
            (_, 1) => Tense::Present,
            _ => Tense::Modal(Modal::Will),
        };
        let time = Some(if tense == Tense::Present { Time::Clock(phrases::clock(rng)) } else { self.time(rng, tense) });
        let time_first = setting.alone && rng.chance(20);
        let place = rng.chance(20).then(|| Where::Place(rng.pick(TOWNS)));
        let verb_phrase = VerbPhrase { predicate, manner: None, place };
        Clause { subject, tense, negated: false, time, time_first, frequency: None, verb_phrase }
    }

    /// A clause about the weather.
    fn weather(&self, rng: &mut Rng, setting: Setting) -> Clause {
        let adjective = rng.chance(40) && setting.era != Era::Past;
        let predicate = if adjective {
            Predicate::Adjective(
                rng.weighted(&[(3, Degree::Plain), (1, Degree::Very), (1, Degree::Too)]),
                rng.pick(WEATHER_ADJECTIVES),
            )
        } else {
            Predicate::Intransitive(rng.pick(WEATHER))
        };
        let tense = match (setting.era, rng.below(3)) {
            (_, _) if adjective => Tense::Present,
            (Era::Past, _) | (Era::Any, 0) => Tense::Past,
            (_, 1) => Tense::Present,
            _ => Tense::Modal(Modal::Will),
        };
        let habitual = tense == Tense::Present && !adjective;
        let frequency = habitual.then(|| &FREQUENCIES[rng.below(5)]);
        let time = if adjective {
            Some(Time::Phrase(&PRESENT_TIMES[rng.below(2)]))
        } else {
            (!habitual).then(|| self.time(rng, tense))
        };
        let place = rng.chance(60).then(|| Where::Place(rng.pick(TOWNS)));
        // Chinese weather has no subject that would show where the time stands, only the place.
        let time_first = time.is_some() && place.is_some() && setting.alone && rng.chance(40);
        let verb_phrase = VerbPhrase { predicate, manner: None, place };
        Clause { subject: NounPhrase::Weather, tense, negated: false, time, time_first, frequency, verb_phrase }
    }
}

/// A verb without object for subjects of `class`.
fn intransitive(rng: &mut Rng, class: Class) -> &'static Verb {
    loop {
        let verb = rng.pick(INTRANSITIVE);
        if verb.subject & class != 0 {
            return verb;
        }
    }
}

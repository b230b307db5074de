//! Draws whole sentences: what kind, and of which clauses.

use super::super::lexicon::class::{KIN, PERSON};
use super::super::lexicon::phrases::TOWNS;
use super::super::lexicon::verbs::{ASKING, REPORTING};
use super::super::rng::Rng;
use super::super::syntax::*;
use super::{Era, Frame, Generator, PART, QUESTION, STATEMENT, Setting, phrases};

/// The kinds of sentence.
#[derive(Clone, Copy)]
enum Kind {
    Statement,
    YesNo,
    Wh,
    Joined,
    Subordinated,
    Reported,
    Existential,
    Presentation,
    ClockTime,
    Date,
}

const KINDS: &[(usize, Kind)] = &[
    (54, Kind::Statement),
    (9, Kind::YesNo),
    (11, Kind::Wh),
    (5, Kind::Joined),
    (8, Kind::Subordinated),
    (6, Kind::Reported),
    (4, Kind::Existential),
    (2, Kind::Presentation),
    (1, Kind::ClockTime),
    (1, Kind::Date),
];

impl Generator {
    /// Draws a sentence.
    pub fn sentence(&self, rng: &mut Rng) -> Sentence {
        match rng.weighted(KINDS) {
            Kind::Statement => Sentence::Statement(self.clause(rng, STATEMENT)),
            Kind::YesNo => Sentence::YesNo(self.clause(rng, QUESTION)),
            Kind::Wh => self.wh(rng),
            Kind::Joined => self.joined(rng),
            Kind::Subordinated => self.subordinated(rng),
            Kind::Reported => self.reported(rng),
            Kind::Existential => self.existential(rng),
            Kind::Presentation => self.presentation(rng),
            Kind::ClockTime => Sentence::ClockTime(phrases::clock(rng)),
            Kind::Date => {
                let date = phrases::date(rng, true);
                let weekday = date.weekday().unwrap_or_default();
                Sentence::Date { date, weekday }
            }
        }
    }

    fn joined(&self, rng: &mut Rng) -> Sentence {
        use Conjunction::{And, But, Or, So};
        let conjunction = rng.weighted(&[(4, And), (4, But), (1, Or), (3, So)]);
        let era = if rng.chance(40) { Era::Past } else { Era::NotPast };
        let setting = Setting { era, time: rng.chance(30), ..PART };
        Sentence::Joined(conjunction, self.clause(rng, setting), self.clause(rng, setting))
    }

    fn subordinated(&self, rng: &mut Rng) -> Sentence {
        use Subordinator::{Although, Because, Before, If};
        let conjunction = rng.weighted(&[(5, Because), (3, If), (3, Although), (2, Before)]);
        let era = if conjunction != If && rng.chance(50) { Era::Past } else { Era::NotPast };
        let subordinate_first = conjunction == Before || rng.chance(45);
        let setting = Setting { era, time: rng.chance(25), ..PART };
        if conjunction != Before {
            let main = self.clause(rng, setting);
            let setting = Setting { time: rng.chance(20), ..setting };
            let subordinate = self.clause(rng, setting);
            return Sentence::Subordinated { conjunction, main, subordinate, subordinate_first };
        }
        // Both clauses have the same simple tense, since Chinese shows it in the second alone.
        let tense = if era == Era::Past { Tense::Past } else { Tense::Present };
        let plain = Setting { negation: false, time: false, ..setting };
        let mut draw = || loop {
            let mut clause = self.action(rng, plain);
            clause.frequency = None;
            if clause.tense == tense && clause.verb_phrase.predicate.verb().is_some_and(|verb| !verb.stative) {
                return clause;
            }
        };
        let (main, subordinate) = (draw(), draw());
        Sentence::Subordinated { conjunction, main, subordinate, subordinate_first }
    }

    /// A clause in which somebody does something.
    fn action(&self, rng: &mut Rng, setting: Setting) -> Clause {
        let frame = rng.weighted(&[(5, Frame::Transitive), (1, Frame::Intransitive), (2, Frame::Motion)]);
        self.framed(rng, frame, setting)
    }

    fn reported(&self, rng: &mut Rng) -> Sentence {
        let subject = self.subject(rng, PERSON, true, false);
        let whether = rng.chance(30);
        let know = || REPORTING.iter().find(|verb| verb.en[0] == "know");
        let (verb, negated) = match know() {
            Some(verb) if whether && rng.chance(40) => (verb, true),
            _ if whether => (rng.pick(ASKING), false),
            _ => {
                let verb = rng.pick(REPORTING);
                (verb, matches!(verb.en[0], "know" | "believe") && rng.chance(30))
            }
        };
        let clause = self.clause(rng, Setting { negation: !whether, ..PART });
        Sentence::Reported { subject, verb, negated, whether, clause }
    }

    fn existential(&self, rng: &mut Rng) -> Sentence {
        let question = rng.chance(20);
        let count = rng.between(2, 12);
        let determiner = rng.weighted(&[
            (5, Determiner::A),
            (3, Determiner::Numeral(count)),
            (1, Determiner::Some),
            (1, Determiner::Many),
        ]);
        if rng.chance(30) {
            let noun = *rng.pick(&self.pools.sights);
            let what = self.common(rng, determiner, noun, 35);
            return Sentence::Existential { what, location: Location::Place(rng.pick(TOWNS)), question };
        }
        let what = if rng.chance(15) {
            let noun = *rng.pick(&self.pools.drinks);
            NounPhrase::Measured { count: rng.between(1, 6), unit: &noun.units[0], noun }
        } else {
            let pool = if rng.chance(85) { &self.pools.small } else { &self.pools.animals };
            let noun = *rng.pick(pool);
            self.common(rng, determiner, noun, 25)
        };
        Sentence::Existential { what, location: self.location(rng), question }
    }

    fn presentation(&self, rng: &mut Rng) -> Sentence {
        let question = rng.chance(30);
        let what = if rng.chance(30) {
            self.kin(rng)
        } else {
            let entry = rng.pick(&self.pools.described);
            let noun = *rng.pick(&entry.nouns);
            if noun.is_mass() || noun.is(KIN) {
                self.definite(rng, noun, 0)
            } else {
                self.common(rng, Determiner::A, noun, 60)
            }
        };
        Sentence::Presentation { what, question }
    }

    fn wh(&self, rng: &mut Rng) -> Sentence {
        let wh = rng.weighted(&[(3, Wh::Subject), (4, Wh::Object), (2, Wh::Place), (2, Wh::Time), (3, Wh::Reason)]);
        let clause = match wh {
            Wh::Subject => {
                let frame = rng.weighted(&[(5, Frame::Transitive), (2, Frame::Ditransitive), (1, Frame::Motion)]);
                let mut clause = self.framed_with(rng, frame, QUESTION, Some(NounPhrase::Who));
                clause.frequency = None;
                clause
            }
            Wh::Object => self.object_question(rng),
            Wh::Place => self.place_question(rng),
            Wh::Time => loop {
                let mut clause = self.action(rng, Setting { time: false, ..QUESTION });
                if clause.tense == Tense::Past || matches!(clause.tense, Tense::Modal(_)) {
                    clause.time = Some(Time::When);
                    break clause;
                }
            },
            Wh::Reason => loop {
                let clause = self.clause(rng, Setting { negation: true, question: false, ..QUESTION });
                // Nobody asks why somebody is thirty years old.
                if !matches!(clause.verb_phrase.predicate, Predicate::Age(_) | Predicate::Adjective(Degree::Too, _)) {
                    break clause;
                }
            },
        };
        Sentence::Wh(wh, clause)
    }

    fn object_question(&self, rng: &mut Rng) -> Clause {
        let mut clause = loop {
            let clause = self.framed(rng, Frame::Transitive, QUESTION);
            let Predicate::Transitive(verb, _) = clause.verb_phrase.predicate else {
                continue;
            };
            let has_things = |&&i: &&usize| std::ptr::eq(self.pools.transitive[i].verb, verb);
            let Some(&entry) = self.pools.of_things.iter().find(has_things) else {
                continue;
            };
            let entry = &self.pools.transitive[entry];
            if clause.tense == Tense::Already || clause.subject.is_universal() {
                continue;
            }
            let object = match rng.below(100) {
                0..40 if entry.asks_what => NounPhrase::What,
                percent => {
                    let determiner = if percent < 75 { Determiner::Which } else { Determiner::HowMany };
                    let noun = *rng.pick(&entry.things);
                    self.common(rng, determiner, noun, if percent < 75 { 10 } else { 20 })
                }
            };
            break Clause {
                verb_phrase: VerbPhrase { predicate: Predicate::Transitive(verb, object), ..clause.verb_phrase },
                ..clause
            };
        };
        clause.frequency = None;
        clause
    }

    fn place_question(&self, rng: &mut Rng) -> Clause {
        let frame =
            rng.weighted(&[(2, Frame::Motion), (1, Frame::Dwelling), (2, Frame::Transitive), (2, Frame::Intransitive)]);
        loop {
            let mut clause = self.framed(rng, frame, QUESTION);
            if clause.subject.is_universal() || clause.tense == Tense::Already {
                continue;
            }
            match &mut clause.verb_phrase.predicate {
                Predicate::Motion { goal, purpose, .. } => {
                    *goal = Where::Asked;
                    *purpose = None;
                }
                Predicate::Dwelling { place, .. } => *place = Where::Asked,
                _ => clause.verb_phrase.place = Some(Where::Asked),
            }
            clause.frequency = None;
            clause.verb_phrase.manner = None;
            return clause;
        }
    }
}

//! The abstract syntax: what a sentence says, before any language's word order or inflection.
//!
//! A tree is a value of [`Sentence`]; `english`, `german` and `chinese` each write it out. Whatever a tree says
//! shows in all three languages, so that none of them has to be guessed from another. That is why there is no
//! "you" (du, ihr or Sie), why every Chinese noun has a demonstrative, a number or a possessor unless it is a mass
//! noun or generic, and why only verbs whose completion Chinese marks have a past.

use super::lexicon::adjectives::Adjective;
use super::lexicon::nouns::{NounId, Unit};
use super::lexicon::phrases::{Name, Phrase, Place};
use super::lexicon::verbs::Verb;

/// Grammatical number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    Singular,
    Plural,
}

/// Personal pronouns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pronoun {
    I,
    He,
    She,
    We,
    They,
}

/// A sentence.
#[derive(Clone, Debug)]
pub enum Sentence {
    Statement(Clause),
    YesNo(Clause),
    /// A question about the part of the clause that is [`NounPhrase::Who`], [`NounPhrase::What`],
    /// [`Determiner::Which`], [`Determiner::HowMany`], [`Where::Asked`] or [`Time::When`], or about the reason.
    Wh(Wh, Clause),
    Joined(Conjunction, Clause, Clause),
    Subordinated {
        conjunction: Subordinator,
        main: Clause,
        subordinate: Clause,
        subordinate_first: bool,
    },
    /// Somebody says that, or asks whether.
    Reported {
        subject: NounPhrase,
        verb: &'static Verb,
        negated: bool,
        whether: bool,
        clause: Clause,
    },
    /// There is something somewhere.
    Existential {
        what: NounPhrase,
        location: Location,
        question: bool,
    },
    /// This is something.
    Presentation {
        what: NounPhrase,
        question: bool,
    },
    ClockTime(Clock),
    Date {
        date: Date,
        weekday: u8,
    },
}

/// What a wh-question asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wh {
    Subject,
    Object,
    Place,
    Time,
    Reason,
}

/// Joins two main clauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conjunction {
    And,
    But,
    Or,
    So,
}

/// Opens a subordinate clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subordinator {
    Because,
    If,
    Although,
    /// Its clause always comes first, as it has to in Chinese.
    Before,
}

/// Tense, aspect or mode of a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tense {
    Present,
    /// English simple past, German perfect (preterite of sein), Chinese 了.
    Past,
    /// Has already; negated, has not yet.
    Already,
    Modal(Modal),
}

/// Modal verbs, the future among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modal {
    Can,
    Must,
    Want,
    Should,
    May,
    Will,
}

/// A clause.
#[derive(Clone, Debug)]
pub struct Clause {
    pub subject: NounPhrase,
    pub tense: Tense,
    pub negated: bool,
    pub time: Option<Time>,
    /// The time stands in front of everything else.
    pub time_first: bool,
    pub frequency: Option<&'static Phrase>,
    pub verb_phrase: VerbPhrase,
}

/// What can be said of a subject, without tense.
#[derive(Clone, Debug)]
pub struct VerbPhrase {
    pub predicate: Predicate,
    pub manner: Option<&'static Phrase>,
    pub place: Option<Where>,
}

/// The core of a verb phrase.
#[derive(Clone, Debug)]
pub enum Predicate {
    Intransitive(&'static Verb),
    Transitive(&'static Verb, NounPhrase),
    Ditransitive {
        verb: &'static Verb,
        recipient: NounPhrase,
        theme: NounPhrase,
    },
    /// Going somewhere, perhaps to do something there.
    Motion {
        verb: &'static Verb,
        goal: Where,
        purpose: Option<Box<VerbPhrase>>,
    },
    /// Living somewhere.
    Dwelling {
        verb: &'static Verb,
        place: Where,
    },
    Put {
        verb: &'static Verb,
        theme: NounPhrase,
        location: Location,
    },
    Infinitive {
        verb: &'static Verb,
        what: Box<VerbPhrase>,
    },
    Adjective(Degree, &'static Adjective),
    Comparison {
        adjective: &'static Adjective,
        equal: bool,
        than: NounPhrase,
    },
    Profession(NounId),
    Age(u8),
    Price(u16),
    Located(Location),
}

/// A place, or the question for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    Place(&'static Place),
    Asked,
}

/// On the table; in Berlin.
#[derive(Clone, Debug)]
pub enum Location {
    Relative(&'static Phrase, NounPhrase),
    Place(&'static Place),
}

/// How much of a quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Degree {
    Plain,
    Very,
    Too,
    /// Only in front of a noun: the biggest house.
    Most,
}

/// A noun phrase.
#[derive(Clone, Debug)]
pub enum NounPhrase {
    Pronoun(Pronoun),
    Name(&'static Name),
    Names(&'static Name, &'static Name),
    Common(Box<Nominal>),
    /// Two cups of coffee.
    Measured {
        count: u8,
        unit: &'static Unit,
        noun: NounId,
    },
    Who,
    What,
    /// The subject of the weather.
    Weather,
}

/// A noun with what surrounds it.
#[derive(Clone, Debug)]
pub struct Nominal {
    pub determiner: Determiner,
    pub adjective: Option<(Degree, &'static Adjective)>,
    pub noun: NounId,
    pub relative: Option<Relative>,
}

/// Determiners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Determiner {
    A,
    The(Number),
    This(Number),
    /// My, his, her, our. ("Their" is missing since German ihr is "her" as well.)
    Possessive(Pronoun),
    /// My two.
    PossessiveNumeral(Pronoun, u8),
    Owned(Owner),
    Numeral(u8),
    TheNumeral(u8),
    /// Plural, or any amount of a mass noun.
    Some,
    Many,
    All,
    Every,
    /// Nothing at all: mass nouns, and plurals in general statements.
    Bare,
    Which,
    HowMany,
}

/// An owner in the genitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Name(&'static Name),
    Noun(NounId),
}

/// A relative clause. Its tense follows from the verb in the second form: past, or present for states.
#[derive(Clone, Debug)]
pub enum Relative {
    /// The woman who bought a book.
    Subject(Tense, VerbPhrase),
    /// The book that the woman bought.
    Object(NounPhrase, &'static Verb),
}

/// Adverbials of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    Phrase(&'static Phrase),
    /// On Monday: 0 is Monday.
    Weekday(u8),
    Date(Date),
    Clock(Clock),
    /// Yesterday at half past three.
    DayAndClock(&'static Phrase, Clock),
    /// Three days ago; the second number is the unit's place among the spans.
    Ago(u8, u8),
    /// In three days.
    In(u8, u8),
    When,
}

/// A day of the calendar; month and day count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    pub day: u8,
    pub month: u8,
    pub year: Option<u16>,
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    pub hour: u8,
    pub minute: u8,
    /// In figures (3:30 pm) or in words (half past three).
    pub figures: bool,
}

impl NounPhrase {
    /// The grammatical number that a verb agrees with.
    pub fn number(&self) -> Number {
        match self {
            Self::Pronoun(Pronoun::We | Pronoun::They) | Self::Names(..) => Number::Plural,
            Self::Common(nominal) => nominal.number(),
            Self::Measured { count, .. } if *count > 1 => Number::Plural,
            _ => Number::Singular,
        }
    }

    /// Whether a verb takes its third person singular.
    pub fn is_third_singular(&self) -> bool {
        self.number() == Number::Singular && !matches!(self, Self::Pronoun(Pronoun::I))
    }

    /// The noun at its head, if there is one.
    pub fn noun(&self) -> Option<NounId> {
        match self {
            Self::Common(nominal) => Some(nominal.noun),
            Self::Measured { noun, .. } => Some(*noun),
            _ => None,
        }
    }

    /// Whether it is an indefinite that negation turns into "no" (kein, and a bare noun in Chinese).
    pub fn is_negatable(&self) -> bool {
        matches!(self, Self::Common(n) if matches!(n.determiner, Determiner::A | Determiner::Bare))
    }

    /// Whether it introduces something new, and so comes late in a German clause.
    pub fn is_indefinite(&self) -> bool {
        use Determiner as D;
        match self {
            Self::Common(n) => matches!(n.determiner, D::A | D::Numeral(_) | D::Some | D::Many | D::Bare),
            Self::Measured { .. } => true,
            _ => false,
        }
    }

    /// Whether all or every one of them is meant (Chinese adds 都 to the verb).
    pub fn is_universal(&self) -> bool {
        matches!(self, Self::Common(n) if matches!(n.determiner, Determiner::All | Determiner::Every))
    }
}

impl Nominal {
    /// The grammatical number.
    pub fn number(&self) -> Number {
        use Determiner as D;
        match self.determiner {
            D::The(number) | D::This(number) => number,
            D::A | D::Possessive(_) | D::Owned(_) | D::Every | D::Which => Number::Singular,
            D::Bare | D::Some if self.noun.is_mass() => Number::Singular,
            _ => Number::Plural,
        }
    }
}

impl Predicate {
    /// Whether English and German need "to be".
    pub fn is_copular(&self) -> bool {
        use Predicate as P;
        matches!(self, P::Adjective(..) | P::Comparison { .. } | P::Profession(_) | P::Age(_) | P::Located(_))
    }

    /// The main verb, if it is not a copula or "to cost".
    pub fn verb(&self) -> Option<&'static Verb> {
        use Predicate as P;
        match self {
            P::Intransitive(verb)
            | P::Transitive(verb, _)
            | P::Ditransitive { verb, .. }
            | P::Motion { verb, .. }
            | P::Dwelling { verb, .. }
            | P::Put { verb, .. }
            | P::Infinitive { verb, .. } => Some(verb),
            _ => None,
        }
    }
}

impl Date {
    /// The day of the week, 0 for Monday, of a date with a year (Sakamoto's method, Gregorian calendar).
    pub fn weekday(&self) -> Option<u8> {
        const OFFSETS: [u16; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
        let year = self.year? - u16::from(self.month < 3);
        let sum =
            year + year / 4 - year / 100 + year / 400 + OFFSETS[usize::from(self.month - 1)] + u16::from(self.day);
        Some(((sum + 6) % 7) as u8)
    }
}

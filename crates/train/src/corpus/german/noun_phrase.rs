//! German noun phrases: articles, the three declensions of adjectives, weak nouns, contractions.

use super::super::lexicon::nouns::{Gender, NounId};
use super::super::lexicon::verbs::Case;
use super::super::numbers::german as number_words;
use super::super::syntax::*;
use super::super::writer::Writer;
use super::relative;

/// What an ending depends on besides the case: the gender, or being plural.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Concord {
    Masculine = 0,
    Feminine = 1,
    Neuter = 2,
    Plural = 3,
}

impl Concord {
    /// The concord of a noun in the singular or plural.
    pub fn of(gender: Gender, number: Number) -> Self {
        match (number, gender) {
            (Number::Plural, _) => Self::Plural,
            (_, Gender::Masculine) => Self::Masculine,
            (_, Gender::Feminine) => Self::Feminine,
            (_, Gender::Neuter) => Self::Neuter,
        }
    }
}

/// Endings by case (nominative, accusative, dative, genitive) and [`Concord`].
type Endings = [[&'static str; 4]; 4];

/// The definite article, which is also the relative pronoun in the cases used here.
const THE: Endings = [
    ["der", "die", "das", "die"],
    ["den", "die", "das", "die"],
    ["dem", "der", "dem", "den"],
    ["des", "der", "des", "der"],
];

/// dieser, welcher, jeder, alle.
const THIS: Endings =
    [["er", "e", "es", "e"], ["en", "e", "es", "e"], ["em", "er", "em", "en"], ["es", "er", "es", "er"]];

/// ein, kein, mein.
const EIN: Endings = [["", "e", "", "e"], ["en", "e", "", "e"], ["em", "er", "em", "en"], ["es", "er", "es", "er"]];

/// Adjectives with nothing before them that shows the case.
const STRONG: Endings =
    [["er", "e", "es", "e"], ["en", "e", "es", "e"], ["em", "er", "em", "en"], ["en", "er", "en", "er"]];

/// Adjectives after the definite article and its like.
const WEAK: Endings =
    [["e", "e", "e", "en"], ["en", "e", "e", "en"], ["en", "en", "en", "en"], ["en", "en", "en", "en"]];

/// Adjectives after ein and its like.
const MIXED: Endings =
    [["er", "e", "es", "en"], ["en", "e", "es", "en"], ["en", "en", "en", "en"], ["en", "en", "en", "en"]];

fn ending(endings: &Endings, case: Case, concord: Concord) -> &'static str {
    let row = match case {
        Case::Nominative => 0,
        Case::Accusative => 1,
        Case::Dative => 2,
        Case::Genitive => 3,
    };
    endings[row][concord as usize]
}

/// The definite article (and relative pronoun).
pub fn definite(case: Case, concord: Concord) -> &'static str {
    ending(&THE, case, concord)
}

/// A noun's own form.
fn noun_form(noun: NounId, case: Case, number: Number, w: &mut Writer) {
    if number == Number::Plural {
        w.word(noun.de_plural);
        if case == Case::Dative && !noun.de_plural.ends_with(['n', 's']) {
            w.suffix("n");
        }
    } else if case == Case::Genitive || (case != Case::Nominative && noun.is_weak()) {
        w.word(noun.de_genitive);
    } else {
        w.word(noun.de);
    }
}

/// Writes `np` in `case`.
pub fn noun_phrase(w: &mut Writer, np: &NounPhrase, case: Case) {
    match np {
        NounPhrase::Pronoun(pronoun) => w.word(personal(*pronoun, case)),
        NounPhrase::Name(name) => w.word(name.latin),
        NounPhrase::Names(first, second) => {
            w.word(first.latin);
            w.word("und");
            w.word(second.latin);
        }
        NounPhrase::Common(nominal) => common(w, nominal, case, Polarity::Plain),
        NounPhrase::Measured { count, unit, noun } => {
            if *count == 1 {
                w.word("ein");
                w.suffix(ending(&EIN, case, Concord::of(unit.gender, Number::Singular)));
                w.word(unit.de);
            } else {
                w.word(&number_words(*count));
                w.word(unit.de_plural);
            }
            w.word(noun.de);
        }
        NounPhrase::Who => w.word("wer"),
        NounPhrase::What => w.word("was"),
        NounPhrase::Weather => w.word("es"),
    }
}

/// Writes `np` with kein in place of its indefinite article.
pub fn negative_noun_phrase(w: &mut Writer, np: &NounPhrase, case: Case) {
    match np {
        NounPhrase::Common(nominal) => common(w, nominal, case, Polarity::Negative),
        other => noun_phrase(w, other, case),
    }
}

/// Writes a preposition and `np`, contracted with the article where that is usual (im, ins, vom, beim).
pub fn prepositional(w: &mut Writer, preposition: &str, np: &NounPhrase, case: Case) {
    let contracted = match np {
        NounPhrase::Common(n) if n.determiner == Determiner::The(Number::Singular) && n.relative.is_none() => {
            let article = definite(case, Concord::of(n.noun.gender, Number::Singular));
            match (preposition, article) {
                ("in", "dem") => "im",
                ("in", "das") => "ins",
                ("von", "dem") => "vom",
                ("bei", "dem") => "beim",
                _ => "",
            }
        }
        _ => "",
    };
    match np {
        NounPhrase::Common(nominal) if !contracted.is_empty() => {
            w.word(contracted);
            common(w, nominal, case, Polarity::Contracted);
        }
        _ => {
            w.word(preposition);
            noun_phrase(w, np, case);
        }
    }
}

fn personal(pronoun: Pronoun, case: Case) -> &'static str {
    let forms = match pronoun {
        Pronoun::I => ["ich", "mich", "mir"],
        Pronoun::He => ["er", "ihn", "ihm"],
        Pronoun::She => ["sie", "sie", "ihr"],
        Pronoun::We => ["wir", "uns", "uns"],
        Pronoun::They => ["sie", "sie", "ihnen"],
    };
    match case {
        Case::Nominative => forms[0],
        Case::Accusative => forms[1],
        Case::Dative | Case::Genitive => forms[2],
    }
}

fn possessive(owner: Pronoun) -> &'static str {
    match owner {
        Pronoun::I => "mein",
        Pronoun::He => "sein",
        Pronoun::She | Pronoun::They => "ihr",
        Pronoun::We => "unser",
    }
}

/// How a noun phrase begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Polarity {
    Plain,
    /// kein in place of ein or of nothing.
    Negative,
    /// The article is already part of the preposition.
    Contracted,
}

fn common(w: &mut Writer, nominal: &Nominal, case: Case, polarity: Polarity) {
    let number = nominal.number();
    let concord = Concord::of(nominal.noun.gender, number);
    let declension = determiner(w, nominal.determiner, nominal.noun, case, concord, polarity);
    if let Some((degree, adjective)) = nominal.adjective {
        match degree {
            Degree::Very => w.word("sehr"),
            Degree::Too => w.word("zu"),
            Degree::Plain | Degree::Most => {}
        }
        w.word(if degree == Degree::Most { adjective.de_superlative } else { adjective.de_stem });
        w.suffix(ending(declension, case, concord));
    }
    noun_form(nominal.noun, case, number, w);
    if let Determiner::Owned(Owner::Noun(owner)) = nominal.determiner {
        w.word(definite(Case::Genitive, Concord::of(owner.gender, Number::Singular)));
        noun_form(owner, Case::Genitive, Number::Singular, w);
    }
    if let Some(clause) = &nominal.relative {
        relative(w, clause, concord);
    }
}

/// Writes the determiner and says how adjectives decline after it.
fn determiner(
    w: &mut Writer,
    determiner: Determiner,
    noun: NounId,
    case: Case,
    concord: Concord,
    polarity: Polarity,
) -> &'static Endings {
    use Determiner as D;
    let mut inflected = |stem: &str, endings: &Endings| {
        w.word(stem);
        w.suffix(ending(endings, case, concord));
    };
    match determiner {
        D::A | D::Bare if polarity == Polarity::Negative => {
            inflected("kein", &EIN);
            &MIXED
        }
        D::A => {
            inflected("ein", &EIN);
            &MIXED
        }
        D::The(_) | D::Owned(Owner::Noun(_)) => {
            if polarity != Polarity::Contracted {
                w.word(definite(case, concord));
            }
            &WEAK
        }
        D::This(_) => {
            inflected("dies", &THIS);
            &WEAK
        }
        D::Possessive(owner) => {
            inflected(possessive(owner), &EIN);
            &MIXED
        }
        D::PossessiveNumeral(owner, count) => {
            inflected(possessive(owner), &EIN);
            w.word(&number_words(count));
            &MIXED
        }
        D::Owned(Owner::Name(name)) => {
            w.word(name.latin);
            w.suffix("s");
            &STRONG
        }
        D::Numeral(count) => {
            w.word(&number_words(count));
            &STRONG
        }
        D::TheNumeral(count) => {
            w.word(definite(case, concord));
            w.word(&number_words(count));
            &WEAK
        }
        D::Some if noun.is_mass() => {
            w.word("etwas");
            &STRONG
        }
        D::Some => {
            inflected("einig", &STRONG);
            &STRONG
        }
        D::Many => {
            inflected("viel", &STRONG);
            &STRONG
        }
        D::All => {
            inflected("all", &THIS);
            &WEAK
        }
        D::Every => {
            inflected("jed", &THIS);
            &WEAK
        }
        D::Bare => &STRONG,
        D::Which => {
            inflected("welch", &THIS);
            &WEAK
        }
        D::HowMany => {
            w.word("wie viele");
            &STRONG
        }
    }
}

/// Whether a subject is a woman, for the feminine of a profession.
pub fn is_female(np: &NounPhrase) -> bool {
    match np {
        NounPhrase::Pronoun(Pronoun::She) => true,
        NounPhrase::Name(name) => name.female,
        NounPhrase::Common(nominal) => nominal.noun.gender == Gender::Feminine,
        _ => false,
    }
}

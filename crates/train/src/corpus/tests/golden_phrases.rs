//! Golden sentences, checked by hand: noun phrases, word order, subordinate clauses, negation.

use super::super::lexicon::phrases::*;
use super::super::lexicon::verbs::*;
use super::super::syntax::Degree::{Most, Plain, Too, Very};
use super::super::syntax::Determiner as D;
use super::super::syntax::NounPhrase as Np;
use super::super::syntax::Number::{Plural, Singular};
use super::super::syntax::Predicate as P;
use super::super::syntax::*;

use super::build::*;

#[test]
fn gender_case_and_measure_words() {
    let see = |object| clause(the("child"), PRESENT, with("see", the(object)));
    states(see("dog"), "The child sees the dog.", "Das Kind sieht den Hund.", "那个孩子看见那只狗。");
    states(see("cow"), "The child sees the cow.", "Das Kind sieht die Kuh.", "那个孩子看见那头牛。");
    states(see("horse"), "The child sees the horse.", "Das Kind sieht das Pferd.", "那个孩子看见那匹马。");
    states(
        clause(
            the("dog"),
            PRESENT,
            P::Located(Location::Relative(phrase(RELATIONS, "under"), np(D::This(Plural), "table"))),
        ),
        "The dog is under these tables.",
        "Der Hund ist unter diesen Tischen.",
        "那只狗在这些桌子下面。",
    );
}

#[test]
fn weak_nouns() {
    states(
        clause(the("boy"), PRESENT, with("help", the("student"))),
        "The boy helps the student.",
        "Der Junge hilft dem Studenten.",
        "那个男孩帮助那个大学生。",
    );
    states(
        clause(SHE, PAST, with("find", np(D::Owned(Owner::Noun(noun("neighbour"))), "key"))),
        "She found the neighbour's key.",
        "Sie hat den Schlüssel des Nachbarn gefunden.",
        "她找到了那个邻居的钥匙。",
    );
}

#[test]
fn adjective_declensions() {
    let buys = |object| clause(I, PAST, buy(object));
    states(
        buys(described(D::A, Plain, "old", "chair")),
        "I bought an old chair.",
        "Ich habe einen alten Stuhl gekauft.",
        "我买了一把旧椅子。",
    );
    states(
        buys(described(D::The(Singular), Most, "big", "house")),
        "I bought the biggest house.",
        "Ich habe das größte Haus gekauft.",
        "我买了那座最大的房子。",
    );
    states(
        buys(described(D::Numeral(2), Very, "expensive", "car")),
        "I bought two very expensive cars.",
        "Ich habe zwei sehr teure Autos gekauft.",
        "我买了两辆非常贵的汽车。",
    );
    states(
        buys(described(D::Bare, Plain, "cold", "milk")),
        "I bought cold milk.",
        "Ich habe kalte Milch gekauft.",
        "我买了冷牛奶。",
    );
    states(
        buys(described(D::PossessiveNumeral(Pronoun::She, 3), Plain, "red", "dress")),
        "I bought her three red dresses.",
        "Ich habe ihre drei roten Kleider gekauft.",
        "我买了她的三条红色连衣裙。",
    );
    states(
        buys(described(D::Owned(Owner::Name(name("Anna"))), Plain, "new", "book")),
        "I bought Anna's new book.",
        "Ich habe Annas neues Buch gekauft.",
        "我买了安娜的新书。",
    );
    says(
        &Sentence::Existential {
            what: described(D::A, Plain, "high", "tower"),
            location: Location::Place(&TOWNS[1]),
            question: false,
        },
        "There is a high tower in Vienna.",
        "In Wien gibt es einen hohen Turm.",
        "维也纳有一座高塔。",
    );
}

#[test]
fn separable_verbs() {
    let invite = |tense| clause(WE, tense, with("invite", the("guest")));
    states(invite(PRESENT), "We invite the guest.", "Wir laden den Gast ein.", "我们邀请那位客人。");
    states(invite(PAST), "We invited the guest.", "Wir haben den Gast eingeladen.", "我们邀请了那位客人。");
    states(
        invite(Tense::Modal(Modal::Must)),
        "We must invite the guest.",
        "Wir müssen den Gast einladen.",
        "我们必须邀请那位客人。",
    );
    states(
        clause(
            WE,
            PRESENT,
            P::Infinitive { verb: verb(CONTROL, "try"), what: Box::new(vp(with("invite", the("guest")))) },
        ),
        "We try to invite the guest.",
        "Wir versuchen, den Gast einzuladen.",
        "我们试图邀请那位客人。",
    );
    says(
        &Sentence::Reported {
            subject: I,
            verb: verb(REPORTING, "know"),
            negated: true,
            whether: true,
            clause: invite(PRESENT),
        },
        "I do not know whether we invite the guest.",
        "Ich weiß nicht, ob wir den Gast einladen.",
        "我不知道我们是否邀请那位客人。",
    );
}

#[test]
fn subordinate_clauses_put_the_verb_last() {
    let main = clause(SHE, PRESENT, P::Intransitive(verb(INTRANSITIVE, "sleep")));
    let subordinate = clause(SHE, PRESENT, P::Adjective(Plain, adjective("tired")));
    let because = |subordinate_first| Sentence::Subordinated {
        conjunction: Subordinator::Because,
        main: main.clone(),
        subordinate: subordinate.clone(),
        subordinate_first,
    };
    says(
        &because(false),
        "She sleeps because she is tired.",
        "Sie schläft, weil sie müde ist.",
        "她睡觉，因为她很累。",
    );
    says(
        &because(true),
        "Because she is tired, she sleeps.",
        "Weil sie müde ist, schläft sie.",
        "因为她很累，所以她睡觉。",
    );
    says(
        &Sentence::Joined(Conjunction::So, subordinate.clone(), main.clone()),
        "She is tired, so she sleeps.",
        "Sie ist müde, deshalb schläft sie.",
        "她很累，所以她睡觉。",
    );
    says(
        &Sentence::Subordinated {
            conjunction: Subordinator::Before,
            main: clause(I, PAST, buy(np(D::Bare, "bread"))),
            subordinate: clause(Np::Name(name("Peter")), PAST, P::Intransitive(verb(INTRANSITIVE, "come back"))),
            subordinate_first: true,
        },
        "Before Peter came back, I bought bread.",
        "Bevor Peter zurückgekommen ist, habe ich Brot gekauft.",
        "在彼得回来之前，我买了面包。",
    );
}

#[test]
fn relative_clauses() {
    let read = vp(P::Transitive(verb(TRANSITIVE, "read"), np(D::This(Singular), "letter")));
    let woman = Np::Common(Box::new(Nominal {
        determiner: D::The(Singular),
        adjective: None,
        noun: noun("woman"),
        relative: Some(Relative::Subject(PAST, read)),
    }));
    states(
        clause(woman, PRESENT, P::Adjective(Too, adjective("nervous"))),
        "The woman who read this letter is too nervous.",
        "Die Frau, die diesen Brief gelesen hat, ist zu nervös.",
        "读了这封信的那个女人太紧张了。",
    );
    let cake = Np::Common(Box::new(Nominal {
        determiner: D::The(Singular),
        adjective: None,
        noun: noun("apple"),
        relative: Some(Relative::Object(I, verb(TRANSITIVE, "wash"))),
    }));
    states(
        clause(Np::Name(name("Emma")), PAST, with("eat", cake)),
        "Emma ate the apple that I washed.",
        "Emma hat den Apfel, den ich gewaschen habe, gegessen.",
        "艾玛吃了我洗的那个苹果。",
    );
}

#[test]
fn fronted_times_and_the_verb_second() {
    let yesterday = Time::Phrase(phrase(PAST_TIMES, "yesterday"));
    let cook = |first| at(clause(the("baker"), PAST, with("cook", np(D::Bare, "rice"))), yesterday, first);
    states(
        cook(true),
        "Yesterday, the baker cooked rice.",
        "Gestern hat der Bäcker Reis gekocht.",
        "昨天那个面包师煮了米饭。",
    );
    states(
        cook(false),
        "The baker cooked rice yesterday.",
        "Der Bäcker hat gestern Reis gekocht.",
        "那个面包师昨天煮了米饭。",
    );
}

#[test]
fn order_of_the_german_middle() {
    let mut c = clause(Np::Name(name("Paul")), PAST, with("read", np(D::A, "novel")));
    c.verb_phrase.place = Some(place("in the garden"));
    states(
        c.clone(),
        "Paul read a novel in the garden.",
        "Paul hat im Garten einen Roman gelesen.",
        "保罗在花园里读了一本小说。",
    );
    c.verb_phrase.predicate = with("read", the("novel"));
    c.verb_phrase.manner = Some(phrase(MANNERS, "quietly"));
    states(
        c,
        "Paul read the novel quietly in the garden.",
        "Paul hat den Roman leise im Garten gelesen.",
        "保罗在花园里悄悄地读了那本小说。",
    );
}

#[test]
fn negation() {
    let have = |object| not(clause(SHE, PRESENT, with("have", object)));
    states(have(np(D::A, "car")), "She does not have a car.", "Sie hat kein Auto.", "她没有汽车。");
    let drink = |object, tense| not(clause(THEY, tense, with("drink", object)));
    states(
        drink(np(D::Bare, "coffee"), PAST),
        "They did not drink coffee.",
        "Sie haben keinen Kaffee getrunken.",
        "他们没喝咖啡。",
    );
    states(
        drink(the("tea"), Tense::Already),
        "They have not drunk the tea yet.",
        "Sie haben den Tee noch nicht getrunken.",
        "他们还没喝那些茶。",
    );
    states(
        drink(the("tea"), Tense::Modal(Modal::Must)),
        "They do not have to drink the tea.",
        "Sie müssen den Tee nicht trinken.",
        "他们不必喝那些茶。",
    );
    states(
        not(clause(the("film"), PRESENT, P::Adjective(Plain, adjective("interesting")))),
        "The film is not interesting.",
        "Der Film ist nicht interessant.",
        "那部电影没有意思。",
    );
    states(
        not(clause(SHE, PRESENT, P::Profession(noun("doctor")))),
        "She is not a doctor.",
        "Sie ist keine Ärztin.",
        "她不是医生。",
    );
}

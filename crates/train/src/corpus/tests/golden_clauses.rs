//! Golden sentences, checked by hand: modes, questions, objects, places, comparison, quantities, times.

use super::super::lexicon::nouns::NOUNS;
use super::super::lexicon::phrases::*;
use super::super::lexicon::verbs::*;
use super::super::syntax::Degree::{Plain, Very};
use super::super::syntax::Determiner as D;
use super::super::syntax::NounPhrase as Np;
use super::super::syntax::Number::Singular;
use super::super::syntax::Predicate as P;
use super::super::syntax::*;

use super::build::*;

#[test]
fn modal_verbs_and_the_future() {
    let sell = |modal| clause(the("farmer"), Tense::Modal(modal), with("sell", np(D::Numeral(12), "egg")));
    states(
        sell(Modal::Can),
        "The farmer can sell twelve eggs.",
        "Der Bauer kann zwölf Eier verkaufen.",
        "那个农民能卖十二个鸡蛋。",
    );
    states(
        sell(Modal::Want),
        "The farmer wants to sell twelve eggs.",
        "Der Bauer will zwölf Eier verkaufen.",
        "那个农民想卖十二个鸡蛋。",
    );
    states(
        sell(Modal::May),
        "The farmer is allowed to sell twelve eggs.",
        "Der Bauer darf zwölf Eier verkaufen.",
        "那个农民可以卖十二个鸡蛋。",
    );
    states(
        sell(Modal::Should),
        "The farmer should sell twelve eggs.",
        "Der Bauer sollte zwölf Eier verkaufen.",
        "那个农民应该卖十二个鸡蛋。",
    );
    states(
        at(sell(Modal::Will), Time::Phrase(phrase(FUTURE_TIMES, "next week")), false),
        "The farmer will sell twelve eggs next week.",
        "Der Bauer wird nächste Woche zwölf Eier verkaufen.",
        "那个农民下周会卖十二个鸡蛋。",
    );
}

#[test]
fn questions() {
    let c = clause(the("lawyer"), PAST, with("sign", the("contract")));
    says(
        &Sentence::YesNo(c),
        "Did the lawyer sign the contract?",
        "Hat der Anwalt den Vertrag unterschrieben?",
        "那位律师签署了那份合同吗？",
    );
    let which = clause(Np::Name(name("Eva")), PRESENT, with("turn on", np(D::Which, "lamp")));
    says(
        &Sentence::Wh(Wh::Object, which),
        "Which lamp does Eva turn on?",
        "Welche Lampe schaltet Eva ein?",
        "伊娃开启哪盏灯？",
    );
    let who = clause(Np::Who, PAST, with("call", Np::Pronoun(Pronoun::He)));
    says(&Sentence::Wh(Wh::Subject, who), "Who called him?", "Wer hat ihn angerufen?", "谁给他打了电话？");
    let how_many = clause(WE, PRESENT, with("need", np(D::HowMany, "chair")));
    says(
        &Sentence::Wh(Wh::Object, how_many),
        "How many chairs do we need?",
        "Wie viele Stühle brauchen wir?",
        "我们需要几把椅子？",
    );
    let motion = P::Motion { verb: verb(JOURNEY, "fly"), goal: Where::Asked, purpose: None };
    says(
        &Sentence::Wh(Wh::Place, clause(SHE, PAST, motion)),
        "Where did she fly?",
        "Wohin ist sie geflogen?",
        "她坐飞机去了哪里？",
    );
    let why = not(clause(SHE, PRESENT, P::Intransitive(verb(INTRANSITIVE, "work"))));
    says(&Sentence::Wh(Wh::Reason, why), "Why does she not work?", "Warum arbeitet sie nicht?", "她为什么不工作？");
    let when = at(clause(THEY, PAST, with("build", the("bridge"))), Time::When, false);
    says(
        &Sentence::Wh(Wh::Time, when),
        "When did they build the bridge?",
        "Wann haben sie die Brücke gebaut?",
        "他们什么时候建造了那座桥？",
    );
}

#[test]
fn two_objects() {
    let give = |verb_name, recipient, theme| P::Ditransitive { verb: verb(DITRANSITIVE, verb_name), recipient, theme };
    states(
        clause(the("man"), PAST, give("give", the("girl"), np(D::A, "apple"))),
        "The man gave the girl an apple.",
        "Der Mann hat dem Mädchen einen Apfel gegeben.",
        "那个男人给了那个女孩一个苹果。",
    );
    states(
        clause(SHE, PAST, give("show", Np::Pronoun(Pronoun::I), the("photo"))),
        "She showed me the photo.",
        "Sie hat mir das Foto gezeigt.",
        "她给我看了那张照片。",
    );
    states(
        clause(I, PRESENT, give("recommend", np(D::Possessive(Pronoun::I), "friend"), np(D::This(Singular), "film"))),
        "I recommend this film to my friend.",
        "Ich empfehle meinem Freund diesen Film.",
        "我向我的朋友推荐这部电影。",
    );
}

#[test]
fn prepositions_and_places() {
    let put = P::Put {
        verb: verb(PUTTING, "put"),
        theme: the("key"),
        location: Location::Relative(phrase(RELATIONS, "in"), the("drawer")),
    };
    states(
        clause(SHE, PAST, put),
        "She put the key in the drawer.",
        "Sie hat den Schlüssel in die Schublade gelegt.",
        "她把那把钥匙放在了那个抽屉里。",
    );
    let located = |ground| P::Located(Location::Relative(phrase(RELATIONS, "in"), the(ground)));
    states(
        clause(the("key"), PRESENT, located("cupboard")),
        "The key is in the cupboard.",
        "Der Schlüssel ist im Schrank.",
        "那把钥匙在那个柜子里。",
    );
    states(
        clause(WE, PRESENT, with("wait", the("bus"))),
        "We wait for the bus.",
        "Wir warten auf den Bus.",
        "我们等那辆公共汽车。",
    );
    states(
        clause(I, PAST, with("talk", the("boss"))),
        "I talked with the boss.",
        "Ich habe mit dem Chef gesprochen.",
        "我跟那位老板说了话。",
    );
    let purpose = Some(Box::new(vp(buy(np(D::Bare, "fish")))));
    states(
        clause(THEY, PRESENT, P::Motion { verb: verb(MOTION, "go"), goal: place("to the market"), purpose }),
        "They go to the market to buy fish.",
        "Sie gehen auf den Markt, um Fisch zu kaufen.",
        "他们去市场买鱼。",
    );
    let walk = P::Motion { verb: verb(MOTION, "walk"), goal: place("to the station"), purpose: None };
    states(
        clause(I, PAST, walk),
        "I walked to the station.",
        "Ich bin zu Fuß zum Bahnhof gegangen.",
        "我走路去了火车站。",
    );
}

#[test]
fn reflexive_verbs_agree() {
    let remember = |subject| clause(subject, PRESENT, with("remember", the("song")));
    states(remember(I), "I remember the song.", "Ich erinnere mich an das Lied.", "我记得那首歌。");
    states(remember(WE), "We remember the song.", "Wir erinnern uns an das Lied.", "我们记得那首歌。");
    states(remember(SHE), "She remembers the song.", "Sie erinnert sich an das Lied.", "她记得那首歌。");
}

#[test]
fn comparison() {
    let compare = |equal, than| P::Comparison { adjective: adjective("expensive"), equal, than };
    let this = || np(D::This(Singular), "watch");
    states(
        clause(this(), PRESENT, compare(false, the("ring"))),
        "This watch is more expensive than the ring.",
        "Diese Uhr ist teurer als der Ring.",
        "这块手表比那枚戒指贵。",
    );
    states(
        clause(this(), PRESENT, compare(true, the("ring"))),
        "This watch is as expensive as the ring.",
        "Diese Uhr ist so teuer wie der Ring.",
        "这块手表跟那枚戒指一样贵。",
    );
    states(
        not(clause(this(), PRESENT, compare(true, the("ring")))),
        "This watch is not as expensive as the ring.",
        "Diese Uhr ist nicht so teuer wie der Ring.",
        "这块手表没有那枚戒指那么贵。",
    );
    states(
        clause(the("door"), PRESENT, P::Adjective(Plain, adjective("blue"))),
        "The door is blue.",
        "Die Tür ist blau.",
        "那扇门是蓝色的。",
    );
}

#[test]
fn quantities() {
    let coffee = |count| Np::Measured { count, unit: &NOUNS[noun("coffee").index()].units[0], noun: noun("coffee") };
    states(
        clause(I, PAST, with("order", coffee(1))),
        "I ordered a cup of coffee.",
        "Ich habe eine Tasse Kaffee bestellt.",
        "我点了一杯咖啡。",
    );
    states(
        clause(I, PAST, with("order", coffee(2))),
        "I ordered two cups of coffee.",
        "Ich habe zwei Tassen Kaffee bestellt.",
        "我点了两杯咖啡。",
    );
    states(
        clause(np(D::Every, "pupil"), PRESENT, with("learn", np(D::Bare, "Chinese"))),
        "Every pupil learns Chinese.",
        "Jeder Schüler lernt Chinesisch.",
        "每个小学生都学中文。",
    );
    states(
        clause(np(D::All, "guest"), PAST, P::Intransitive(verb(INTRANSITIVE, "dance"))),
        "All guests danced.",
        "Alle Gäste haben getanzt.",
        "所有客人都跳了舞。",
    );
    states(
        clause(np(D::Possessive(Pronoun::I), "grandmother"), PRESENT, P::Age(81)),
        "My grandmother is eighty-one years old.",
        "Meine Großmutter ist einundachtzig Jahre alt.",
        "我奶奶八十一岁。",
    );
    states(
        clause(the("umbrella"), PRESENT, P::Price(15)),
        "The umbrella costs 15 euros.",
        "Der Regenschirm kostet 15 Euro.",
        "那把雨伞要15欧元。",
    );
}

#[test]
fn times_of_day_and_dates() {
    let clock = |hour, minute, figures| Sentence::ClockTime(Clock { hour, minute, figures });
    says(&clock(15, 30, true), "It is 3:30 pm.", "Es ist 15:30 Uhr.", "现在是下午3点30分。");
    says(
        &clock(15, 30, false),
        "It is half past three in the afternoon.",
        "Es ist halb vier nachmittags.",
        "现在是下午三点半。",
    );
    says(
        &clock(8, 45, false),
        "It is quarter to nine in the morning.",
        "Es ist Viertel vor neun morgens.",
        "现在是早上八点三刻。",
    );
    says(
        &clock(13, 0, false),
        "It is one o'clock in the afternoon.",
        "Es ist ein Uhr nachmittags.",
        "现在是下午一点。",
    );
    says(
        &clock(20, 50, false),
        "It is ten to nine in the evening.",
        "Es ist zehn vor neun abends.",
        "现在是晚上差十分九点。",
    );
    let date = Date { day: 5, month: 5, year: Some(2014) };
    says(
        &Sentence::Date { date, weekday: date.weekday().unwrap_or_default() },
        "Today is Monday, May 5, 2014.",
        "Heute ist Montag, der 5. Mai 2014.",
        "今天是2014年5月5日星期一。",
    );
    let start = clause(the("concert"), Tense::Modal(Modal::Will), P::Intransitive(verb(EVENTIVE, "start")));
    let time = Time::DayAndClock(TOMORROW, Clock { hour: 19, minute: 15, figures: true });
    states(
        at(start, time, true),
        "Tomorrow at 7:15 pm, the concert will start.",
        "Morgen um 19:15 Uhr wird das Konzert anfangen.",
        "明天晚上7点15分那场音乐会会开始。",
    );
    let ago = at(clause(SHE, PAST, P::Intransitive(verb(INTRANSITIVE, "move house"))), Time::Ago(1, 1), true);
    states(ago, "One week ago, she moved house.", "Vor einer Woche ist sie umgezogen.", "一周前她搬了家。");
}

#[test]
fn the_weather() {
    let rain = clause(Np::Weather, PAST, P::Intransitive(verb(WEATHER, "rain")));
    let mut rain = at(rain, Time::Phrase(phrase(PAST_TIMES, "yesterday")), true);
    rain.verb_phrase.place = Some(place("in Hamburg"));
    states(rain, "Yesterday, it rained in Hamburg.", "Gestern hat es in Hamburg geregnet.", "昨天汉堡下了雨。");
    let cold = clause(Np::Weather, PRESENT, P::Adjective(Very, adjective("cool")));
    states(at(cold, Time::Phrase(TODAY), false), "It is very cool today.", "Es ist heute sehr kühl.", "今天非常凉快。");
}

#[test]
fn weekdays_follow_the_calendar() {
    let weekday = |day, month, year| Date { day, month, year: Some(year) }.weekday();
    assert_eq!(weekday(1, 1, 2000), Some(5));
    assert_eq!(weekday(29, 2, 2024), Some(3));
    assert_eq!(weekday(31, 12, 1999), Some(4));
    assert_eq!(Date { day: 1, month: 1, year: None }.weekday(), None);
}

//! Verbs with their principal parts, what they govern in each language, and what they apply to.

use super::class::*;

/// German grammatical case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Nominative,
    Accusative,
    Dative,
    Genitive,
}

/// How a German verb takes its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Government {
    Accusative,
    Dative,
    /// A preposition with the case it asks for.
    Preposition(&'static str, Case),
}

use Case::{Accusative as AccusativeCase, Dative as DativeCase};

/// One verb in three languages.
#[derive(Debug)]
pub struct Verb {
    /// Base form, third person singular, past and past participle.
    pub en: [&'static str; 4],
    /// The preposition in front of the object (of a recipient, for verbs that have one); may be empty.
    pub en_preposition: &'static str,
    /// The separable prefix, or empty.
    pub de_prefix: &'static str,
    /// The infinitive without the separable prefix.
    pub de_infinitive: &'static str,
    /// The third person singular without the separable prefix.
    pub de_third: &'static str,
    /// The whole past participle.
    pub de_participle: &'static str,
    /// Whether the perfect is formed with sein instead of haben.
    pub de_sein: bool,
    pub de_reflexive: bool,
    pub de_government: Government,
    /// Words that go with the verb, in front of a goal: zu Fuß, mit dem Bus.
    pub de_adverbial: &'static str,
    pub zh: &'static str,
    /// The completed form; empty stands for the verb and 了.
    pub zh_past: &'static str,
    /// The coverb in front of the object, which then precedes the verb; may be empty.
    pub zh_coverb: &'static str,
    pub subject: Class,
    /// What the object (the theme) may be; 0 for none.
    pub object: Class,
    /// What the object may not be, even if `object` covers it.
    pub object_except: Class,
    /// A state rather than an action: present tense only.
    pub stative: bool,
    /// Nothing that one does in this or that manner (finding, losing).
    pub sudden: bool,
    /// The object may be a bare plural (likes dogs).
    pub generic: bool,
}

impl Verb {
    /// Whether present and past are the same word except in the third person singular (cut, read).
    pub fn past_is_base(&self) -> bool {
        self.en[0] == self.en[2]
    }

    /// Whether the verb ends in an adverb (pick up), so that a pronoun would have to stand inside.
    pub fn is_phrasal(&self) -> bool {
        self.en[0].contains(' ')
    }

    const fn de(
        mut self,
        prefix: &'static str,
        infinitive: &'static str,
        third: &'static str,
        participle: &'static str,
    ) -> Self {
        self.de_prefix = prefix;
        self.de_infinitive = infinitive;
        self.de_third = third;
        self.de_participle = participle;
        self
    }

    const fn zh(mut self, zh: &'static str) -> Self {
        self.zh = zh;
        self
    }

    const fn zh_past(mut self, zh_past: &'static str) -> Self {
        self.zh_past = zh_past;
        self
    }

    const fn zh_coverb(mut self, coverb: &'static str) -> Self {
        self.zh_coverb = coverb;
        self
    }

    const fn en_preposition(mut self, preposition: &'static str) -> Self {
        self.en_preposition = preposition;
        self
    }

    const fn sein(mut self) -> Self {
        self.de_sein = true;
        self
    }

    const fn sich(mut self) -> Self {
        self.de_reflexive = true;
        self
    }

    const fn dative(mut self) -> Self {
        self.de_government = Government::Dative;
        self
    }

    const fn on(mut self, preposition: &'static str, case: Case) -> Self {
        self.de_government = Government::Preposition(preposition, case);
        self
    }

    const fn with(mut self, adverbial: &'static str) -> Self {
        self.de_adverbial = adverbial;
        self
    }

    const fn by(mut self, subject: Class) -> Self {
        self.subject = subject;
        self
    }

    const fn except(mut self, class: Class) -> Self {
        self.object_except = class;
        self
    }

    const fn stative(mut self) -> Self {
        self.stative = true;
        self
    }

    const fn sudden(mut self) -> Self {
        self.sudden = true;
        self
    }

    const fn generic(mut self) -> Self {
        self.generic = true;
        self
    }
}

/// A verb with English forms, an object class and otherwise the commonest values.
const fn v(
    base: &'static str,
    third: &'static str,
    past: &'static str,
    participle: &'static str,
    object: Class,
) -> Verb {
    Verb {
        en: [base, third, past, participle],
        en_preposition: "",
        de_prefix: "",
        de_infinitive: "",
        de_third: "",
        de_participle: "",
        de_sein: false,
        de_reflexive: false,
        de_government: Government::Accusative,
        de_adverbial: "",
        zh: "",
        zh_past: "",
        zh_coverb: "",
        subject: PERSON,
        object,
        object_except: 0,
        stative: false,
        sudden: false,
        generic: false,
    }
}

const GOODS: Class = FOOD | DRINK | READ | CLOTHES | VEHICLE | FURNITURE | THING | DEVICE | INSTRUMENT | CONTAINER;

/// Verbs with one object.
#[rustfmt::skip]
pub static TRANSITIVE: &[Verb] = &[
    v("buy", "buys", "bought", "bought", GOODS | DWELLING | PLANT).de("", "kaufen", "kauft", "gekauft").zh("买").sudden(),
    v("sell", "sells", "sold", "sold", GOODS | DWELLING).de("", "verkaufen", "verkauft", "verkauft").zh("卖").sudden(),
    v("see", "sees", "saw", "seen", PERSON | ANIMAL | BUILDING | VEHICLE | TRANSIT | PLANT).de("", "sehen", "sieht", "gesehen").zh("看见").sudden(),
    v("find", "finds", "found", "found", THING | READ | ANIMAL | CONTAINER | CLOTHES).de("", "finden", "findet", "gefunden").zh("找到").sudden(),
    v("look for", "looks for", "looked for", "looked for", THING | READ | PERSON | ANIMAL | DWELLING).de("", "suchen", "sucht", "gesucht").zh("寻找"),
    v("lose", "loses", "lost", "lost", THING | CLOTHES).de("", "verlieren", "verliert", "verloren").zh("丢").sudden(),
    v("eat", "eats", "ate", "eaten", FOOD).de("", "essen", "isst", "gegessen").zh("吃"),
    v("drink", "drinks", "drank", "drunk", DRINK).de("", "trinken", "trinkt", "getrunken").zh("喝"),
    v("cook", "cooks", "cooked", "cooked", COOKED).de("", "kochen", "kocht", "gekocht").zh("煮"),
    v("bake", "bakes", "baked", "baked", BAKED).de("", "backen", "backt", "gebacken").zh("烤"),
    v("read", "reads", "read", "read", READ | STORY).de("", "lesen", "liest", "gelesen").zh("读"),
    v("write", "writes", "wrote", "written", WRITTEN | SONG).de("", "schreiben", "schreibt", "geschrieben").zh("写"),
    v("repair", "repairs", "repaired", "repaired", VEHICLE | DEVICE | FURNITURE).de("", "reparieren", "repariert", "repariert").zh("修理"),
    v("wash", "washes", "washed", "washed", CLOTHES | VEHICLE | FRUIT).de("", "waschen", "wäscht", "gewaschen").zh("洗"),
    v("clean", "cleans", "cleaned", "cleaned", OPENABLE | FRAGILE | FURNITURE).de("", "putzen", "putzt", "geputzt").zh("擦"),
    v("paint", "paints", "painted", "painted", PLANT | BUILDING | ANIMAL).de("", "malen", "malt", "gemalt").zh("画"),
    v("open", "opens", "opened", "opened", OPENABLE).de("", "öffnen", "öffnet", "geöffnet").zh("打开"),
    v("close", "closes", "closed", "closed", OPENABLE).de("", "schließen", "schließt", "geschlossen").zh("关上"),
    v("visit", "visits", "visited", "visited", PERSON).de("", "besuchen", "besucht", "besucht").zh("拜访").sudden(),
    v("tour", "tours", "toured", "toured", SIGHT).de("", "besichtigen", "besichtigt", "besichtigt").zh("参观"),
    v("invite", "invites", "invited", "invited", PERSON).de("ein", "laden", "lädt", "eingeladen").zh("邀请").sudden(),
    v("call", "calls", "called", "called", PERSON).de("an", "rufen", "ruft", "angerufen").zh("打电话").zh_past("打了电话").zh_coverb("给"),
    v("pick up", "picks up", "picked up", "picked up", PERSON | MAIL).de("ab", "holen", "holt", "abgeholt").zh("接").zh_past("接了"),
    v("help", "helps", "helped", "helped", PERSON | ANIMAL).de("", "helfen", "hilft", "geholfen").dative().zh("帮助"),
    v("thank", "thanks", "thanked", "thanked", PERSON).de("", "danken", "dankt", "gedankt").dative().zh("感谢").sudden(),
    v("congratulate", "congratulates", "congratulated", "congratulated", PERSON).de("", "gratulieren", "gratuliert", "gratuliert").dative().zh("祝贺").sudden(),
    v("answer", "answers", "answered", "answered", PERSON).de("", "antworten", "antwortet", "geantwortet").dative().zh("回答"),
    v("answer", "answers", "answered", "answered", QUESTION | MAIL).except(THING).de("", "beantworten", "beantwortet", "beantwortet").zh("回复"),
    v("follow", "follows", "followed", "followed", PERSON | ANIMAL).de("", "folgen", "folgt", "gefolgt").dative().sein().zh("跟随"),
    v("trust", "trusts", "trusted", "trusted", PERSON).de("", "vertrauen", "vertraut", "vertraut").dative().stative().zh("信任").sudden(),
    v("wait", "waits", "waited", "waited", PERSON | TRANSIT | MAIL).en_preposition("for").de("", "warten", "wartet", "gewartet").on("auf", AccusativeCase).zh("等").sudden(),
    v("love", "loves", "loved", "loved", PERSON | ANIMAL | FOOD | SONG | SPORT).de("", "lieben", "liebt", "geliebt").stative().generic().zh("爱"),
    v("like", "likes", "liked", "liked", PERSON | ANIMAL | FOOD | DRINK | SONG | SHOW | READ | PLANT | SPORT).de("", "mögen", "mag", "gemocht").stative().generic().zh("喜欢"),
    v("hate", "hates", "hated", "hated", ANIMAL | FOOD | DRINK | SPORT | EVENT).de("", "hassen", "hasst", "gehasst").stative().generic().zh("讨厌"),
    v("know", "knows", "knew", "known", PERSON).de("", "kennen", "kennt", "gekannt").stative().zh("认识"),
    v("know", "knows", "knew", "known", STORY | SONG | SHOW).de("", "kennen", "kennt", "gekannt").stative().zh("知道"),
    v("understand", "understands", "understood", "understood", TOPIC | WRITTEN | LANGUAGE).de("", "verstehen", "versteht", "verstanden").stative().zh("懂"),
    v("forget", "forgets", "forgot", "forgotten", THING | TOPIC | CLOTHES).de("", "vergessen", "vergisst", "vergessen").zh("忘记").sudden(),
    v("remember", "remembers", "remembered", "remembered", PERSON | STORY | TOPIC).de("", "erinnern", "erinnert", "erinnert").sich().on("an", AccusativeCase).stative().zh("记得"),
    v("learn", "learns", "learned", "learned", LANGUAGE).de("", "lernen", "lernt", "gelernt").zh("学"),
    v("speak", "speaks", "spoke", "spoken", LANGUAGE).de("", "sprechen", "spricht", "gesprochen").zh("说"),
    v("play", "plays", "played", "played", INSTRUMENT).de("", "spielen", "spielt", "gespielt").zh("弹"),
    v("play", "plays", "played", "played", SPORT).de("", "spielen", "spielt", "gespielt").zh("打"),
    v("watch", "watches", "watched", "watched", SHOW).de("an", "schauen", "schaut", "angeschaut").zh("观看"),
    v("hear", "hears", "heard", "heard", SONG | ANIMAL | STORY).de("", "hören", "hört", "gehört").zh("听到").sudden(),
    v("use", "uses", "used", "used", DEVICE | FRAGILE | VEHICLE).de("", "benutzen", "benutzt", "benutzt").zh("使用").sudden(),
    v("need", "needs", "needed", "needed", GOODS | DWELLING).de("", "brauchen", "braucht", "gebraucht").stative().zh("需要").sudden(),
    v("have", "has", "had", "had", GOODS | DWELLING | ANIMAL | TOPIC).de("", "haben", "hat", "gehabt").stative().zh("有"),
    v("carry", "carries", "carried", "carried", CONTAINER | FURNITURE).de("", "tragen", "trägt", "getragen").zh("搬"),
    v("wear", "wears", "wore", "worn", CLOTHES).de("", "tragen", "trägt", "getragen").stative().zh("穿"),
    v("put on", "puts on", "put on", "put on", CLOTHES).de("an", "ziehen", "zieht", "angezogen").zh("穿上"),
    v("take off", "takes off", "took off", "taken off", CLOTHES).de("aus", "ziehen", "zieht", "ausgezogen").zh("脱下"),
    v("try on", "tries on", "tried on", "tried on", CLOTHES).de("an", "probieren", "probiert", "anprobiert").zh("试穿"),
    v("turn on", "turns on", "turned on", "turned on", DEVICE).de("ein", "schalten", "schaltet", "eingeschaltet").zh("开启"),
    v("turn off", "turns off", "turned off", "turned off", DEVICE).de("aus", "schalten", "schaltet", "ausgeschaltet").zh("关掉"),
    v("pay", "pays", "paid", "paid", BILL).de("", "bezahlen", "bezahlt", "bezahlt").zh("支付"),
    v("ask", "asks", "asked", "asked", PERSON).de("", "fragen", "fragt", "gefragt").zh("问"),
    v("translate", "translates", "translated", "translated", WRITTEN | TOPIC).de("", "übersetzen", "übersetzt", "übersetzt").zh("翻译"),
    v("solve", "solves", "solved", "solved", PROBLEM).de("", "lösen", "löst", "gelöst").zh("解决"),
    v("discuss", "discusses", "discussed", "discussed", TOPIC | CONTRACT).de("", "besprechen", "bespricht", "besprochen").zh("讨论"),
    v("organise", "organises", "organised", "organised", EVENT).de("", "organisieren", "organisiert", "organisiert").zh("组织").sudden(),
    v("cancel", "cancels", "cancelled", "cancelled", EVENT).de("ab", "sagen", "sagt", "abgesagt").zh("取消").sudden(),
    v("prepare", "prepares", "prepared", "prepared", EVENT).de("vor", "bereiten", "bereitet", "vorbereitet").zh("准备"),
    v("meet", "meets", "met", "met", PERSON).de("", "treffen", "trifft", "getroffen").zh("遇见").sudden(),
    v("kiss", "kisses", "kissed", "kissed", PERSON).de("", "küssen", "küsst", "geküsst").zh("亲吻").sudden(),
    v("photograph", "photographs", "photographed", "photographed", PERSON | ANIMAL | BUILDING).de("", "fotografieren", "fotografiert", "fotografiert").zh("拍照").zh_past("拍了照").zh_coverb("给").sudden(),
    v("build", "builds", "built", "built", BUILDING).de("", "bauen", "baut", "gebaut").zh("建造"),
    v("rent", "rents", "rented", "rented", DWELLING | VEHICLE).de("", "mieten", "mietet", "gemietet").zh("租").sudden(),
    v("borrow", "borrows", "borrowed", "borrowed", READ | VEHICLE | INSTRUMENT).de("aus", "leihen", "leiht", "ausgeliehen").zh("借").sudden(),
    v("return", "returns", "returned", "returned", READ | DEVICE).except(MAIL).de("zurück", "geben", "gibt", "zurückgegeben").zh("归还"),
    v("throw away", "throws away", "threw away", "thrown away", THING).de("weg", "werfen", "wirft", "weggeworfen").zh("扔掉"),
    v("cut", "cuts", "cut", "cut", FRUIT | BAKED).de("", "schneiden", "schneidet", "geschnitten").zh("切"),
    v("feed", "feeds", "fed", "fed", ANIMAL).de("", "füttern", "füttert", "gefüttert").zh("喂"),
    v("stroke", "strokes", "stroked", "stroked", ANIMAL).de("", "streicheln", "streichelt", "gestreichelt").zh("抚摸"),
    v("water", "waters", "watered", "watered", PLANT).de("", "gießen", "gießt", "gegossen").zh("浇"),
    v("plant", "plants", "planted", "planted", PLANT).de("", "pflanzen", "pflanzt", "gepflanzt").zh("种"),
    v("break", "breaks", "broke", "broken", FRAGILE).de("", "zerbrechen", "zerbricht", "zerbrochen").zh("打破").sudden(),
    v("steal", "steals", "stole", "stolen", THING | VEHICLE).de("", "stehlen", "stiehlt", "gestohlen").zh("偷").sudden(),
    v("hide", "hides", "hid", "hidden", THING).de("", "verstecken", "versteckt", "versteckt").zh("藏"),
    v("check", "checks", "checked", "checked", DEVICE | BILL | CONTRACT | VEHICLE).de("", "prüfen", "prüft", "geprüft").zh("检查").sudden(),
    v("sign", "signs", "signed", "signed", CONTRACT).de("", "unterschreiben", "unterschreibt", "unterschrieben").zh("签署"),
    v("order", "orders", "ordered", "ordered", FOOD | DRINK).de("", "bestellen", "bestellt", "bestellt").zh("点").sudden(),
    v("taste", "tastes", "tasted", "tasted", FOOD | DRINK).de("", "probieren", "probiert", "probiert").zh("尝"),
    v("collect", "collects", "collected", "collected", COLLECTIBLE).de("", "sammeln", "sammelt", "gesammelt").stative().generic().zh("收集"),
    v("talk", "talks", "talked", "talked", PERSON).en_preposition("with").de("", "sprechen", "spricht", "gesprochen").on("mit", DativeCase).zh("说话").zh_past("说了话").zh_coverb("跟"),
    v("talk", "talks", "talked", "talked", TOPIC | SHOW | EVENT).en_preposition("about").de("", "sprechen", "spricht", "gesprochen").on("über", AccusativeCase).zh("谈论"),
    v("dream", "dreams", "dreamed", "dreamed", PERSON | ANIMAL | DWELLING).en_preposition("of").de("", "träumen", "träumt", "geträumt").on("von", DativeCase).zh("梦见").sudden(),
    v("laugh", "laughs", "laughed", "laughed", PERSON).en_preposition("at").de("aus", "lachen", "lacht", "ausgelacht").zh("嘲笑").sudden(),
    v("miss", "misses", "missed", "missed", PERSON | ANIMAL).de("", "vermissen", "vermisst", "vermisst").stative().zh("想念").sudden(),
    v("look forward", "looks forward", "looked forward", "looked forward", EVENT).en_preposition("to").de("", "freuen", "freut", "gefreut").sich().on("auf", AccusativeCase).stative().zh("期待"),
    v("complain", "complains", "complained", "complained", PERSON | EVENT | DWELLING | BILL).en_preposition("about").de("", "beschweren", "beschwert", "beschwert").sich().on("über", AccusativeCase).zh("抱怨").sudden(),
    v("apologise", "apologises", "apologised", "apologised", PERSON).en_preposition("to").de("", "entschuldigen", "entschuldigt", "entschuldigt").sich().on("bei", DativeCase).zh("道歉").zh_past("道了歉").zh_coverb("向").sudden(),
    v("say goodbye", "says goodbye", "said goodbye", "said goodbye", PERSON).en_preposition("to").de("", "verabschieden", "verabschiedet", "verabschiedet").sich().on("von", DativeCase).zh("告别").zh_coverb("跟").sudden(),
    v("take care", "takes care", "took care", "taken care", PERSON | ANIMAL).en_preposition("of").de("", "kümmern", "kümmert", "gekümmert").sich().on("um", AccusativeCase).zh("照顾"),
    v("worry", "worries", "worried", "worried", PERSON | EVENT).en_preposition("about").de("", "sorgen", "sorgt", "gesorgt").sich().on("um", AccusativeCase).stative().zh("担心"),
    v("recognise", "recognises", "recognised", "recognised", PERSON).de("", "erkennen", "erkennt", "erkannt").zh("认出").sudden(),
    v("greet", "greets", "greeted", "greeted", PERSON).de("", "begrüßen", "begrüßt", "begrüßt").zh("问候").sudden(),
    v("wake", "wakes", "woke", "woken", PERSON).de("", "wecken", "weckt", "geweckt").zh("叫醒").sudden(),
    v("accompany", "accompanies", "accompanied", "accompanied", PERSON).de("", "begleiten", "begleitet", "begleitet").zh("陪伴"),
    v("convince", "convinces", "convinced", "convinced", PERSON).de("", "überzeugen", "überzeugt", "überzeugt").zh("说服"),
    v("pack", "packs", "packed", "packed", CLOTHES | THING).de("ein", "packen", "packt", "eingepackt").zh("打包"),
    v("describe", "describes", "described", "described", PERSON | PICTURE | TOPIC | BUILDING).de("", "beschreiben", "beschreibt", "beschrieben").zh("描述"),
    v("choose", "chooses", "chose", "chosen", CLOTHES | READ | PLANT).de("aus", "wählen", "wählt", "ausgewählt").zh("挑选"),
    v("push", "pushes", "pushed", "pushed", VEHICLE | FURNITURE).de("", "schieben", "schiebt", "geschoben").zh("推"),
    v("pull", "pulls", "pulled", "pulled", CONTAINER | VEHICLE).de("", "ziehen", "zieht", "gezogen").zh("拉"),
    v("hang up", "hangs up", "hung up", "hung up", PICTURE | CLOTHES).de("auf", "hängen", "hängt", "aufgehängt").zh("挂上"),
    v("admire", "admires", "admired", "admired", PICTURE | BUILDING | PLANT).de("", "bewundern", "bewundert", "bewundert").zh("欣赏"),
    v("print", "prints", "printed", "printed", READ | PICTURE).except(COLLECTIBLE).de("aus", "drucken", "druckt", "ausgedruckt").zh("打印").sudden(),
    v("receive", "receives", "received", "received", MAIL).de("", "bekommen", "bekommt", "bekommen").zh("收到").sudden(),
    v("sing", "sings", "sang", "sung", SONG).de("", "singen", "singt", "gesungen").zh("演唱"),
];

/// Verbs without an object.
#[rustfmt::skip]
pub static INTRANSITIVE: &[Verb] = &[
    v("sleep", "sleeps", "slept", "slept", 0).de("", "schlafen", "schläft", "geschlafen").zh("睡觉").zh_past("睡了觉").by(PERSON | ANIMAL).sudden(),
    v("work", "works", "worked", "worked", 0).de("", "arbeiten", "arbeitet", "gearbeitet").zh("工作"),
    v("laugh", "laughs", "laughed", "laughed", 0).de("", "lachen", "lacht", "gelacht").zh("笑").sudden(),
    v("cry", "cries", "cried", "cried", 0).de("", "weinen", "weint", "geweint").zh("哭").sudden(),
    v("dance", "dances", "danced", "danced", 0).de("", "tanzen", "tanzt", "getanzt").zh("跳舞").zh_past("跳了舞"),
    v("sing", "sings", "sang", "sung", 0).de("", "singen", "singt", "gesungen").zh("唱歌").zh_past("唱了歌"),
    v("swim", "swims", "swam", "swum", 0).de("", "schwimmen", "schwimmt", "geschwommen").sein().zh("游泳").zh_past("游了泳").by(PERSON | ANIMAL),
    v("run", "runs", "ran", "run", 0).de("", "laufen", "läuft", "gelaufen").sein().zh("跑步").zh_past("跑了步"),
    v("cook", "cooks", "cooked", "cooked", 0).de("", "kochen", "kocht", "gekocht").zh("做饭").zh_past("做了饭"),
    v("rest", "rests", "rested", "rested", 0).de("aus", "ruhen", "ruht", "ausgeruht").sich().zh("休息"),
    v("get up", "gets up", "got up", "got up", 0).de("auf", "stehen", "steht", "aufgestanden").sein().zh("起床").zh_past("起了床"),
    v("wake up", "wakes up", "woke up", "woken up", 0).de("auf", "wachen", "wacht", "aufgewacht").sein().zh("醒来").by(PERSON | ANIMAL).sudden(),
    v("fall asleep", "falls asleep", "fell asleep", "fallen asleep", 0).de("ein", "schlafen", "schläft", "eingeschlafen").sein().zh("睡着").by(PERSON | ANIMAL).sudden(),
    v("shop", "shops", "shopped", "shopped", 0).de("ein", "kaufen", "kauft", "eingekauft").zh("购物"),
    v("watch television", "watches television", "watched television", "watched television", 0).de("fern", "sehen", "sieht", "ferngesehen").zh("看电视").zh_past("看了电视"),
    v("have breakfast", "has breakfast", "had breakfast", "had breakfast", 0).de("", "frühstücken", "frühstückt", "gefrühstückt").zh("吃早饭").zh_past("吃了早饭"),
    v("smoke", "smokes", "smoked", "smoked", 0).de("", "rauchen", "raucht", "geraucht").zh("抽烟").zh_past("抽了烟"),
    v("play", "plays", "played", "played", 0).de("", "spielen", "spielt", "gespielt").zh("玩").by(ANIMAL),
    v("exercise", "exercises", "exercised", "exercised", 0).de("", "trainieren", "trainiert", "trainiert").zh("锻炼"),
    v("hike", "hikes", "hiked", "hiked", 0).de("", "wandern", "wandert", "gewandert").sein().zh("徒步旅行"),
    v("smile", "smiles", "smiled", "smiled", 0).de("", "lächeln", "lächelt", "gelächelt").zh("微笑"),
    v("shower", "showers", "showered", "showered", 0).de("", "duschen", "duscht", "geduscht").zh("洗澡").zh_past("洗了澡"),
    v("move house", "moves house", "moved house", "moved house", 0).de("um", "ziehen", "zieht", "umgezogen").sein().zh("搬家").zh_past("搬了家").sudden(),
    v("get married", "gets married", "got married", "got married", 0).de("", "heiraten", "heiratet", "geheiratet").zh("结婚").zh_past("结了婚").sudden(),
    v("come back", "comes back", "came back", "come back", 0).de("zurück", "kommen", "kommt", "zurückgekommen").sein().zh("回来").by(PERSON | ANIMAL).sudden(),
    v("camp", "camps", "camped", "camped", 0).de("", "zelten", "zeltet", "gezeltet").zh("露营"),
    v("fish", "fishes", "fished", "fished", 0).de("", "angeln", "angelt", "geangelt").zh("钓鱼").zh_past("钓了鱼"),
];

/// What an event does; these need a time.
#[rustfmt::skip]
pub static EVENTIVE: &[Verb] = &[
    v("start", "starts", "started", "started", 0).de("an", "fangen", "fängt", "angefangen").zh("开始").by(EVENT),
    v("end", "ends", "ended", "ended", 0).de("", "enden", "endet", "geendet").zh("结束").by(EVENT),
    v("take place", "takes place", "took place", "taken place", 0).de("statt", "finden", "findet", "stattgefunden").zh("举行").by(EVENT),
];

/// What a train does; these need a time.
#[rustfmt::skip]
pub static DEPARTING: &[Verb] = &[
    v("depart", "departs", "departed", "departed", 0).de("ab", "fahren", "fährt", "abgefahren").sein().zh("出发").by(TRANSIT),
    v("arrive", "arrives", "arrived", "arrived", 0).de("an", "kommen", "kommt", "angekommen").sein().zh("到达").by(TRANSIT),
];

/// What the weather does, with "it" as the subject.
#[rustfmt::skip]
pub static WEATHER: &[Verb] = &[
    v("rain", "rains", "rained", "rained", 0).de("", "regnen", "regnet", "geregnet").zh("下雨").zh_past("下了雨").by(0).sudden(),
    v("snow", "snows", "snowed", "snowed", 0).de("", "schneien", "schneit", "geschneit").zh("下雪").zh_past("下了雪").by(0).sudden(),
    v("hail", "hails", "hailed", "hailed", 0).de("", "hageln", "hagelt", "gehagelt").zh("下冰雹").zh_past("下了冰雹").by(0).sudden(),
];

/// Verbs with a recipient (dative in German) and a theme. Without an English preposition the recipient comes
/// first; a Chinese coverb puts the recipient before the verb.
#[rustfmt::skip]
pub static DITRANSITIVE: &[Verb] = &[
    v("give", "gives", "gave", "given", THING | READ | CLOTHES | INSTRUMENT | FOOD | DRINK).de("", "geben", "gibt", "gegeben").zh("给"),
    v("show", "shows", "showed", "shown", THING | READ | PICTURE | DWELLING | VEHICLE).de("", "zeigen", "zeigt", "gezeigt").zh("看").zh_coverb("给"),
    v("send", "sends", "sent", "sent", MAIL | READ | THING).de("", "schicken", "schickt", "geschickt").zh("寄给"),
    v("lend", "lends", "lent", "lent", THING | VEHICLE | READ | INSTRUMENT | CLOTHES).de("", "leihen", "leiht", "geliehen").zh("借给"),
    v("bring", "brings", "brought", "brought", FOOD | DRINK | THING | READ).de("", "bringen", "bringt", "gebracht").zh("带给"),
    v("hand", "hands", "handed", "handed", THING).de("", "reichen", "reicht", "gereicht").zh("递给"),
    v("tell", "tells", "told", "told", STORY).de("", "erzählen", "erzählt", "erzählt").zh("讲").zh_coverb("给"),
    v("read", "reads", "read", "read", STORY | READ).de("vor", "lesen", "liest", "vorgelesen").zh("朗读").zh_coverb("给"),
    v("offer", "offers", "offered", "offered", FOOD | DRINK).de("an", "bieten", "bietet", "angeboten").zh("提供").zh_coverb("给"),
    v("teach", "teaches", "taught", "taught", LANGUAGE).de("bei", "bringen", "bringt", "beigebracht").zh("教"),
    v("recommend", "recommends", "recommended", "recommended", READ | SHOW | DWELLING | FOOD | DRINK).en_preposition("to").de("", "empfehlen", "empfiehlt", "empfohlen").zh("推荐").zh_coverb("向"),
    v("explain", "explains", "explained", "explained", TOPIC | WRITTEN).en_preposition("to").de("", "erklären", "erklärt", "erklärt").zh("解释").zh_coverb("向"),
];

/// Verbs of moving to a place.
#[rustfmt::skip]
pub static MOTION: &[Verb] = &[
    v("go", "goes", "went", "gone", 0).de("", "gehen", "geht", "gegangen").sein().zh("去"),
    v("drive", "drives", "drove", "driven", 0).de("", "fahren", "fährt", "gefahren").sein().zh("开车去").zh_past("开车去了"),
    v("walk", "walks", "walked", "walked", 0).de("", "gehen", "geht", "gegangen").sein().with("zu Fuß").zh("走路去"),
    v("cycle", "cycles", "cycled", "cycled", 0).de("", "fahren", "fährt", "gefahren").sein().with("mit dem Fahrrad").zh("骑自行车去"),
    v("take the train", "takes the train", "took the train", "taken the train", 0).de("", "fahren", "fährt", "gefahren").sein().with("mit dem Zug").zh("坐火车去"),
    v("take the bus", "takes the bus", "took the bus", "taken the bus", 0).de("", "fahren", "fährt", "gefahren").sein().with("mit dem Bus").zh("坐公共汽车去"),
    v("hurry", "hurries", "hurried", "hurried", 0).de("", "eilen", "eilt", "geeilt").sein().zh("赶去"),
    v("return", "returns", "returned", "returned", 0).de("zurück", "kehren", "kehrt", "zurückgekehrt").sein().zh("回到"),
];

/// Verbs of moving that only fit towns and countries.
#[rustfmt::skip]
pub static JOURNEY: &[Verb] = &[
    v("fly", "flies", "flew", "flown", 0).de("", "fliegen", "fliegt", "geflogen").sein().zh("坐飞机去"),
    v("travel", "travels", "travelled", "travelled", 0).de("", "reisen", "reist", "gereist").sein().zh("前往"),
    v("move", "moves", "moved", "moved", 0).de("um", "ziehen", "zieht", "umgezogen").sein().zh("搬到"),
];

/// Verbs of being somewhere, a state and an action; the place is part of the predicate.
#[rustfmt::skip]
pub static DWELLING_IN: &[Verb; 2] = &[
    v("live", "lives", "lived", "lived", 0).de("", "wohnen", "wohnt", "gewohnt").stative().zh("住"),
    v("stay", "stays", "stayed", "stayed", 0).de("", "bleiben", "bleibt", "geblieben").sein().zh("留"),
];

/// Putting something somewhere; German says stellen of what stands and legen of what lies.
#[rustfmt::skip]
pub static PUTTING: &[Verb] = &[
    v("put", "puts", "put", "put", THING).except(FRAGILE).de("", "legen", "legt", "gelegt").zh("放"),
    v("put", "puts", "put", "put", FRAGILE).de("", "stellen", "stellt", "gestellt").zh("放"),
    v("throw", "throws", "threw", "thrown", THING).de("", "werfen", "wirft", "geworfen").zh("扔"),
];

/// Verbs with an infinitive.
#[rustfmt::skip]
pub static CONTROL: &[Verb] = &[
    v("try", "tries", "tried", "tried", 0).de("", "versuchen", "versucht", "versucht").stative().zh("试图"),
    v("plan", "plans", "planned", "planned", 0).de("", "planen", "plant", "geplant").stative().zh("打算"),
    v("hope", "hopes", "hoped", "hoped", 0).de("", "hoffen", "hofft", "gehofft").stative().zh("希望"),
    v("begin", "begins", "began", "begun", 0).de("", "beginnen", "beginnt", "begonnen").stative().zh("开始"),
    v("promise", "promises", "promised", "promised", 0).de("", "versprechen", "verspricht", "versprochen").stative().zh("答应"),
    v("refuse", "refuses", "refused", "refused", 0).de("", "weigern", "weigert", "geweigert").sich().stative().zh("拒绝"),
    v("intend", "intends", "intended", "intended", 0).de("vor", "haben", "hat", "vorgehabt").stative().zh("有意"),
];

/// Verbs with a that-clause.
#[rustfmt::skip]
pub static REPORTING: &[Verb] = &[
    v("say", "says", "said", "said", 0).de("", "sagen", "sagt", "gesagt").stative().zh("说"),
    v("believe", "believes", "believed", "believed", 0).de("", "glauben", "glaubt", "geglaubt").stative().zh("相信"),
    v("know", "knows", "knew", "known", 0).de("", "wissen", "weiß", "gewusst").stative().zh("知道"),
    v("hope", "hopes", "hoped", "hoped", 0).de("", "hoffen", "hofft", "gehofft").stative().zh("希望"),
    v("think", "thinks", "thought", "thought", 0).de("", "denken", "denkt", "gedacht").stative().zh("认为"),
    v("hear", "hears", "heard", "heard", 0).de("", "hören", "hört", "gehört").stative().zh("听说").sudden(),
    v("fear", "fears", "feared", "feared", 0).de("", "befürchten", "befürchtet", "befürchtet").stative().zh("害怕"),
    v("claim", "claims", "claimed", "claimed", 0).de("", "behaupten", "behauptet", "behauptet").stative().zh("声称"),
    v("doubt", "doubts", "doubted", "doubted", 0).de("", "bezweifeln", "bezweifelt", "bezweifelt").stative().zh("怀疑"),
];

/// Verbs with a whether-clause.
#[rustfmt::skip]
pub static ASKING: &[Verb] = &[
    v("ask", "asks", "asked", "asked", 0).de("", "fragen", "fragt", "gefragt").stative().zh("问"),
    v("wonder", "wonders", "wondered", "wondered", 0).de("", "fragen", "fragt", "gefragt").sich().stative().zh("想知道"),
];

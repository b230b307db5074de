//! Names, places, times and adverbs: phrases that are written out whole.

/// A person's name.
#[derive(Debug, PartialEq, Eq)]
pub struct Name {
    /// In English and German.
    pub latin: &'static str,
    pub zh: &'static str,
    pub female: bool,
}

const fn she(latin: &'static str, zh: &'static str) -> Name {
    Name { latin, zh, female: true }
}

const fn he(latin: &'static str, zh: &'static str) -> Name {
    Name { latin, zh, female: false }
}

/// All names; none ends in a sibilant, so that each has a genitive in -s.
#[rustfmt::skip]
pub static NAMES: &[Name] = &[
    she("Anna", "安娜"), she("Maria", "玛丽亚"), she("Julia", "朱莉娅"), she("Laura", "劳拉"),
    she("Emma", "艾玛"), she("Sophie", "索菲"), she("Eva", "伊娃"), she("Clara", "克拉拉"),
    she("Lena", "莱娜"), she("Helena", "海伦娜"), she("Li Na", "李娜"), she("Wang Fang", "王芳"),
    he("Peter", "彼得"), he("Martin", "马丁"), he("David", "大卫"), he("Michael", "迈克尔"),
    he("Paul", "保罗"), he("Daniel", "丹尼尔"), he("Robert", "罗伯特"), he("Simon", "西蒙"),
    he("Oliver", "奥利弗"), he("Jan", "扬"), he("Zhang Wei", "张伟"), he("Chen Ming", "陈明"),
];

/// A place as an adverbial: where and where to.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    pub en_where: &'static str,
    pub en_to: &'static str,
    pub de_where: &'static str,
    pub de_to: &'static str,
    /// After 在.
    pub zh_where: &'static str,
    /// After 去.
    pub zh_to: &'static str,
}

const fn p(
    en_where: &'static str,
    en_to: &'static str,
    de_where: &'static str,
    de_to: &'static str,
    zh_where: &'static str,
    zh_to: &'static str,
) -> Place {
    Place { en_where, en_to, de_where, de_to, zh_where, zh_to }
}

/// Places within a town.
#[rustfmt::skip]
pub static PLACES: &[Place] = &[
    p("in the park", "to the park", "im Park", "in den Park", "公园里", "公园"),
    p("at school", "to school", "in der Schule", "in die Schule", "学校", "学校"),
    p("in the hospital", "to the hospital", "im Krankenhaus", "ins Krankenhaus", "医院里", "医院"),
    p("at the station", "to the station", "am Bahnhof", "zum Bahnhof", "火车站", "火车站"),
    p("at the airport", "to the airport", "am Flughafen", "zum Flughafen", "机场", "机场"),
    p("in the supermarket", "to the supermarket", "im Supermarkt", "in den Supermarkt", "超市里", "超市"),
    p("in the library", "to the library", "in der Bibliothek", "in die Bibliothek", "图书馆里", "图书馆"),
    p("in the museum", "to the museum", "im Museum", "ins Museum", "博物馆里", "博物馆"),
    p("in the restaurant", "to the restaurant", "im Restaurant", "ins Restaurant", "餐厅里", "餐厅"),
    p("in the cinema", "to the cinema", "im Kino", "ins Kino", "电影院里", "电影院"),
    p("in the theatre", "to the theatre", "im Theater", "ins Theater", "剧院里", "剧院"),
    p("in the office", "to the office", "im Büro", "ins Büro", "办公室里", "办公室"),
    p("in the factory", "to the factory", "in der Fabrik", "in die Fabrik", "工厂里", "工厂"),
    p("at the market", "to the market", "auf dem Markt", "auf den Markt", "市场上", "市场"),
    p("in the zoo", "to the zoo", "im Zoo", "in den Zoo", "动物园里", "动物园"),
    p("in the hotel", "to the hotel", "im Hotel", "ins Hotel", "酒店里", "酒店"),
    p("at the university", "to the university", "an der Universität", "an die Universität", "大学里", "大学"),
    p("on the beach", "to the beach", "am Strand", "an den Strand", "海滩上", "海滩"),
    p("in the forest", "to the forest", "im Wald", "in den Wald", "森林里", "森林"),
    p("in the village", "to the village", "im Dorf", "ins Dorf", "村子里", "村子"),
    p("at the post office", "to the post office", "auf der Post", "auf die Post", "邮局", "邮局"),
    p("in the café", "to the café", "im Café", "ins Café", "咖啡馆里", "咖啡馆"),
    p("in the mountains", "to the mountains", "in den Bergen", "in die Berge", "山里", "山里"),
    p("in the garden", "to the garden", "im Garten", "in den Garten", "花园里", "花园"),
    p("in the kitchen", "to the kitchen", "in der Küche", "in die Küche", "厨房里", "厨房"),
];

/// So many places at the end of [`PLACES`] are part of a house.
pub const ROOMS: usize = 2;

const fn town(en: [&'static str; 2], de: [&'static str; 2], zh: &'static str) -> Place {
    p(en[0], en[1], de[0], de[1], zh, zh)
}

/// Towns and countries.
#[rustfmt::skip]
pub static TOWNS: &[Place] = &[
    town(["in Berlin", "to Berlin"], ["in Berlin", "nach Berlin"], "柏林"),
    town(["in Vienna", "to Vienna"], ["in Wien", "nach Wien"], "维也纳"),
    town(["in Munich", "to Munich"], ["in München", "nach München"], "慕尼黑"),
    town(["in Hamburg", "to Hamburg"], ["in Hamburg", "nach Hamburg"], "汉堡"),
    town(["in Cologne", "to Cologne"], ["in Köln", "nach Köln"], "科隆"),
    town(["in Zurich", "to Zurich"], ["in Zürich", "nach Zürich"], "苏黎世"),
    town(["in Paris", "to Paris"], ["in Paris", "nach Paris"], "巴黎"),
    town(["in London", "to London"], ["in London", "nach London"], "伦敦"),
    town(["in Rome", "to Rome"], ["in Rom", "nach Rom"], "罗马"),
    town(["in Prague", "to Prague"], ["in Prag", "nach Prag"], "布拉格"),
    town(["in Beijing", "to Beijing"], ["in Peking", "nach Peking"], "北京"),
    town(["in Shanghai", "to Shanghai"], ["in Schanghai", "nach Schanghai"], "上海"),
    town(["in Tokyo", "to Tokyo"], ["in Tokio", "nach Tokio"], "东京"),
    town(["in Germany", "to Germany"], ["in Deutschland", "nach Deutschland"], "德国"),
    town(["in Austria", "to Austria"], ["in Österreich", "nach Österreich"], "奥地利"),
    town(["in Switzerland", "to Switzerland"], ["in der Schweiz", "in die Schweiz"], "瑞士"),
    town(["in France", "to France"], ["in Frankreich", "nach Frankreich"], "法国"),
    town(["in Italy", "to Italy"], ["in Italien", "nach Italien"], "意大利"),
    town(["in China", "to China"], ["in China", "nach China"], "中国"),
    town(["in Japan", "to Japan"], ["in Japan", "nach Japan"], "日本"),
];

/// A phrase that is the same everywhere it stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Phrase {
    pub en: &'static str,
    pub de: &'static str,
    pub zh: &'static str,
}

const fn t(en: &'static str, de: &'static str, zh: &'static str) -> Phrase {
    Phrase { en, de, zh }
}

/// Times that are over.
pub static PAST_TIMES: &[Phrase] = &[
    t("yesterday", "gestern", "昨天"),
    t("yesterday evening", "gestern Abend", "昨天晚上"),
    t("the day before yesterday", "vorgestern", "前天"),
    t("last week", "letzte Woche", "上周"),
    t("last month", "letzten Monat", "上个月"),
    t("last year", "letztes Jahr", "去年"),
    t("last weekend", "letztes Wochenende", "上个周末"),
    t("recently", "neulich", "最近"),
];

/// Times that go with the present.
pub static PRESENT_TIMES: &[Phrase] = &[
    t("today", "heute", "今天"),
    t("now", "jetzt", "现在"),
    t("this week", "diese Woche", "这周"),
    t("this year", "dieses Jahr", "今年"),
];

/// Times of a habit.
pub static HABITUAL_TIMES: &[Phrase] = &[
    t("every day", "jeden Tag", "每天"),
    t("every morning", "jeden Morgen", "每天早上"),
    t("every evening", "jeden Abend", "每天晚上"),
    t("every week", "jede Woche", "每周"),
    t("every weekend", "jedes Wochenende", "每个周末"),
    t("in summer", "im Sommer", "夏天"),
    t("in winter", "im Winter", "冬天"),
];

/// Times to come.
pub static FUTURE_TIMES: &[Phrase] = &[
    t("tomorrow", "morgen", "明天"),
    t("tomorrow evening", "morgen Abend", "明天晚上"),
    t("the day after tomorrow", "übermorgen", "后天"),
    t("next week", "nächste Woche", "下周"),
    t("next month", "nächsten Monat", "下个月"),
    t("next year", "nächstes Jahr", "明年"),
    t("next weekend", "nächstes Wochenende", "下个周末"),
    t("soon", "bald", "不久"),
];

/// Days that a time of day can be added to.
pub static YESTERDAY: &Phrase = &PAST_TIMES[0];
pub static TODAY: &Phrase = &PRESENT_TIMES[0];
pub static TOMORROW: &Phrase = &FUTURE_TIMES[0];

/// The days of the week, from Monday.
pub static WEEKDAYS: &[Phrase] = &[
    t("Monday", "Montag", "星期一"),
    t("Tuesday", "Dienstag", "星期二"),
    t("Wednesday", "Mittwoch", "星期三"),
    t("Thursday", "Donnerstag", "星期四"),
    t("Friday", "Freitag", "星期五"),
    t("Saturday", "Samstag", "星期六"),
    t("Sunday", "Sonntag", "星期日"),
];

/// The months, from January.
pub static MONTHS: &[Phrase] = &[
    t("January", "Januar", "1月"),
    t("February", "Februar", "2月"),
    t("March", "März", "3月"),
    t("April", "April", "4月"),
    t("May", "Mai", "5月"),
    t("June", "Juni", "6月"),
    t("July", "Juli", "7月"),
    t("August", "August", "8月"),
    t("September", "September", "9月"),
    t("October", "Oktober", "10月"),
    t("November", "November", "11月"),
    t("December", "Dezember", "12月"),
];

/// Units of a span of time: singular and plural, and German in the dative.
pub static SPANS: &[[&str; 5]] = &[
    ["day", "days", "Tag", "Tagen", "天"],
    ["week", "weeks", "Woche", "Wochen", "周"],
    ["month", "months", "Monat", "Monaten", "个月"],
    ["year", "years", "Jahr", "Jahren", "年"],
];

/// How often; the last is a negation of its own.
pub static FREQUENCIES: &[Phrase] = &[
    t("always", "immer", "总是"),
    t("often", "oft", "经常"),
    t("usually", "normalerweise", "通常"),
    t("sometimes", "manchmal", "有时"),
    t("rarely", "selten", "很少"),
    t("never", "nie", "从不"),
];

/// In what manner somebody does something.
pub static MANNERS: &[Phrase] = &[
    t("slowly", "langsam", "慢慢地"),
    t("quickly", "schnell", "很快地"),
    t("carefully", "vorsichtig", "小心地"),
    t("quietly", "leise", "悄悄地"),
    t("gladly", "gern", "乐意地"),
    t("patiently", "geduldig", "耐心地"),
    t("secretly", "heimlich", "偷偷地"),
    t("alone", "allein", "独自"),
    t("together with a friend", "zusammen mit einem Freund", "和一个朋友一起"),
    t("without help", "ohne Hilfe", "独立地"),
];

/// How a thing lies towards another. The German prepositions take the dative for a place and the accusative
/// for a direction.
pub static RELATIONS: &[Phrase] = &[
    t("on", "auf", "上"),
    t("in", "in", "里"),
    t("under", "unter", "下面"),
    t("next to", "neben", "旁边"),
    t("behind", "hinter", "后面"),
    t("in front of", "vor", "前面"),
];

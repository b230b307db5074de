//! Nouns, their gender, plural and genitive in German, and their measure word in Chinese.

use super::class::*;
use std::ops::Deref;

/// German grammatical gender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gender {
    Masculine,
    Feminine,
    Neuter,
}

use Gender::{Feminine as F, Masculine as M, Neuter as N};

/// One noun in three languages.
#[derive(Debug)]
pub struct Noun {
    pub en: &'static str,
    /// Empty for mass nouns, which have no plural in any of the languages.
    pub en_plural: &'static str,
    pub gender: Gender,
    pub de: &'static str,
    pub de_plural: &'static str,
    /// Genitive singular. Where it does not end in -s, a masculine noun has it in the other cases but the
    /// nominative too (the weak declension).
    pub de_genitive: &'static str,
    pub zh: &'static str,
    /// The measure word, 些 for mass nouns.
    pub measure: &'static str,
    pub class: Class,
    /// For [`PROFESSION`]s the German word for a woman.
    pub de_feminine: &'static str,
    /// The units that a mass noun is counted in; of a drink, first the vessel that it stands in.
    pub units: &'static [Unit],
}

impl Noun {
    /// Whether the noun has no plural.
    pub fn is_mass(&self) -> bool {
        self.en_plural.is_empty()
    }

    /// Whether the noun declines weakly in German (der Student, den Studenten).
    pub fn is_weak(&self) -> bool {
        self.gender == M && !self.de_genitive.ends_with('s')
    }

    /// Whether any class of `class` is among the noun's.
    pub fn is(&self, class: Class) -> bool {
        self.class & class != 0
    }
}

/// A noun of [`NOUNS`], by its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NounId(u16);

impl NounId {
    /// Every noun.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..NOUNS.len() as u16).map(Self)
    }

    /// The place in [`NOUNS`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl Deref for NounId {
    type Target = Noun;
    fn deref(&self) -> &Noun {
        &NOUNS[self.index()]
    }
}

/// A unit in which mass nouns are counted: a cup of coffee, eine Tasse Kaffee, 一杯咖啡.
#[derive(Debug, PartialEq, Eq)]
pub struct Unit {
    pub en: &'static str,
    pub en_plural: &'static str,
    pub gender: Gender,
    pub de: &'static str,
    pub de_plural: &'static str,
    pub zh: &'static str,
}

const fn unit(
    en: &'static str,
    en_plural: &'static str,
    gender: Gender,
    de: &'static str,
    de_plural: &'static str,
    zh: &'static str,
) -> Unit {
    Unit { en, en_plural, gender, de, de_plural, zh }
}

const CUP: Unit = unit("cup", "cups", F, "Tasse", "Tassen", "杯");
const BOTTLE: Unit = unit("bottle", "bottles", F, "Flasche", "Flaschen", "瓶");
const BOWL: Unit = unit("bowl", "bowls", F, "Schüssel", "Schüsseln", "碗");
const PIECE: Unit = unit("piece", "pieces", N, "Stück", "Stück", "块");
const KILO: Unit = unit("kilo", "kilos", N, "Kilo", "Kilo", "公斤");
const LITRE: Unit = unit("litre", "litres", M, "Liter", "Liter", "升");
const PLATE: Unit = unit("plate", "plates", M, "Teller", "Teller", "盘");
const BAG: Unit = unit("bag", "bags", F, "Tüte", "Tüten", "袋");

/// A noun that is counted.
#[allow(clippy::too_many_arguments)] // A row of a table reads best as a row.
const fn n(
    en: &'static str,
    en_plural: &'static str,
    gender: Gender,
    de: &'static str,
    de_plural: &'static str,
    de_genitive: &'static str,
    zh: &'static str,
    measure: &'static str,
    class: Class,
) -> Noun {
    Noun { en, en_plural, gender, de, de_plural, de_genitive, zh, measure, class, de_feminine: "", units: &[] }
}

/// A profession, with the German word for a woman of it.
#[allow(clippy::too_many_arguments)] // As above.
const fn job(
    en: &'static str,
    en_plural: &'static str,
    de: &'static str,
    de_plural: &'static str,
    de_genitive: &'static str,
    de_feminine: &'static str,
    zh: &'static str,
    measure: &'static str,
) -> Noun {
    let class = PERSON | PROFESSION;
    Noun { en, en_plural, gender: M, de, de_plural, de_genitive, zh, measure, class, de_feminine, units: &[] }
}

/// A mass noun.
const fn mass(
    en: &'static str,
    gender: Gender,
    de: &'static str,
    de_genitive: &'static str,
    zh: &'static str,
    class: Class,
    units: &'static [Unit],
) -> Noun {
    Noun {
        en, en_plural: "", gender, de, de_plural: "", de_genitive, zh, measure: "些", class, de_feminine: "", units
    }
}

/// All nouns.
#[rustfmt::skip]
pub static NOUNS: &[Noun] = &[
    // People
    n("man", "men", M, "Mann", "Männer", "Mannes", "男人", "个", PERSON),
    n("woman", "women", F, "Frau", "Frauen", "Frau", "女人", "个", PERSON),
    n("child", "children", N, "Kind", "Kinder", "Kindes", "孩子", "个", PERSON),
    n("boy", "boys", M, "Junge", "Jungen", "Jungen", "男孩", "个", PERSON),
    n("girl", "girls", N, "Mädchen", "Mädchen", "Mädchens", "女孩", "个", PERSON),
    n("student", "students", M, "Student", "Studenten", "Studenten", "大学生", "个", PERSON),
    n("pupil", "pupils", M, "Schüler", "Schüler", "Schülers", "小学生", "个", PERSON),
    n("neighbour", "neighbours", M, "Nachbar", "Nachbarn", "Nachbarn", "邻居", "个", PERSON),
    n("friend", "friends", M, "Freund", "Freunde", "Freundes", "朋友", "个", PERSON),
    n("colleague", "colleagues", M, "Kollege", "Kollegen", "Kollegen", "同事", "个", PERSON),
    n("guest", "guests", M, "Gast", "Gäste", "Gastes", "客人", "位", PERSON),
    n("customer", "customers", M, "Kunde", "Kunden", "Kunden", "顾客", "位", PERSON),
    n("boss", "bosses", M, "Chef", "Chefs", "Chefs", "老板", "位", PERSON),
    n("tourist", "tourists", M, "Tourist", "Touristen", "Touristen", "游客", "个", PERSON),
    n("patient", "patients", M, "Patient", "Patienten", "Patienten", "病人", "个", PERSON),
    n("soldier", "soldiers", M, "Soldat", "Soldaten", "Soldaten", "士兵", "个", PERSON),
    n("waiter", "waiters", M, "Kellner", "Kellner", "Kellners", "服务员", "个", PERSON),
    job("teacher", "teachers", "Lehrer", "Lehrer", "Lehrers", "Lehrerin", "老师", "位"),
    job("doctor", "doctors", "Arzt", "Ärzte", "Arztes", "Ärztin", "医生", "位"),
    job("engineer", "engineers", "Ingenieur", "Ingenieure", "Ingenieurs", "Ingenieurin", "工程师", "位"),
    job("lawyer", "lawyers", "Anwalt", "Anwälte", "Anwalts", "Anwältin", "律师", "位"),
    job("cook", "cooks", "Koch", "Köche", "Kochs", "Köchin", "厨师", "位"),
    job("baker", "bakers", "Bäcker", "Bäcker", "Bäckers", "Bäckerin", "面包师", "个"),
    job("police officer", "police officers", "Polizist", "Polizisten", "Polizisten", "Polizistin", "警察", "个"),
    job("driver", "drivers", "Fahrer", "Fahrer", "Fahrers", "Fahrerin", "司机", "个"),
    job("farmer", "farmers", "Bauer", "Bauern", "Bauern", "Bäuerin", "农民", "个"),
    job("artist", "artists", "Künstler", "Künstler", "Künstlers", "Künstlerin", "艺术家", "位"),
    job("singer", "singers", "Sänger", "Sänger", "Sängers", "Sängerin", "歌手", "个"),
    job("writer", "writers", "Schriftsteller", "Schriftsteller", "Schriftstellers", "Schriftstellerin", "作家", "位"),
    job("journalist", "journalists", "Journalist", "Journalisten", "Journalisten", "Journalistin", "记者", "个"),
    job("musician", "musicians", "Musiker", "Musiker", "Musikers", "Musikerin", "音乐家", "位"),
    job("scientist", "scientists", "Wissenschaftler", "Wissenschaftler", "Wissenschaftlers", "Wissenschaftlerin", "科学家", "位"),
    job("architect", "architects", "Architekt", "Architekten", "Architekten", "Architektin", "建筑师", "位"),
    job("dentist", "dentists", "Zahnarzt", "Zahnärzte", "Zahnarztes", "Zahnärztin", "牙医", "位"),
    job("pilot", "pilots", "Pilot", "Piloten", "Piloten", "Pilotin", "飞行员", "个"),
    job("programmer", "programmers", "Programmierer", "Programmierer", "Programmierers", "Programmiererin", "程序员", "个"),
    n("mother", "mothers", F, "Mutter", "Mütter", "Mutter", "妈妈", "个", PERSON | KIN),
    n("father", "fathers", M, "Vater", "Väter", "Vaters", "爸爸", "个", PERSON | KIN),
    n("brother", "brothers", M, "Bruder", "Brüder", "Bruders", "哥哥", "个", PERSON | KIN),
    n("sister", "sisters", F, "Schwester", "Schwestern", "Schwester", "姐姐", "个", PERSON | KIN),
    n("son", "sons", M, "Sohn", "Söhne", "Sohnes", "儿子", "个", PERSON | KIN),
    n("daughter", "daughters", F, "Tochter", "Töchter", "Tochter", "女儿", "个", PERSON | KIN),
    n("grandmother", "grandmothers", F, "Großmutter", "Großmütter", "Großmutter", "奶奶", "个", PERSON | KIN),
    n("grandfather", "grandfathers", M, "Großvater", "Großväter", "Großvaters", "爷爷", "个", PERSON | KIN),
    n("uncle", "uncles", M, "Onkel", "Onkel", "Onkels", "叔叔", "个", PERSON | KIN),
    n("aunt", "aunts", F, "Tante", "Tanten", "Tante", "阿姨", "个", PERSON | KIN),
    // Animals
    n("dog", "dogs", M, "Hund", "Hunde", "Hundes", "狗", "只", ANIMAL),
    n("cat", "cats", F, "Katze", "Katzen", "Katze", "猫", "只", ANIMAL),
    n("horse", "horses", N, "Pferd", "Pferde", "Pferdes", "马", "匹", ANIMAL),
    n("bird", "birds", M, "Vogel", "Vögel", "Vogels", "鸟", "只", ANIMAL),
    n("cow", "cows", F, "Kuh", "Kühe", "Kuh", "牛", "头", ANIMAL),
    n("pig", "pigs", N, "Schwein", "Schweine", "Schweins", "猪", "头", ANIMAL),
    n("rabbit", "rabbits", N, "Kaninchen", "Kaninchen", "Kaninchens", "兔子", "只", ANIMAL),
    n("mouse", "mice", F, "Maus", "Mäuse", "Maus", "老鼠", "只", ANIMAL),
    n("duck", "ducks", F, "Ente", "Enten", "Ente", "鸭子", "只", ANIMAL),
    n("elephant", "elephants", M, "Elefant", "Elefanten", "Elefanten", "大象", "头", ANIMAL),
    n("monkey", "monkeys", M, "Affe", "Affen", "Affen", "猴子", "只", ANIMAL),
    n("bear", "bears", M, "Bär", "Bären", "Bären", "熊", "只", ANIMAL),
    n("lion", "lions", M, "Löwe", "Löwen", "Löwen", "狮子", "头", ANIMAL),
    // Food
    n("apple", "apples", M, "Apfel", "Äpfel", "Apfels", "苹果", "个", FOOD | FRUIT),
    n("banana", "bananas", F, "Banane", "Bananen", "Banane", "香蕉", "根", FOOD | FRUIT),
    n("orange", "oranges", F, "Orange", "Orangen", "Orange", "橙子", "个", FOOD | FRUIT),
    n("pear", "pears", F, "Birne", "Birnen", "Birne", "梨", "个", FOOD | FRUIT),
    n("lemon", "lemons", F, "Zitrone", "Zitronen", "Zitrone", "柠檬", "个", FOOD | FRUIT),
    n("tomato", "tomatoes", F, "Tomate", "Tomaten", "Tomate", "西红柿", "个", FOOD | FRUIT),
    n("potato", "potatoes", F, "Kartoffel", "Kartoffeln", "Kartoffel", "土豆", "个", FOOD | COOKED),
    n("carrot", "carrots", F, "Karotte", "Karotten", "Karotte", "胡萝卜", "根", FOOD | COOKED),
    n("onion", "onions", F, "Zwiebel", "Zwiebeln", "Zwiebel", "洋葱", "个", FOOD),
    n("egg", "eggs", N, "Ei", "Eier", "Eies", "鸡蛋", "个", FOOD | COOKED),
    n("sausage", "sausages", F, "Wurst", "Würste", "Wurst", "香肠", "根", FOOD),
    n("pizza", "pizzas", F, "Pizza", "Pizzas", "Pizza", "披萨", "个", FOOD | BAKED),
    n("sandwich", "sandwiches", N, "Sandwich", "Sandwiches", "Sandwichs", "三明治", "个", FOOD),
    n("biscuit", "biscuits", M, "Keks", "Kekse", "Kekses", "饼干", "块", FOOD | BAKED),
    mass("bread", N, "Brot", "Brotes", "面包", FOOD | BAKED, &[PIECE, KILO]),
    mass("rice", M, "Reis", "Reises", "米饭", FOOD | COOKED, &[BOWL, PLATE]),
    mass("meat", N, "Fleisch", "Fleisches", "肉", FOOD | COOKED, &[PIECE, KILO]),
    mass("fish", M, "Fisch", "Fisches", "鱼", FOOD | COOKED, &[KILO, PLATE]),
    mass("cheese", M, "Käse", "Käses", "奶酪", FOOD, &[PIECE, KILO]),
    mass("soup", F, "Suppe", "Suppe", "汤", FOOD | COOKED, &[BOWL, LITRE]),
    mass("cake", M, "Kuchen", "Kuchens", "蛋糕", FOOD | BAKED, &[PIECE, PLATE]),
    mass("chocolate", F, "Schokolade", "Schokolade", "巧克力", FOOD, &[PIECE, BAG]),
    mass("salad", M, "Salat", "Salats", "沙拉", FOOD, &[BOWL, PLATE]),
    mass("sugar", M, "Zucker", "Zuckers", "糖", FOOD, &[KILO, BAG]),
    mass("honey", M, "Honig", "Honigs", "蜂蜜", FOOD, &[BOTTLE, KILO]),
    mass("water", N, "Wasser", "Wassers", "水", DRINK, &[BOTTLE, LITRE]),
    mass("coffee", M, "Kaffee", "Kaffees", "咖啡", DRINK, &[CUP]),
    mass("tea", M, "Tee", "Tees", "茶", DRINK, &[CUP]),
    mass("milk", F, "Milch", "Milch", "牛奶", DRINK, &[CUP, BOTTLE, LITRE]),
    mass("beer", N, "Bier", "Biers", "啤酒", DRINK, &[BOTTLE, LITRE]),
    mass("wine", M, "Wein", "Weins", "葡萄酒", DRINK, &[BOTTLE, LITRE]),
    mass("juice", M, "Saft", "Safts", "果汁", DRINK, &[BOTTLE, LITRE]),
    // Things to read and write
    n("book", "books", N, "Buch", "Bücher", "Buches", "书", "本", READ | WRITTEN | THING),
    n("newspaper", "newspapers", F, "Zeitung", "Zeitungen", "Zeitung", "报纸", "份", READ | THING),
    n("magazine", "magazines", F, "Zeitschrift", "Zeitschriften", "Zeitschrift", "杂志", "本", READ | THING),
    n("letter", "letters", M, "Brief", "Briefe", "Briefes", "信", "封", READ | WRITTEN | MAIL | THING),
    n("email", "emails", F, "E-Mail", "E-Mails", "E-Mail", "电子邮件", "封", READ | WRITTEN | MAIL),
    n("article", "articles", M, "Artikel", "Artikel", "Artikels", "文章", "篇", READ | WRITTEN),
    n("novel", "novels", M, "Roman", "Romane", "Romans", "小说", "本", READ | WRITTEN | THING),
    n("poem", "poems", N, "Gedicht", "Gedichte", "Gedichts", "诗", "首", READ | WRITTEN),
    n("dictionary", "dictionaries", N, "Wörterbuch", "Wörterbücher", "Wörterbuches", "词典", "本", READ | THING),
    n("text", "texts", M, "Text", "Texte", "Textes", "课文", "篇", READ | WRITTEN),
    n("postcard", "postcards", F, "Postkarte", "Postkarten", "Postkarte", "明信片", "张", READ | WRITTEN | MAIL | THING | COLLECTIBLE),
    n("contract", "contracts", M, "Vertrag", "Verträge", "Vertrags", "合同", "份", READ | WRITTEN | CONTRACT),
    n("report", "reports", M, "Bericht", "Berichte", "Berichts", "报告", "份", READ | WRITTEN),
    n("recipe", "recipes", N, "Rezept", "Rezepte", "Rezepts", "菜谱", "份", READ | WRITTEN),
    // Clothes
    n("shirt", "shirts", N, "Hemd", "Hemden", "Hemdes", "衬衫", "件", CLOTHES),
    n("coat", "coats", M, "Mantel", "Mäntel", "Mantels", "大衣", "件", CLOTHES),
    n("dress", "dresses", N, "Kleid", "Kleider", "Kleides", "连衣裙", "条", CLOTHES),
    n("skirt", "skirts", M, "Rock", "Röcke", "Rocks", "短裙", "条", CLOTHES),
    n("jacket", "jackets", F, "Jacke", "Jacken", "Jacke", "夹克", "件", CLOTHES),
    n("sweater", "sweaters", M, "Pullover", "Pullover", "Pullovers", "毛衣", "件", CLOTHES),
    n("suit", "suits", M, "Anzug", "Anzüge", "Anzugs", "西装", "套", CLOTHES),
    n("uniform", "uniforms", F, "Uniform", "Uniformen", "Uniform", "制服", "套", CLOTHES),
    // Vehicles
    n("car", "cars", N, "Auto", "Autos", "Autos", "汽车", "辆", VEHICLE),
    n("bicycle", "bicycles", N, "Fahrrad", "Fahrräder", "Fahrrads", "自行车", "辆", VEHICLE),
    n("motorbike", "motorbikes", N, "Motorrad", "Motorräder", "Motorrads", "摩托车", "辆", VEHICLE),
    n("lorry", "lorries", M, "Lastwagen", "Lastwagen", "Lastwagens", "卡车", "辆", VEHICLE),
    n("bus", "buses", M, "Bus", "Busse", "Busses", "公共汽车", "辆", TRANSIT),
    n("train", "trains", M, "Zug", "Züge", "Zuges", "火车", "列", TRANSIT),
    n("taxi", "taxis", N, "Taxi", "Taxis", "Taxis", "出租车", "辆", TRANSIT),
    n("ship", "ships", N, "Schiff", "Schiffe", "Schiffes", "船", "艘", TRANSIT),
    // Furniture and containers
    n("table", "tables", M, "Tisch", "Tische", "Tisches", "桌子", "张", FURNITURE | SURFACE),
    n("chair", "chairs", M, "Stuhl", "Stühle", "Stuhls", "椅子", "把", FURNITURE | SURFACE),
    n("bed", "beds", N, "Bett", "Betten", "Bettes", "床", "张", FURNITURE | SURFACE),
    n("sofa", "sofas", N, "Sofa", "Sofas", "Sofas", "沙发", "张", FURNITURE | SURFACE),
    n("desk", "desks", M, "Schreibtisch", "Schreibtische", "Schreibtisches", "书桌", "张", FURNITURE | SURFACE),
    n("shelf", "shelves", N, "Regal", "Regale", "Regals", "书架", "个", FURNITURE | SURFACE),
    n("carpet", "carpets", M, "Teppich", "Teppiche", "Teppichs", "地毯", "块", FURNITURE | SURFACE),
    n("cupboard", "cupboards", M, "Schrank", "Schränke", "Schranks", "柜子", "个", FURNITURE | CONTAINER | OPENABLE),
    n("drawer", "drawers", F, "Schublade", "Schubladen", "Schublade", "抽屉", "个", CONTAINER | OPENABLE),
    n("box", "boxes", F, "Kiste", "Kisten", "Kiste", "箱子", "个", CONTAINER | OPENABLE),
    n("suitcase", "suitcases", M, "Koffer", "Koffer", "Koffers", "行李箱", "个", CONTAINER | OPENABLE),
    n("handbag", "handbags", F, "Tasche", "Taschen", "Tasche", "手提包", "个", CONTAINER | OPENABLE),
    n("basket", "baskets", M, "Korb", "Körbe", "Korbs", "篮子", "个", CONTAINER),
    n("door", "doors", F, "Tür", "Türen", "Tür", "门", "扇", OPENABLE),
    n("window", "windows", N, "Fenster", "Fenster", "Fensters", "窗户", "扇", OPENABLE),
    // Small things
    n("key", "keys", M, "Schlüssel", "Schlüssel", "Schlüssels", "钥匙", "把", THING),
    n("umbrella", "umbrellas", M, "Regenschirm", "Regenschirme", "Regenschirms", "雨伞", "把", THING),
    n("pencil", "pencils", M, "Bleistift", "Bleistifte", "Bleistifts", "铅笔", "支", THING),
    n("knife", "knives", N, "Messer", "Messer", "Messers", "刀", "把", THING),
    n("fork", "forks", F, "Gabel", "Gabeln", "Gabel", "叉子", "把", THING),
    n("spoon", "spoons", M, "Löffel", "Löffel", "Löffels", "勺子", "把", THING),
    n("watch", "watches", F, "Uhr", "Uhren", "Uhr", "手表", "块", THING),
    n("ring", "rings", M, "Ring", "Ringe", "Rings", "戒指", "枚", THING),
    n("ball", "balls", M, "Ball", "Bälle", "Balls", "球", "个", THING),
    n("doll", "dolls", F, "Puppe", "Puppen", "Puppe", "娃娃", "个", THING | COLLECTIBLE),
    n("present", "presents", N, "Geschenk", "Geschenke", "Geschenks", "礼物", "份", THING),
    n("ticket", "tickets", F, "Fahrkarte", "Fahrkarten", "Fahrkarte", "车票", "张", THING),
    n("wallet", "wallets", F, "Brieftasche", "Brieftaschen", "Brieftasche", "钱包", "个", THING),
    n("photo", "photos", N, "Foto", "Fotos", "Fotos", "照片", "张", THING | PICTURE | COLLECTIBLE),
    n("picture", "pictures", N, "Bild", "Bilder", "Bildes", "图片", "张", THING | PICTURE | COLLECTIBLE),
    n("map", "maps", F, "Landkarte", "Landkarten", "Landkarte", "地图", "张", THING | PICTURE | COLLECTIBLE),
    n("stamp", "stamps", F, "Briefmarke", "Briefmarken", "Briefmarke", "邮票", "张", THING | COLLECTIBLE),
    n("coin", "coins", F, "Münze", "Münzen", "Münze", "硬币", "枚", THING | COLLECTIBLE),
    n("candle", "candles", F, "Kerze", "Kerzen", "Kerze", "蜡烛", "根", THING),
    n("parcel", "parcels", N, "Paket", "Pakete", "Pakets", "包裹", "个", THING | MAIL),
    n("bill", "bills", F, "Rechnung", "Rechnungen", "Rechnung", "账单", "张", BILL),
    n("cup", "cups", F, "Tasse", "Tassen", "Tasse", "杯子", "个", THING | FRAGILE),
    n("plate", "plates", M, "Teller", "Teller", "Tellers", "盘子", "个", THING | FRAGILE),
    n("bottle", "bottles", F, "Flasche", "Flaschen", "Flasche", "瓶子", "个", THING | FRAGILE),
    n("glass", "glasses", N, "Glas", "Gläser", "Glases", "玻璃杯", "个", THING | FRAGILE),
    n("vase", "vases", F, "Vase", "Vasen", "Vase", "花瓶", "个", THING | FRAGILE),
    n("mirror", "mirrors", M, "Spiegel", "Spiegel", "Spiegels", "镜子", "面", FRAGILE),
    n("flower", "flowers", F, "Blume", "Blumen", "Blume", "花", "朵", PLANT),
    n("rose", "roses", F, "Rose", "Rosen", "Rose", "玫瑰", "朵", PLANT),
    n("tree", "trees", M, "Baum", "Bäume", "Baumes", "树", "棵", PLANT),
    // Machines and instruments
    n("lamp", "lamps", F, "Lampe", "Lampen", "Lampe", "灯", "盏", DEVICE),
    n("computer", "computers", M, "Computer", "Computer", "Computers", "电脑", "台", DEVICE),
    n("television", "televisions", M, "Fernseher", "Fernseher", "Fernsehers", "电视机", "台", DEVICE),
    n("radio", "radios", N, "Radio", "Radios", "Radios", "收音机", "台", DEVICE),
    n("camera", "cameras", F, "Kamera", "Kameras", "Kamera", "相机", "台", DEVICE),
    n("washing machine", "washing machines", F, "Waschmaschine", "Waschmaschinen", "Waschmaschine", "洗衣机", "台", DEVICE),
    n("printer", "printers", M, "Drucker", "Drucker", "Druckers", "打印机", "台", DEVICE),
    n("mobile phone", "mobile phones", N, "Handy", "Handys", "Handys", "手机", "部", DEVICE),
    n("guitar", "guitars", F, "Gitarre", "Gitarren", "Gitarre", "吉他", "把", INSTRUMENT),
    n("piano", "pianos", N, "Klavier", "Klaviere", "Klaviers", "钢琴", "架", INSTRUMENT),
    // Sports and languages
    mass("tennis", N, "Tennis", "Tennis", "网球", SPORT, &[]),
    mass("basketball", M, "Basketball", "Basketballs", "篮球", SPORT, &[]),
    mass("volleyball", M, "Volleyball", "Volleyballs", "排球", SPORT, &[]),
    mass("badminton", N, "Badminton", "Badmintons", "羽毛球", SPORT, &[]),
    mass("table tennis", N, "Tischtennis", "Tischtennis", "乒乓球", SPORT, &[]),
    mass("English", N, "Englisch", "Englischs", "英语", LANGUAGE, &[]),
    mass("German", N, "Deutsch", "Deutschs", "德语", LANGUAGE, &[]),
    mass("Chinese", N, "Chinesisch", "Chinesischs", "中文", LANGUAGE, &[]),
    mass("French", N, "Französisch", "Französischs", "法语", LANGUAGE, &[]),
    mass("Spanish", N, "Spanisch", "Spanischs", "西班牙语", LANGUAGE, &[]),
    mass("Russian", N, "Russisch", "Russischs", "俄语", LANGUAGE, &[]),
    // Buildings
    n("house", "houses", N, "Haus", "Häuser", "Hauses", "房子", "座", BUILDING | DWELLING),
    n("flat", "flats", F, "Wohnung", "Wohnungen", "Wohnung", "公寓", "套", DWELLING),
    n("church", "churches", F, "Kirche", "Kirchen", "Kirche", "教堂", "座", BUILDING | SIGHT),
    n("bridge", "bridges", F, "Brücke", "Brücken", "Brücke", "桥", "座", BUILDING),
    n("castle", "castles", N, "Schloss", "Schlösser", "Schlosses", "城堡", "座", BUILDING | SIGHT),
    n("tower", "towers", M, "Turm", "Türme", "Turms", "塔", "座", BUILDING | SIGHT),
    n("temple", "temples", M, "Tempel", "Tempel", "Tempels", "寺庙", "座", BUILDING | SIGHT),
    // Thoughts and stories
    n("problem", "problems", N, "Problem", "Probleme", "Problems", "难题", "个", TOPIC | PROBLEM),
    n("question", "questions", F, "Frage", "Fragen", "Frage", "问题", "个", TOPIC | QUESTION),
    n("plan", "plans", M, "Plan", "Pläne", "Plans", "计划", "个", TOPIC),
    n("idea", "ideas", F, "Idee", "Ideen", "Idee", "主意", "个", TOPIC),
    n("rule", "rules", F, "Regel", "Regeln", "Regel", "规则", "条", TOPIC),
    n("word", "words", N, "Wort", "Wörter", "Wortes", "单词", "个", TOPIC),
    n("sentence", "sentences", M, "Satz", "Sätze", "Satzes", "句子", "个", TOPIC),
    n("mistake", "mistakes", M, "Fehler", "Fehler", "Fehlers", "错误", "个", TOPIC),
    n("story", "stories", F, "Geschichte", "Geschichten", "Geschichte", "故事", "个", STORY),
    n("joke", "jokes", M, "Witz", "Witze", "Witzes", "笑话", "个", STORY),
    n("fairy tale", "fairy tales", N, "Märchen", "Märchen", "Märchens", "童话", "个", STORY),
    n("song", "songs", N, "Lied", "Lieder", "Liedes", "歌", "首", SONG),
    n("film", "films", M, "Film", "Filme", "Films", "电影", "部", SHOW),
    n("play", "plays", N, "Theaterstück", "Theaterstücke", "Theaterstücks", "话剧", "部", SHOW),
    n("match", "matches", N, "Spiel", "Spiele", "Spiels", "比赛", "场", SHOW | EVENT),
    // Events
    n("concert", "concerts", N, "Konzert", "Konzerte", "Konzerts", "音乐会", "场", SHOW | EVENT),
    n("meeting", "meetings", F, "Sitzung", "Sitzungen", "Sitzung", "会议", "场", EVENT),
    n("party", "parties", F, "Party", "Partys", "Party", "派对", "场", EVENT),
    n("course", "courses", M, "Kurs", "Kurse", "Kurses", "课程", "门", EVENT),
    n("lecture", "lectures", M, "Vortrag", "Vorträge", "Vortrags", "讲座", "场", EVENT),
    n("wedding", "weddings", F, "Hochzeit", "Hochzeiten", "Hochzeit", "婚礼", "场", EVENT),
    n("trip", "trips", F, "Reise", "Reisen", "Reise", "旅行", "次", EVENT),
    n("exhibition", "exhibitions", F, "Ausstellung", "Ausstellungen", "Ausstellung", "展览", "个", EVENT),
];

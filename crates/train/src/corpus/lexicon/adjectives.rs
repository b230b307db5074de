//! Adjectives with their comparison in English and German.

use super::class::*;

/// One adjective in three languages.
#[derive(Debug)]
pub struct Adjective {
    pub en: &'static str,
    /// Empty where English compares with more and most.
    pub en_comparative: &'static str,
    pub en_superlative: &'static str,
    pub de: &'static str,
    /// What the endings are added to: teuer, but teur-er; hoch, but hoh-er.
    pub de_stem: &'static str,
    /// Empty for adjectives that are not compared (red).
    pub de_comparative: &'static str,
    /// What the endings of the superlative are added to: größt-.
    pub de_superlative: &'static str,
    /// In front of a noun, with 的 where it needs one.
    pub zh_attributive: &'static str,
    /// After 很, 非常 or 比; for adjectives that are not compared, between 是 and 的.
    pub zh: &'static str,
    /// The nouns it fits.
    pub fits: Class,
    /// A mood that passes, so that one can have been in it yesterday.
    pub passing: bool,
}

impl Adjective {
    /// Whether it takes degrees (very, bigger, biggest).
    pub fn is_gradable(&self) -> bool {
        !self.de_comparative.is_empty()
    }
}

/// English forms, German forms, Chinese forms and the nouns it fits.
const fn a(en: [&'static str; 3], de: [&'static str; 4], zh: [&'static str; 2], fits: Class) -> Adjective {
    Adjective {
        en: en[0],
        en_comparative: en[1],
        en_superlative: en[2],
        de: de[0],
        de_stem: de[1],
        de_comparative: de[2],
        de_superlative: de[3],
        zh: zh[0],
        zh_attributive: zh[1],
        fits,
        passing: false,
    }
}

/// An adjective for a passing state.
const fn mood(en: [&'static str; 3], de: [&'static str; 4], zh: [&'static str; 2], fits: Class) -> Adjective {
    Adjective { passing: true, ..a(en, de, zh, fits) }
}

/// An adjective that is not compared.
const fn plain(
    en: &'static str,
    de: &'static str,
    zh: &'static str,
    zh_attributive: &'static str,
    fits: Class,
) -> Adjective {
    a([en, "", ""], [de, de, "", ""], [zh, zh_attributive], fits)
}

const GOODS: Class = CLOTHES | VEHICLE | FURNITURE | THING | DEVICE | INSTRUMENT | CONTAINER;
const COLOURED: Class = CLOTHES | VEHICLE | FURNITURE | FRAGILE | CONTAINER | OPENABLE;
const TEXTUAL: Class = READ | STORY | SHOW | EVENT;

/// All adjectives.
#[rustfmt::skip]
pub static ADJECTIVES: &[Adjective] = &[
    a(["big", "bigger", "biggest"], ["groß", "groß", "größer", "größt"], ["大", "大"], FURNITURE | CONTAINER | BUILDING | DWELLING | ANIMAL | OPENABLE | FRAGILE | TRANSIT),
    a(["small", "smaller", "smallest"], ["klein", "klein", "kleiner", "kleinst"], ["小", "小"], FURNITURE | CONTAINER | BUILDING | DWELLING | ANIMAL | OPENABLE | FRAGILE | DEVICE | PICTURE),
    a(["new", "newer", "newest"], ["neu", "neu", "neuer", "neuest"], ["新", "新"], GOODS | READ | BUILDING | DWELLING | SHOW | TOPIC | SONG),
    a(["old", "older", "oldest"], ["alt", "alt", "älter", "ältest"], ["旧", "旧"], GOODS | READ | DWELLING | BUILDING | TRANSIT),
    a(["young", "younger", "youngest"], ["jung", "jung", "jünger", "jüngst"], ["年轻", "年轻的"], PERSON),
    a(["beautiful", "", ""], ["schön", "schön", "schöner", "schönst"], ["漂亮", "漂亮的"], CLOTHES | PLANT | BUILDING | PICTURE | FRAGILE | ANIMAL),
    a(["ugly", "uglier", "ugliest"], ["hässlich", "hässlich", "hässlicher", "hässlichst"], ["难看", "难看的"], CLOTHES | BUILDING | FURNITURE | PICTURE),
    a(["expensive", "", ""], ["teuer", "teur", "teurer", "teuerst"], ["贵", "贵的"], GOODS | READ | DWELLING | FOOD | DRINK),
    a(["cheap", "cheaper", "cheapest"], ["billig", "billig", "billiger", "billigst"], ["便宜", "便宜的"], GOODS | READ | DWELLING | FOOD | DRINK),
    a(["long", "longer", "longest"], ["lang", "lang", "länger", "längst"], ["长", "长"], READ | STORY | SONG | SHOW | EVENT | CLOTHES),
    a(["short", "shorter", "shortest"], ["kurz", "kurz", "kürzer", "kürzest"], ["短", "短"], READ | STORY | SONG | SHOW | EVENT),
    a(["heavy", "heavier", "heaviest"], ["schwer", "schwer", "schwerer", "schwerst"], ["重", "重的"], FURNITURE | CONTAINER | INSTRUMENT),
    a(["light", "lighter", "lightest"], ["leicht", "leicht", "leichter", "leichtest"], ["轻", "轻的"], CONTAINER | DEVICE | CLOTHES),
    a(["fast", "faster", "fastest"], ["schnell", "schnell", "schneller", "schnellst"], ["快", "快的"], VEHICLE | TRANSIT | ANIMAL),
    a(["slow", "slower", "slowest"], ["langsam", "langsam", "langsamer", "langsamst"], ["慢", "慢的"], VEHICLE | TRANSIT | ANIMAL),
    a(["hot", "hotter", "hottest"], ["heiß", "heiß", "heißer", "heißest"], ["热", "热"], DRINK | COOKED),
    a(["cold", "colder", "coldest"], ["kalt", "kalt", "kälter", "kältest"], ["冷", "冷"], DRINK | COOKED),
    a(["warm", "warmer", "warmest"], ["warm", "warm", "wärmer", "wärmst"], ["暖和", "暖和的"], CLOTHES),
    a(["fresh", "fresher", "freshest"], ["frisch", "frisch", "frischer", "frischest"], ["新鲜", "新鲜的"], FRUIT | COOKED | BAKED),
    a(["sweet", "sweeter", "sweetest"], ["süß", "süß", "süßer", "süßest"], ["甜", "甜"], FRUIT | BAKED | DRINK),
    a(["sour", "sourer", "sourest"], ["sauer", "saur", "saurer", "sauerst"], ["酸", "酸"], FRUIT),
    a(["delicious", "", ""], ["lecker", "lecker", "leckerer", "leckerst"], ["好吃", "好吃的"], FOOD),
    a(["good", "better", "best"], ["gut", "gut", "besser", "best"], ["好", "好"], TEXTUAL | FOOD | DRINK | TOPIC | DEVICE | INSTRUMENT),
    a(["bad", "worse", "worst"], ["schlecht", "schlecht", "schlechter", "schlechtest"], ["差", "差的"], TEXTUAL | DEVICE),
    a(["clean", "cleaner", "cleanest"], ["sauber", "sauber", "sauberer", "sauberst"], ["干净", "干净的"], CLOTHES | VEHICLE | OPENABLE | FRAGILE | DWELLING | FURNITURE),
    a(["dirty", "dirtier", "dirtiest"], ["schmutzig", "schmutzig", "schmutziger", "schmutzigst"], ["脏", "脏"], CLOTHES | VEHICLE | OPENABLE | FRAGILE | DWELLING | ANIMAL),
    a(["high", "higher", "highest"], ["hoch", "hoh", "höher", "höchst"], ["高", "高"], BUILDING),
    a(["modern", "", ""], ["modern", "modern", "moderner", "modernst"], ["现代", "现代的"], BUILDING | DWELLING | DEVICE),
    a(["famous", "", ""], ["berühmt", "berühmt", "berühmter", "berühmtest"], ["出名", "出名的"], PROFESSION | SIGHT | SONG | PICTURE),
    a(["interesting", "", ""], ["interessant", "interessant", "interessanter", "interessantest"], ["有意思", "有意思的"], TEXTUAL | TOPIC),
    a(["boring", "", ""], ["langweilig", "langweilig", "langweiliger", "langweiligst"], ["无聊", "无聊的"], TEXTUAL),
    a(["difficult", "", ""], ["schwierig", "schwierig", "schwieriger", "schwierigst"], ["难", "难的"], TOPIC),
    a(["simple", "simpler", "simplest"], ["einfach", "einfach", "einfacher", "einfachst"], ["简单", "简单的"], TOPIC | WRITTEN),
    a(["important", "", ""], ["wichtig", "wichtig", "wichtiger", "wichtigst"], ["重要", "重要的"], TOPIC | WRITTEN | EVENT),
    a(["dangerous", "", ""], ["gefährlich", "gefährlich", "gefährlicher", "gefährlichst"], ["危险", "危险的"], ANIMAL | VEHICLE | BUILDING),
    a(["loud", "louder", "loudest"], ["laut", "laut", "lauter", "lautest"], ["吵", "吵的"], DEVICE | TRANSIT),
    a(["quiet", "quieter", "quietest"], ["ruhig", "ruhig", "ruhiger", "ruhigst"], ["安静", "安静的"], PERSON | DWELLING),
    a(["friendly", "friendlier", "friendliest"], ["freundlich", "freundlich", "freundlicher", "freundlichst"], ["友好", "友好的"], PERSON),
    a(["clever", "cleverer", "cleverest"], ["klug", "klug", "klüger", "klügst"], ["聪明", "聪明的"], PERSON | ANIMAL),
    a(["lazy", "lazier", "laziest"], ["faul", "faul", "fauler", "faulst"], ["懒", "懒的"], PERSON | ANIMAL),
    a(["hard-working", "", ""], ["fleißig", "fleißig", "fleißiger", "fleißigst"], ["勤奋", "勤奋的"], PERSON),
    mood(["tired", "", ""], ["müde", "müd", "müder", "müdest"], ["累", "累的"], PERSON),
    mood(["happy", "happier", "happiest"], ["glücklich", "glücklich", "glücklicher", "glücklichst"], ["高兴", "高兴的"], PERSON),
    mood(["sad", "sadder", "saddest"], ["traurig", "traurig", "trauriger", "traurigst"], ["伤心", "伤心的"], PERSON),
    mood(["angry", "angrier", "angriest"], ["wütend", "wütend", "wütender", "wütendst"], ["愤怒", "愤怒的"], PERSON),
    mood(["hungry", "hungrier", "hungriest"], ["hungrig", "hungrig", "hungriger", "hungrigst"], ["饿", "饿的"], PERSON | ANIMAL),
    a(["healthy", "healthier", "healthiest"], ["gesund", "gesund", "gesünder", "gesündest"], ["健康", "健康的"], PERSON | ANIMAL),
    a(["strong", "stronger", "strongest"], ["stark", "stark", "stärker", "stärkst"], ["强壮", "强壮的"], PERSON | ANIMAL),
    a(["rich", "richer", "richest"], ["reich", "reich", "reicher", "reichst"], ["富有", "富有的"], PERSON),
    a(["poor", "poorer", "poorest"], ["arm", "arm", "ärmer", "ärmst"], ["穷", "穷"], PERSON),
    a(["polite", "politer", "politest"], ["höflich", "höflich", "höflicher", "höflichst"], ["有礼貌", "有礼貌的"], PERSON),
    a(["brave", "braver", "bravest"], ["mutig", "mutig", "mutiger", "mutigst"], ["勇敢", "勇敢的"], PERSON | ANIMAL),
    a(["shy", "shyer", "shyest"], ["schüchtern", "schüchtern", "schüchterner", "schüchternst"], ["害羞", "害羞的"], PERSON),
    mood(["nervous", "", ""], ["nervös", "nervös", "nervöser", "nervösest"], ["紧张", "紧张的"], PERSON),
    a(["funny", "funnier", "funniest"], ["lustig", "lustig", "lustiger", "lustigst"], ["滑稽", "滑稽的"], STORY | SHOW | SONG | PICTURE),
    a(["comfortable", "", ""], ["bequem", "bequem", "bequemer", "bequemst"], ["舒服", "舒服的"], FURNITURE | CLOTHES | VEHICLE),
    a(["practical", "", ""], ["praktisch", "praktisch", "praktischer", "praktischst"], ["实用", "实用的"], DEVICE | CONTAINER | TOPIC),
    a(["useful", "", ""], ["nützlich", "nützlich", "nützlicher", "nützlichst"], ["有用", "有用的"], DEVICE | TOPIC | READ),
    a(["strange", "stranger", "strangest"], ["seltsam", "seltsam", "seltsamer", "seltsamst"], ["奇怪", "奇怪的"], TOPIC | STORY | MAIL | PERSON | ANIMAL),
    a(["hard", "harder", "hardest"], ["hart", "hart", "härter", "härtest"], ["硬", "硬"], BAKED),
    a(["soft", "softer", "softest"], ["weich", "weich", "weicher", "weichst"], ["软", "软"], BAKED),
    a(["thick", "thicker", "thickest"], ["dick", "dick", "dicker", "dickst"], ["厚", "厚"], READ | CLOTHES),
    a(["thin", "thinner", "thinnest"], ["dünn", "dünn", "dünner", "dünnst"], ["薄", "薄"], READ | CLOTHES),
    plain("red", "rot", "红色", "红色", COLOURED | PLANT | FRUIT),
    plain("blue", "blau", "蓝色", "蓝色", COLOURED),
    plain("green", "grün", "绿色", "绿色", COLOURED | FRUIT),
    plain("yellow", "gelb", "黄色", "黄色", COLOURED | PLANT | FRUIT),
    plain("black", "schwarz", "黑色", "黑色", COLOURED | ANIMAL | DEVICE),
    plain("white", "weiß", "白色", "白色", COLOURED | PLANT | DEVICE),
    plain("brown", "braun", "棕色", "棕色", COLOURED | ANIMAL),
    plain("grey", "grau", "灰色", "灰色", COLOURED | ANIMAL | DEVICE),
];

/// What the weather is like.
#[rustfmt::skip]
pub static WEATHER_ADJECTIVES: &[Adjective] = &[
    a(["hot", "hotter", "hottest"], ["heiß", "heiß", "heißer", "heißest"], ["热", "热"], 0),
    a(["cold", "colder", "coldest"], ["kalt", "kalt", "kälter", "kältest"], ["冷", "冷"], 0),
    a(["cool", "cooler", "coolest"], ["kühl", "kühl", "kühler", "kühlst"], ["凉快", "凉快的"], 0),
    a(["humid", "", ""], ["schwül", "schwül", "schwüler", "schwülst"], ["闷热", "闷热的"], 0),
];

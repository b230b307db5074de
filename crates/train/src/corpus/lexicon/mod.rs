//! The words. Each row of a table is one meaning with its form in the three languages; within a table no two
//! rows share a form in any language unless their classes keep them apart, so a word decides its translation.

pub mod adjectives;
pub mod nouns;
pub mod phrases;
pub mod verbs;

/// What a noun names, as a set of bits. Verbs and adjectives ask for sets, so that food is eaten and doors are
/// opened.
pub mod class {
    /// The type of a set of classes.
    pub type Class = u64;
    pub const PERSON: Class = 1;
    pub const ANIMAL: Class = 1 << 1;
    /// Food in general; the narrower food classes below come on top.
    pub const FOOD: Class = 1 << 2;
    pub const DRINK: Class = 1 << 3;
    pub const READ: Class = 1 << 4;
    pub const CLOTHES: Class = 1 << 5;
    pub const VEHICLE: Class = 1 << 6;
    pub const FURNITURE: Class = 1 << 7;
    /// Things can lie on it.
    pub const SURFACE: Class = 1 << 8;
    /// Things can be in it.
    pub const CONTAINER: Class = 1 << 9;
    pub const BUILDING: Class = 1 << 10;
    /// Small enough to hold in a hand.
    pub const THING: Class = 1 << 11;
    pub const INSTRUMENT: Class = 1 << 12;
    pub const DEVICE: Class = 1 << 13;
    pub const TOPIC: Class = 1 << 14;
    pub const LANGUAGE: Class = 1 << 15;
    pub const SPORT: Class = 1 << 16;
    pub const PLANT: Class = 1 << 17;
    /// Something one watches.
    pub const SHOW: Class = 1 << 18;
    pub const EVENT: Class = 1 << 19;
    pub const OPENABLE: Class = 1 << 20;
    pub const FRAGILE: Class = 1 << 21;
    pub const COOKED: Class = 1 << 22;
    pub const BAKED: Class = 1 << 23;
    /// Something one writes.
    pub const WRITTEN: Class = 1 << 24;
    /// Public transport: one waits for it.
    pub const TRANSIT: Class = 1 << 25;
    /// Something one tells.
    pub const STORY: Class = 1 << 26;
    pub const MAIL: Class = 1 << 27;
    pub const SONG: Class = 1 << 28;
    /// A relative; always somebody's.
    pub const KIN: Class = 1 << 29;
    /// A profession that exists in a feminine form too.
    pub const PROFESSION: Class = 1 << 30;
    pub const FRUIT: Class = 1 << 31;
    pub const PICTURE: Class = 1 << 32;
    pub const DWELLING: Class = 1 << 33;
    pub const COLLECTIBLE: Class = 1 << 34;
    pub const BILL: Class = 1 << 35;
    pub const QUESTION: Class = 1 << 36;
    pub const PROBLEM: Class = 1 << 37;
    /// Something one visits to look at.
    pub const SIGHT: Class = 1 << 38;
    pub const CONTRACT: Class = 1 << 39;
}

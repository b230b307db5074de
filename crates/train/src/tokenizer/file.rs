//! tokenizer.json: what is written, and what is refused on the way back.
//!
//! The file is the `tokenizers` crate's own, so that Hugging Face's libraries read it too. Loading is strict: crafted
//! files make that crate panic in more than one place, so nothing reaches it but subwords and merges that were checked.
//! All other settings must be exactly those this version writes.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use tokenizers::models::bpe::{BPE, Vocab};

use super::{Error, MAX_VOCAB, SPECIALS};

/// 64 MiB; the vocabulary of a hundred thousand subwords takes a tenth.
pub(super) const MAX_JSON_BYTES: u64 = 64 << 20;

/// The part of a tokenizer that is learnt: subwords by number, merges by rank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vocabulary {
    pub(super) tokens: Vec<String>,
    pub(super) merges: Vec<(String, String)>,
}

impl Vocabulary {
    /// Reads a trained model's parts; the crate shows its merges only in JSON.
    pub(super) fn of_model(model: &BPE) -> Result<Self, Error> {
        let mut value = serde_json::to_value(model).map_err(|source| Error::Json { source })?;
        Self::take(&mut value)
    }

    /// Takes `vocab` and `merges` out of a model in JSON, and checks them.
    fn take(model: &mut Value) -> Result<Self, Error> {
        let mut take = |field, name| match model.get_mut(name) {
            Some(value) => Ok(value.take()),
            None => Err(invalid(field, "is missing".into())),
        };
        let tokens = check_vocab(take("model.vocab", "vocab")?)?;
        let merges = check_merges(take("model.merges", "merges")?, &tokens)?;
        Ok(Self { tokens, merges })
    }

    pub(super) fn model(&self) -> Result<BPE, Error> {
        let vocab: Vocab = self.tokens.iter().cloned().zip(0..).collect();
        BPE::builder()
            .vocab_and_merges(vocab, self.merges.clone())
            .unk_token(SPECIALS[super::UNK as usize].into())
            .fuse_unk(true)
            .build()
            .map_err(Error::library)
    }

    /// Checks a whole tokenizer.json against `template`, the file of a tokenizer that has learnt nothing.
    pub(super) fn from_json(json: &[u8], mut template: Value) -> Result<Self, Error> {
        if json.len() as u64 > MAX_JSON_BYTES {
            return Err(Error::TooLarge { got: json.len() as u64, max: MAX_JSON_BYTES });
        }
        let mut value: Value = serde_json::from_slice(json).map_err(|source| Error::Json { source })?;
        let model = value.get_mut("model").ok_or_else(|| invalid("model", "is missing".into()))?;
        let vocabulary = Self::take(model)?;
        template["model"]["vocab"].take();
        template["model"]["merges"].take();
        if value != template {
            let differs = |name: &&'static str| value.get(name) != template.get(name);
            let field = SECTIONS.into_iter().find(differs).unwrap_or("the top level");
            return Err(invalid(field, "is not what this version of noam writes".into()));
        }
        Ok(vocabulary)
    }
}

const SECTIONS: [&str; 9] = [
    "version",
    "truncation",
    "padding",
    "added_tokens",
    "normalizer",
    "pre_tokenizer",
    "post_processor",
    "decoder",
    "model",
];

fn invalid(field: &'static str, problem: String) -> Error {
    Error::Invalid { field, problem }
}

/// Subwords by number: the numbers are 0, 1, 2, ... without a gap, the special tokens come first.
fn check_vocab(value: Value) -> Result<Vec<String>, Error> {
    let bad = |problem| Err(invalid("model.vocab", problem));
    let Value::Object(vocab) = value else { return bad("is not an object".into()) };
    let n = vocab.len();
    if !(SPECIALS.len()..=MAX_VOCAB).contains(&n) {
        return bad(format!("has {n} subwords, must have {} to {MAX_VOCAB}", SPECIALS.len()));
    }
    let mut tokens = vec![String::new(); n];
    for (token, id) in vocab {
        if token.is_empty() {
            return bad("has an empty subword".into());
        }
        let place = id.as_u64().and_then(|id| usize::try_from(id).ok()).and_then(|id| tokens.get_mut(id));
        match place {
            Some(place) if place.is_empty() => *place = token,
            Some(_) => return bad(format!("has number {id} twice")),
            None => return bad(format!("gives {token:?} the number {id}, must be from 0 to {}", n - 1)),
        }
    }
    if tokens[..SPECIALS.len()] != SPECIALS {
        return bad(format!("must begin with {SPECIALS:?}"));
    }
    Ok(tokens)
}

/// Merges by rank: each joins two subwords into a third, none twice, none to or from a special token.
fn check_merges(value: Value, tokens: &[String]) -> Result<Vec<(String, String)>, Error> {
    let bad = |problem| Err(invalid("model.merges", problem));
    let Value::Array(list) = value else { return bad("is not a list".into()) };
    let ids: HashMap<&str, usize> = tokens.iter().map(String::as_str).zip(0..).collect();
    let known = |token: &str| ids.get(token).is_some_and(|&id| id >= SPECIALS.len());
    let mut seen = HashSet::with_capacity(list.len().min(tokens.len()));
    let mut merges = Vec::with_capacity(list.len().min(tokens.len()));
    for (rank, pair) in list.into_iter().enumerate() {
        let Value::Array(pair) = pair else { return bad(format!("has no pair at {rank}")) };
        let Ok([Value::String(a), Value::String(b)]) = <[Value; 2]>::try_from(pair) else {
            return bad(format!("has no pair of strings at {rank}"));
        };
        if !(known(&a) && known(&b) && known(&format!("{a}{b}"))) {
            return bad(format!("joins {a:?} and {b:?} at {rank}, which are not subwords or do not make one"));
        }
        if !seen.insert((ids[a.as_str()], ids[b.as_str()])) {
            return bad(format!("joins {a:?} and {b:?} twice"));
        }
        merges.push((a, b));
    }
    Ok(merges)
}

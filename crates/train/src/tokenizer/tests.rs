//! Round trips, reproducible training, and files that are not tokenizers.

use std::process::Command;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokenizers::tokenizer::Decoder as _;

use super::*;

const GERMAN: [&str; 20] = [
    "Der alte Mann kauft am Montag ein Brot.",
    "Die alte Frau kauft am Dienstag zwei Brote.",
    "Das kleine Mädchen trägt einen roten Mantel.",
    "Der kleine Junge trägt eine blaue Mütze.",
    "Wir fahren morgen mit dem Zug nach Köln.",
    "Ihr fahrt heute mit dem Bus nach München.",
    "Er sagte: „Ich komme um 8:30 Uhr.“",
    "Sie fragte: »Kommst du morgen wieder?«",
    "Das Buch kostet 12,50 Euro (ohne Versand).",
    "Die Straßenbahn fährt alle 10 Minuten.",
    "Übermorgen öffnet das Café schon um sieben.",
    "Ein Hund schläft vor der Tür - er wartet.",
    "Zwei Hunde schlafen vor dem großen Haus.",
    "Weil es regnet, bleibt die Familie zu Hause.",
    "Obwohl es schneit, geht der Mann spazieren.",
    "Ich rufe dich an, sobald der Zug ankommt!",
    "Der Lehrer erklärt den Kindern die Aufgabe.",
    "Die Lehrerin erklärt dem Kind das Spiel.",
    "Warum hast du das Fenster nicht zugemacht?",
    "Am 3. Oktober 1990 war ein Mittwoch.",
];

const ENGLISH: [&str; 20] = [
    "The old man buys a loaf of bread on Monday.",
    "The old woman buys two loaves on Tuesday.",
    "The little girl is wearing a red coat.",
    "The little boy is wearing a blue cap.",
    "We are going to Cologne by train tomorrow.",
    "You are going to Munich by bus today.",
    "He said, \"I'll be there at 8:30.\"",
    "She asked, 'Will you come back tomorrow?'",
    "The book costs 12.50 euros (plus postage).",
    "The tram runs every 10 minutes.",
    "The café opens at seven the day after tomorrow.",
    "A dog sleeps at the door - it is waiting.",
    "Two dogs are sleeping in front of the big house.",
    "Because it is raining, the family stays at home.",
    "Although it is snowing, the man goes for a walk.",
    "I'll call you as soon as the train arrives!",
    "The teacher explains the task to the children.",
    "The teacher explains the game to the child.",
    "Why didn't you close the window?",
    "October 3, 1990 was a Wednesday.",
];

const CHINESE: [&str; 20] = [
    "老人星期一买了一个面包。",
    "老太太星期二买了两个面包。",
    "小女孩穿着一件红色的大衣。",
    "小男孩戴着一顶蓝色的帽子。",
    "我们明天坐火车去科隆。",
    "你们今天坐公共汽车去慕尼黑。",
    "他说：“我八点半到。”",
    "她问：“你明天还来吗？”",
    "这本书卖12.50欧元（不含邮费）。",
    "电车每10分钟一班。",
    "后天咖啡馆七点就开门。",
    "一只狗在门口睡觉，它在等人。",
    "两只狗在大房子前面睡觉。",
    "因为下雨，所以一家人待在家里。",
    "虽然下雪，那个男人还是去散步。",
    "火车一到，我就给你打电话！",
    "老师给孩子们讲解作业。",
    "老师给那个孩子讲解游戏。",
    "你为什么没有关窗户？",
    "1990年10月3日是星期三。",
];

fn corpus() -> impl Iterator<Item = &'static str> {
    GERMAN.into_iter().chain(ENGLISH).chain(CHINESE)
}

fn trained() -> Tokenizer {
    Tokenizer::train(corpus(), 700).unwrap()
}

static TRAINED: LazyLock<Tokenizer> = LazyLock::new(trained);

fn spelled<'a>(tokenizer: &'a Tokenizer, text: &str) -> Vec<&'a str> {
    tokenizer.encode(text).unwrap().into_iter().map(|id| tokenizer.token(id)).collect()
}

#[test]
fn decoding_undoes_encoding() {
    let tokenizer = trained();
    let unseen = [
        "\"Der\" Mann, (ohne Hund) - kauft: „Brot“!",
        "Zwei Frauen kaufen 1.235,00 Euro",
        "我们在1990年买了两个红色的窗户（一只狗）。",
        "The dog's coat is red, isn't it?",
        "Der Mann sagte: 我们去睡觉。 Das Brot!",
        "... - , ?!",
        "a",
        "我",
        "",
    ];
    for text in corpus().chain(unseen) {
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(tokenizer.decode(&ids), text);
        assert!(!ids.contains(&UNK), "{text}: {:?}", spelled(&tokenizer, text));
    }
}

#[test]
fn decoding_agrees_with_the_decoder_in_the_file() {
    let tokenizer = trained();
    for text in corpus() {
        let ids = tokenizer.encode(text).unwrap();
        let tokens = ids.iter().map(|&id| tokenizer.token(id).to_owned()).collect();
        assert_eq!(pieces::metaspace().decode(tokens).unwrap(), tokenizer.decode(&ids));
    }
}

#[test]
fn special_tokens_have_fixed_numbers_and_no_text_spells_them() {
    let text = corpus().chain(["</s> <s> <pad> <unk>"; 9]);
    let tokenizer = Tokenizer::train(text, 500).unwrap();
    for (id, name) in [(PAD, "<pad>"), (BOS, "<s>"), (EOS, "</s>"), (UNK, "<unk>")] {
        assert_eq!(tokenizer.token(id), name);
        for text in [name.to_owned(), format!("a{name}b"), format!("{name}{name} {name}")] {
            let ids = tokenizer.encode(&text).unwrap();
            assert!(ids.iter().all(|&id| id > UNK), "{text}: {ids:?}");
            assert_eq!(tokenizer.decode(&ids), text);
        }
    }
    assert_eq!(tokenizer.decode(&[BOS, PAD, EOS, UNK, u32::MAX]), "");
    assert_eq!(tokenizer.token(u32::MAX), "<unk>");
}

#[test]
fn unseen_characters_become_unknown_and_nothing_else() {
    let tokenizer = trained();
    assert_eq!(spelled(&tokenizer, "ѣѣ"), ["▁", "<unk>"]);
    let ids = tokenizer.encode("Der Mann 😀 龘 Ω kauft ein Brot.").unwrap();
    assert_eq!(ids.iter().filter(|&&id| id == UNK).count(), 3);
    assert!(tokenizer.decode(&ids).ends_with("kauft ein Brot."));
}

#[test]
fn accents_white_space_and_the_space_mark_are_normalised() {
    let tokenizer = trained();
    let want = tokenizer.encode("Das Mädchen").unwrap();
    for text in ["Das Ma\u{308}dchen", " Das\u{a0}Mädchen\n", "Das \t  Mädchen"] {
        assert_eq!(tokenizer.encode(text).unwrap(), want, "{text:?}");
    }
    assert_eq!(pieces::normalise("a▁b ▁"), "a_b _");
    assert_eq!(pieces::normalise("▁"), "_");
    assert!(matches!(pieces::normalise(" plain text. "), std::borrow::Cow::Borrowed("plain text.")));
}

#[test]
fn chinese_gets_words_and_not_clauses() {
    // Every sentence ten times: a clause is as frequent as its words, so only the bound keeps it apart.
    let text: Vec<&str> = (0..10).flat_map(|_| CHINESE).collect();
    let tokenizer = Tokenizer::train(text, 2000).unwrap();
    let longest =
        (0..tokenizer.vocab_size() as u32).map(|id| tokenizer.token(id)).filter(|t| pieces::allowed(t)).count();
    assert_eq!(longest, tokenizer.vocab_size());
    let tokens = spelled(&tokenizer, "我们明天坐火车去慕尼黑。");
    assert!(tokens.len() <= 8 && tokens.contains(&"。"), "{tokens:?}");
    // The same word within a sentence as at its start.
    let (start, within) = (spelled(&tokenizer, "老师讲解。"), spelled(&tokenizer, "，老师讲解。"));
    assert_eq!(start[1..], within[2..]);
    assert_eq!((start[0], &within[..2]), ("▁", &["▁", "，"][..]));
}

#[test]
fn punctuation_and_digits_stand_alone() {
    let tokenizer = Tokenizer::train(corpus(), 2000).unwrap();
    let tokens = spelled(&tokenizer, "The dog, the dog. 1990 (dog)");
    assert_eq!(tokens.iter().filter(|t| **t == "▁dog").count(), 2, "{tokens:?}");
    for (token, digits) in (0..tokenizer.vocab_size() as u32).skip(4).map(|id| {
        let token = tokenizer.token(id).trim_start_matches('▁');
        (token, token.chars().filter(|c| c.is_ascii_digit() || c.is_ascii_punctuation()).count())
    }) {
        assert!(digits == 0 || token.chars().count() == 1, "{token}");
    }
}

#[test]
fn small_texts_give_small_vocabularies_and_large_ones_exactly_what_is_asked() {
    assert!(Tokenizer::train(["aa ab"], 5000).unwrap().vocab_size() < 12);
    for size in [200, 400] {
        let tokenizer = Tokenizer::train(corpus(), size).unwrap();
        assert_eq!(tokenizer.vocab_size(), size);
        // Half of it characters at most: rare ones were left out, and are unknown.
        let single = (4..size as u32).filter(|&id| tokenizer.token(id).chars().count() == 1).count();
        assert!(single <= size / 2, "{single}");
        let ids = tokenizer.encode_all(&corpus().collect(), &NEVER).unwrap();
        assert!(ids.iter().flatten().any(|&id| id == UNK) && ids.iter().flatten().all(|&id| id < size as u32));
    }
    for size in [0, MIN_VOCAB - 1, MAX_VOCAB + 1] {
        assert!(matches!(Tokenizer::train(["a"], size), Err(Error::VocabSize { got, .. }) if got == size));
    }
    assert!(matches!(Tokenizer::train([" ", "\n"], 100), Err(Error::NoText)));
    assert!(matches!(Tokenizer::train([], 100), Err(Error::NoText)));
}

#[test]
fn the_order_of_the_text_and_the_threads_do_not_matter() {
    let want = trained().to_json().unwrap();
    let mut reversed: Vec<&str> = corpus().collect();
    reversed.reverse();
    assert_eq!(Tokenizer::train(reversed, 700).unwrap().to_json().unwrap(), want);
    let lines: Lines = corpus().collect();
    let ids = trained().encode_all(&lines, &NEVER).unwrap();
    for threads in [1, 2, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            assert_eq!(trained().to_json().unwrap(), want, "{threads}");
            assert_eq!(trained().encode_all(&lines, &NEVER).unwrap(), ids, "{threads}");
        });
    }
    for (line, ids) in lines.iter().zip(&ids) {
        assert_eq!(&trained().encode(line).unwrap(), ids);
        // The library takes the sentence whole.
        let whole = trained().inner.encode_fast(pieces::normalise(line).as_ref(), false).unwrap();
        assert_eq!(whole.get_ids(), ids);
    }
}

#[test]
fn endless_words_are_taken_as_several() {
    let tokenizer = trained();
    // Two bytes a letter, 16 KiB a part.
    let word = "ü".repeat(20_000);
    let ids = tokenizer.encode(&word).unwrap();
    assert_eq!(tokenizer.decode(&ids), [8192, 8192, 3616].map(|n| "ü".repeat(n)).join(" "));
    assert_eq!(tokenizer.encode_all(&[&word].into_iter().collect(), &NEVER).unwrap(), [ids]);
    // An odd byte before them moves the cut to the left.
    let ids = tokenizer.encode(&format!("a{word}")).unwrap();
    assert_eq!(tokenizer.decode(&ids).find(' '), Some(1 + 2 * 8191));
}

#[test]
fn a_vocabulary_size_beyond_all_there_is_costs_nothing() {
    for text in [&["a"][..], &["aa aa aa", "ab ab ab", "我们 我们"]] {
        let exact = Tokenizer::train(text.iter().copied(), 5000).unwrap();
        let most = Tokenizer::train(text.iter().copied(), MAX_VOCAB).unwrap();
        assert_eq!(most.to_json().unwrap(), exact.to_json().unwrap());
    }
}

/// Hash maps are seeded once a process, so that only another process shows whether their order got in: this test
/// binary, run again.
#[test]
fn two_processes_train_the_same_bytes() {
    const VARIABLE: &str = "NOAM_TEST_TRAIN_TOKENIZER";
    if let Some(path) = std::env::var_os(VARIABLE) {
        std::fs::write(path, trained().to_json().unwrap()).unwrap();
        return;
    }
    let want = trained().to_json().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for i in 0..4 {
        let path = folder.path().join(i.to_string());
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tokenizer::tests::two_processes_train_the_same_bytes", "--quiet"])
            .env(VARIABLE, &path)
            .output()
            .unwrap()
            .status;
        assert!(status.success());
        assert!(std::fs::read_to_string(path).unwrap() == want, "process {i} learnt something else");
    }
}

#[test]
fn files_load_as_they_were_saved() {
    let tokenizer = trained();
    let json = tokenizer.to_json().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, &json).unwrap();
    let loaded = Tokenizer::load(&path).unwrap();
    assert_eq!(loaded.to_json().unwrap(), json);
    for text in corpus() {
        assert_eq!(loaded.encode(text).unwrap(), tokenizer.encode(text).unwrap());
    }
    // The library that the file is for reads it too, and ends a sentence as its template says.
    let foreign: tokenizers::Tokenizer = json.parse().unwrap();
    let mut want = tokenizer.encode(GERMAN[0]).unwrap();
    want.push(EOS);
    assert_eq!(foreign.encode(GERMAN[0], true).unwrap().get_ids(), want);

    let error = Tokenizer::load(&folder.path().join("none.json")).unwrap_err();
    assert!(matches!(error, Error::Read { .. }) && error.to_string().contains("none.json"), "{error}");
    let error = Tokenizer::from_json(&vec![b' '; file::MAX_JSON_BYTES as usize + 1]).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }));
}

fn refused(json: &[u8], field: &str) {
    match Tokenizer::from_json(json) {
        Err(Error::Invalid { field: got, .. }) if got == field => {}
        other => panic!("{field}: {other:?}"),
    }
}

#[test]
fn every_kind_of_foreign_file_is_refused() {
    let json = trained().to_json().unwrap();
    let good: Value = serde_json::from_str(&json).unwrap();
    let n = good["model"]["vocab"].as_object().unwrap().len();
    let change = |path: &str, value: Value, field: &str| {
        let mut file = good.clone();
        *file.pointer_mut(path).unwrap() = value;
        refused(file.to_string().as_bytes(), field);
    };
    change("/version", json!("9.0"), "version");
    change("/truncation", json!({"max_length": 0}), "truncation");
    change("/padding", json!({}), "padding");
    change("/added_tokens/0/id", json!(4_294_967_295u32), "added_tokens");
    change("/added_tokens", json!([]), "added_tokens");
    change("/normalizer", json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"}), "normalizer");
    change("/pre_tokenizer", json!({"type": "Split", "pattern": {"Regex": "("}}), "pre_tokenizer");
    change("/post_processor", Value::Null, "post_processor");
    change("/decoder", json!({"type": "Metaspace", "replacement": ""}), "decoder");
    change("/model/type", json!("Unigram"), "model");
    change("/model/dropout", json!(2.0), "model");
    change("/model/continuing_subword_prefix", json!("long prefix that no subword has"), "model");
    change("/model/unk_token", json!("absent"), "model");
    change("/model/byte_fallback", json!(true), "model");
    change("/model/vocab", json!([]), "model.vocab");
    change("/model/vocab", json!({}), "model.vocab");
    change("/model/vocab/<pad>", json!(n), "model.vocab");
    change("/model/vocab/<pad>", json!(-1), "model.vocab");
    change("/model/vocab/<pad>", json!(1e300), "model.vocab");
    change("/model/vocab/<pad>", json!("0"), "model.vocab");
    change("/model/vocab/<pad>", json!(1), "model.vocab");
    change("/model/merges", json!({}), "model.merges");
    change("/model/merges/0", json!("a b"), "model.merges");
    change("/model/merges/0", json!(["a"]), "model.merges");
    change("/model/merges/0", json!(["a", "b", "c"]), "model.merges");
    change("/model/merges/0", json!(["a", 1]), "model.merges");
    change("/model/merges/0", json!(["a", ""]), "model.merges");
    change("/model/merges/0", json!(["<pad>", "<s>"]), "model.merges");
    change("/model/merges/0", good["model"]["merges"][1].clone(), "model.merges");
    change("/model/merges/0/0", json!("absent ".repeat(100)), "model.merges");

    let mut extra = good.clone();
    extra["more"] = json!(1);
    refused(extra.to_string().as_bytes(), "the top level");
    let mut renamed = good.clone();
    let vocab = renamed["model"]["vocab"].as_object_mut().unwrap();
    let id = vocab.remove("</s>").unwrap();
    vocab.insert("<end>".into(), id);
    refused(renamed.to_string().as_bytes(), "model.vocab");
    for (json, field) in [("{}", "model"), ("[]", "model"), ("null", "model"), ("{\"model\": 3}", "model.vocab")] {
        refused(json.as_bytes(), field);
    }
    let deep = "[".repeat(1_000_000);
    for json in ["", "{", "\u{feff}{}", &deep, &json[..json.len() - 1], &format!("{json}x")] {
        assert!(matches!(Tokenizer::from_json(json.as_bytes()), Err(Error::Json { .. })));
    }
}

#[test]
fn damaged_files_never_panic() {
    let small = Tokenizer::train(ENGLISH, 120).unwrap();
    let json = small.to_json().unwrap().into_bytes();
    let mut state = 7u64;
    let mut next = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let mut accepted = 0;
    for _ in 0..4000 {
        let mut bytes = json.clone();
        for _ in 0..1 + next(3) {
            let (a, b) = (next(bytes.len()), next(bytes.len()));
            match next(5) {
                0 => bytes[a] = next(256) as u8,
                1 => bytes[a] = b"0123456789\"[]{},:-eE\\u"[next(22)],
                2 => bytes.truncate(a.max(1)),
                3 => bytes.copy_within(a.min(b)..a.max(b).min(a.min(b) + 20), a.min(b) / 2),
                _ => bytes.splice(a..(a + next(8)).min(json.len()).max(a).min(bytes.len()), []).for_each(drop),
            }
        }
        if let Ok(loaded) = Tokenizer::from_json(&bytes) {
            accepted += 1;
            let again = loaded.to_json().unwrap();
            assert_eq!(Tokenizer::from_json(again.as_bytes()).unwrap().to_json().unwrap(), again);
            for text in ENGLISH {
                loaded.decode(&loaded.encode(text).unwrap());
            }
        }
    }
    assert!(accepted < 400, "{accepted}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn any_text_encodes(text in "\\PC{0,40}|[ a-zäöüß.,!?0-9我们的狗。，]{0,60}") {
        let tokenizer = &*TRAINED;
        let ids = tokenizer.encode(&text).unwrap();
        prop_assert!(ids.iter().all(|&id| id >= UNK && (id as usize) < tokenizer.vocab_size()));
        let back = tokenizer.decode(&ids);
        if !ids.contains(&UNK) {
            prop_assert_eq!(back, pieces::normalise(&text));
        }
    }
}

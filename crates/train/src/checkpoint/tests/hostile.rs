//! Files made to hurt: each refusal of a header, and what refusing costs.

use std::time::{Duration, Instant};

use super::*;
use crate::checkpoint::state::seal;

const GOOD: &str = r#"{"embed.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]},"norm":{"dtype":"F32","shape":[1],"data_offsets":[24,28]},"out.bias":{"dtype":"F32","shape":[2,1,2],"data_offsets":[28,44]}}"#;

fn file(header: &[u8], data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header, &vec![0; data]].concat()
}

fn read(bytes: &[u8]) -> Result<Vec<f32>, Problem> {
    let disk = FaultyDisk::new();
    let path = Path::new("model");
    disk.put(path, bytes);
    load_model(&disk, path, &layout()).map_err(|error| match error {
        Error::File { problem, .. } => problem,
        error => panic!("{error}"),
    })
}

/// The refusal of a header with 44 bytes of data after it.
fn refusal(header: &str) -> Problem {
    read(&file(header.as_bytes(), 44)).expect_err(header)
}

#[test]
fn every_kind_of_bad_header_is_refused() {
    assert_eq!(read(&file(GOOD.as_bytes(), 44)).unwrap(), [0.0; 11]);
    assert_eq!(read(&file(format!("{GOOD}  \n").as_bytes(), 44)).unwrap(), [0.0; 11]);

    // Lengths.
    for len in 0..8 {
        assert!(matches!(read(&vec![0; len]), Err(Problem::NotSafetensors)));
    }
    for header in [u64::MAX, 1 << 63, tensors::HEADER_LIMIT + 1, 1000, 3] {
        let problem = read(&[&header.to_le_bytes()[..], b"{}"].concat()).unwrap_err();
        assert!(matches!(problem, Problem::HeaderLength { .. }), "{header}: {problem}");
    }
    for header in [u64::MAX, 3, 1] {
        let problem = read(&header.to_le_bytes()).unwrap_err();
        assert!(matches!(problem, Problem::HeaderLength { bytes: 8, .. }), "{header}: {problem}");
    }
    assert!(matches!(read(&[0; 100]), Err(Problem::NotSafetensors)));
    for (data, ok) in [(0, false), (43, false), (44, true), (45, false), (48, false)] {
        let result = read(&file(GOOD.as_bytes(), data));
        assert_eq!(result.is_ok(), ok);
        assert!(ok || matches!(result, Err(Problem::Data { want: 44, .. })));
    }

    // Entries in another order than their bytes.
    let (front, back) = GOOD[1..].split_at(GOOD.find(",\"norm").unwrap() - 1);
    let turned = format!("{{{},{front}}}", &back[1..back.len() - 1]);
    let mut bytes = file(turned.as_bytes(), 44);
    let start = bytes.len() - 44;
    for index in 0..11 {
        bytes[start + 4 * index..][..4].copy_from_slice(&(index as f32).to_le_bytes());
    }
    assert_eq!(read(&bytes).unwrap(), std::array::from_fn::<_, 11, _>(|index| index as f32));

    // As many keys of metadata as are read; one more is among the cases below.
    let keys: String = (1..1000).map(|i| format!("\"{i}\":\"\",")).collect();
    read(&file(GOOD.replace("{\"embed", &format!("{{\"__metadata__\":{{{keys}\"0\":\"\"}},\"embed")).as_bytes(), 44))
        .unwrap();

    // JSON.
    let norm = r#""norm":{"dtype":"F32","shape":[1],"data_offsets":[24,28]}"#;
    let with = |other: &str| {
        assert!(GOOD.contains(norm));
        refusal(&GOOD.replace(norm, other))
    };
    let not_json = [
        "[]".to_owned(),
        " {}".to_owned(),
        "{".to_owned(),
        "{}}".to_owned(),
        format!("{GOOD}x"),
        GOOD.replace("\"F32\"", "7"),
        GOOD.replace("[1]", "{}"),
        GOOD.replace("[1]", "[-1]"),
        GOOD.replace("[1]", "[1.0]"),
        GOOD.replace("[1]", "[1e30]"),
        GOOD.replace("[1]", "[18446744073709551616]"),
        GOOD.replace("[1]", "[1,1,1,1,1,1,1,1,1]"),
        GOOD.replace("[24,28]", "[24]"),
        GOOD.replace("[24,28]", "[24,28,28]"),
        GOOD.replace("[24,28]", "[-24,28]"),
        GOOD.replace("[24,28]", "null"),
        GOOD.replace("\"shape\":[1],", ""),
        GOOD.replace("\"shape\":[1],", "\"shape\":[1],\"shape\":[1],"),
        GOOD.replace("\"shape\":[1],", "\"shape\":[1],\"extra\":0,"),
        GOOD.replace("{\"embed", "{\"__metadata__\":7,\"embed"),
        GOOD.replace("{\"embed", "{\"__metadata__\":{\"a\":7},\"embed"),
        GOOD.replace("{\"embed", "{\"__metadata__\":{\"a\":\"\",\"a\":\"\"},\"embed"),
        GOOD.replace("{\"embed", &format!("{{\"__metadata__\":{}", "{\"a\":".repeat(200_000))),
        GOOD.replace("[1]", &"[".repeat(300_000)),
        format!(
            "{{\"__metadata__\":{{{}\"z\":\"\"}}}}",
            (0..1000).map(|i| format!("\"{i}\":\"\",")).collect::<String>()
        ),
    ];
    for header in not_json {
        let problem = refusal(&header);
        let start = &header[..header.len().min(300)];
        assert!(matches!(problem, Problem::Json { .. } | Problem::NotSafetensors), "{start}: {problem}");
    }
    for bad in [&b"\xff"[..], b"\xc3(", b"\xed\xa0\x80"] {
        for place in ["norm", "F32", "format"] {
            let header = GOOD.replacen("{\"embed", "{\"__metadata__\":{\"format\":\"pt\"},\"embed", 1);
            let at = header.find(place).unwrap();
            let header = [&header.as_bytes()[..at], bad, &header.as_bytes()[at..]].concat();
            assert!(matches!(read(&file(&header, 44)), Err(Problem::Json { .. })));
        }
    }

    // Names.
    assert!(matches!(with(&norm.replace("norm", "norn")), Problem::Unknown { name } if name == "norn"));
    assert!(matches!(with(&norm.replace("norm", "../norm")), Problem::Unknown { name } if name == "../norm"));
    assert!(matches!(with(&norm.replace("norm", &"n".repeat(9999))), Problem::Unknown { name } if name.len() == 200));
    assert!(matches!(with(&format!("{norm},{norm}")), Problem::Duplicate { name } if name == "norm"));
    assert!(matches!(with(&format!("{norm},\"n\\u006frm\":{{}}")), Problem::Duplicate { name } if name == "norm"));
    let problem = with(r#""__metadata__":{},"__metadata__":{}"#);
    assert!(matches!(problem, Problem::Duplicate { name } if name == "__metadata__"));
    let problem = refusal(&GOOD.replace(&format!("{norm},"), ""));
    assert!(matches!(problem, Problem::Missing { name, count: 1 } if name == "norm"));
    assert!(matches!(refusal("{}"), Problem::Missing { name, count: 3 } if name == "embed.weight"));

    // Types, shapes, places.
    for dtype in ["F16", "BF16", "F64", "I32", "f32", "", "Q4_K_M_of_a_very_long_kind"] {
        let problem = with(&norm.replace("F32", dtype));
        assert!(matches!(problem, Problem::Dtype { name, dtype: got } if name == "norm" && dtype.starts_with(&got)));
    }
    for shape in ["[]", "[0]", "[2]", "[1,1]", "[18446744073709551615]", "[4294967296,4294967296]"] {
        let problem = with(&norm.replace("[1]", shape));
        assert!(matches!(problem, Problem::Shape { name, .. } if name == "norm"), "{shape}");
    }
    for place in [
        "[20,24]",
        "[20,28]",
        "[25,29]",
        "[25,28]",
        "[24,32]",
        "[24,24]",
        "[28,24]",
        "[0,4]",
        "[40,44]",
        "[18446744073709551612,0]",
    ] {
        let problem = with(&norm.replace("[24,28]", place));
        assert!(matches!(problem, Problem::Offsets { .. }), "{place}: {problem}");
    }
    // All moved up by 4: a gap in front.
    let moved = GOOD.replace("[28,44]", "[32,48]").replace("[24,28]", "[28,32]").replace("[0,24]", "[4,28]");
    assert!(matches!(read(&file(moved.as_bytes(), 48)), Err(Problem::Offsets { .. })));

    // Values.
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut bytes = file(GOOD.as_bytes(), 44);
        let at = bytes.len() - 8;
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let problem = read(&bytes).unwrap_err();
        assert!(matches!(&problem, Problem::NotFinite { name, index: 2, .. } if name == "out.bias"), "{problem}");
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    let path = Path::new("model");
    let good = file(GOOD.as_bytes(), 44);
    for (bytes, by) in [(&[&good[..], b"\0"].concat()[..], -1), (&good[..good.len() - 1], 1)] {
        let disk = FaultyDisk::new();
        disk.put(path, bytes);
        let error = load_model(&disk.misled(by), path, &layout()).unwrap_err();
        assert!(matches!(error, Error::File { problem: Problem::Changed, .. }), "{by}: {error}");
    }
}

#[test]
fn memory_that_is_not_there_is_an_error() {
    let error = tensors::zeros(usize::MAX / 64).unwrap_err();
    assert!(matches!(error, Error::Memory { .. }), "{error}");
}

#[test]
fn a_sealed_state_of_another_kind_is_refused() {
    let disk = disk();
    let path = Whole::new(1, 1).save(&disk, 1).unwrap().join(STATE_FILE);
    let good = String::from_utf8(disk.get(&path)).unwrap();
    let body = &good[..good.find(",\n  \"sha256\": \"").unwrap()];
    let refusal = |body: &str| {
        disk.put(&path, &seal(body.as_bytes().to_vec()));
        let error = Whole::load(&disk, path.parent().unwrap()).expect_err(body);
        assert_eq!(error.file(), Some(path.as_path()), "{body}");
        chain(&error)
    };
    let cases = [
        ("\"version\": 1", "\"version\": 2", "version 2; this program reads `noam checkpoint`, version 1"),
        ("noam checkpoint", "another", "format `another`"),
        ("\"step\": 1", "\"step\": 2", "written at step 2"),
        ("\"step\": 1", "\"step\": -1", "JSON cannot be read"),
        ("\"step\": 1", "\"step\": 1, \"step\": 1", "JSON cannot be read"),
        ("\"step\": 1", "\"step\": 1, \"more\": 1", "JSON cannot be read"),
        ("\"step\": 1", "\"step\":  1", "would be written differently"),
        ("\"epoch\": 1", "\"epoch\": \"1\"", "JSON cannot be read"),
        ("\"epoch\": 1", "\"epoch\": 1, \"unknown\": 1", "would be written differently"),
    ];
    for (from, to, want) in cases {
        assert!(body.contains(from), "{from} in {body}");
        let why = refusal(&body.replacen(from, to, 1));
        assert!(why.contains(want), "{why}");
    }
    let deep = body.replacen("\"step\": 1", &format!("\"step\": {}", "[".repeat(500_000)), 1);
    assert!(refusal(&deep).contains("JSON cannot be read"));
    // A layout digest that is not this model's, in an otherwise perfect checkpoint.
    let digest = layout().digest();
    assert!(refusal(&body.replacen(&digest, &digest.chars().rev().collect::<String>(), 1)).contains("another model"));
    // More than a state may hold: refused by length, before it is read.
    disk.put(&path, &vec![b' '; STATE_LIMIT as usize + 1]);
    let error = Whole::load(&disk, path.parent().unwrap()).unwrap_err();
    assert!(matches!(error, Error::Storage(storage::Error::TooLarge { .. })), "{error}");
    disk.put(&path, good.as_bytes());
    Whole::load(&disk, path.parent().unwrap()).unwrap();
}

#[test]
fn not_finite_values_in_a_sealed_checkpoint_are_refused() {
    let disk = disk();
    let whole = Whole::new(1, 1);
    let path = whole.save(&disk, 1).unwrap();
    for (at, file) in FILES[..2].iter().enumerate() {
        let mut bytes = files(&disk, 1);
        let end = bytes[at].len();
        bytes[at][end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        fuzz::reseal(&mut bytes);
        for (file, bytes) in FILES.iter().zip(&bytes) {
            disk.put(&path.join(file), bytes);
        }
        let error = Whole::load(&disk, &path).unwrap_err();
        assert_eq!(error.file(), Some(path.join(file).as_path()));
        assert!(chain(&error).contains("out.bias` is NaN"), "{}", chain(&error));
        whole.save(&disk, 1).unwrap();
    }
}

/// The shortest of several runs, which another process on the machine disturbs least.
fn shortest(mut work: impl FnMut()) -> Duration {
    let run = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..15).map(run).min().unwrap()
}

#[test]
fn a_hundred_thousand_entries_are_refused_quickly() {
    let many = |name: &dyn Fn(u32) -> String| {
        let entries: Vec<_> = (0..100_000).map(|i| format!("\"{}\":0", name(i))).collect();
        format!("{{{}}}", entries.join(","))
    };
    let headers = [
        many(&|i| format!("t{i}")),
        many(&|_| "norm".to_owned()),
        GOOD.replace(
            "{\"embed",
            &format!("{{\"__metadata__\":{},\"embed", many(&|i| i.to_string()).replace(":0", ":\"\"")),
        ),
        GOOD.replace("[1]", &format!("[{}]", "1,".repeat(100_000))),
        many(&|i| format!("{i}{}", "x".repeat(60))),
    ];
    for header in headers {
        let bytes = file(header.as_bytes(), 44);
        let disk = FaultyDisk::new();
        disk.put(Path::new("model"), &bytes);
        let took = shortest(|| drop(load_model(&disk, Path::new("model"), &layout()).unwrap_err()));
        assert!(took < Duration::from_millis(10), "{took:?} for {} bytes", bytes.len());
    }
}

#[test]
fn twice_the_tensors_take_at_most_little_more_than_twice_the_time() {
    let time = |count: usize| {
        let layout = Layout::new((0..count).map(|i| entry(&format!("layer.{i}.weight"), &[1], i)).collect()).unwrap();
        let disk = FaultyDisk::new();
        save_model(&disk, Path::new("model"), &layout, &vec![1.0; count]).unwrap();
        shortest(|| drop(load_model(&disk, Path::new("model"), &layout).unwrap()))
    };
    let ratio = |_| time(4000).as_secs_f64() / time(2000).as_secs_f64();
    let ratios: Vec<_> = (0..10).map(ratio).collect();
    assert!(ratios.iter().any(|&ratio| ratio <= 2.2), "{ratios:?}");
}

//! Round trips, retention, refusals before anything is written.

use std::collections::HashMap;
use std::fs;

use super::*;
use crate::stop::NEVER;
use crate::storage::Disk;

#[test]
fn comes_back_bit_by_bit_from_a_real_disk() {
    let run = tempfile::tempdir().unwrap();
    let run = run.path().join("new/run");
    for seed in 0..50 {
        let Whole { step, params, m, v, state } = Whole::new(seed, seed);
        let snapshot = Snapshot { step, layout: &layout(), params: &params, m: &m, v: &v, state: &state };
        let path = save(&Disk, &run, &snapshot, &Keep { last: 2, also: vec![7] }).unwrap();
        let latest: Latest<Loaded<State>> = load_latest(&Disk, &run, &layout()).unwrap();
        assert_eq!((&latest.path, latest.checkpoint.step), (&path, step));
        assert!(latest.refused.is_empty());
        assert_eq!(bits(&latest.checkpoint.params), bits(&params));
        assert_eq!(bits(&latest.checkpoint.m), bits(&m));
        assert_eq!(bits(&latest.checkpoint.v), bits(&v));
        assert_eq!(latest.checkpoint.state, state);
        let weights = load_latest_weights(&Disk, &run, &layout()).unwrap().checkpoint;
        assert_eq!((weights.step, bits(&weights.params)), (step, bits(&params)));
    }
    let steps: Vec<_> = list(&Disk, &run).unwrap().into_iter().map(|(step, _)| step).collect();
    assert_eq!(steps, [7, 48, 49]);
    let mut names: Vec<_> = fs::read_dir(run.join(FOLDER)).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["step-00000007", "step-00000048", "step-00000049"]);
    assert!(clean(&Disk, &run).unwrap().is_empty());
}

#[test]
fn equal_states_give_equal_bytes_and_different_ones_differ_in_every_file() {
    let [a, b, c] = [4, 4, 5].map(|seed| {
        let disk = disk();
        Whole::new(9, seed).save(&disk, 1).unwrap();
        files(&disk, 9)
    });
    assert_eq!(a, b);
    assert!(a.iter().zip(&c).all(|(a, c)| a != c));
}

#[test]
fn a_large_buffer_crosses_blocks() {
    let run = tempfile::tempdir().unwrap();
    let layout = Layout::new(vec![entry("a", &[300_001], 0), entry("b", &[7, 100_003], 300_001)]).unwrap();
    let [params, m, v]: [Vec<f32>; 3] =
        [1.0, 2.0, 3.0].map(|start| (0..layout.len()).map(|i| start + i as f32 * 0.37).collect());
    let snapshot = Snapshot { step: 1, layout: &layout, params: &params, m: &m, v: &v, state: &() };
    let path = save(&Disk, run.path(), &snapshot, &Keep { last: 1, also: vec![] }).unwrap();
    let loaded: Loaded<()> = load(&Disk, &path, &layout).unwrap();
    assert!(loaded.params == params && loaded.m == m && loaded.v == v);
    assert_eq!(fs::metadata(path.join(MODEL_FILE)).unwrap().len() % 8, 4 * (layout.len() as u64 % 2));
}

#[test]
fn the_safetensors_crate_reads_what_we_write_and_we_read_what_it_writes() {
    let run = tempfile::tempdir().unwrap();
    let path = run.path().join("averaged.safetensors");
    let whole = Whole::new(1, 1);
    save_model(&Disk, &path, &layout(), &whole.params).unwrap();
    let bytes = fs::read(&path).unwrap();
    let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(theirs.len(), 3);
    for Entry { name, shape, offset } in layout().entries() {
        let tensor = theirs.tensor(name).unwrap();
        assert_eq!((tensor.dtype(), tensor.shape()), (safetensors::Dtype::F32, shape.as_slice()));
        let values: Vec<_> =
            tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()).to_bits()).collect();
        assert_eq!(values, bits(&whole.params[*offset..offset + values.len()]));
    }
    // Their writer sorts by name and takes any metadata.
    let views: HashMap<String, _> = theirs.tensors().into_iter().collect();
    let metadata = [("format", "pt"), ("by", "another")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let again = safetensors::serialize(views, Some(metadata.into())).unwrap();
    assert_ne!(again, bytes);
    fs::write(&path, again).unwrap();
    assert_eq!(bits(&load_model(&Disk, &path, &layout()).unwrap()), bits(&whole.params));
    // Both moments of a checkpoint too.
    let folder = whole.save(&FaultyDisk::new(), 1);
    assert!(matches!(folder, Ok(path) if path == folder_of(1)));
    let disk = disk();
    whole.save(&disk, 1).unwrap();
    let bytes = disk.get(&folder_of(1).join(OPTIMIZER_FILE));
    let mut names = safetensors::SafeTensors::deserialize(&bytes)
        .unwrap()
        .names()
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    names.sort();
    assert_eq!(names, ["m.embed.weight", "m.norm", "m.out.bias", "v.embed.weight", "v.norm", "v.out.bias"]);
}

#[test]
fn nothing_that_is_not_finite_is_saved() {
    let good = Whole::new(1, 1);
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for at in 0..layout().len() {
            for buffer in ["params", "m", "v"] {
                let disk = disk();
                let mut bad = good.clone();
                match buffer {
                    "params" => bad.params[at] = value,
                    "m" => bad.m[at] = value,
                    _ => bad.v[at] = value,
                }
                let error = bad.save(&disk, 1).unwrap_err();
                let (name, index) = [("embed.weight", 0), ("norm", 6), ("out.bias", 7)]
                    .into_iter()
                    .rfind(|(_, offset)| *offset <= at)
                    .unwrap();
                let text = error.to_string();
                let want = format!("value {} of `{name}` in `{buffer}` is {value};", at - index);
                assert!(text.contains(&want), "{text}");
                assert_eq!(disk.paths(), ["/run"]);
            }
        }
    }
    let disk = disk();
    let error = save_model(&disk, Path::new("model"), &layout(), &[f32::NAN; 11]).unwrap_err();
    assert!(matches!(error, Error::NotFinite { .. }), "{error}");
    assert_eq!(disk.paths(), ["/run"]);
}

#[test]
fn a_state_that_would_not_come_back_is_not_saved() {
    let disk = disk();
    let whole = Whole::new(1, 1);
    for lost in [f64::NAN, f64::INFINITY] {
        let mut bad = whole.clone();
        bad.state.rates.push(lost);
        let error = bad.save(&disk, 1).unwrap_err();
        assert!(matches!(error, Error::StateLost), "{error}");
        assert_eq!(disk.paths(), ["/run"]);
    }
    // Numbers at which a parser that rounds carelessly is off by one.
    let mut random = Random(11);
    for _ in 0..2000 {
        let mut state = whole.state.clone();
        state.rates = vec![f64::from_bits(random.next() >> 2)];
        check_state(&state).unwrap();
    }
}

#[test]
fn buffers_of_another_length_are_refused() {
    let mut whole = Whole::new(1, 1);
    whole.m.pop();
    let error = whole.save(&disk(), 1).unwrap_err().to_string();
    assert!(error.contains("`m` holds 10 values and the layout 11"), "{error}");
}

#[test]
fn layouts_that_make_no_sense_are_refused() {
    let refused = |entries: Vec<Entry>| Layout::new(entries).unwrap_err();
    assert!(matches!(refused(vec![]), LayoutError::Count { got: 0, .. }));
    let mut many: Vec<_> = (0..=Layout::MAX_ENTRIES).map(|i| entry(&i.to_string(), &[1], i)).collect();
    assert!(matches!(refused(many.clone()), LayoutError::Count { .. }));
    many.pop();
    Layout::new(many).unwrap();
    for name in ["", "__metadata__"] {
        assert!(matches!(refused(vec![entry(name, &[1], 0)]), LayoutError::Name { .. }));
    }
    assert!(matches!(refused(vec![entry("a", &[1], 0), entry("a", &[1], 1)]), LayoutError::Name { .. }));
    for offset in [0, 2] {
        let error = refused(vec![entry("a", &[1], 0), entry("b", &[1], offset)]);
        assert_eq!(error, LayoutError::Offset { name: "b".into(), got: offset, want: 1 });
    }
    for shape in [&[][..], &[0], &[2, 0, 3], &[1; 9], &[usize::MAX, 2], &[usize::MAX / 32]] {
        assert!(matches!(refused(vec![entry("a", shape, 0)]), LayoutError::Shape { .. }), "{shape:?}");
    }
}

#[test]
fn retention_keeps_what_it_must() {
    // The newest by number is damaged: the run went back to 2 and goes on from there.
    let disk = disk();
    for step in [1, 2, 9] {
        Whole::new(step, step).save(&disk, 9).unwrap();
    }
    disk.put(&folder_of(9).join(MODEL_FILE), b"damaged");
    for step in 3..6 {
        Whole::new(step, step).save(&disk, 1).unwrap();
        let latest: Latest<Loaded<State>> = load_latest(&disk, Path::new(RUN), &layout()).unwrap();
        assert_eq!((latest.checkpoint.step, latest.refused.len()), (step, 1));
        let steps: Vec<_> = list(&disk, Path::new(RUN)).unwrap().into_iter().map(|(step, _)| step).collect();
        assert_eq!(steps, [step, 9], "the one just saved and the one that is not ours to remove");
    }
    // Once it is reached again, the damaged one is replaced.
    Whole::new(9, 10).save(&disk, 0).unwrap();
    assert_eq!(list(&disk, Path::new(RUN)).unwrap(), [(9, folder_of(9))]);
    assert_eq!(Whole::load(&disk, &folder_of(9)).unwrap(), Whole::new(9, 10));
}

#[test]
fn only_names_of_checkpoints_count() {
    let disk = disk();
    let whole = Whole::new(12, 1);
    let path = whole.save(&disk, 1).unwrap();
    let names = [
        "13",
        "step-13",
        "step-000000013",
        "step-00000013.bak",
        "step-+0000013",
        "STEP-00000013",
        "step-99999999999999999999",
    ];
    for name in names {
        storage::create_dirs(&disk, &path.with_file_name(name)).unwrap();
        for file in FILES {
            disk.put(&path.with_file_name(name).join(file), &disk.get(&path.join(file)));
        }
        let error = Whole::load(&disk, &path.with_file_name(name)).unwrap_err();
        assert!(matches!(error, Error::NotACheckpoint { .. }), "{name}: {error}");
    }
    // A file, an empty folder and a copy under a checkpoint's name are refused.
    disk.put(&folder_of(14), b"file");
    storage::create_dirs(&disk, &folder_of(15)).unwrap();
    storage::create_dirs(&disk, &folder_of(100_000_000)).unwrap();
    for file in FILES {
        disk.put(&folder_of(100_000_000).join(file), &disk.get(&path.join(file)));
    }
    let latest: Latest<Loaded<State>> = load_latest(&disk, Path::new(RUN), &layout()).unwrap();
    assert_eq!(Whole::from(latest.checkpoint), whole);
    let refused: Vec<_> = latest.refused.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(refused, [100_000_000, 15, 14].map(folder_of));
    let why = chain(&latest.refused[0].1);
    assert!(why.contains("written at step 12, and its folder is named for step 100000000"), "{why}");
    assert_eq!(clean(&disk, Path::new(RUN)).unwrap(), Vec::<PathBuf>::new(), "cleaning leaves strangers alone");
}

#[test]
fn cleaning_covers_the_run_folder_and_its_checkpoints() {
    let disk = disk();
    let path = Whole::new(1, 1).save(&disk, 1).unwrap();
    let litter = [Path::new(RUN).join(".tmp-manifest.json"), path.with_file_name(".tmp-reserve")];
    litter.iter().for_each(|path| disk.put(path, b"half"));
    assert_eq!(clean(&disk, Path::new(RUN)).unwrap(), litter);
    // Also for a reader that must not write: a checkpoint that was put aside.
    disk.rename(&path, &path.with_file_name(".old-step-00000001")).unwrap();
    let latest: Latest<Loaded<State>> = load_latest(&disk, Path::new(RUN), &layout()).unwrap();
    assert_eq!((latest.checkpoint.step, latest.path), (1, path.with_file_name(".old-step-00000001")));
    assert_eq!(clean(&disk, Path::new(RUN)).unwrap(), std::slice::from_ref(&path));
    Whole::load(&disk, &path).unwrap();
}

#[test]
fn a_run_without_a_usable_checkpoint_says_why_for_each() {
    let disk = disk();
    let run = Path::new(RUN);
    let none = load_latest::<State>(&disk, run, &layout()).unwrap_err();
    assert!(matches!(none, Error::None { .. }), "{none}");
    for step in 1..3 {
        Whole::new(step, step).save(&disk, 2).unwrap();
    }
    disk.put(&folder_of(1).join(MODEL_FILE), b"?");
    disk.put(&folder_of(2).join(STATE_FILE), b"{}");
    let text = load_latest::<State>(&disk, run, &layout()).unwrap_err().to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[1].contains("step-00000002") && lines[1].contains("does not end with its checksum"), "{text}");
    assert!(lines[2].contains("model.safetensors") && lines[2].contains("it has 1 bytes"), "{text}");
}

#[test]
fn a_checkpoint_of_another_model_is_refused_by_what_differs() {
    let disk = disk();
    let path = Whole::new(1, 1).save(&disk, 1).unwrap();
    let base = layout().entries().to_vec();
    let with = |at: usize, entry: Entry| {
        let mut entries = base.clone();
        entries[at] = entry;
        Layout::new(entries).unwrap()
    };
    let cases = [
        (with(0, entry("embed.weight", &[2, 3], 0)), "`embed.weight` has the shape [3, 2], the model's has [2, 3]"),
        (with(1, entry("norm.gamma", &[1], 6)), "`norm` is not in this model"),
        (with(2, entry("out.bias", &[2, 3], 7)), "`out.bias` has the shape [2, 1, 2], the model's has [2, 3]"),
        (Layout::new(base[..2].to_vec()).unwrap(), "`out.bias` is not in this model"),
        (
            Layout::new([&base[..], &[entry("more", &[1], 11)]].concat()).unwrap(),
            "`more` is missing (1 missing in all)",
        ),
        // The same tensors in another order: a file of this content is not the one that would be written.
        (
            Layout::new(vec![
                entry("norm", &[1], 0),
                entry("embed.weight", &[3, 2], 1),
                entry("out.bias", &[2, 1, 2], 7),
            ])
            .unwrap(),
            "would be written differently",
        ),
    ];
    for (layout, want) in cases {
        let error = load::<State>(&disk, &path, &layout).unwrap_err();
        assert_eq!(error.file(), Some(path.join(MODEL_FILE).as_path()));
        assert!(chain(&error).contains(want), "{}", chain(&error));
    }
}

#[test]
fn averages_add_in_order_and_round_once() {
    let disk = disk();
    let mut paths = Vec::new();
    let mut want = [0.0_f64; 11];
    for step in 1..6 {
        let mut whole = Whole::new(step, step);
        whole.params = (0..11).map(|i| (step as f32).powf(1.5) * (i as f32 - 5.3)).collect();
        whole.params[3] = -0.0;
        paths.push(whole.save(&disk, 9).unwrap());
        want.iter_mut().zip(&whole.params).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    let mean = average(&disk, &paths, &layout()).unwrap();
    for (index, (mean, sum)) in mean.iter().zip(want).enumerate() {
        let want = if index == 3 { -0.0 } else { (sum / 5.0) as f32 };
        assert_eq!(mean.to_bits(), want.to_bits());
    }
    let one = average(&disk, &paths[4..], &layout()).unwrap();
    assert_eq!(bits(&one), bits(&load_weights(&disk, &paths[4], &layout()).unwrap().params));
    assert!(matches!(average(&disk, &[], &layout()), Err(Error::NothingToAverage)));
    disk.put(&paths[2].join(MODEL_FILE), b"damaged");
    let error = average(&disk, &paths, &layout()).unwrap_err();
    assert_eq!(error.file(), Some(paths[2].join(MODEL_FILE).as_path()));
}

#[test]
fn the_space_is_checked_before_the_first_step() {
    use crate::storage::faulty::{Fault, Plan};
    let disk = disk();
    reserve(&disk, Path::new(RUN), &layout(), 3, &NEVER).unwrap();
    assert_eq!(disk.paths(), ["/run", "/run/checkpoints"]);
    Whole::new(1, 1).save(&disk, 1).unwrap();
    let bytes: u64 = files(&disk, 1).iter().map(|file| file.len() as u64).sum();
    let full = disk.with(Plan { at: 3, fault: Fault::Full, for_ever: true });
    let error = reserve(&full, Path::new(RUN), &layout(), 3, &NEVER).unwrap_err();
    let Error::Storage(storage::Error::Full { wanted, .. }) = error else { panic!("{error}") };
    assert!(wanted > 3 * bytes && wanted < 3 * (bytes + (64 << 10)), "{wanted} for 3 checkpoints of {bytes}");
    assert!(full.paths().iter().all(|path| !path.contains(".tmp-")));
}

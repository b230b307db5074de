//! Every flipped bit, every cut, every file of another checkpoint.

use super::*;

/// Expects that step 2 is refused because of `file`, and that step 1 is used instead and step 2 reported.
fn expect_refusal(disk: &FaultyDisk, file: &str, what: &str) -> Error {
    let path = folder_of(2).join(file);
    let error = Whole::load(disk, &folder_of(2)).expect_err(what);
    assert_eq!(error.file(), Some(path.as_path()), "{what}: {}", chain(&error));
    let latest: Latest<Loaded<State>> = load_latest(disk, Path::new(RUN), &layout()).expect(what);
    assert_eq!(latest.checkpoint.step, 1, "{what}");
    assert_eq!(latest.refused.len(), 1, "{what}");
    assert_eq!(latest.refused[0].0, folder_of(2), "{what}");
    error
}

fn two_checkpoints() -> FaultyDisk {
    let disk = disk();
    for step in 1..3 {
        Whole::new(step, step).save(&disk, 2).unwrap();
    }
    disk
}

#[test]
fn every_flipped_bit_is_refused_with_the_file_named() {
    let disk = two_checkpoints();
    let mut flips = 0;
    for (file, bytes) in FILES.into_iter().zip(files(&disk, 2)) {
        let path = folder_of(2).join(file);
        for bit in 0..8 * bytes.len() {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            disk.put(&path, &damaged);
            let error = expect_refusal(&disk, file, &format!("{file} bit {bit}"));
            // Damage is called damage, even where the damaged content would say something else.
            let Error::File { problem, .. } = error else { panic!("{error}") };
            let in_checksum = file == STATE_FILE && bit / 8 >= bytes.len() - 90;
            assert!(
                matches!(problem, Problem::Checksum { .. }) || (in_checksum && matches!(problem, Problem::NoChecksum)),
                "{file} bit {bit}: {problem}"
            );
            flips += 1;
        }
        disk.put(&path, &bytes);
        assert_eq!(Whole::load(&disk, &folder_of(2)).unwrap(), Whole::new(2, 2));
    }
    assert!(flips > 10_000, "{flips}");
}

#[test]
fn every_cut_every_tail_and_every_missing_file_is_refused() {
    let disk = two_checkpoints();
    for (file, bytes) in FILES.into_iter().zip(files(&disk, 2)) {
        let path = folder_of(2).join(file);
        for len in 0..bytes.len() {
            disk.put(&path, &bytes[..len]);
            expect_refusal(&disk, file, &format!("{file} cut to {len}"));
            // Cut by a power cut: the length is right, the rest zeros.
            let mut zeroed = bytes.clone();
            zeroed[len..].fill(0);
            if zeroed != bytes {
                disk.put(&path, &zeroed);
                expect_refusal(&disk, file, &format!("{file} zeros from {len}"));
            }
            disk.put(&path, &bytes[len + 1..]);
            expect_refusal(&disk, file, &format!("{file} from {}", len + 1));
        }
        for tail in [&b" "[..], b"\n", b"\0", b"{}", &bytes] {
            disk.put(&path, &[&bytes[..], tail].concat());
            expect_refusal(&disk, file, &format!("{file} with a tail"));
        }
        disk.remove_file(&path).unwrap();
        expect_refusal(&disk, file, &format!("{file} missing"));
        disk.put(&path, &bytes);
    }
}

#[test]
fn every_mixture_of_two_checkpoints_is_refused() {
    // Of two steps, and of one step of two runs.
    for (step_b, seed_b) in [(3, 3), (2, 3)] {
        let [a, b] = [(2, 2), (step_b, seed_b)].map(|(step, seed)| {
            let disk = disk();
            Whole::new(step, seed).save(&disk, 1).unwrap();
            (step, files(&disk, step))
        });
        for named in [&a, &b] {
            for choice in 0..8 {
                let disk = two_checkpoints();
                storage::create_dirs(&disk, &folder_of(named.0)).unwrap();
                for (index, file) in FILES.into_iter().enumerate() {
                    let source = if choice >> index & 1 == 0 { &a } else { &b };
                    disk.put(&folder_of(named.0).join(file), &source.1[index]);
                }
                let result = Whole::load(&disk, &folder_of(named.0));
                let whole = [(0, &a), (7, &b)].iter().any(|(c, from)| *c == choice && from.0 == named.0);
                assert_eq!(result.is_ok(), whole, "{choice:03b} as step {}", named.0);
                if let Err(error) = result {
                    assert!(error.file().is_some(), "{error}");
                }
            }
        }
    }
}

#[test]
fn a_file_of_another_kind_in_the_place_of_one_is_refused() {
    for (at, file) in FILES.into_iter().enumerate() {
        let disk = two_checkpoints();
        let bytes = files(&disk, 2);
        disk.put(&folder_of(2).join(file), &bytes[(at + 1) % 3]);
        expect_refusal(&disk, file, file);
        let path = folder_of(2).join(file);
        disk.remove_file(&path).unwrap();
        storage::create_dirs(&disk, &path).unwrap();
        expect_refusal(&disk, file, "a folder");
    }
}

//! What the lanes of a warp do together, by the ISA's pseudocode, for whole warps and parts of them.

use crate::{
    common::{Arg, Device, Random},
    exact::F32,
    float::extremum,
    integer::{S32, U32},
    patterns::Of,
};

/// Warps each instruction is given.
const WARPS: usize = 64;

/// One value a lane.
type Row = [u64; 32];

type Reference = dyn Fn(u32, &[Row]) -> [Option<u64>; 32];

/// An instruction of a warp: registers as in the table of single instructions, with `%m` for the mask of lanes.
struct Case {
    text: String,
    result: Of,
    sources: Vec<Of>,
    /// From the lanes that take part and the sources, the result of each lane; none where the ISA leaves it open.
    reference: Box<Reference>,
}

fn case(
    text: impl Into<String>,
    result: Of,
    sources: &[Of],
    reference: impl Fn(u32, &[Row]) -> [Option<u64>; 32] + 'static,
) -> Case {
    Case { text: text.into(), result, sources: sources.to_vec(), reference: Box::new(reference) }
}

/// The same result in all lanes.
fn uniform(value: u64) -> [Option<u64>; 32] {
    [Some(value); 32]
}

fn taking_part(mask: u32) -> impl Iterator<Item = usize> + Clone {
    (0..32).filter(move |lane| mask >> lane & 1 == 1)
}

const UNTOUCHED: u64 = 0x1122_3344_5566_7788;

/// Runs every case with all lanes, and with those of random masks while the others are elsewhere.
fn check(cases: Vec<Case>) {
    let mut ptx = ".version 8.6\n.target sm_100a\n.address_size 64\n".to_owned();
    let names = ["a", "b", "c"];
    for (index, case) in cases.iter().enumerate() {
        let params: String = names[..case.sources.len()].iter().map(|name| format!(", .param .u64 p{name}")).collect();
        let mut body = String::new();
        for (name, of) in names.iter().zip(&case.sources) {
            body += &format!(
                ".reg .{} %{name};\nld.param.u64 %at, [p{name}];\nadd.u64 %at, %at, %offset;\n",
                of.register()
            );
            body += &match of {
                Of::Pred => format!("ld.global.u32 %word, [%at];\nsetp.ne.u32 %{name}, %word, 0;\n"),
                _ => format!("ld.global.b{} %{name}, [%at];\n", of.bits()),
            };
        }
        let store = match case.result {
            Of::Pred => "selp.u32 %word, 1, 0, %d;\nst.global.u32 [%to], %word;".to_owned(),
            of => format!("st.global.b{} [%to], %d;", of.bits()),
        };
        ptx += &format!(
            ".visible .entry k{index}(.param .u64 masks, .param .u64 out{params})\n{{\n.reg .pred %in;\n\
             .reg .b32 %t, %word, %m;\n.reg .b64 %at, %to, %offset;\n.reg .{} %d;\nmov.u32 %t, %ctaid.x;\n\
             mov.u32 %word, %tid.x;\nmad.lo.u32 %t, %t, 64, %word;\nmul.wide.u32 %offset, %t, 8;\n\
             shr.u32 %word, %t, 5;\nld.param.u64 %at, [masks];\nmad.wide.u32 %at, %word, 4, %at;\nld.global.u32 %m, [%at];\n\
             ld.param.u64 %to, [out];\nadd.u64 %to, %to, %offset;\n{body}mov.u32 %word, %lanemask_eq;\n\
             and.b32 %word, %word, %m;\nsetp.ne.u32 %in, %word, 0;\n@!%in bra OUT;\n{}\n{store}\nOUT:\nret;\n}}\n",
            case.result.register(),
            case.text
        );
    }
    for mut device in [Device::new(&ptx), Device::portable(&ptx)] {
        for whole in [true, false] {
            // A lane that reads from one that is not there is told of, but here the others count.
            device.options.checks.synchronization = whole;
            for (index, case) in cases.iter().enumerate() {
                run(&device, index, case, whole);
            }
        }
    }
}

fn run(device: &Device, index: usize, case: &Case, whole: bool) {
    let mut random = Random(index as u64 * 1000 + u64::from(whole));
    let masks: Vec<u32> = (0..WARPS).map(|_| if whole { u32::MAX } else { random.next() as u32 | 1 }).collect();
    let mut columns: Vec<Vec<u64>> = Vec::new();
    for of in &case.sources {
        let mut column = Vec::new();
        for _ in 0..WARPS {
            // Some warps in which lanes agree: all of them, or in groups.
            let few: Vec<u64> = (0..1 + random.next() % 4).map(|_| of.sample(&mut random)).collect();
            let agree = random.next().is_multiple_of(2);
            for _ in 0..32 {
                let any = of.sample(&mut random);
                column.push(if agree { few[any as usize % few.len()] } else { any });
            }
        }
        columns.push(column);
    }
    let inputs: Vec<u64> = columns.iter().map(|column| device.upload(column)).collect();
    let out = device.upload(&vec![UNTOUCHED; WARPS * 32]);
    let mut args = vec![Arg::from(device.upload(&masks)), Arg::from(out)];
    args.extend(inputs.iter().map(|&address| Arg::from(address)));
    device.clean(&format!("k{index}"), [WARPS as u32 / 2, 1, 1], [64, 1, 1], 0, &args);
    let results = device.download::<u64>(out, WARPS * 32);
    let stored = if case.result == Of::Pred { 32 } else { case.result.bits() };
    let low = u64::MAX >> (64 - stored);
    for (warp, &mask) in masks.iter().enumerate() {
        let rows: Vec<Row> = columns.iter().map(|column| column[warp * 32..][..32].try_into().expect("32")).collect();
        let expected = (case.reference)(mask, &rows);
        for lane in 0..32 {
            let result = results[warp * 32 + lane];
            match expected[lane] {
                _ if mask >> lane & 1 == 0 => assert_eq!(result, UNTOUCHED, "{}: a lane that is elsewhere", case.text),
                None => {}
                Some(value) => assert_eq!(
                    result & low,
                    value,
                    "{}: lane {lane} of {mask:#034b}, {:x?}",
                    case.text,
                    rows.iter().map(|row| row[lane]).collect::<Vec<_>>()
                ),
            }
        }
    }
}

/// The source lane and whether it is in range, from the ISA's pseudocode.
fn shuffled(mode: &str, lane: i64, b: u64, c: u64) -> (i64, bool) {
    let offset = (b & 31) as i64;
    let (clamp, segment) = ((c & 31) as i64, (c >> 8 & 31) as i64);
    let most = lane & segment | clamp & !segment & 31;
    let least = lane & segment;
    let (from, inside) = match mode {
        "up" => (lane - offset, lane - offset >= most),
        "down" => (lane + offset, lane + offset <= most),
        "bfly" => (lane ^ offset, lane ^ offset <= most),
        _ => {
            let from = least | offset & !segment & 31;
            (from, from <= most)
        }
    };
    (if inside { from } else { lane }, inside)
}

#[test]
fn shuffles() {
    let mut cases = Vec::new();
    for mode in ["up", "down", "bfly", "idx"] {
        for (sync, members) in [(".sync", ", %m"), ("", "")] {
            let sources = [Of::B32, Of::Amount, Of::B32];
            let reference = move |mask: u32, rows: &[Row]| {
                std::array::from_fn(|lane| {
                    let (from, _) = shuffled(mode, lane as i64, rows[1][lane], rows[2][lane]);
                    (mask >> from & 1 == 1).then(|| rows[0][from as usize])
                })
            };
            cases.push(case(format!("shfl{sync}.{mode}.b32 %d, %a, %b, %c{members};"), Of::B32, &sources, reference));
            let text = format!("shfl{sync}.{mode}.b32 _|%d, %a, %b, %c{members};");
            cases.push(case(text, Of::Pred, &sources, move |_, rows| {
                std::array::from_fn(|lane| Some(shuffled(mode, lane as i64, rows[1][lane], rows[2][lane]).1.into()))
            }));
            // Both results, in place, and with the bounds that compilers write: 0 for up, 31 for the others.
            let bounds = if mode == "up" { 0 } else { 31 };
            let text = format!(
                ".reg .pred %p;\nshfl{sync}.{mode}.b32 %a|%p, %a, %b, {bounds}{members};\nselp.b32 %d, %a, -1, %p;"
            );
            cases.push(case(text, Of::B32, &sources, move |mask, rows| {
                std::array::from_fn(|lane| {
                    let (from, inside) = shuffled(mode, lane as i64, rows[1][lane], bounds);
                    if !inside {
                        return Some(0xffff_ffff);
                    }
                    (mask >> from & 1 == 1).then(|| rows[0][from as usize])
                })
            }));
        }
    }
    check(cases);
}

#[test]
fn votes() {
    let mut cases = Vec::new();
    for (sync, members) in [(".sync", ", %m"), ("", "")] {
        for (not, negated) in [("", 0), ("!", 1)] {
            let holds = move |rows: &[Row], lane: usize| rows[0][lane] ^ negated == 1;
            let vote = |mode: &str| format!("vote{sync}.{mode} %d, {not}%a{members};");
            let pred = [Of::Pred];
            cases.push(case(vote("all.pred"), Of::Pred, &pred, move |mask, rows| {
                uniform(taking_part(mask).all(|lane| holds(rows, lane)).into())
            }));
            cases.push(case(vote("any.pred"), Of::Pred, &pred, move |mask, rows| {
                uniform(taking_part(mask).any(|lane| holds(rows, lane)).into())
            }));
            cases.push(case(vote("uni.pred"), Of::Pred, &pred, move |mask, rows| {
                let count = taking_part(mask).filter(|&lane| holds(rows, lane)).count();
                uniform((count == 0 || count == mask.count_ones() as usize).into())
            }));
            cases.push(case(vote("ballot.b32"), Of::B32, &pred, move |mask, rows| {
                uniform(taking_part(mask).filter(|&lane| holds(rows, lane)).fold(0, |ballot, lane| ballot | 1 << lane))
            }));
        }
    }
    check(cases);
}

#[test]
fn matches() {
    let mut cases = Vec::new();
    for of in [Of::B32, Of::B64] {
        let bits = of.bits();
        let same = |mask: u32, row: &Row, lane: usize| {
            taking_part(mask).filter(|&other| row[other] == row[lane]).fold(0u64, |found, other| found | 1 << other)
        };
        cases.push(case(format!("match.any.sync.b{bits} %d, %a, %m;"), Of::B32, &[of], move |mask, rows| {
            std::array::from_fn(|lane| Some(same(mask, &rows[0], lane)))
        }));
        let all = move |mask: u32, rows: &[Row], lane: usize| same(mask, &rows[0], lane) == u64::from(mask);
        cases.push(case(format!("match.all.sync.b{bits} %d, %a, %m;"), Of::B32, &[of], move |mask, rows| {
            std::array::from_fn(|lane| Some(if all(mask, rows, lane) { mask.into() } else { 0 }))
        }));
        cases.push(case(format!("match.all.sync.b{bits} _|%d, %a, %m;"), Of::Pred, &[of], move |mask, rows| {
            std::array::from_fn(|lane| Some(all(mask, rows, lane).into()))
        }));
        let text = format!(".reg .pred %p;\nmatch.all.sync.b{bits} %d|%p, %a, %m;\n@!%p not.b32 %d, %d;");
        cases.push(case(text, Of::B32, &[of], move |mask, rows| {
            std::array::from_fn(|lane| Some(if all(mask, rows, lane) { mask.into() } else { 0xffff_ffff }))
        }));
    }
    check(cases);
}

#[test]
fn reductions() {
    let mut cases = Vec::new();
    let mut push = |name: &str, of: Of, f: Box<dyn Fn(u64, u64) -> u64>| {
        cases.push(case(format!("redux.sync.{name} %d, %a, %m;"), of, &[of], move |mask, rows| {
            let values = taking_part(mask).map(|lane| rows[0][lane]);
            uniform(values.reduce(&f).expect("a lane takes part"))
        }));
    };
    for int in [U32, S32] {
        push(&format!("add.{}", int.name), Of::B32, Box::new(|a, b| (a + b) & 0xffff_ffff));
        push(
            &format!("min.{}", int.name),
            Of::B32,
            Box::new(move |a, b| if int.value(a) < int.value(b) { a } else { b }),
        );
        push(
            &format!("max.{}", int.name),
            Of::B32,
            Box::new(move |a, b| if int.value(a) > int.value(b) { a } else { b }),
        );
    }
    push("and.b32", Of::B32, Box::new(|a, b| a & b));
    push("or.b32", Of::B32, Box::new(|a, b| a | b));
    push("xor.b32", Of::B32, Box::new(|a, b| a ^ b));
    check(cases);
}

#[test]
fn reductions_of_f32() {
    let mut cases = Vec::new();
    for (name, greatest) in [("min", false), ("max", true)] {
        for (abs, absolute) in [("", false), (".abs", true)] {
            for (modifier, nan) in [("", false), (".NaN", true)] {
                let text = format!("redux.sync.{name}{abs}{modifier}.f32 %d, %a, %m;");
                cases.push(case(text, Of::F32, &[Of::F32], move |mask, rows| {
                    let values = taking_part(mask).map(|lane| rows[0][lane] & if absolute { !F32.sign() } else { !0 });
                    // A single lane's NaN is any NaN.
                    let value = values.reduce(|a, b| extremum(F32, greatest, nan, a, b)).expect("a lane takes part");
                    if F32.is_nan(value) && mask.count_ones() == 1 { [None; 32] } else { uniform(value) }
                }));
            }
        }
    }
    check(cases);
}

#[test]
fn who_is_here() {
    check(vec![
        case("activemask.b32 %d;", Of::B32, &[], |mask, _| uniform(mask.into())),
        case(".reg .pred %p;\nelect.sync %d|%p, %m;", Of::B32, &[], |mask, _| uniform(mask.trailing_zeros().into())),
        case("elect.sync _|%d, %m;", Of::Pred, &[], |mask, _| {
            std::array::from_fn(|lane| Some((lane as u32 == mask.trailing_zeros()).into()))
        }),
    ]);
}

/// Lanes that come by different ways, at different times, meet at a `.sync` with one mask.
#[test]
fn lanes_meet_from_different_places() {
    let ptx = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 out)\n{\n.reg .pred %odd, %p;\n\
        .reg .b32 %t, %v, %i, %r;\n.reg .b64 %to, %o;\nmov.u32 %t, %tid.x;\nld.param.u64 %to, [out];\n\
        mul.wide.u32 %o, %t, 4;\nadd.u64 %to, %to, %o;\nmov.u32 %v, 0;\nmov.u32 %i, 0;\n\
        LOOP:\nadd.u32 %v, %v, %i;\nadd.u32 %i, %i, 1;\nsetp.le.u32 %p, %i, %t;\n@%p bra LOOP;\n\
        and.b32 %r, %t, 1;\nsetp.eq.u32 %odd, %r, 1;\n@%odd bra ODD;\n\
        shfl.sync.bfly.b32 %r, %v, 2, 31, 0x55555555;\nbra STORE;\n\
        ODD:\nadd.u32 %v, %v, 1000;\nshfl.sync.bfly.b32 %r, %v, 2, 31, 0xaaaaaaaa;\n\
        STORE:\nbar.warp.sync 0xffffffff;\nst.global.u32 [%to], %r;\nret;\n}\n";
    for device in [Device::new(ptx), Device::portable(ptx)] {
        let out = device.allocate::<u32>(32);
        device.clean("k", [1; 3], [32, 1, 1], 0, &[Arg::from(out)]);
        let sum = |t: u32| t * (t + 1) / 2 + if t % 2 == 1 { 1000 } else { 0 };
        assert_eq!(device.download::<u32>(out, 32), (0..32).map(|t| sum(t ^ 2)).collect::<Vec<_>>());
    }
}

/// What lanes wrote before `bar.warp.sync` others read after it, and no check minds.
#[test]
fn warp_barriers_order_shared_memory() {
    let ptx = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 out)\n{\n\
        .shared .align 4 .b8 cells[128];\n.reg .b32 %t, %own, %other, %v;\n.reg .b64 %to, %o;\nmov.u32 %t, %tid.x;\n\
        ld.param.u64 %to, [out];\nmul.wide.u32 %o, %t, 4;\nadd.u64 %to, %to, %o;\nmov.u32 %own, cells;\n\
        xor.b32 %other, %t, 31;\nmad.lo.u32 %other, %other, 4, %own;\nmad.lo.u32 %own, %t, 4, %own;\n\
        st.shared.u32 [%own], %t;\nbar.warp.sync -1;\nld.shared.u32 %v, [%other];\nst.global.u32 [%to], %v;\nret;\n}\n";
    for device in [Device::new(ptx), Device::portable(ptx)] {
        let out = device.allocate::<u32>(32);
        device.clean("k", [1; 3], [32, 1, 1], 0, &[Arg::from(out)]);
        assert_eq!(device.download::<u32>(out, 32), (0..32).rev().collect::<Vec<_>>());
    }
}

//! `printf` of kernels: what C prints for the same format.

use noam_emulator::finding::Kind;

use crate::common::{Arg, Device};

const PTX: &str = ".version 8.0
.target sm_80
.address_size 64
.extern .func (.param .b32 result) vprintf(.param .b64 format, .param .b64 arguments);
.visible .entry print(.param .u64 format, .param .u64 arguments)
{
    .reg .b64 %f, %a;
    .reg .b32 %r;
    ld.param.u64 %f, [format];
    ld.param.u64 %a, [arguments];
    {
    .param .b64 p0, p1;
    .param .b32 back;
    st.param.b64 [p0], %f;
    st.param.b64 [p1], %a;
    call (back), vprintf, (p0, p1);
    ld.param.b32 %r, [back];
    }
    ret;
}
.visible .entry from_all(.param .u64 format)
{
    .local .align 8 .b8 list[16];
    .reg .pred %p;
    .reg .b64 %f, %a;
    .reg .b32 %t;
    mov.u32 %t, %tid.x;
    mov.u64 %a, list;
    cvta.local.u64 %a, %a;
    st.local.u32 [list], %t;
    st.local.u64 [list+8], -5;
    ld.param.u64 %f, [format];
    and.b32 %t, %t, 1;
    setp.eq.u32 %p, %t, 0;
    @%p bra DONE;
    .param .b64 p0, p1;
    .param .b32 back;
    st.param.b64 [p0], %f;
    st.param.b64 [p1], %a;
    call.uni (back), vprintf, (p0, p1);
    DONE:
    ret;
}
";

/// An argument of `printf`.
#[derive(Clone, Copy)]
enum Value {
    I(i32),
    L(i64),
    F(f64),
    S(&'static str),
}

use Value::{F, I, L, S};

fn text(device: &Device, text: &str) -> u64 {
    let bytes: Vec<u8> = text.bytes().chain([0]).collect();
    device.upload(&bytes)
}

/// The buffer of arguments: each at a multiple of its size.
fn buffer(device: &Device, values: &[Value]) -> u64 {
    let mut bytes = Vec::new();
    for value in values {
        let raw = match *value {
            I(value) => value.to_le_bytes().to_vec(),
            L(value) => value.to_le_bytes().to_vec(),
            F(value) => value.to_le_bytes().to_vec(),
            S(value) => text(device, value).to_le_bytes().to_vec(),
        };
        bytes.resize(bytes.len().next_multiple_of(raw.len()), 0);
        bytes.extend(raw);
    }
    bytes.push(0);
    device.upload(&bytes)
}

#[test]
fn formats() {
    let cases: &[(&str, &[Value], &str)] = &[
        ("plain\n", &[], "plain\n"),
        ("100%% %d%%", &[I(5)], "100% 5%"),
        ("%d %i %u", &[I(-1), I(-1), I(-1)], "-1 -1 4294967295"),
        ("%x %X %o %#x %#X %#o", &[I(255), I(255), I(8), I(255), I(255), I(8)], "ff FF 10 0xff 0XFF 010"),
        ("%#x %x", &[I(0), I(-1)], "0 ffffffff"),
        ("%5d|%-5d|%05d|%+d|% d|%+.3d", &[I(42), I(42), I(42), I(42), I(42), I(42)], "   42|42   |00042|+42| 42|+042"),
        ("%5.3d|%05.3d|%.0d|%-6.2d|", &[I(-7), I(7), I(0), I(3)], " -007|  007||03    |"),
        (
            "%lld %llu %llx %ld",
            &[L(-5), L(-1), L(-1), L(1 << 40)],
            "-5 18446744073709551615 ffffffffffffffff 1099511627776",
        ),
        // The wide one lies at the next multiple of 8.
        ("%d %lld %d", &[I(1), L(2), I(3)], "1 2 3"),
        ("%c%c|%3c|%-3c|", &[I(65), I(66), I(67), I(68)], "AB|  C|D  |"),
        ("%s|%6s|%-6s|%.2s|", &[S("abc"), S("abc"), S("abc"), S("abc")], "abc|   abc|abc   |ab|"),
        ("%p", &[L(0x1234_5678)], "0x12345678"),
        (
            "%f %.2f %10.3f|%-10.1f|%010.2f",
            &[F(1.5), F(1.5), F(1.5), F(1.5), F(1.5)],
            "1.500000 1.50      1.500|1.5       |0000001.50",
        ),
        ("%.0f %.0f %.0f %+.1f %f", &[F(0.5), F(1.5), F(2.5), F(0.25), F(-0.0)], "0 2 2 +0.2 -0.000000"),
        (
            "%e %.0e %E %.3e",
            &[F(12345.678), F(12345.678), F(12345.678), F(-12345.678)],
            "1.234568e+04 1e+04 1.234568E+04 -1.235e+04",
        ),
        ("%e %e %e", &[F(0.0), F(1e100), F(1e-300)], "0.000000e+00 1.000000e+100 1.000000e-300"),
        ("%g %g %g %g %g %g", &[F(1e5), F(1e6), F(1e-4), F(1e-5), F(1.5), F(0.0)], "100000 1e+06 0.0001 1e-05 1.5 0"),
        ("%G %.3g %.10g %g", &[F(1e-10), F(1234.5), F(1.0 / 3.0), F(999999.5)], "1E-10 1.23e+03 0.3333333333 1e+06"),
        (
            "%f %f %F %e %g",
            &[F(f64::INFINITY), F(-f64::INFINITY), F(f64::INFINITY), F(f64::NAN), F(f64::NAN)],
            "inf -inf INF nan nan",
        ),
        (
            "%5f|%05f|%-5f|%+f",
            &[F(f64::INFINITY), F(f64::INFINITY), F(f64::INFINITY), F(f64::INFINITY)],
            "  inf|  inf|inf  |+inf",
        ),
        ("%*d|%-*d|%.*f", &[I(6), I(42), I(6), I(42), I(2), F(6.28125)], "    42|42    |6.28"),
        ("%f %.15g", &[F(1e20), F(0.1)], "100000000000000000000.000000 0.1"),
    ];
    let device = Device::new(PTX);
    for (format, values, expected) in cases {
        let args = [text(&device, format), buffer(&device, values)].map(Arg::from);
        let outcome = device.clean("print", [1; 3], [1; 3], 0, &args);
        assert_eq!(String::from_utf8_lossy(&outcome.printed), *expected, "{format:?}");
    }
}

/// However wide a field is asked for, it is no wider than a text may be.
#[test]
fn wide_fields() {
    let device = Device::new(PTX);
    for (format, value) in [("%.99999d", I(7)), ("%99999d", I(7)), ("%.99999f", F(0.5)), ("%.99999e", F(0.5))] {
        let args = [text(&device, format), buffer(&device, &[value])].map(Arg::from);
        let outcome = device.launch("print", [1; 3], [1; 3], 0, &args);
        assert!(outcome.failure.is_none(), "{format}");
        let told = outcome.findings.iter().any(|finding| finding.kind == Kind::InvalidOperand);
        assert!(told || outcome.printed.len() == 65534, "{format}: {} bytes", outcome.printed.len());
    }
}

/// A launch's text is bounded: a kernel that prints without end does not take all memory.
#[test]
fn much_text() {
    let mut device = Device::new(PTX);
    device.options.threads = 1;
    let format = text(&device, "%60000d\n");
    let outcome = device.launch("from_all", [48, 1, 1], [64, 1, 1], 0, &[Arg::from(format)]);
    assert!(outcome.failure.is_none());
    assert!(outcome.findings.iter().any(|finding| finding.detail.contains("64 MiB")), "{:?}", outcome.findings);
    // As many whole texts as fit.
    assert_eq!(outcome.printed.len(), (64 << 20) / 60_001 * 60_001);
}

/// Each thread prints by itself, a whole line at a time.
#[test]
fn threads_print_lines() {
    for device in [Device::new(PTX), Device::portable(PTX)] {
        let format = text(&device, "thread %d: %lld\n");
        let outcome = device.clean("from_all", [3, 1, 1], [70, 1, 1], 0, &[Arg::from(format)]);
        let mut lines: Vec<_> = String::from_utf8(outcome.printed).expect("text").lines().map(str::to_owned).collect();
        let mut expected: Vec<_> =
            (0..70).flat_map(|t| vec![format!("thread {t}: -5"); if t % 2 == 1 { 3 } else { 0 }]).collect();
        lines.sort();
        expected.sort();
        assert_eq!(lines, expected);
    }
}

/// A format that `printf` does not have is told of, and one at a bad address ends the kernel.
#[test]
fn bad_formats() {
    let device = Device::new(PTX);
    for format in ["%y", "no end %", "%"] {
        let args = [text(&device, format), buffer(&device, &[I(1)])].map(Arg::from);
        let outcome = device.launch("print", [1; 3], [1; 3], 0, &args);
        assert!(outcome.failure.is_none(), "{format}");
        assert!(outcome.findings.iter().any(|finding| finding.kind == Kind::InvalidOperand), "{format}");
    }
    let outcome = device.launch("print", [1; 3], [1; 3], 0, &[Arg::from(8u64), Arg::from(8u64)]);
    assert_eq!(outcome.failure.map(|failure| failure.kind), Some(Kind::OutOfBounds));
}

//! `noam kernels bench`: the kernels' times on a GPU.

use std::io::Write;

use anyhow::Result;
use noam_kernels::catalogue::{Case, Clock, Grid, Times, Work, cases};

use super::{Place, filtered};
use crate::Usage;
use crate::args::{DeviceName, KernelsBenchArgs};
use crate::output::write_to;
use crate::progress::say;

/// What the device can do.
#[derive(Debug)]
struct Rates {
    /// Bytes a second, read and written.
    copy: f64,
    /// Floating-point operations a second, and by which product, for each element type that there are products of.
    matrix: Vec<(&'static str, f64, String)>,
}

impl Rates {
    fn measure(place: &Place, clock: &mut Clock, cases: &[Case], samples: usize) -> Result<Self> {
        // First, since it keeps the device busy until its clock has risen.
        let mut matrix = Vec::new();
        for element in ["f32", "tf32", "bf16", "f16"] {
            if matrix.is_empty() || cases.iter().any(|case| case.element == element && case.work.flops > 0) {
                let (rate, case) = clock.matrix_rate(&place.queue, element, samples)?;
                say(&format!("{}: {:.1} TFLOP/s", case.name(), rate / 1e12));
                matrix.push((element, rate, case.name()));
            }
        }
        let copy = clock.copy_bandwidth(&place.queue, samples)?;
        say(&format!("a copy within the device's memory: {:.0} GB/s", copy / 1e9));
        Ok(Rates { copy, matrix })
    }

    fn write(&self, out: &mut dyn Write) -> Result<()> {
        writeln!(
            out,
            "- a copy of a large buffer within the device's memory: {:.0} GB/s, read and written",
            self.copy / 1e9
        )?;
        for (element, rate, name) in &self.matrix {
            writeln!(
                out,
                "- matrix rate in {element}: {:.1} TFLOP/s, our own {name}, the fastest of three layouts",
                rate / 1e12
            )?;
        }
        Ok(())
    }
}

/// A case's row.
struct Row {
    operation: &'static str,
    element: &'static str,
    shape: String,
    work: Work,
    times: Times,
}

impl Row {
    fn cells(&self, rates: &Rates) -> String {
        let Row { operation, element, shape, work, times } = self;
        let seconds = times.median();
        let bytes_a_second = work.floor_bytes() as f64 / seconds;
        let matrix = rates.matrix.iter().find(|(of, ..)| of == element).filter(|_| work.flops > 0);
        let arithmetic = matrix.map_or(" | ".to_owned(), |(_, rate, _)| {
            let rate_here = work.flops as f64 / seconds;
            format!("{:.1} | {:.0}%", rate_here / 1e12, 100.0 * rate_here / rate)
        });
        format!(
            "| {operation} | {shape} | {element} | {:.1} | {:.1}% | {:.3} | {:.0} | {:.0}% | {arithmetic} |",
            seconds * 1e6,
            100.0 * times.spread(),
            work.floor_bytes() as f64 / 1e6,
            bytes_a_second / 1e9,
            100.0 * bytes_a_second / rates.copy,
        )
    }
}

pub(super) fn run(args: &KernelsBenchArgs) -> Result<()> {
    if args.device == DeviceName::Emulated {
        return Err(Usage(
            "times of the emulated device are those of its software, and say nothing of a GPU; \
             `noam kernels report` counts there what a kernel does, and --device cuda times it"
                .to_owned(),
        )
        .into());
    }
    let place = Place::open(args.device)?;
    let all = beside_cublaslt(cases(Grid::Base), &place)?;
    let cases = filtered(all, args.cases.filter.as_deref())?;
    let samples = args.samples as usize;
    let mut clock = Clock::new(&place.queue)?;
    let rates = Rates::measure(&place, &mut clock, &cases, samples)?;
    let mut rows = Vec::new();
    for case in &cases {
        let times = clock.time(&place.queue, &mut case.prepare(&place.queue)?, samples)?;
        say(&format!("{}: {:.1} us", case.name(), times.median() * 1e6));
        let Case { operation, element, shape, work, .. } = case;
        rows.push(Row { operation, element, shape: shape.clone(), work: *work, times });
    }
    write_to(args.cases.output.as_deref(), |out| {
        place.write(out, "The CUDA kernels, timed")?;
        writeln!(out, "- {samples} launches a case, each alone and with cold caches, timed by the device")?;
        rates.write(out)?;
        table(out, &rates, &rows)
    })
}

/// With each product's twin by cuBLASLt behind it, if the library is here. If it is not, this says so.
#[cfg(feature = "cublaslt")]
fn beside_cublaslt(cases: Vec<Case>, place: &Place) -> Result<Vec<Case>> {
    use noam_kernels::{Error, catalogue::products_by_cublaslt, matmul::cuda::Kernels};
    match Kernels::load(&place.queue)?.with_cublaslt(&place.queue) {
        Ok(_) => Ok(side_by_side(cases, products_by_cublaslt())),
        Err(error @ Error::NoCublasLt { .. }) => {
            say(&format!("cuBLASLt is not timed: {error}"));
            Ok(cases)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(feature = "cublaslt"))]
fn beside_cublaslt(cases: Vec<Case>, _: &Place) -> Result<Vec<Case>> {
    Ok(cases)
}

/// Each case, and behind it the one of the others that is named so but for `_cublaslt`.
#[cfg(feature = "cublaslt")]
fn side_by_side(cases: Vec<Case>, mut others: Vec<Case>) -> Vec<Case> {
    let mut all = Vec::new();
    for case in cases {
        let name = case.name();
        all.push(case);
        let twin = others.iter().position(|other| other.name().replacen("_cublaslt", "", 1) == name);
        all.extend(twin.map(|at| others.remove(at)));
    }
    all
}

fn table(out: &mut dyn Write, rates: &Rates, rows: &[Row]) -> Result<()> {
    writeln!(
        out,
        "\nTime: the median; spread: how far the middle half of the times reaches, as a part of it. Floor: the least \
         bytes that the operation reads and writes. Shares are of the copy and of the matrix rate above.\n"
    )?;
    writeln!(
        out,
        "| operation | shape | type | time, us | spread | floor, MB | GB/s | of copy | TFLOP/s | of matrix rate |"
    )?;
    writeln!(out, "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")?;
    for row in rows {
        writeln!(out, "{}", row.cells(rates))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "cublaslt")]
    #[test]
    fn cublaslts_products_stand_behind_ours() {
        use noam_kernels::catalogue::products_by_cublaslt;
        let ours = cases(Grid::Base);
        let count = ours.len() + products_by_cublaslt().len();
        let all = side_by_side(ours, products_by_cublaslt());
        assert_eq!(all.len(), count);
        let twins = all.windows(2).filter(|pair| {
            pair[1].operation.ends_with("_cublaslt") && pair[1].name().replacen("_cublaslt", "", 1) == pair[0].name()
        });
        assert_eq!(twins.count(), products_by_cublaslt().len());
    }

    #[test]
    fn shares_are_of_what_the_device_can_do() {
        let rates = Rates { copy: 2e12, matrix: vec![("bf16", 5e14, "m".to_owned())] };
        let (read, written) = (2_000_000, 1_000_000);
        let work = Work { read, written, flops: 10_000_000_000, tensor_products: 1, ..Work::default() };
        let row = |element, work| Row {
            operation: "o",
            element,
            shape: "s".to_owned(),
            work,
            times: Times::new(vec![1e-4, 1e-4, 1.1e-4]),
        };
        let want = "| o | s | bf16 | 100.0 | 5.0% | 3.000 | 30 | 2% | 100.0 | 20% |";
        assert_eq!(row("bf16", work).cells(&rates), want);
        let plain = row("f32", Work { flops: 0, ..work }).cells(&rates);
        assert_eq!(plain, "| o | s | f32 | 100.0 | 5.0% | 3.000 | 30 | 2% |  |  |");
    }
}

//! `noam schedule`: the rates of a schedule as a table, CSV, JSON or a picture, and advice on the warm-up.

use std::io::Write;

use anyhow::Result;
use noam_schedule::{Facts, Fields, Precision, Schedule, Spec, Step, advise};
use serde::Serialize;
use serde_json::Value;

use crate::Usage;
use crate::args::{AdviseArgs, Format, RatesArgs, RatesOutput, ScheduleArgs, ScheduleCommand};
use crate::figures;
use crate::output::{shortest, write_text, write_to};
use crate::svg::readable;

/// Carries out `noam schedule`.
///
/// # Errors
/// [`Usage`] if the schedule refuses its parameters; an error in writing.
pub fn run(args: ScheduleArgs) -> Result<()> {
    match args.command {
        ScheduleCommand::Rates(args) => rates(&args),
        ScheduleCommand::Advise(args) => advice(&args),
    }
}

/// A picture evaluates no more steps than this; a screen shows far fewer.
const PICTURE_STEPS: u64 = 200_000;

fn rates(args: &RatesArgs) -> Result<()> {
    let spec = Spec::try_from(args.fields).map_err(|error| Usage(error.to_string()))?;
    let out = args.output.out.as_deref();
    let format = if args.output.json { Format::Json } else { args.output.format };
    match format {
        Format::Table => write_to(out, |out| table(out, &spec, &mut steps(&args.output, &spec))),
        Format::Csv => write_to(out, |out| {
            writeln!(out, "step,rate")?;
            for step in steps(&args.output, &spec) {
                writeln!(out, "{step},{}", shortest(spec.rate(step)))?;
            }
            Ok(())
        }),
        Format::Json => write_to(out, |out| json(out, &spec, &mut steps(&args.output, &spec))),
        Format::Svg => write_text(out, &picture(&args.output, &spec)),
    }
}

/// The steps to show: those asked for, or a few that tell the shape.
fn steps(output: &RatesOutput, spec: &Spec) -> Box<dyn Iterator<Item = Step>> {
    match (output.steps, output.at.is_empty()) {
        (Some(last), _) => Box::new(every(last, 1)),
        (None, false) => Box::new(steps_of(output.at.clone())),
        (None, true) => Box::new(steps_of(landmarks(spec))),
    }
}

/// Steps 1, 1 + `stride`, ... up to `last`.
fn every(last: u64, stride: u64) -> impl Iterator<Item = Step> {
    steps_of((1..=last).step_by(usize::try_from(stride).unwrap_or(usize::MAX)))
}

/// The numbers as steps; a zero, which the parser has refused already, is no step.
fn steps_of(numbers: impl IntoIterator<Item = u64>) -> impl Iterator<Item = Step> {
    numbers.into_iter().filter_map(|n| Step::new(n).ok())
}

/// 1, 2, 5, 10, 20, 50, ... and the steps where the schedule changes its course.
fn landmarks(spec: &Spec) -> Vec<u64> {
    let last = horizon(spec);
    let decades = std::iter::successors(Some(1_u64), |n| n.checked_mul(10));
    let round = decades.flat_map(|n| [1, 2, 5].map(|m| n.saturating_mul(m)));
    let mut landmarks: Vec<u64> = round.take_while(|&n| n < last).chain([last]).chain(turns(spec)).collect();
    landmarks.sort_unstable();
    landmarks.dedup();
    landmarks
}

/// The end of the warm-up, of the stable part and of the decay, and the boundaries.
fn turns(spec: &Spec) -> Vec<u64> {
    let fields = Fields::from(*spec);
    let mut turns = vec![spec.warmup()];
    let plateau = spec.warmup().saturating_add(fields.stable.unwrap_or(0));
    turns.extend(fields.stable.map(|_| plateau));
    turns.extend(fields.steps.filter(|&steps| steps > 1).map(|steps| plateau.saturating_add(steps)));
    turns.extend(fields.boundaries.iter().flat_map(|list| list.as_slice()));
    turns
}

/// A step by which the schedule has shown its shape.
fn horizon(spec: &Spec) -> u64 {
    let fields = Fields::from(*spec);
    let last_turn = turns(spec).into_iter().fold(1, u64::max);
    let decays = fields.steps.is_some() || fields.boundaries.is_some();
    match fields.decay_rate.is_some() || fields.t_mul.is_some() {
        true => spec.warmup().saturating_add(fields.steps.unwrap_or(1).saturating_mul(8)),
        false if decays => last_turn.saturating_add(last_turn / 5),
        false => last_turn.saturating_mul(25).max(1000),
    }
}

fn table(out: &mut dyn Write, spec: &Spec, steps: &mut dyn Iterator<Item = Step>) -> Result<()> {
    writeln!(out, "{}\nrate(n) = {}\n", describe(spec), spec.kind().formula())?;
    writeln!(out, "{:>12}  {:>12}", "step", "rate")?;
    for step in steps {
        let rate = spec.rate(step);
        let rate = if rate == 0.0 { "0".to_owned() } else { format!("{rate:.5e}") };
        writeln!(out, "{step:>12}  {rate:>12}")?;
    }
    Ok(())
}

/// The kind and its parameters in a line.
fn describe(spec: &Spec) -> String {
    let fields = serde_json::to_value(spec).unwrap_or_default();
    let parameter = |name: &str| fields.get(name).map(|value| format!("{name} {}", show(value)));
    let parameters: Vec<String> = spec.kind().parameters().iter().filter_map(|p| parameter(p.name)).collect();
    format!("{}: {}", spec.kind(), parameters.join(", "))
}

fn show(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => number.as_f64().map(shortest).unwrap_or_default(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(show).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

#[derive(Serialize)]
struct Rate {
    step: u64,
    rate: f64,
}

/// Written piece by piece, so that a long list needs no memory; one rate a line.
fn json(out: &mut dyn Write, spec: &Spec, steps: &mut dyn Iterator<Item = Step>) -> Result<()> {
    writeln!(out, "{{\n\"schedule\": {},\n\"rates\": [", serde_json::to_string(spec)?)?;
    for (i, step) in steps.enumerate() {
        out.write_all(if i == 0 { b"" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &Rate { step: step.get(), rate: spec.rate(step) })?;
    }
    writeln!(out, "\n]\n}}")?;
    Ok(())
}

fn picture(output: &RatesOutput, spec: &Spec) -> String {
    let mut steps: Vec<Step> = if output.at.is_empty() {
        let last = output.steps.unwrap_or_else(|| horizon(spec));
        // What lies between the turns is smooth: with a stride of hundreds no turn may fall between two points.
        let turns = turns(spec).into_iter().flat_map(|n| [n, n.saturating_add(1)]).filter(|&n| n <= last);
        every(last, last.div_ceil(PICTURE_STEPS)).chain(steps_of(turns)).chain(steps_of([last])).collect()
    } else {
        steps_of(output.at.clone()).collect()
    };
    steps.sort_unstable();
    steps.dedup();
    let points: Vec<(f64, f64)> = steps.into_iter().map(|step| (step.get() as f64, spec.rate(step))).collect();
    figures::rate("Learning rate", &describe(spec), &points)
}

#[derive(Serialize)]
struct AdviceReport {
    warmup: u64,
    reasons: Vec<String>,
    warnings: Vec<String>,
}

fn advice(args: &AdviseArgs) -> Result<()> {
    let facts = Facts {
        samples: args.samples,
        layers: args.layers,
        precision: Precision::from(args.precision),
        total: args.total_steps,
        planned: args.planned,
    };
    let advice = advise(&facts).map_err(|error| Usage(error.to_string()))?;
    let report = AdviceReport {
        warmup: advice.warmup,
        reasons: advice.reasons().map(|reason| reason.to_string()).collect(),
        warnings: advice.warnings().map(|warning| warning.to_string()).collect(),
    };
    write_to(None, |out| {
        if args.json {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
            return Ok(());
        }
        writeln!(out, "warm-up: {} updates", readable(report.warmup as f64, 20))?;
        report.reasons.iter().try_for_each(|reason| writeln!(out, "  {reason}"))?;
        report.warnings.iter().try_for_each(|warning| writeln!(out, "  warning: {warning}"))?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use noam_schedule::Kind;

    fn spec(fields: Fields) -> Spec {
        Spec::try_from(fields).unwrap()
    }

    #[test]
    fn landmarks_hold_every_turn_in_order() {
        let fields = Fields { peak: Some(1e-3), warmup: Some(37), stable: Some(1000), ..Fields::new(Kind::Wsd) };
        let landmarks = landmarks(&spec(Fields { steps: Some(123), ..fields }));
        assert!([1, 2, 5, 10, 37, 1037, 1160].iter().all(|turn| landmarks.contains(turn)), "{landmarks:?}");
        assert!(landmarks.is_sorted_by(|a, b| a < b));
        let noam = spec(Fields { d_model: Some(512), warmup: Some(u64::MAX), ..Fields::new(Kind::Noam) });
        assert_eq!(super::landmarks(&noam).last(), Some(&u64::MAX), "no overflow");
    }

    #[test]
    fn a_picture_of_a_very_long_run_still_names_the_exact_peak() {
        let noam = spec(Fields { d_model: Some(512), warmup: Some(4001), ..Fields::new(Kind::Noam) });
        let output = RatesOutput { steps: Some(1 << 40), at: vec![], format: Format::Svg, json: false, out: None };
        assert!(picture(&output, &noam).contains("at step 4001<"));
    }

    #[test]
    fn json_is_json() {
        let constant = spec(Fields { rate: Some(1e-4), ..Fields::new(Kind::Constant) });
        let mut text = Vec::new();
        json(&mut text, &constant, &mut every(2, 1)).unwrap();
        let value: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["schedule"]["kind"], "constant");
        assert_eq!(value["rates"][1], serde_json::json!({"step": 2, "rate": 1e-4}));
        text.clear();
        json(&mut text, &constant, &mut std::iter::empty()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&text).unwrap()["rates"], serde_json::json!([]));
    }
}

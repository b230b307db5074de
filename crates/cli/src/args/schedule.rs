//! `noam schedule`: one command for every kind of schedule, with exactly the flags that it takes.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, Subcommand, ValueEnum, ValueHint, value_parser};
use noam_schedule::{Fields, Kind, List, Parameter, Precision, Shape};

use super::at_least_one;

/// The arguments of `noam schedule`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, after_help = EXAMPLES)]
pub struct ScheduleArgs {
    /// A kind of schedule, or `advise`.
    #[command(subcommand)]
    pub command: ScheduleCommand,
}

const EXAMPLES: &str = "\
Examples:
  noam schedule noam --d-model 512 --warmup 4000 --at 1,4000,100000
  noam schedule cosine --start 1e-3 --decay-steps 20000 --warmup 500 --format csv > rates.csv
  noam schedule linear --start 5e-4 --decay-steps 20000 --format svg --out linear.svg
  noam schedule advise --samples 4500000 --layers 6 --total-steps 100000

Steps count parameter updates, and the first is 1. `noam schedule KIND --help` gives the formula.";

/// What `noam schedule` does.
#[derive(Debug)]
pub enum ScheduleCommand {
    /// The rates of a schedule.
    Rates(Box<RatesArgs>),
    /// Advice on the warm-up.
    Advise(AdviseArgs),
}

/// A schedule and what is wanted of it.
#[derive(Debug)]
pub struct RatesArgs {
    /// The schedule, not checked yet.
    pub fields: Fields,
    /// Which rates, in which form.
    pub output: RatesOutput,
}

/// Which rates to show, and how.
#[derive(Debug, Args)]
pub struct RatesOutput {
    /// Every step from 1 to N
    #[arg(id = "until", long = "steps", value_name = "N", conflicts_with = "at", value_parser = at_least_one)]
    pub steps: Option<u64>,
    /// These steps only, separated by commas
    #[arg(long, value_name = "STEP,...", value_delimiter = ',', value_parser = at_least_one)]
    pub at: Vec<u64>,
    /// How to write the rates
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
    /// Short for `--format json`
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
}

/// The forms in which rates are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns for people
    Table,
    /// `step,rate`, each rate the shortest decimal that reads back as the same f64
    Csv,
    /// One object with the schedule and its rates
    Json,
    /// A picture
    Svg,
}

/// The arguments of `noam schedule advise`.
#[derive(Debug, Args)]
#[command(after_help = ADVISE_EXAMPLES)]
pub struct AdviseArgs {
    /// Training samples (sentence pairs)
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub samples: Option<u64>,
    /// Layers of the encoder
    #[arg(long, value_name = "L", value_parser = at_least_one)]
    pub layers: Option<u64>,
    /// The numbers that training computes with
    #[arg(long, value_enum, default_value = "f32")]
    pub precision: PrecisionName,
    /// Updates of the whole run
    #[arg(long, value_name = "T", value_parser = at_least_one)]
    pub total_steps: Option<u64>,
    /// A warm-up that you have in mind, to be judged
    #[arg(long, value_name = "W", value_parser = at_least_one)]
    pub planned: Option<u64>,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}

const ADVISE_EXAMPLES: &str = "\
Examples:
  noam schedule advise --samples 29000 --layers 3
  noam schedule advise --samples 4500000 --layers 24 --precision bf16 --total-steps 300000
  noam schedule advise --total-steps 10000 --planned 4000 --json";

/// [`Precision`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrecisionName {
    /// 32 bits
    F32,
    /// 32 bits, of which products take 19
    Tf32,
    /// 16 bits, 8 of them exponent
    Bf16,
    /// 16 bits, 5 of them exponent
    F16,
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Self {
        match name {
            // Rounding within products asks for no other warm-up.
            PrecisionName::F32 | PrecisionName::Tf32 => Self::F32,
            PrecisionName::Bf16 => Self::Bf16,
            PrecisionName::F16 => Self::F16,
        }
    }
}

const ADVISE: &str = "advise";
const ADVISE_ABOUT: &str = "Recommend a warm-up from what is known about a run, with the reasons";

impl Subcommand for ScheduleCommand {
    fn augment_subcommands(command: Command) -> Command {
        let command = Kind::ALL.into_iter().fold(command, |command, kind| command.subcommand(kind_command(kind)));
        command
            .subcommand_required(true)
            .subcommand_value_name("KIND")
            .subcommand_help_heading("Kinds")
            .subcommand(AdviseArgs::augment_args(Command::new(ADVISE)).about(ADVISE_ABOUT))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        name == ADVISE || Kind::from_name(name).is_some()
    }
}

impl FromArgMatches for ScheduleCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let Some((name, matches)) = matches.subcommand() else {
            return Err(clap::Error::new(ErrorKind::MissingSubcommand));
        };
        match Kind::from_name(name) {
            Some(kind) => {
                let output = RatesOutput::from_arg_matches(matches)?;
                Ok(Self::Rates(Box::new(RatesArgs { fields: fields(kind, matches)?, output })))
            }
            None => AdviseArgs::from_arg_matches(matches).map(Self::Advise),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The command of one kind.
fn kind_command(kind: Kind) -> Command {
    let (name, underscored) = (dashed(kind.name()), kind.name());
    let command = Command::new(name)
        .aliases((name != underscored).then_some(underscored))
        .after_help(format!(
            "Formula (n: the step, from 1; e: updates since the end of the warm-up):\n  rate(n) = {}\n\n\
            Example:\n  noam schedule {} --at 1,100,10000",
            kind.formula(),
            example(kind)
        ))
        .next_help_heading("Parameters");
    let command = kind.parameters().iter().fold(command, |command, parameter| command.arg(flag(parameter)));
    let command = RatesOutput::augment_args(command.next_help_heading("Output"));
    // Last, since the output's own description would take its place.
    command.about(capitalised(kind.about())).long_about(None)
}

/// A command line for the kind that works as it stands.
fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Noam => "noam --d-model 512 --warmup 4000",
        Kind::InverseSqrt => "inverse-sqrt --peak 5e-4 --warmup 4000",
        Kind::Constant => "constant --rate 1e-4 --warmup 100",
        Kind::Linear => "linear --start 5e-4 --decay-steps 20000",
        Kind::Polynomial => "polynomial --start 5e-4 --end 1e-6 --decay-steps 20000 --power 2",
        Kind::Exponential => "exponential --start 1e-3 --decay-rate 0.5 --decay-steps 5000",
        Kind::InverseTime => "inverse-time --start 1e-3 --decay-rate 0.5 --decay-steps 1000",
        Kind::Piecewise => "piecewise --rates 1e-3,1e-4,1e-5 --boundaries 5000,8000",
        Kind::Cosine => "cosine --start 1e-3 --decay-steps 20000 --warmup 500",
        Kind::CosineRestarts => "cosine-restarts --start 1e-3 --decay-steps 1000 --t-mul 2",
        Kind::Wsd => "wsd --peak 1e-3 --warmup 500 --stable 8000 --decay-steps 1500",
        other => other.name(),
    }
}

/// Names as flags and commands spell them. clap keeps static texts only, hence the list.
/// A decay's `steps` are told apart from the `--steps` that are printed.
fn dashed(name: &'static str) -> &'static str {
    match name {
        "d_model" => "d-model",
        "steps" => "decay-steps",
        "decay_rate" => "decay-rate",
        "t_mul" => "t-mul",
        "m_mul" => "m-mul",
        "warmup_initial" => "warmup-initial",
        "inverse_sqrt" => "inverse-sqrt",
        "inverse_time" => "inverse-time",
        "cosine_restarts" => "cosine-restarts",
        other => other,
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The flag of a parameter.
fn flag(parameter: &Parameter) -> Arg {
    let name = parameter.name;
    let mut help = capitalised(parameter.about);
    if name == "steps" {
        help.push_str("; `steps` in a configuration");
    }
    if let Some(default) = parameter.default {
        help.push_str(&format!(" [default: {default}]"));
    }
    // The underscore works too, but `--steps` is how many rates are printed, the same for every kind.
    let underscored = (name != dashed(name) && name != "steps").then_some(name);
    let arg = Arg::new(name).long(dashed(name)).aliases(underscored).help(help);
    let arg = arg.required(parameter.default.is_none());
    match name {
        "staircase" => arg.action(ArgAction::SetTrue),
        "rates" => arg.value_name("RATE,...").value_delimiter(',').value_parser(value_parser!(f64)),
        "boundaries" => arg.value_name("STEP,...").value_delimiter(',').value_parser(value_parser!(u64)),
        "shape" => arg.value_name("SHAPE").value_parser(Shape::ALL.map(Shape::name)),
        "d_model" | "steps" | "t_mul" | "stable" | "warmup" => arg.value_name("N").value_parser(value_parser!(u64)),
        "rate" | "peak" | "start" | "end" | "warmup_initial" | "floor" => number(arg.value_name("RATE")),
        _ => number(arg.value_name("X")),
    }
}

/// A flag that takes any number; the schedule says which it refuses.
fn number(arg: Arg) -> Arg {
    arg.value_parser(value_parser!(f64)).allow_negative_numbers(true)
}

/// What was given for each parameter of the kind.
fn fields(kind: Kind, matches: &ArgMatches) -> Result<Fields, clap::Error> {
    let mut fields = Fields::new(kind);
    for Parameter { name, .. } in kind.parameters() {
        let count = || matches.get_one::<u64>(name).copied();
        let number = || matches.get_one::<f64>(name).copied();
        match *name {
            "d_model" => fields.d_model = count(),
            "factor" => fields.factor = number(),
            "rate" => fields.rate = number(),
            "peak" => fields.peak = number(),
            "start" => fields.start = number(),
            "end" => fields.end = number(),
            "steps" => fields.steps = count(),
            "power" => fields.power = number(),
            "decay_rate" => fields.decay_rate = number(),
            "staircase" => fields.staircase = matches.get_flag(name).then_some(true),
            "rates" => fields.rates = list(matches, name)?,
            "boundaries" => fields.boundaries = list(matches, name)?,
            "t_mul" => fields.t_mul = count(),
            "m_mul" => fields.m_mul = number(),
            "stable" => fields.stable = count(),
            "shape" => fields.shape = matches.get_one::<String>(name).and_then(|shape| Shape::from_name(shape)),
            "warmup" => fields.warmup = count(),
            "warmup_initial" => fields.warmup_initial = number(),
            "floor" => fields.floor = number(),
            other => unreachable!("schedule parameter {other} has no flag"),
        }
    }
    Ok(fields)
}

/// The entries of a flag that takes a list.
fn list<T: Copy + Default + Send + Sync + 'static>(
    matches: &ArgMatches,
    name: &str,
) -> Result<Option<List<T>>, clap::Error> {
    let Some(entries) = matches.get_many(name) else { return Ok(None) };
    let entries: Vec<T> = entries.copied().collect();
    let too_many = |error| clap::Error::raw(ErrorKind::ValueValidation, format!("--{name}: {error}\n"));
    List::new(&entries).map(Some).map_err(too_many)
}

#[cfg(test)]
mod tests {
    use super::*;
    use noam_schedule::Spec;

    fn parse(line: &str) -> Result<Fields, clap::Error> {
        let command = ScheduleCommand::augment_subcommands(Command::new("schedule"));
        let matches = command.try_get_matches_from(std::iter::once("schedule").chain(line.split_whitespace()))?;
        match ScheduleCommand::from_arg_matches(&matches)? {
            ScheduleCommand::Rates(args) => Ok(args.fields),
            ScheduleCommand::Advise(_) => panic!("{line} is a kind"),
        }
    }

    #[test]
    fn every_example_gives_a_schedule() {
        for kind in Kind::ALL {
            let spec = Spec::try_from(parse(example(kind)).unwrap()).unwrap();
            assert_eq!(spec.kind(), kind);
        }
    }

    #[test]
    fn every_parameter_of_every_kind_has_a_flag_that_reaches_it() {
        for kind in Kind::ALL {
            let value = |name: &str| match name {
                "staircase" => "",
                "rates" => "3,2,1",
                "boundaries" => "5,9",
                "shape" => "cosine",
                _ => "7",
            };
            let flags = kind.parameters().iter().map(|p| format!(" --{} {}", dashed(p.name), value(p.name)));
            let fields = parse(&(kind.name().to_owned() + &flags.collect::<String>())).unwrap();
            let given: Vec<&str> = fields.given().into_iter().filter(|field| field.1).map(|field| field.0).collect();
            assert_eq!(given.len(), kind.parameters().len(), "{kind}: {given:?}");
            assert!(kind.parameters().iter().all(|p| given.contains(&p.name)), "{kind}: {given:?}");
        }
    }

    #[test]
    fn names_take_dashes_and_underscores() {
        let names = Kind::ALL.into_iter().flat_map(|kind| kind.parameters()).map(|p| p.name);
        for name in names.chain(Kind::ALL.map(Kind::name)).filter(|&name| name != "steps") {
            assert_eq!(dashed(name), name.replace('_', "-"));
        }
        assert_eq!(parse("noam --d_model 8 --warmup 2").unwrap(), parse("noam --d-model 8 --warmup 2").unwrap());
        assert!(parse("inverse_sqrt --peak 1 --warmup 2").is_ok());
    }

    #[test]
    fn what_a_kind_does_not_take_is_refused() {
        assert_eq!(parse("constant --rate 1 --d-model 8").unwrap_err().kind(), ErrorKind::UnknownArgument);
        assert_eq!(parse("noam --d-model 8").unwrap_err().kind(), ErrorKind::MissingRequiredArgument);
        let many = format!("piecewise --rates {} --boundaries 5", ["1"; 17].join(","));
        assert!(parse(&many).unwrap_err().to_string().contains("17 entries"));
        assert_eq!(parse("noon").unwrap_err().kind(), ErrorKind::InvalidSubcommand);
    }
}

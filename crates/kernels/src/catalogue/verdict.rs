//! Results, what they must be, and what is said of them.

use std::fmt;

/// A buffer that a launch has written.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name in the operation's contract.
    pub name: &'static str,
    /// The type of its values: f32, bf16, f16, f64, u32. All of them are values of f64.
    pub element: &'static str,
    /// Its values.
    pub values: Vec<f64>,
    /// Whether what stands in memory before and behind them is as it was.
    pub intact: bool,
}

/// What an output must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The values.
    pub values: Vec<f64>,
    /// How far each may be off; nothing where the bits are fixed.
    pub bound: Option<Vec<f64>>,
}

impl Wanted {
    /// The same bits.
    pub(super) fn exactly(values: &[f32]) -> Self {
        Wanted { values: wide(values), bound: None }
    }

    /// Within a bound.
    pub(super) fn within(values: Vec<f64>, bound: Vec<f64>) -> Self {
        Wanted { values, bound: Some(bound) }
    }
}

/// As f64.
pub(super) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

/// Something that is wrong with an output.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// Values that are not what they must be: the first of them.
    Value {
        /// The output's name.
        output: &'static str,
        /// The type of its values.
        element: &'static str,
        /// The place in it.
        at: usize,
        /// What is there.
        got: f64,
        /// What must be there.
        want: f64,
        /// How far it may be off; nothing where the bits are fixed.
        bound: Option<f64>,
        /// How many such values there are.
        count: usize,
        /// Of how many.
        of: usize,
    },
    /// Values that a second launch on the same operands gave otherwise: the first of them.
    Repetition {
        /// The output's name.
        output: &'static str,
        /// The type of its values.
        element: &'static str,
        /// The place in it.
        at: usize,
        /// What the first launch left there.
        first: f64,
        /// What the second one did.
        second: f64,
    },
    /// Memory beside an output was written.
    Beside {
        /// The output's name.
        output: &'static str,
    },
    /// As many outputs, or values of one, as there must be are not there: a mistake of the case.
    Length {
        /// The output's name.
        output: &'static str,
        /// Values there are.
        got: usize,
        /// Values there must be.
        want: usize,
    },
}

/// A value with its bits.
struct Bits(f64, &'static str);

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bits(x, element) = *self;
        match element {
            "u32" => write!(f, "{x}"),
            "f64" => write!(f, "{x:e} ({:#018x})", x.to_bits()),
            // Rounding changes nothing: the value is one of this type. Of what is wanted within a bound, it need not
            // be.
            "bf16" => write!(f, "{x:e} ({:#06x})", half::bf16::from_f64(x).to_bits()),
            "f16" => write!(f, "{x:e} ({:#06x})", half::f16::from_f64(x).to_bits()),
            _ => write!(f, "{x:e} ({:#010x})", (x as f32).to_bits()),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Value { output, element, at, got, want, bound, count, of } => {
                write!(f, "{output}[{at}] is {}, must be {}", Bits(got, element), Bits(want, element))?;
                if let Some(bound) = bound {
                    write!(f, " within {bound:e}")?;
                }
                write!(f, "; {count} of {of} values are wrong")
            }
            Self::Repetition { output, element, at, first, second } => {
                let (first, second) = (Bits(first, element), Bits(second, element));
                write!(f, "{output}[{at}] is {first}, and {second} when it is launched again on the same operands")
            }
            Self::Beside { output } => write!(f, "memory beside {output} was written"),
            Self::Length { output, got, want } => write!(f, "{output} has {got} values, must have {want}"),
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// What is wrong; nothing if all is well.
    pub differences: Vec<Difference>,
    /// Values that were compared.
    pub values: usize,
    /// Of the values that may be off, the largest error as a share of its bound; nothing where all bits are fixed.
    pub worst: Option<f64>,
}

/// Bits, with one pattern for every NaN.
fn bits(x: f64) -> u64 {
    if x.is_nan() { u64::MAX } else { x.to_bits() }
}

impl Verdict {
    /// Whether all is well.
    pub fn passes(&self) -> bool {
        self.differences.is_empty()
    }

    /// Compares what two launches on the same operands gave.
    pub fn of_repetition(first: &[Output], second: &[Output]) -> Self {
        let mut verdict = Verdict::default();
        for (first, second) in first.iter().zip(second) {
            let output = first.name;
            if !(first.intact && second.intact) {
                verdict.differences.push(Difference::Beside { output });
            }
            let mut pairs = first.values.iter().zip(&second.values);
            if let Some(at) = pairs.position(|(&a, &b)| bits(a) != bits(b)) {
                let (element, first, second) = (first.element, first.values[at], second.values[at]);
                verdict.differences.push(Difference::Repetition { output, element, at, first, second });
            }
        }
        verdict
    }

    /// Compares outputs with what they must be.
    pub fn compare(&mut self, outputs: &[Output], wanted: &[Wanted]) {
        for (at, output) in outputs.iter().enumerate() {
            match wanted.get(at) {
                Some(wanted) if wanted.values.len() == output.values.len() => self.compare_one(output, wanted),
                wanted => self.differences.push(Difference::Length {
                    output: output.name,
                    got: output.values.len(),
                    want: wanted.map_or(0, |wanted| wanted.values.len()),
                }),
            }
        }
    }

    fn compare_one(&mut self, output: &Output, wanted: &Wanted) {
        let of = output.values.len();
        self.values += of;
        let (mut first, mut count) = (None, 0);
        for (at, (&got, &want)) in output.values.iter().zip(&wanted.values).enumerate() {
            let bound = wanted.bound.as_ref().map(|bound| bound[at]);
            let right = match bound {
                None => bits(got) == bits(want),
                Some(bound) => {
                    let error = (got - want).abs();
                    if error > 0.0 && bound > 0.0 {
                        self.worst = Some(self.worst.unwrap_or(0.0).max(error / bound));
                    }
                    // An infinity is right where it is wanted, and a NaN never is.
                    got == want || error <= bound
                }
            };
            if !right {
                count += 1;
                first.get_or_insert((at, got, want, bound));
            }
        }
        if wanted.bound.is_some() {
            self.worst.get_or_insert(0.0);
        }
        if let Some((at, got, want, bound)) = first {
            let (output, element) = (output.name, output.element);
            self.differences.push(Difference::Value { output, element, at, got, want, bound, count, of });
        }
    }
}

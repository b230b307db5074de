//! Adam's update of all the parameters of a preset, with gradients kept and cleared.
//!
//! Throughput: bytes, 28 a parameter, or 32 where the gradients are cleared in the same pass.

use noam_benches::{bytes_of, check, criterion, measures, time, values};
use noam_kernels::Error;
use noam_kernels::adam::{Adam, Config, GradScale, Gradients, Outcome, State};
use noam_model::{Layout, Preset};
use noam_schedule::Constant;

struct Case {
    adam: Adam,
    rate: Constant,
    params: Vec<f32>,
    grads: Vec<f32>,
    m: Vec<f32>,
    v: Vec<f32>,
}

impl Case {
    fn update(&mut self, after: Gradients) -> Result<(), Error> {
        let Case { adam, rate, params, grads, m, v } = self;
        let state = State { params, grads, m, v };
        match adam.update(rate, GradScale { norm: 1.0, scale: 1.0, after }, state)? {
            Outcome::Applied { finite: true, .. } => Ok(()),
            outcome => panic!("{outcome:?}"),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut criterion = criterion();
    let presets = if measures() { &[Preset::Tiny, Preset::Base][..] } else { &[Preset::Tiny] };
    for preset in presets {
        let n = Layout::new(&preset.config()).len();
        let (adam, rate) = (Adam::new(Config::default())?, Constant::new(1e-6)?);
        let [m, v] = [(); 2].map(|()| vec![0.0; n]);
        let mut case = Case { adam, rate, params: values(n, 1), grads: values(n, 2), m, v };
        // The first update has the size of the rate.
        let before = f64::from(case.params[n - 1]);
        case.update(Gradients::Keep)?;
        let want = before - 1e-6 * f64::from(case.grads[n - 1].signum());
        check("adam", case.params[n - 1], want, 1.2e-7);
        let name = format!("N{n}");
        time(&mut criterion, "adam_keep", &name, bytes_of(7 * n), || case.update(Gradients::Keep));
        // After the first call the gradients are zeros, which costs the same.
        time(&mut criterion, "adam_clear", &name, bytes_of(8 * n), || case.update(Gradients::Clear));
    }
    criterion.final_summary();
    Ok(())
}

//! Attention: the encoder's, the decoder's causal one and the cross-attention, with dropout, forward and backward.
//!
//! Throughput: floating-point operations, two a multiply-add (criterion prints them as elements), of the visible pairs of
//! query and key: two products forward (scores, output), five backward (scores again, and the gradients of weights, queries,
//! keys and values). Exponentials are not counted.

use noam_benches::{Sizes, check, criterion, flops, pool, sizes, time, values};
use noam_kernels::Error;
use noam_kernels::attention::{self, Attention, Dims, Gradients, Inputs, Mask, Output, Saved};
use noam_kernels::dropout::Dropout;

struct Case {
    dims: Dims,
    mask: Mask,
    /// Whether q, k and v come in one buffer (self-attention) or q and kv in two.
    own: bool,
    dropout: Dropout,
    lengths: Vec<u32>,
    qkv: Vec<f32>,
    q: Vec<f32>,
    kv: Vec<f32>,
    o: Vec<f32>,
    lse: Vec<f32>,
    d_o: Vec<f32>,
    dqkv: Vec<f32>,
    dq: Vec<f32>,
    dkv: Vec<f32>,
    scratch: Vec<f32>,
}

fn of(dims: Dims, mask: Mask, lengths: &[u32], dropout: Dropout) -> Attention<'_> {
    Attention { dims, mask, key_lengths: lengths, query_lengths: Some(lengths), dropout }
}

impl Case {
    fn new(s: Sizes, mask: Mask, own: bool) -> Result<Self, Error> {
        let dims = Dims { b: s.b, nh: s.nh, hs: s.hs(), t: s.t, s: s.t };
        let nc = s.n() * s.c;
        let scratch = attention::scratch_len(&dims, pool().current_num_threads());
        Ok(Case {
            dims,
            mask,
            own,
            dropout: Dropout::new(0.1, 1, 1, 1)?,
            lengths: vec![s.t as u32; s.b],
            qkv: values(3 * nc, 1),
            q: values(nc, 2),
            kv: values(2 * nc, 3),
            o: vec![0.0; nc],
            lse: vec![0.0; s.n() * s.nh],
            d_o: values(nc, 4),
            dqkv: vec![0.0; 3 * nc],
            dq: vec![0.0; nc],
            dkv: vec![0.0; 2 * nc],
            scratch: vec![0.0; scratch],
        })
    }

    fn forward(&mut self) -> Result<(), Error> {
        let Case { dims, mask, own, dropout, lengths, qkv, q, kv, o, lse, scratch, .. } = self;
        let inputs = if *own { Inputs::Packed { qkv } } else { Inputs::Cross { q, kv } };
        attention::forward(&of(*dims, *mask, lengths, *dropout), inputs, scratch, Output { o, lse })
    }

    fn backward(&mut self) -> Result<(), Error> {
        let Case { dims, mask, own, dropout, lengths, qkv, q, kv, o, lse, d_o, dqkv, dq, dkv, scratch } = self;
        let (inputs, gradients) = if *own {
            (Inputs::Packed { qkv }, Gradients::Packed { dqkv })
        } else {
            (Inputs::Cross { q, kv }, Gradients::Cross { dq, dkv })
        };
        attention::backward(&of(*dims, *mask, lengths, *dropout), inputs, Saved { o, lse, d_o }, scratch, gradients)
    }

    /// Checks, in f64 and without dropout, the last query's log-sum-exp and output; and that the gradients of the values add
    /// up to those of the outputs, since weights add up to 1.
    fn check(&mut self) -> Result<(), Error> {
        let dropout = std::mem::replace(&mut self.dropout, Dropout::NONE);
        self.forward()?;
        self.backward()?;
        let Dims { b, nh, hs, t, .. } = self.dims;
        let c = nh * hs;
        let row = |j: usize, part: usize, column: usize| -> f64 {
            let n = (b - 1) * t + j;
            f64::from(match (self.own, part) {
                (true, _) => self.qkv[n * 3 * c + part * c + column],
                (false, 0) => self.q[n * c + column],
                (false, _) => self.kv[n * 2 * c + (part - 1) * c + column],
            })
        };
        // The last query sees all keys, with either mask.
        let scores: Vec<f64> = (0..t)
            .map(|j| (c - hs..c).map(|i| row(t - 1, 0, i) * row(j, 1, i)).sum::<f64>() / (hs as f64).sqrt())
            .collect();
        let total: f64 = scores.iter().map(|s| s.exp()).sum();
        let o: f64 = (0..t).map(|j| scores[j].exp() / total * row(j, 2, c - 1)).sum();
        check("attention_forward: lse", self.lse[self.lse.len() - 1], total.ln(), 1e-5);
        check("attention_forward: o", self.o[self.o.len() - 1], o, 1e-5);
        let (dv, width) = if self.own { (&self.dqkv, 3 * c) } else { (&self.dkv, 2 * c) };
        let (got, want) = ((b - 1) * t..b * t).fold((0.0, 0.0), |sums, n| {
            (sums.0 + dv[n * width + width - 1], sums.1 + f64::from(self.d_o[n * c + c - 1]))
        });
        check("attention_backward: dv", got, want, 1e-4);
        self.dropout = dropout;
        self.forward()
    }
}

fn main() -> Result<(), Error> {
    let mut criterion = criterion();
    for &s in sizes() {
        for (kind, mask, own) in
            [("self", Mask::None, true), ("causal", Mask::Causal, true), ("cross", Mask::None, false)]
        {
            let mut case = Case::new(s, mask, own)?;
            case.check()?;
            let Sizes { b, t, nh, .. } = s;
            let name = if own {
                format!("B{b}_T{t}_NH{nh}_HS{}", s.hs())
            } else {
                format!("B{b}_T{t}_S{t}_NH{nh}_HS{}", s.hs())
            };
            let pairs = if mask == Mask::Causal { t * (t + 1) / 2 } else { t * t };
            let product = 2 * b * nh * pairs * s.hs();
            let operation = format!("attention_{kind}_forward");
            time(&mut criterion, &operation, &name, flops(2 * product), || case.forward());
            let operation = format!("attention_{kind}_backward");
            time(&mut criterion, &operation, &name, flops(5 * product), || case.backward());
        }
    }
    criterion.final_summary();
    Ok(())
}

"""Writes torch.json beside itself: cross-entropy by PyTorch in f64, from inputs that f32 holds exactly."""

import json
import pathlib

import torch
import torch.nn.functional as F

PAD = 0
GRAD_SCALE = 0.25


def case(n, v, smoothing, scale):
    logits = (torch.randn(n, v, dtype=torch.float64) * scale).float().double().requires_grad_()
    targets = torch.randint(1, v, (n,))
    targets[n // 2] = PAD
    kwargs = dict(ignore_index=PAD, reduction="none")
    loss = F.cross_entropy(logits, targets, label_smoothing=smoothing, **kwargs)
    (loss.sum() * GRAD_SCALE).backward()
    nll = F.cross_entropy(logits, targets, **kwargs)
    log_softmax = F.log_softmax(logits, dim=-1)
    tensors = dict(logits=logits, targets=targets, loss=loss, nll=nll, dlogits=logits.grad, log_softmax=log_softmax)
    head = dict(n=n, v=v, smoothing=smoothing, pad=PAD, grad_scale=GRAD_SCALE)
    return head | {name: t.detach().flatten().tolist() for name, t in tensors.items()}


torch.manual_seed(2)
cases = [case(4, 7, 0.0, 2.0), case(4, 7, 0.1, 2.0), case(3, 45, 0.1, 10.0), case(2, 2, 0.3, 1.0)]
out = dict(by=f"torch {torch.__version__}", cases=cases)
pathlib.Path(__file__).with_name("torch.json").write_text(json.dumps(out) + "\n")

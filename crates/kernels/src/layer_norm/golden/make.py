"""Writes torch.json beside itself: layer norm by PyTorch in f64, from inputs that f32 holds exactly."""

import json
import pathlib

import torch
import torch.nn.functional as F


def exact(*shape, scale=1.0, shift=0.0):
    return (torch.randn(*shape, dtype=torch.float64) * scale + shift).float().double()


def short(tensor):
    """Ten digits: more than f32 has, so that inputs are read back exactly."""
    return [float(f"{v:.10g}") for v in tensor.detach().flatten().tolist()]


def case(n, c, shift):
    x = exact(n, c, shift=shift).requires_grad_()
    sub = exact(n, c, scale=0.5).requires_grad_()
    gamma = exact(c, scale=0.3, shift=1.0).requires_grad_()
    beta = exact(c, scale=0.2).requires_grad_()
    dy = exact(n, c)
    y = F.layer_norm(x + sub, (c,), gamma, beta, eps=1e-5)
    y.backward(dy)
    tensors = dict(x=x, sub=sub, gamma=gamma, beta=beta, dy=dy, y=y)
    tensors |= dict(dx=x.grad, dsub=sub.grad, dgamma=gamma.grad, dbeta=beta.grad)
    return dict(n=n, c=c) | {name: short(t) for name, t in tensors.items()}


torch.manual_seed(1)
out = dict(by=f"torch {torch.__version__}", cases=[case(3, 5, 0.0), case(2, 40, 3.0), case(35, 6, -1.0)])
pathlib.Path(__file__).with_name("torch.json").write_text(json.dumps(out) + "\n")

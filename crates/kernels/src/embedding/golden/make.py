"""Writes torch.json beside itself: scaled embeddings with sinusoidal positions by PyTorch in f64, and their gradient."""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

PAD = 0


def positions(rows, c):
    """Sines, then cosines; the angle of column i of either half is p / 10000^(2i / c)."""
    half = (c + 1) // 2
    p = torch.arange(rows, dtype=torch.float64)[:, None]
    angle = p / 10000 ** (2 * torch.arange(half, dtype=torch.float64) / c)
    return torch.cat([angle.sin(), angle.cos()[:, : c - half]], dim=1)


def case(b, t, c, v, lengths, offset):
    table = torch.randn(v, c, dtype=torch.float64).float().double().requires_grad_()
    ids = torch.randint(1, v, (b, t))
    for row, length in zip(ids, lengths):
        row[length:] = PAD
    y = F.embedding(ids, table, padding_idx=PAD) * math.sqrt(c) + positions(offset + t, c)[offset:]
    y = y * (ids != PAD)[..., None]
    dy = torch.randn(b, t, c, dtype=torch.float64).float().double()
    y.backward(dy)
    tensors = dict(table=table, ids=ids, y=y, dy=dy, dtable=table.grad)
    head = dict(b=b, t=t, c=c, v=v, lengths=lengths, offset=offset)
    return head | {name: x.detach().flatten().tolist() for name, x in tensors.items()}


torch.manual_seed(3)
tables = [dict(rows=rows, c=c, values=positions(rows, c).flatten().tolist()) for rows, c in [(6, 8), (3, 7)]]
cases = [case(2, 3, 4, 5, [3, 2], 0), case(3, 5, 6, 4, [5, 0, 1], 7)]
out = dict(by=f"torch {torch.__version__}", positions=tables, cases=cases)
pathlib.Path(__file__).with_name("torch.json").write_text(json.dumps(out) + "\n")

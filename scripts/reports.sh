#!/usr/bin/env bash
# Writes the reports under docs/ anew: what each CUDA kernel takes of a multiprocessor, by the pinned assembler, and what it does on the
# emulated device. They are the same on every machine, so `git diff docs` shows what a change has changed. For maintainers; it
# needs python3 with pip, and neither a GPU nor a CUDA toolkit.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 scripts/nvrtc.py install >/dev/null
python3 scripts/nvrtc.py report
cargo run --release -- kernels report --output docs/kernel-counters.md

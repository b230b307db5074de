#!/bin/sh
# Runs the two programs beside this script on the emulator. Needs Python 3.10 or newer; fetches some 300 MB of packages
# into target/emulator-python once.
#
# nvJitLink is left out on purpose: with it Numba makes machine code, which the emulator refuses. Without it Numba has
# the driver link, which works.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
cargo build --manifest-path "$root/Cargo.toml" --release -p noam-libcuda
python="$target/emulator-python"
if [ ! -e "$python/ready" ]; then
    python3 -m venv "$python"
    "$python/bin/pip" install --quiet numpy numba==0.68.1 numba-cuda==0.30.4 cuda-bindings==12.9.10 \
        nvidia-cuda-nvcc-cu12==12.9.86 nvidia-cuda-nvrtc-cu12==12.9.86 nvidia-cuda-runtime-cu12==12.9.79 \
        nvidia-cuda-cccl-cu12==12.9.27
    touch "$python/ready"
fi
# Programs ask for either name.
library="$target/emulator-python/lib-cuda"
mkdir -p "$library"
cp "$target/release/libcuda.so" "$library/libcuda.so"
cp "$target/release/libcuda.so" "$library/libcuda.so.1"
for program in vector_add_cuda vector_add_numba; do
    LD_LIBRARY_PATH="$library" NOAM_EMULATOR_CHECKS=memory,initialization,race,synchronization \
        "$python/bin/python" "$here/$program.py"
done

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
# Programs ask for either name. One is a link: two files would be two drivers, if a program asks for both.
library="$python/lib-cuda"
mkdir -p "$library"
cp "$target/release/libcuda.so" "$library/libcuda.so"
ln -sf libcuda.so "$library/libcuda.so.1"
report="$python/report"
for program in vector_add_cuda vector_add_numba; do
    # Numba leaves its arrays to the end of the process.
    checks=memory,initialization,race,synchronization
    [ "$program" = vector_add_numba ] || checks=all
    rm -f "$report"
    LD_LIBRARY_PATH="$library" NOAM_EMULATOR_CHECKS="$checks" NOAM_EMULATOR_REPORT="$report" \
        "$python/bin/python" "$here/$program.py"
    if [ -s "$report" ]; then
        echo "$program: the emulator reports" >&2
        cat "$report" >&2
        exit 1
    fi
done

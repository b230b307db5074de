#!/usr/bin/env python3
"""Runs the examples of cudarc's own crate on the emulator, with all checks.

The crate is the one that this workspace is built with, as it was published: its examples are copied and built
unmodified, against the driver API and NVRTC only. An example fails if it exits with an error, prints what it should not,
or if the emulator reports anything that is not expected.

It needs Linux on x86_64 and python3 with pip: `scripts/nvrtc.py install` fetches NVRTC. Everything goes to
TARGET/cudarc-examples, where TARGET is $CARGO_TARGET_DIR, or `target`.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()
FOLDER = TARGET / "cudarc-examples"
NVRTC = TARGET / "nvrtc/12.0.140/nvidia/cuda_nvrtc/lib"
FEATURES = "std,driver,nvrtc,dynamic-loading,cuda-12000"

# What needs more than the driver and NVRTC.
LEFT_OUT = {"08-cupti": "needs CUPTI", "cufile-copy": "needs cuFile"}


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def close(found, expected, tolerance):
    """What holds where the numbers in the captures of two patterns are at most so far from each other."""

    def check(output):
        a, b = ([n for text in re.findall(pattern, output) for n in numbers(text)] for pattern in (found, expected))
        return len(a) == len(b) > 0 and all(abs(x - y) <= tolerance for x, y in zip(a, b))

    return check


def captures(pattern, values, times=1):
    """What holds where the captures are these, in any order, each so many times."""
    return lambda output: sorted(re.findall(pattern, output)) == sorted(values * times)


# CUDA's sinf errs by 2 units in the last place at most (CUDA C Programming Guide, mathematical functions), the host's
# by less than one; a sine's unit is 2**-24 at most.
SINES = close(r"Found (.*)", r"Expected (.*)", 3 * 2.0**-24)

# What examples print instead of asserting it.
OUTPUTS = {
    "03-launch-kernel": SINES,
    "04-streams": SINES,
    # Ten launches, done in two ways, each of a block of 1024 threads.
    "06-threading": captures(r"in thread (\d+)", [str(i) for i in range(10)], times=2 * 1024),
    # Small integers: exact.
    "09-constant-memory": close(r"\) = (\S+) \(", r"\(expected (.*?)\)", 0),
    "matmul-kernel": captures(r"Found \[(.*?)\]", ["7.0, 10.0, 15.0, 22.0"]),
}

# What the emulator rightly reports.
REPORTS = {
    # The first device's memory is freed last, when the thread's current context is the second device's, which has
    # ended: the driver refuses (CUDA_ERROR_CONTEXT_IS_DESTROYED), and cudarc keeps that to itself.
    "13-copy-multi-gpu": r"memory not freed: allocation #1 of 80 bytes at 0x\w+, when its context ended\n",
}


def run(*command, **more):
    return subprocess.run([str(part) for part in command], check=True, text=True, **more)


def package():
    """The folder that cargo has unpacked the crate to, and its version."""
    metadata = run("cargo", "metadata", "--format-version=1", "--locked", cwd=ROOT, stdout=subprocess.PIPE).stdout
    found = next(p for p in json.loads(metadata)["packages"] if p["name"] == "cudarc")
    return pathlib.Path(found["manifest_path"]).parent, found["version"]


def prepare(source):
    """A copy of the crate with its examples built, and a folder with the driver."""
    copy = FOLDER / "crate"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy)
    # It lies inside of this workspace and is no part of it.
    with open(copy / "Cargo.toml", "a") as manifest:
        manifest.write("\n[workspace]\n")
    examples = sorted(path.stem for path in (copy / "examples").glob("*.rs"))
    examples = [name for name in examples if name not in LEFT_OUT]
    each = [part for name in examples for part in ("--example", name)]
    build = ["cargo", "build", "--quiet", "--no-default-features", "--features", FEATURES]
    run(*build, "--target-dir", FOLDER / "target", *each, cwd=copy)

    run("cargo", "build", "--quiet", "--locked", "-p", "noam-libcuda", "--target-dir", TARGET, cwd=ROOT)
    driver = FOLDER / "driver"
    driver.mkdir(exist_ok=True)
    for name in ("libcuda.so", "libcuda.so.1"):
        (driver / name).unlink(missing_ok=True)
    (driver / "libcuda.so").symlink_to(TARGET / "debug/libcuda.so")
    (driver / "libcuda.so.1").symlink_to("libcuda.so")
    return copy, driver, examples


def main():
    run(sys.executable, ROOT / "scripts/nvrtc.py", "install", stdout=subprocess.DEVNULL)
    source, version = package()
    copy, driver, examples = prepare(source)
    report = FOLDER / "report"
    environment = os.environ | {
        "LD_LIBRARY_PATH": f"{driver}:{NVRTC}",
        "NOAM_EMULATOR_CHECKS": "all",
        "NOAM_EMULATOR_REPORT": str(report),
        "NOAM_EMULATOR_DEVICES": "2",
    }
    failed = 0
    for name in examples:
        report.unlink(missing_ok=True)
        # Examples read files of their crate.
        program = subprocess.run(
            [FOLDER / "target/debug/examples" / name],
            cwd=copy,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
        )
        wrong = []
        if program.returncode != 0:
            wrong.append(f"exit code {program.returncode}")
        if not OUTPUTS.get(name, lambda _: True)(program.stdout):
            wrong.append("unexpected output")
        reports = report.read_text() if report.exists() else ""
        if not re.fullmatch(REPORTS.get(name, ""), reports):
            wrong.append(f"unexpected reports:\n{reports or 'none'}")
        print(f"cudarc {version}, {name}: {'; '.join(wrong) or 'ok'}")
        if wrong:
            print(program.stdout)
            failed += 1
    for name, why in LEFT_OUT.items():
        print(f"cudarc {version}, {name}: left out, it {why}")
    sys.exit(f"{failed} of {len(examples)} examples failed" if failed else 0)


if __name__ == "__main__":
    main()

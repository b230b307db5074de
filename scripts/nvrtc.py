#!/usr/bin/env python3
"""Compiles the CUDA sources of this workspace to the PTX that is committed beside them.

    scripts/nvrtc.py install            fetch the pinned compilers (pip, by hash) into TARGET/nvrtc
    scripts/nvrtc.py compile [NAME...]  write the PTX of every source, or of those named
    scripts/nvrtc.py check [NAME...]    recompile, compare byte for byte; exit 1 with a diff if any differs
    scripts/nvrtc.py assemble [NAME...] assemble for sm_80 and sm_90, print registers and memory; exit 1 if one of the
                                        workspace's own kernels spills
    scripts/nvrtc.py report             the same of the workspace's own kernels, as tables in docs/kernel-resources.md

NAME is a source's name without its folder and ending, for instance `adam`. TARGET is $CARGO_TARGET_DIR, or `target`.

For maintainers and CI only: building and testing the workspace read the committed PTX and need none of this. It needs
Linux on x86_64, python3 with pip, and neither a GPU nor a CUDA toolkit.
"""

import argparse
import ctypes
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The workspace's own kernels, and the headers that all of them share.
KERNELS = ROOT / "crates/kernels/src"
SHARED = KERNELS / "cuda"

# Folder name of the golden PTX -> pip package, version, sha256 of its x86_64 wheel, library.
# 12.0 makes what users run: PTX ISA 8.0, which every driver since 525 accepts. The others make what the emulator's
# parser must read besides.
COMPILERS = {
    "12.0": (
        "nvidia-cuda-nvrtc-cu12",
        "12.0.140",
        "8e94e991d85c422de4da87bdc7472fdc1364367bd4aace7000b559cd33122071",
        "nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
    ),
    "12.9": (
        "nvidia-cuda-nvrtc-cu12",
        "12.9.86",
        "210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4",
        "nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
    ),
    "13.5": (
        "nvidia-cuda-nvrtc",
        "13.5.37",
        "86b4d68058807988b7d9af5b44917a0601e9c337f35ccd657bfb3c759ff8d8bc",
        "nvidia/cu13/lib/libnvrtc.so.13",
    ),
}

# No contraction of a * b + c: where the sources mean a fused multiply-add they say so, because the arithmetic is part
# of an operation's contract. Line numbers, so that a finding in a kernel names a line of its source; they cost nothing
# on a device.
OPTIONS = ["--std=c++17", "--fmad=false", "--generate-line-info"]

# What machine code is made with: line information would be kept in it.
ASSEMBLED = [option for option in OPTIONS if option != "--generate-line-info"]

# NVRTC includes <nv/target> unasked, and its 38 variables come with every PTX. Its include guard keeps them out of ours;
# the golden PTX has them, as other people's PTX will.
OURS = ["--define-macro=__NV_TARGET_H"]


# What `report` writes above its tables, and above the rows of each.
REPORT = """\
# What each kernel takes of a multiprocessor

Registers a thread, static shared memory a block, and local memory a thread of all {entries} kernels of
`crates/kernels`, as the assembler of NVRTC {version} says with `{options}`. Bytes, but for registers.
Dynamic shared memory comes on top: a launcher asks for it, by the shapes.

Written by `scripts/nvrtc.py report`, after `scripts/nvrtc.py install`; it needs no GPU. What a driver makes of the
committed PTX may differ: the assembler is its own, and the PTX, of compute_80, is what it has on sm_90 too.

"""
EACH = "registers | shared | spill stores / loads | stack"
TABLE = f"| Entry | sm_80: {EACH} | sm_90: {EACH} |\n|{' --- |' + 8 * ' --: |'}\n"


def target(source):
    """compute_80, or what the source says in a comment of its own: `// Target: compute_90a`."""
    said = re.search(r"^// Target: (compute_\w+)$", source.read_text(), re.MULTILINE)
    return [f"--gpu-architecture={said.group(1) if said else 'compute_80'}"]


def targets():
    """Every (source, options, compiler, PTX) of the workspace, in order."""
    for source in sorted(KERNELS.rglob("*.cu")):
        yield source, OPTIONS + OURS + target(source), "12.0", source.with_suffix(".ptx")
    tests = ROOT / "crates/emulator/tests"
    for source in sorted((tests / "kernels").glob("*.cu")):
        for compiler in COMPILERS:
            yield source, OPTIONS + target(source), compiler, tests / "ptx" / compiler / f"{source.stem}.ptx"
    for source in sorted((tests / "bugs").glob("*.cu")):
        yield source, OPTIONS + OURS + target(source), "12.0", source.with_suffix(".ptx")


def home(compiler):
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "nvrtc" / COMPILERS[compiler][1]


def install():
    for compiler, (package, version, sha256, library) in COMPILERS.items():
        folder = home(compiler)
        if (folder / library).exists():
            print(f"NVRTC {version} is there already: {folder}")
            continue
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
            requirements.write(f"{package}=={version} --hash=sha256:{sha256}\n")
            requirements.flush()
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
            pip += ["--require-hashes", "--target", str(folder), "--requirement", requirements.name]
            subprocess.run(pip, check=True)
        print(f"NVRTC {version}: {folder}")


class Nvrtc:
    """One compiler, loaded from where `install` put it."""

    def __init__(self, compiler):
        version, library = COMPILERS[compiler][1], COMPILERS[compiler][3]
        path = home(compiler) / library
        if not path.exists():
            sys.exit(f"NVRTC {version} is not at {path}; run `scripts/nvrtc.py install` first")
        # NVRTC loads its built-in functions by name; a copy that is already loaded answers, wherever it lies.
        for builtins in path.parent.glob("libnvrtc-builtins.so.*"):
            ctypes.CDLL(str(builtins))
        self.lib = ctypes.CDLL(str(path))
        self.lib.nvrtcGetErrorString.restype = ctypes.c_char_p

    def text(self, program, what):
        """The log or the PTX of a program: both come as a size, then that many bytes with a final zero."""
        size = ctypes.c_size_t()
        self.ok(getattr(self.lib, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
        buffer = ctypes.create_string_buffer(size.value)
        self.ok(getattr(self.lib, f"nvrtcGet{what}")(program, buffer))
        return buffer.raw.rstrip(b"\0")

    def ok(self, status):
        if status != 0:
            sys.exit(f"NVRTC: {self.lib.nvrtcGetErrorString(status).decode()}")

    def compile(self, source, options):
        """The PTX of one source. Names in it are relative, so that it is the same on every machine."""
        program, log = self.build(source, options)
        if log:
            print(log, file=sys.stderr)
        ptx = self.text(program, "PTX")
        self.ok(self.lib.nvrtcDestroyProgram(ctypes.byref(program)))
        return relative(ptx.decode(), source.name, headers(source))

    def assemble(self, source, options):
        """What the assembler says of one source."""
        program, log = self.build(source, options)
        self.ok(self.lib.nvrtcDestroyProgram(ctypes.byref(program)))
        return log

    def build(self, source, options):
        """A compiled program, and its log."""
        found = headers(source)
        names = (ctypes.c_char_p * len(found))(*[name.encode() for name in found])
        texts = (ctypes.c_char_p * len(found))(*[path.read_bytes() for path in found.values()])
        program = ctypes.c_void_p()
        self.ok(
            self.lib.nvrtcCreateProgram(
                ctypes.byref(program), source.read_bytes(), source.name.encode(), len(found), texts, names
            )
        )
        words = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
        status = self.lib.nvrtcCompileProgram(program, len(options), words)
        log = self.text(program, "ProgramLog").decode().strip()
        if status != 0:
            print(log, file=sys.stderr)
        self.ok(status)
        return program, log


def headers(source):
    """Name -> path of what a source includes, directly or through a header: files beside it, or those that all
    operations share."""
    found, todo = {}, [source]
    while todo:
        for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', todo.pop().read_text(), re.MULTILINE):
            if name not in found:
                beside = source.parent / name
                found[name] = beside if beside.exists() else SHARED / name
                todo.append(found[name])
    return found


def relative(ptx, name, found):
    """The PTX with its `.file` entries as `reduction.cu`: NVRTC puts the folder it runs in before them."""

    def entry(match):
        path = pathlib.PurePosixPath(match.group(2))
        if path.name != name and path.name not in found:
            sys.exit(f"{name}: its PTX names an unknown file {path}")
        return f'{match.group(1)}"{path.name}"'

    return re.sub(r'^(\s*\.file\s+\d+\s+)"([^"]*)"', entry, ptx, flags=re.MULTILINE)


def chosen(names):
    every = list(targets())
    unknown = set(names) - {source.stem for source, _, _, _ in every}
    if unknown:
        sys.exit(f"no such source: {', '.join(sorted(unknown))}")
    return [target for target in every if not names or target[0].stem in names]


def compiled(names):
    compilers = {}
    for source, options, compiler, path in chosen(names):
        if compiler not in compilers:
            compilers[compiler] = Nvrtc(compiler)
        yield path, compilers[compiler].compile(source, options)


def compile_all(names):
    for path, ptx in compiled(names):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ptx)
        print(path.relative_to(ROOT))


def check(names):
    different = 0
    for path, ptx in compiled(names):
        committed = path.read_text() if path.exists() else ""
        if committed != ptx:
            different += 1
            shown = str(path.relative_to(ROOT))
            lines = [text.splitlines(keepends=True) for text in (committed, ptx)]
            sys.stdout.writelines(difflib.unified_diff(*lines, f"{shown} (committed)", f"{shown} (compiled)"))
    if not names:
        known = {path for _, _, _, path in targets()}
        for crate in ("kernels/src", "emulator/tests/ptx", "emulator/tests/bugs"):
            for path in sorted((ROOT / "crates" / crate).rglob("*.ptx")):
                if path not in known:
                    different += 1
                    print(f"{path.relative_to(ROOT)} has no source")
    if different:
        sys.exit(f"{different} of the PTX files differ; `scripts/nvrtc.py compile` writes them anew")
    print("every PTX file is what its source compiles to")


def devices(source):
    """What a source is assembled for: both architectures that the workspace is made for, or the only one that takes
    it."""
    said = target(source)[0].partition("=")[2]
    return ["sm_80", "sm_90"] if said == "compute_80" else [said.replace("compute", "sm")]


def resources(compiler, source, device):
    """Entry -> what ptxas gives it on a device: registers, bytes of static shared memory, of spill stores, of spill
    loads, and of its stack frame. What is said of a function that an entry calls is counted as the entry's."""
    log = compiler.assemble(source, ASSEMBLED + [f"--gpu-architecture={device}", "--ptxas-options=-v"])
    found, entry = {}, None
    for line in log.splitlines():
        begin = re.search(r"Compiling entry function '(\w+)'", line)
        if begin:
            entry = found[begin.group(1)] = dict.fromkeys(("registers", "shared", "stores", "loads", "stack"), 0)
        for what, pattern in (
            ("registers", r"Used (\d+) registers"),
            ("shared", r"(\d+) bytes smem"),
            ("stores", r"(\d+) bytes spill stores"),
            ("loads", r"(\d+) bytes spill loads"),
            ("stack", r"(\d+) bytes stack frame"),
        ):
            said = re.search(pattern, line)
            if said:
                entry[what] += int(said.group(1))
    return found


def assemble(names):
    """Machine code by NVRTC's own ptxas, which also reads what inline PTX the compiler itself only passes on."""
    compiler, spills = Nvrtc("12.0"), 0
    for source in dict.fromkeys(source for source, _, _, _ in chosen(names)):
        for device in devices(source):
            for entry, use in resources(compiler, source, device).items():
                print(
                    f"{source.stem} {entry} {device}: {use['registers']} registers, {use['shared']} bytes of shared "
                    f"memory, {use['stores']} bytes spill stores, {use['loads']} bytes spill loads, {use['stack']} "
                    "bytes stack frame"
                )
                spills += KERNELS in source.parents and use["stores"] + use["loads"] > 0
    if spills:
        sys.exit(f"{spills} kernels spill registers to local memory")


def report():
    """The workspace's own kernels, a table an operation, which is what a folder of theirs is."""
    compiler, operations, entries, spills = Nvrtc("12.0"), {}, 0, []
    for source in (source for source, _, _, _ in targets() if KERNELS in source.parents):
        uses = [resources(compiler, source, device) for device in ("sm_80", "sm_90")]
        rows = operations.setdefault(source.parent.name, {})
        for entry in uses[0]:
            entries += 1
            rows[entry] = [use[entry] for use in uses]
            if any(use["stores"] + use["loads"] for use in rows[entry]):
                spills.append(entry)
    text = [REPORT.format(version=COMPILERS["12.0"][1], options=" ".join(ASSEMBLED), entries=entries)]
    text.append(f"Kernels that spill registers to local memory: {', '.join(sorted(spills)) or 'none'}.\n")
    for operation, rows in sorted(operations.items()):
        text += [f"\n## {operation}\n\n", TABLE]
        for entry, uses in sorted(rows.items()):
            mark = " **spills**" if entry in spills else ""
            cells = [
                cell
                for use in uses
                for cell in (use["registers"], use["shared"], f"{use['stores']} / {use['loads']}", use["stack"])
            ]
            text.append(f"| `{entry}`{mark} | {' | '.join(map(str, cells))} |\n")
    path = ROOT / "docs/kernel-resources.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(text))
    print(path.relative_to(ROOT))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install")
    commands.add_parser("report")
    for command in ("compile", "check", "assemble"):
        commands.add_parser(command).add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    if arguments.command == "install":
        install()
    elif arguments.command == "compile":
        compile_all(arguments.names)
    elif arguments.command == "assemble":
        assemble(arguments.names)
    elif arguments.command == "report":
        report()
    else:
        check(arguments.names)


if __name__ == "__main__":
    main()

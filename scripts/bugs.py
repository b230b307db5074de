#!/usr/bin/env python3
"""Writes the table of seeded bugs in crates/emulator/tests/bugs/README.md from the sources beside it.

    scripts/bugs.py          write the table
    scripts/bugs.py check    exit 1 if the table is old, a twin is missing, or a marked line has no code

The README says how a source states its cases.
"""

import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "crates/emulator/tests/bugs"
BEGIN, END = "<!-- table: scripts/bugs.py -->\n", "<!-- end -->\n"
CASE = re.compile(r"^// (\w+): (<<<.*>>>(?: cooperative)?) (\(.*\))$")
MARK = re.compile(r"// BUG: (\w+(?: \w+)*)$")
# What a finding can be about: accesses, barriers, exchanges between lanes, ends, calls, and the branches of a loop.
CODE = re.compile(r"\b(ld|st|atom|red|cp\.async|mbarrier|bar|shfl|vote|trap|call|bra)\b(?!\w)")


def cases(source):
    """(name, launch, parameters, sentence, [(line, kinds)]) for each case, in order."""
    found, lines = [], source.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        case, mark = CASE.match(line), MARK.search(line)
        if case:
            first = number - 1
            while lines[first - 1].startswith("//"):
                first -= 1
            sentence = " ".join(text[3:] for text in lines[first : number - 1])
            found.append((*case.groups(), sentence, []))
        if mark:
            found[-1][4].append((number, mark.group(1)))
    return found


def in_words(kinds):
    """The first kind is the bug, the others may come with it."""
    bug, *others = kinds.split()
    return f"{bug} ({', '.join(others)})" if others else bug


def table():
    rows = ["| case | what is wrong | launch | expected |\n", "| --- | --- | --- | --- |\n"]
    for source in sorted(FOLDER.glob("*.cu")):
        for name, launch, parameters, sentence, marks in cases(source):
            expected = "; ".join(f"{line}: {in_words(kinds)}" for line, kinds in marks)
            rows.append(f"| `{source.stem}` `{name}` | {sentence} | `{launch} {parameters}` | {expected} |\n")
    return "".join(rows)


def lines_with_code(ptx, kernel):
    """The source lines to which a kernel's instructions, or those of a function of its name's case, belong."""
    body = re.search(rf"\.entry {kernel}\(.*?\n}}\n", ptx, re.DOTALL).group(0)
    called = [name for name in re.findall(r"^\s*(\w+),?\s*$", body, re.MULTILINE) if f" {name}(" in ptx]
    for name in called:
        body += "".join(re.findall(rf"\.func [^\n]*{name}\(.*?\n}}\n", ptx, re.DOTALL))
    line, found = 0, set()
    for text in body.splitlines():
        place = re.match(r"\s*\.loc\s+\d+ (\d+)", text)
        if place:
            line = int(place.group(1))
        elif CODE.search(text):
            found.add(line)
    return found


def problems():
    for source in sorted(FOLDER.glob("*.cu")):
        ptx = source.with_suffix(".ptx").read_text()
        for name, _, _, _, marks in cases(source):
            for twin in ("bad", "good"):
                if f".entry {name}_{twin}(" not in ptx:
                    yield f"{source.name}: no kernel {name}_{twin}"
            if not marks:
                yield f"{source.name}: {name} has no marked line"
            code = lines_with_code(ptx, f"{name}_bad")
            for line, kinds in marks:
                if line not in code and kinds != "Leak":
                    yield f"{source.name}:{line}: {name}_bad has no instruction there"


def main():
    readme = FOLDER / "README.md"
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    wanted = before + BEGIN + table() + END + rest.split(END)[1]
    if sys.argv[1:] == ["check"]:
        found = list(problems())
        if wanted != text:
            found.append("README.md: the table is old; `scripts/bugs.py` writes it anew")
        if found:
            sys.exit("\n".join(found))
        print("the table of seeded bugs fits the sources and their PTX")
    else:
        readme.write_text(wanted)


if __name__ == "__main__":
    main()

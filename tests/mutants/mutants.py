#!/usr/bin/env python3
"""Seeded bugs: each must make a test fail.

    mutants.py check             every mutant of tests/mutants/*.txt fits its source exactly once
    mutants.py run [--near] [NAME...]
                                 builds each in build/mutants, runs its near tests, then (but for --near) all; a table at the end

A mutant is a text that is replaced by another in one file:

    == name
    what: the bug in a few words
    file: journal/writer.c
    near: unit.writer fault.journal
    ---- from
    ...
    ---- to
    ...
    ----
"""
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build" / "mutants"
TREE = BUILD / "tree"
OBJECTS = BUILD / "objects"
SECONDS_NEAR, SECONDS_ALL = 120, 900


class Mutant:
    def __init__(self, source, name, text):
        self.name = name
        match = re.fullmatch(
            r"what: (.+)\nfile: (\S+)\nnear: (.+)\n---- from\n(.*\n)---- to\n(.*)----\n*", text, re.DOTALL)
        if not match:
            sys.exit(f"{source}: {name}: not of the form that mutants.py describes")
        self.what, self.file, near, self.old, self.new = match.groups()
        self.near = near.split()

    def count(self, root):
        return (root / self.file).read_text().count(self.old) if (root / self.file).is_file() else 0


def load():
    mutants = []
    for source in sorted((ROOT / "tests" / "mutants").glob("*.txt")):
        parts = re.split(r"^== (\S+)\n", source.read_text(), flags=re.MULTILINE)
        if parts[0].strip():
            sys.exit(f"{source}: text before the first mutant")
        mutants += [Mutant(source.name, name, text) for name, text in zip(parts[1::2], parts[2::2])]
    names = [mutant.name for mutant in mutants]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        sys.exit(f"more than one mutant is called: {' '.join(twice)}")
    return mutants


def known_tests():
    """The names that tests/CMakeLists.txt gives, as far as the files tell."""
    tests = {f"{folder}.{path.stem[5:]}" for folder in ("unit", "fault", "threads", "sim")
             for path in (ROOT / "tests" / folder).glob("test_*.c")}
    tests |= {f"{folder}.{path.stem}" for folder in ("integration", "embed", "tidy")
              for path in (ROOT / "tests" / folder).glob("*.sh")}
    return tests


def check(mutants):
    tests, faults = known_tests(), []
    for mutant in mutants:
        count = mutant.count(ROOT)
        if count != 1:
            faults.append(f"{mutant.name}: its text is {count} times in {mutant.file}, not once")
        if mutant.old == mutant.new:
            faults.append(f"{mutant.name}: it changes nothing")
        faults += [f"{mutant.name}: there is no test {name}" for name in mutant.near if name not in tests]
    for fault in faults:
        print(fault)
    print(f"{len(mutants)} mutants, {len(faults)} faults")
    return not faults


def call(command, seconds=None):
    """Exit status and output; status None: it took too long."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.communicate()
            return None, ""


def prepare():
    """A copy of the tracked files in build/mutants/tree, and a build of it that is kept from run to run."""
    TREE.mkdir(parents=True, exist_ok=True)
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            check=True, capture_output=True).stdout
    files = {name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()}
    for path in [path for path in TREE.rglob("*") if path.is_file() or path.is_symlink()]:
        if str(path.relative_to(TREE)) not in files:
            path.unlink()
    for name in sorted(files):
        source, target = ROOT / name, TREE / name
        if not target.is_file() or source.read_bytes() != target.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        shutil.copymode(source, target)
    for command in (["cmake", "-S", str(TREE), "-B", str(OBJECTS), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug"],
                    ["cmake", "--build", str(OBJECTS)]):
        status, output = call(command)
        if status != 0:
            sys.exit(f"{' '.join(command)} fails:\n{output[-3000:]}")


def targets_of(tests):
    """What ninja has to build for them; None: everything."""
    targets = set()
    for name in tests:
        folder, rest = name.split(".", 1)
        if folder in ("unit", "fault", "threads"):
            targets |= {f"test_{folder}_{rest}"}
        elif folder == "integration":
            targets |= {"settlectl"}
        else:
            return []
    return sorted(targets)


def build(targets):
    return call(["cmake", "--build", str(OBJECTS)] + (["--target", *targets] if targets else []))


def first_failure(arguments, seconds):
    """Runs tests until one fails: its name, None where none does."""
    status, output = call(["ctest", "--test-dir", str(OBJECTS), "--stop-on-failure", "--timeout", str(seconds)] + arguments)
    if status == 0:
        return None
    failed = re.findall(r"^\s*\d+ - (\S+) \((.+)\)$", output, re.MULTILINE)
    if not failed:
        sys.exit(f"ctest did not end as it should:\n{output[-1000:]}")
    return failed[0][0] + (" (time)" if failed[0][1] == "Timeout" else "")


def hunt(mutant, is_near):
    """(how it ended, the test that found it)"""
    status, output = build(targets_of(mutant.near))
    if status != 0:
        return "DOES NOT BUILD", "\n".join(output.splitlines()[-8:])
    for name in mutant.near:
        found = first_failure(["-R", f"^{re.escape(name)}$"], SECONDS_NEAR)
        if found:
            return "caught", found
    if is_near:
        return "NOT NEAR", ""
    status, output = build([])
    if status != 0:
        return "DOES NOT BUILD", "\n".join(output.splitlines()[-8:])
    found = first_failure(["-j2", "-LE", "tidy|fuzz", "-E", "instructions|^unit.bench|integration.bench"], SECONDS_ALL)
    return ("caught", found) if found else ("SURVIVES", "")


def run(mutants, names):
    is_near = "--near" in names
    names = [name for name in names if name != "--near"]
    chosen = [mutant for mutant in mutants if not names or mutant.name in names]
    if len(chosen) < len(names):
        sys.exit("no such mutant: " + " ".join(set(names) - {mutant.name for mutant in chosen}))
    prepare()
    baseline = sorted({test for mutant in chosen for test in mutant.near})
    status, output = build(targets_of(baseline))
    if status != 0:
        sys.exit(output[-3000:])
    found = None if is_near else first_failure(["-j2", "-R", "^(" + "|".join(re.escape(name) for name in baseline) + ")$"], SECONDS_ALL)
    if found:
        sys.exit(f"{found} fails without any mutant")
    rows = []
    for mutant in chosen:
        began, path = time.monotonic(), TREE / mutant.file
        original = path.read_text()
        path.write_text(original.replace(mutant.old, mutant.new, 1))
        try:
            result, by = hunt(mutant, is_near)
        finally:
            path.write_text(original)
        rows.append((mutant, result, by))
        print(f"{mutant.name:34} {result:8} {by}  [{time.monotonic() - began:.0f} s]", flush=True)
    caught = sum(result == "caught" for _, result, _ in rows)
    near = sum(result == "caught" and by.split(" ")[0] in mutant.near for mutant, result, by in rows)
    print(f"\n{len(rows)} mutants, {caught} caught ({near} by a test named near), {len(rows) - caught} not")
    for mutant, result, by in rows:
        if result != "caught":
            print(f"{result}: {mutant.name}: {mutant.what} ({mutant.file})\n{by}")
    return caught == len(rows)


def main(arguments):
    mutants = load()
    if not arguments or arguments[0] not in ("check", "run"):
        sys.exit(__doc__)
    good = check(mutants)
    if good and arguments[0] == "run":
        good = run(mutants, arguments[1:])
    sys.exit(0 if good else 1)


main(sys.argv[1:])

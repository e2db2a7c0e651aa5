#!/usr/bin/env python3
"""Lines, branches and MC/DC conditions of the library that no test reaches.

    report.py EXPORT.json... [--list] [--rows] LAYER...

EXPORT.json is `llvm-cov export`, several of one build count together; LAYER a folder (journal, engine). Prints a table per file and each line, outcome of a branch
and condition (MC/DC) that was not reached. Fails where a line or an outcome is neither reached nor explained, and where an
explanation fits nothing that is not reached (of an open place, and of one that begins with "race:", that is only told). --list: also what is explained, and the conditions; --rows: what has no explanation as
rows to write one.

explained.txt beside this file says why a place is not reached. A line is named by its text, so that it may move; a block is a file
and a reason, then a row a line:

    journal/writer.c: why no test can have it so
        segment_fill | true | if (wanted > w->header.segment_bytes)

Between the bars: line, true, false, or more than one of them with commas. A reason that begins with "open" is none: the place
waits for its test, and is counted apart. One that begins with "race:" names what only another process's timing brings about: a run may reach it or not. Conditions (MC/DC) need no explanation, and what an assertion would do is not counted:
an assertion that fails is a defect.
"""
import json
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EXPLAINED = Path(__file__).resolve().parent / "explained.txt"


class Source:
    def __init__(self, path):
        self.path = path
        self.name = str(path.relative_to(ROOT))
        self.text = path.read_text().splitlines()
        self.lines, self.branches, self.conditions = {}, {}, {}
        self.functions = []  # (first line, last line, name)

    def in_assertion(self, line, column):
        return bool(re.match(r"assert\(", self.text[line - 1][column - 1:]))

    def line_of(self, line):
        return self.text[line - 1].strip()

    def function_of(self, line):
        inside = [entry for entry in self.functions if entry[0] <= line <= entry[1]]
        return max(inside)[2] if inside else "-"

    def missed(self):
        """(line, kind) of all that was not reached."""
        found = [(line, "line") for line, count in self.lines.items() if count == 0]
        for (line, _, _), (true, false) in self.branches.items():
            if self.lines.get(line, 1) == 0 and true == 0 and false == 0:
                continue  # the line says it
            found += [(line, "true")] if true == 0 else []
            found += [(line, "false")] if false == 0 else []
        return sorted(found)


def line_counts(segments, last):
    """What llvm-cov shows beside each line: the count of the regions that are on it."""
    counts, by_line = {}, defaultdict(list)
    for segment in segments:
        by_line[segment[0]].append(segment)
    wrapped = None
    for line in range(1, last + 1):
        here = by_line.get(line, [])
        starts = [s for s in here if s[4] and s[3] and not s[5]]
        has_start = bool(starts)
        mapped = (wrapped is not None and wrapped[3]) or has_start
        if here and not here[0][3] and here[0][4] and not starts:
            mapped = False  # a skipped region begins
        if mapped:
            count = wrapped[2] if wrapped is not None and wrapped[3] else 0
            counts[line] = max([count] + [s[2] for s in starts]) if starts else count
        if here:
            wrapped = here[-1]
    return counts


def read_sources(exports, layers):
    data = {"files": [], "functions": []}
    for export in exports:
        for name, entries in data.items():
            entries += json.loads(Path(export).read_text())["data"][0][name]
    true_count = lambda count: 0 if count >= 1 << 62 else count
    sources = {}

    def source_of(name):
        path = Path(name).resolve()
        if not path.is_relative_to(ROOT) or path.relative_to(ROOT).parts[0] not in layers:
            return None
        return sources.setdefault(path, Source(path))

    for entry in data["files"]:
        source = source_of(entry["filename"])
        if source is None:
            continue
        # A count that is the difference of two which threads raced on may come out below zero: nobody came there.
        segments = [[*segment[:2], true_count(segment[2]), *segment[3:]] for segment in entry["segments"]]
        for line, count in line_counts(segments, len(source.text)).items():
            source.lines[line] = max(source.lines.get(line, 0), count)
        for l1, c1, l2, c2, true, false, *_ in entry["branches"]:
            if (l1, c1) == (l2, c2) or source.in_assertion(l1, c1):
                continue
            before = source.branches.get((l1, c1, c2), (0, 0))
            source.branches[l1, c1, c2] = (max(true_count(true), before[0]), max(true_count(false), before[1]))
        for l1, c1, l2, c2, *_, covered in entry["mcdc_records"]:
            if (l1, c1) == (l2, c2) or source.in_assertion(l1, c1):
                continue
            before = source.conditions.get((l1, c1), [False] * len(covered))
            source.conditions[l1, c1] = [a or b for a, b in zip(before, covered)]
    for function in data["functions"]:
        source = source_of(function["filenames"][0])
        if source is not None:
            region = function["regions"][0]
            source.functions.append((region[0], region[2], function["name"].rsplit(":", 1)[-1]))
    return [sources[path] for path in sorted(sources) if sources[path].lines]


def read_explanations():
    """(file, function, text, kind) → why"""
    explained, heading = {}, None
    for number, row in enumerate(EXPLAINED.read_text().splitlines() if EXPLAINED.exists() else [], 1):
        if not row.strip() or row.startswith("#"):
            continue
        match = re.fullmatch(r"(\S+): (.+)", row)
        if match:
            heading = match.groups()
            continue
        match = re.fullmatch(r"\s+(\S+) \| ((?:line|true|false)(?:,(?:line|true|false))*) \| (.+)", row)
        if match is None or heading is None:
            sys.exit(f"{EXPLAINED.name}:{number}: not of the form that report.py describes: {row}")
        for kind in match[2].split(","):
            explained[heading[0], match[1], match[3], kind] = heading[1]
    return explained


def percent(part, whole):
    return "100.00 %" if whole == 0 else f"{100 * part / whole:.2f} %"


def table(sources):
    rows = [["file", "lines", "", "branches", "", "MC/DC", ""]]
    totals = defaultdict(lambda: [0] * 6)
    for source in sources:
        conditions = [covered for pair in source.conditions.values() for covered in pair]
        outcomes = [count for pair in source.branches.values() for count in pair]
        figures = [sum(count > 0 for count in source.lines.values()), len(source.lines),
                   sum(count > 0 for count in outcomes), len(outcomes), sum(conditions), len(conditions)]
        for name in (source.name.split("/")[0], "all"):
            totals[name] = [a + b for a, b in zip(totals[name], figures)]
        rows.append([source.name] + figures)
    rows += [[name] + figures for name, figures in totals.items()]
    for row in rows[1:]:
        figures = row[1:]
        row[1:] = [cell for i in range(0, 6, 2)
                   for cell in (f"{figures[i]}/{figures[i + 1]}", percent(figures[i], figures[i + 1]))]
    widths = [max(len(row[i]) for row in rows) for i in range(7)]
    for row in rows:
        print("  ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]).rstrip())


def write_rows(rows):
    before = None
    for (file, function, text), kinds in rows.items():
        if file != before:
            print(f"\n{file}: ")
        before = file
        print(f"    {function} | {','.join(sorted(set(kinds)))} | {text}")


def main(arguments):
    lists_all, wants_rows, rows = "--list" in arguments, "--rows" in arguments, defaultdict(list)
    exports = [argument for argument in arguments if argument.endswith(".json")]
    layers = [argument for argument in arguments if not argument.startswith("--") and argument not in exports]
    sources, explained = read_sources(exports, layers), read_explanations()
    table(sources)
    used, unexplained, counts, open_places = set(), [], defaultdict(int), 0
    for source in sources:
        for line, kind in source.missed():
            key = (source.name, source.function_of(line), source.line_of(line), kind)
            what = {"line": "no test comes here", "true": "never true", "false": "never false"}[kind]
            counts[kind] += 1
            text = f"{source.name}:{line}: {what}: {source.line_of(line)}"
            if key not in explained:
                unexplained.append(text)
                rows[source.name, key[1], key[2]].append(kind)
                continue
            used.add(key)
            open_places += explained[key].startswith("open")
            if lists_all:
                print(f"{text}  [{explained[key]}]")
        for (line, column), covered in sorted(source.conditions.items()):
            if not all(covered) and lists_all:
                places = ", ".join(str(i + 1) for i, is_covered in enumerate(covered) if not is_covered)
                print(f"{source.name}:{line}:{column}: MC/DC: condition {places} of {len(covered)}: {source.line_of(line)}")
    stale = [key for key in explained if key not in used and key[0].split("/")[0] in layers]
    reached = [key for key in stale if explained[key].startswith(("open", "race:"))]
    stale = [key for key in stale if key not in reached]
    print(f"\nnot reached: {counts['line']} lines, {counts['true'] + counts['false']} outcomes of branches; "
          f"{sum(counts.values()) - open_places - len(unexplained)} of them explained, {open_places} open, {len(unexplained)} without a word")
    for line in unexplained:
        print(line)
    if wants_rows:
        write_rows(rows)
    for file, function, text, kind in reached:
        print(f"{EXPLAINED.name}: reached this time: {file} {function}: {kind}: {text}")
    for file, function, text, kind in stale:
        print(f"{EXPLAINED.name}: nothing is missed at {file} {function}: {kind}: {text}")
    sys.exit(1 if unexplained or stale else 0)


main(sys.argv[1:])

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up a test run from the records that its parts left, and prints one closing line.

usage: summary.py DIRECTORY

Read are: steps.tsv (lines of result, name, reason), *.testlog.json with *.testlog.junit.xml (meson), and other *.xml
(JUnit, by pytest). The closing line is "N passed, N failed, N skipped". The exit status is 0 only when something
passed and nothing failed.
"""

import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

PASS, FAIL, SKIP = "pass", "fail", "skip"


def junit_cases(path):
    """Yields (suite, name, result, reason) for every test case of a JUnit file."""
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            bad = case.find("failure") if case.find("failure") is not None else case.find("error")
            skipped = case.find("skipped")
            name = case.get("name", "")
            classname = case.get("classname", suite.get("name", ""))
            if bad is not None:
                yield classname, name, FAIL, (bad.get("message") or bad.text or "").strip()
            elif skipped is not None:
                reason = skipped.get("message") or case.findtext("system-out") or ""
                yield classname, name, SKIP, reason.split("# SKIP")[-1].strip()
            else:
                yield classname, name, PASS, ""


def meson_cases(log_path):
    """A meson run: the single cases from its JUnit file, and the programs' own results from its log.

    A program that dies after its last passing case shows only in the log, so the log has the last word.
    """
    junit_path = log_path.with_name(log_path.name.replace(".testlog.json", ".testlog.junit.xml"))
    part = log_path.name.split(".")[0]
    cases = list(junit_cases(junit_path))
    for suite, name, result, reason in cases:
        yield f"{part}: {suite} {name}", result, reason
    suites_failed = {suite for suite, _, result, _ in cases if result == FAIL}
    suites_seen = {suite for suite, _, _, _ in cases}
    names_seen = {name for _, name, _, _ in cases}
    for line in log_path.read_text(encoding="utf-8", errors="replace").splitlines():
        run = json.loads(line)
        program = run["name"].split(" / ")[-1]
        suite = next((s for s in suites_seen if s.endswith("." + run["name"])), None)
        if suite is None and run["name"] not in names_seen:
            yield f"{part}: {program}", FAIL, f"reported no test case ({run['result']})"
        elif run["result"] not in ("OK", "EXPECTEDFAIL", "SKIP") and suite is not None \
                and suite not in suites_failed:
            yield f"{part}: {program}", FAIL, f"{run['result']}, exit status {run['returncode']}"


def step_cases(path):
    for line in path.read_text(encoding="utf-8").splitlines():
        result, name, reason = line.split("\t")
        yield name, result, reason


def all_cases(directory):
    """Yields (part, name, result, reason) of everything recorded in the directory."""
    for path in sorted(directory.glob("*.tsv")):
        yield from (("steps", *case) for case in step_cases(path))
    for path in sorted(directory.glob("*.testlog.json")):
        part = path.name.split(".")[0]
        yield from ((f"unit tests, {part}", *case) for case in meson_cases(path))
    for path in sorted(directory.glob("*.xml")):
        if path.name.endswith(".testlog.junit.xml"):
            continue
        for suite, name, result, reason in junit_cases(path):
            yield path.stem, f"{suite}.{name}", result, reason


def first_line(text):
    return text.splitlines()[0] if text else "no reason given"


def main():
    directory = pathlib.Path(sys.argv[1])
    counts = {}
    noted = {FAIL: [], SKIP: []}
    for part, name, result, reason in all_cases(directory):
        row = counts.setdefault(part, {PASS: 0, FAIL: 0, SKIP: 0})
        row[result] += 1
        if result in noted:
            noted[result].append(f"{name}: {first_line(reason)}")
    for word, result in (("skipped", SKIP), ("failed", FAIL)):
        for text in noted[result]:
            print(f"{word}: {text}")
    print(f"{'part':<24} {'pass':>6} {'fail':>6} {'skip':>6}")
    for part, row in counts.items():
        print(f"{part:<24} {row[PASS]:>6} {row[FAIL]:>6} {row[SKIP]:>6}")
    total = {r: sum(row[r] for row in counts.values()) for r in (PASS, FAIL, SKIP)}
    print(f"{total[PASS]} passed, {total[FAIL]} failed, {total[SKIP]} skipped", flush=True)
    return 0 if total[PASS] > 0 and total[FAIL] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())

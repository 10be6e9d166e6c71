#!/usr/bin/env python3
"""Clause -> rule -> code -> test. Usage: rfc.py [ROOT]; exits 1 if a part of src/ws/rules.h lacks code or a test.

Prints every clause named in src/ws/rules.h with its rules and their answers. For each clause it lists the code
locations that carry its tag (RFC6455§5.1) and the tests that do (_RFC6455_5_1 in a test's name, or the tag in a
heading of tests/transcripts). Tagged clauses without a rule follow: they describe our behaviour, not a peer's error.

The check fails for:
  * a clause of rules.h whose tag is in no code, or in no test;
  * a rule that no code answers with, or that no test names (Rule::name, "name", or `failed name` in a transcript).
"""

import collections
import pathlib
import re
import sys

RULE = re.compile(r'\bRULE\((\w+), (\d+), "(RFC\d+§[\d.]+)", "([^"]*)"\)')
TAG = re.compile(r"RFC(\d+)§(\d+(?:\.\d+)*)")
TEST_NAME = re.compile(r"^TEST(?:_[FP])?\((\w+),\s*(\w+)\)", re.MULTILINE)
TEST_TAG = re.compile(r"_RFC(\d+)((?:_\d+)+)(?=_|$)")
USE = re.compile(r"\bRule::(\w+)")
QUOTED = re.compile(r'"(\w+)"')
FAILED = re.compile(r"^event failed (\w+)", re.MULTILINE)


class Evidence:
    """The locations of each clause and each rule."""

    def __init__(self):
        self.clause_code = collections.defaultdict(list)
        self.clause_tests = collections.defaultdict(list)
        self.rule_code = collections.defaultdict(list)
        self.rule_tests = collections.defaultdict(list)


def clause_key(clause):
    number, section = TAG.fullmatch(clause).groups()
    return int(number), [int(part) for part in section.split(".")]


def read_rules(root):
    """Returns [(name, code, clause, sentence)] in the order of rules.h."""
    text = (root / "src/ws/rules.h").read_text()
    rules = [(name, int(code), clause, sentence) for name, code, clause, sentence in RULE.findall(text)]
    lines = [line for line in text.splitlines() if line.strip().startswith("RULE(")]
    if len(lines) != len(rules):
        raise SystemExit("rfc: a line of src/ws/rules.h cannot be read")
    return rules


def read_test(name, text, found):
    for suite, test in TEST_NAME.findall(text):
        for number, section in TEST_TAG.findall(test):
            found.clause_tests[f"RFC{number}§{section[1:].replace('_', '.')}"].append(f"{name}:{suite}.{test}")
    for rule in USE.findall(text) + QUOTED.findall(text):
        found.rule_tests[rule].append(name)


def read_code(name, text, found):
    for number, line in enumerate(text.splitlines(), 1):
        for tag in TAG.finditer(line):
            found.clause_code[tag.group()].append(f"{name}:{number}")
        for rule in USE.findall(line):
            found.rule_code[rule].append(f"{name}:{number}")


def read_transcript(name, text, found):
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            for tag in TAG.finditer(line):
                found.clause_tests[tag.group()].append(f"{name}:{number}")
    for rule in FAILED.findall(text):
        found.rule_tests[rule].append(name)


def collect(root):
    found = Evidence()
    for path in sorted((root / "src").rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.endswith("_test.cc"):
            read_test(name, path.read_text(), found)
        elif path.suffix in (".h", ".cc") and name != "src/ws/rules.h":
            read_code(name, path.read_text(), found)
    for path in sorted((root / "tests/transcripts").glob("*.md")):
        if path.name != "README.md":
            read_transcript(path.relative_to(root).as_posix(), path.read_text(), found)
    return found


def missing(rules, found):
    """Returns one sentence for each missing piece of code or test."""
    lines = []
    for clause in sorted({rule[2] for rule in rules}, key=clause_key):
        if not found.clause_code[clause]:
            lines.append(f"{clause}: no code carries the tag")
        if not found.clause_tests[clause]:
            lines.append(f"{clause}: no test carries the tag")
    for name, _, clause, _ in rules:
        if not found.rule_code[name]:
            lines.append(f"{clause} {name}: no code answers with it")
        if not found.rule_tests[name]:
            lines.append(f"{clause} {name}: no test names it")
    return lines


def answer(code):
    return f"close {code}" if code >= 1000 else f"status {code}" if code else "no answer"


def print_clause(clause, rules, found):
    print(clause)
    for name, code, _, sentence in (rule for rule in rules if rule[2] == clause):
        print(f"  rule  {name} ({answer(code)}): {sentence}")
    for place in found.clause_code[clause]:
        print(f"  code  {place}")
    for place in found.clause_tests[clause]:
        print(f"  test  {place}")


def main(arguments):
    root = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).resolve().parent.parent)
    rules = read_rules(root)
    found = collect(root)
    named = {rule[2] for rule in rules}
    tagged = set(found.clause_code) | set(found.clause_tests)
    for clause in sorted(named, key=clause_key):
        print_clause(clause, rules, found)
    print("\nWithout a rule a peer could break:")
    for clause in sorted(tagged - named, key=clause_key):
        print_clause(clause, rules, found)
    lines = missing(rules, found)
    print(f"\nrfc: {len(rules)} rules of {len(named)} clauses, {len(lines)} not held")
    for line in lines:
        print(f"rfc: {line}", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

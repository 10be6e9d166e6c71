#!/usr/bin/env python3
"""Style rules that a formatter cannot check. Usage: style_check.py [ROOT]; exits 1 if a rule is broken.

  * a C++ file longer than 500 lines is an error, and one longer than 400 is a warning (it usually holds
    two ideas), unless tools/style_exceptions gives a reason;
  * a header contains #pragma once;
  * no marker for unfinished work, no path of one machine;
  * no library feature that libc++ does not have: the library must build with it;
  * a test waits for a condition: no fixed sleep in unit or end-to-end tests.
"""

import pathlib
import re
import sys

CODE = (".h", ".cc")
TEXT = CODE + (".py", ".sh", ".md", ".mjs", ".js", ".ts", ".tsx", ".yaml", ".yml", ".json", ".txt", ".cmake")
SKIPPED_FOLDERS = {".git", "build", "node_modules", ".cache"}
LINES_NAMED = 400
LINES_MAX = 500
# Split into pieces so that this file does not violate its own rules.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(ho" + r"me/\w|ro" + r"ot/|wo" + r"rk/)")
NOT_IN_LIBCXX = re.compile(r"\bstd::move_only_" + r"function\b")
FIXED_SLEEP_CC = re.compile(r"\b(sleep_for|usleep|nanosleep|sleep)\s*\(")
FIXED_SLEEP_JS = re.compile(r"\bawait\s+(sleep|delay)\s*\(|\bawait\s+new\s+Promise\(\s*\(?\w+\)?\s*=>\s*setTimeout")


def read_exceptions(root):
    """Returns path -> reason from tools/style_exceptions ("path reason", one per line)."""
    path = root / "tools" / "style_exceptions"
    found = {}
    if path.is_file():
        for line in path.read_text().splitlines():
            name, _, reason = line.partition(" ")
            if name and not name.startswith("#") and reason.strip():
                found[name] = reason.strip()
    return found


def files_of(root):
    for path in sorted(root.iterdir()):
        if path.is_dir() and path.name not in SKIPPED_FOLDERS:
            yield from files_of(path)
        elif path.is_file() and path.suffix in TEXT and path.name != "package-lock.json":
            yield path


def is_test(name):
    return "_test." in name or "/tests/" in "/" + name or ".test." in name


def check_lines(name, lines):
    code = name.endswith(CODE)
    sleep = FIXED_SLEEP_CC if code else FIXED_SLEEP_JS if name.endswith((".mjs", ".js", ".ts", ".tsx")) else None
    for number, line in enumerate(lines, 1):
        if UNFINISHED.search(line):
            yield number, "a marker for unfinished work; finish it or open an issue"
        if MACHINE_PATH.search(line):
            yield number, "a path of one machine; make it relative to the repository"
        if code and NOT_IN_LIBCXX.search(line) and not line.lstrip().startswith("//"):
            yield number, "libc++ has no std::move_only_" + "function; use UniqueFunction of fanfare/unique_function.h"
        if sleep and is_test(name) and sleep.search(line):
            yield number, "a fixed sleep in a test; wait for the condition"


def check(root):
    """Returns (errors, warnings), each a list of (file name, line, text)."""
    errors, warnings = [], []
    exceptions = read_exceptions(root)
    for path in files_of(root):
        name = str(path.relative_to(root))
        lines = path.read_text(errors="replace").splitlines()
        errors.extend((name, number, text) for number, text in check_lines(name, lines))
        if name.endswith(".h") and "#pragma once" not in lines:
            errors.append((name, 1, "a header needs #pragma once"))
        if name.endswith(CODE) and name not in exceptions:
            if len(lines) > LINES_MAX:
                errors.append((name, len(lines), f"over {LINES_MAX} lines; split it by idea, or say why in "
                                                 "tools/style_exceptions"))
            elif len(lines) > LINES_NAMED:
                warnings.append((name, len(lines), f"over {LINES_NAMED} lines: is it two ideas?"))
    for name in exceptions:
        if not (root / name).is_file():
            errors.append(("tools/style_exceptions", 0, f"names {name}, which is not there"))
    return errors, warnings


def main(arguments):
    errors, warnings = check(pathlib.Path(arguments[1] if len(arguments) > 1 else "."))
    for kind, found in (("warning", warnings), ("error", errors)):
        for name, number, text in found:
            print(f"{name}:{number}: {kind}: {text}")
    print(f"style check: {len(errors)} errors, {len(warnings)} warnings")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

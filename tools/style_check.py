#!/usr/bin/env python3
"""Style rules that a formatter cannot check. Usage: style_check.py [--shrink] [ROOT]; exits 1 if a rule is broken.

--shrink first lowers or removes the exceptions of classes and functions that have become shorter.

  * a C++ file longer than 500 lines is an error, and one longer than 400 is a warning (it usually holds
    two ideas), unless tools/style_exceptions gives a reason;
  * a class longer than 400 lines, counted over all files that define its members, and a function longer than 60
    lines are errors, unless tools/style_exceptions lists it with its number of lines, which may only shrink;
  * a header contains #pragma once;
  * no marker for unfinished work, no path of one machine;
  * no library feature that libc++ does not have: the library must build with it;
  * a test waits for a condition: no fixed sleep in unit or end-to-end tests.
"""

import pathlib
import re
import sys

import structure

CODE = (".h", ".cc")
TEXT = CODE + (".py", ".sh", ".md", ".mjs", ".js", ".ts", ".tsx", ".yaml", ".yml", ".json", ".txt", ".cmake")
SKIPPED_FOLDERS = {".git", "build", "node_modules", ".cache"}
LINES_NAMED = 400
LINES_MAX = 500
CLASS_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
# So many lines may an exception be above the truth before it must be lowered.
SLACK = 20
COUNTED_FOLDERS = ("src/", "apps/", "include/")
# Split into pieces so that this file does not violate its own rules.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(ho" + r"me/\w|ro" + r"ot/|wo" + r"rk/)")
NOT_IN_LIBCXX = re.compile(r"\bstd::move_only_" + r"function\b")
FIXED_SLEEP_CC = re.compile(r"\b(sleep_for|usleep|nanosleep|sleep)\s*\(")
FIXED_SLEEP_JS = re.compile(r"\bawait\s+(sleep|delay)\s*\(|\bawait\s+new\s+Promise\(\s*\(?\w+\)?\s*=>\s*setTimeout")


def read_exceptions(root):
    """Returns path -> reason, and (kind, name) -> lines, from tools/style_exceptions.

    One per line: "path reason", "class FOLDER/NAME LINES reason" or "function FILE:NAME LINES reason".
    """
    path = root / "tools" / "style_exceptions"
    files, counts = {}, {}
    for line in path.read_text().splitlines() if path.is_file() else []:
        match = re.match(r"(class|function) (\S+) (\d+) \S", line)
        if match:
            counts[(match.group(1), match.group(2))] = int(match.group(3))
            continue
        name, _, reason = line.partition(" ")
        if name and not name.startswith("#") and reason.strip():
            files[name] = reason.strip()
    return files, counts


def count_of_each(files):
    """Returns (kind, name) -> lines of every class and function of (path, text) pairs."""
    found = {}
    for (place, name), lines in structure.count_classes(files).items():
        found[("class", f"{place}/{name}")] = lines
    for path, text in files:
        for function in structure.parse(text)[1]:
            key = ("function", f"{path}:{function.name}")
            found[key] = max(found.get(key, 0), function.lines)
    return found


def shrink(root):
    """Rewrites the exceptions of classes and functions: none is raised, and none stays that is not needed."""
    path = root / "tools" / "style_exceptions"
    found = count_of_each(counted_files(root))
    kept = []
    for line in path.read_text().splitlines():
        match = re.match(r"(class|function) (\S+) (\d+) (.*)", line)
        if match:
            kind, name, allowed, reason = match.groups()
            lines = min(found.get((kind, name), 0), int(allowed))
            if lines <= (CLASS_LINES_MAX if kind == "class" else FUNCTION_LINES_MAX):
                continue
            line = f"{kind} {name} {lines} {reason}"
        kept.append(line)
    path.write_text("\n".join(kept) + "\n")


def counted_files(root):
    """The (path, text) pairs whose classes and functions are counted."""
    names = [(path, str(path.relative_to(root))) for path in files_of(root)]
    return [(name, path.read_text(errors="replace")) for path, name in names
            if name.endswith(CODE) and name.startswith(COUNTED_FOLDERS) and not is_for_tests(name)]


def check_counts(files, exceptions):
    """Yields an error for each class or function that is too long, or whose exception does not fit any more."""
    found = count_of_each(files)
    for key, lines in sorted(found.items()):
        kind, name = key
        limit = CLASS_LINES_MAX if kind == "class" else FUNCTION_LINES_MAX
        allowed = exceptions.get(key)
        if allowed is None and lines > limit:
            where = " over all its files" if kind == "class" else ""
            yield name, lines, f"a {kind} of {lines} lines{where}, over {limit}; split it by idea"
        elif allowed is not None and lines <= limit:
            yield name, lines, f"a {kind} of {lines} lines needs no exception any more; remove it from tools/style_exceptions"
        elif allowed is not None and lines > allowed:
            yield name, lines, f"a {kind} of {lines} lines, over the {allowed} of its exception, which may only shrink"
        elif allowed is not None and lines < allowed - SLACK:
            yield name, lines, f"a {kind} of {lines} lines; lower the {allowed} of its exception in tools/style_exceptions"
    for key in sorted(exceptions.keys() - found.keys()):
        yield "tools/style_exceptions", 0, f"names the {key[0]} {key[1]}, which is not there"


def files_of(root):
    for path in sorted(root.iterdir()):
        if path.is_dir() and path.name not in SKIPPED_FOLDERS:
            yield from files_of(path)
        elif path.is_file() and path.suffix in TEXT and path.name != "package-lock.json":
            yield path


def is_test(name):
    return "_test." in name or "/tests/" in "/" + name or ".test." in name


def is_for_tests(name):
    return name.endswith(("_test.cc", "_for_tests.h", "_for_tests.cc"))


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
    exceptions, counts = read_exceptions(root)
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
    errors.extend(check_counts(counted_files(root), counts))
    for name in exceptions:
        if not (root / name).is_file():
            errors.append(("tools/style_exceptions", 0, f"names {name}, which is not there"))
    return errors, warnings


def main(arguments):
    places = [argument for argument in arguments[1:] if argument != "--shrink"]
    root = pathlib.Path(places[0] if places else ".")
    if "--shrink" in arguments:
        shrink(root)
    errors, warnings = check(root)
    for kind, found in (("warning", warnings), ("error", errors)):
        for name, number, text in found:
            print(f"{name}:{number}: {kind}: {text}")
    print(f"style check: {len(errors)} errors, {len(warnings)} warnings")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

#!/usr/bin/env python3
"""Finds what is declared and never used outside of tests. Usage: dead_code.py BUILD_DIR; exits 1 if it finds anything.

Reads the sources, and the objects that BUILD_DIR/compile_commands.json names, which must be built:

  * a function that is defined in a .cc file: no other object refers to its symbol, and no file that is compiled into its own object
    mentions it;
  * an inline function or a constant of a header: no file mentions its name;
  * a declaration in a class without a definition anywhere;
  * an enumerator that occurs only in case labels, so nothing has this value.

Public functions (include/fanfare) and overriding functions are used by definition. Tests, fuzzers and benchmarks do not count as
users. tools/dead_code_exceptions lists what may stay, "NAME reason" or "FILE-PATTERN reason" on each line. A line that
nothing falls under any more is a warning.
"""

import collections
import fnmatch
import pathlib
import re
import shlex
import subprocess
import sys

import compile_commands
import structure

OWN = ("src", "apps")
USERS = ("src", "apps", "include", "examples")
# Called by the language or the standard library.
IMPLICIT = {"main", "begin", "end", "what", "await_ready", "await_suspend", "await_resume", "LLVMFuzzerTestOneInput"}
TOKEN = re.compile(r"~?\b[A-Za-z_]\w*\b")
ENUM = re.compile(r"\benum\s+(class\s+)?(\w+)\s*(?::[^{;]*)?\{([^}]*)\}")
CONSTANT = re.compile(r"\binline\s+constexpr\b[^;={(]*?\b(k[A-Z]\w*)\s*(?:=|\{)")
DECLARATION = re.compile(r"([^;{}]*?)\b(\w+)\s*\(((?:[^();{}]|\((?:[^();{}]|\([^(){};]*\))*\))*)\)([^;{}()]*);")


def is_for_tests(path):
    return path.stem.endswith(("_test", "_for_tests", "_world")) or path.stem.startswith(("test_", "simulated_node"))


class Source:
    """One file: its text without comments and literals, and its functions."""

    def __init__(self, root, path):
        self.name = str(path.relative_to(root))
        text = path.read_text(errors="replace")
        self.clean = structure.blank(text)
        self.lines = self.clean.splitlines()
        self.classes, self.functions = structure.parse(text)
        self.tokens = collections.Counter(TOKEN.findall(self.clean))

    def definitions(self, full):
        """The functions of this file that may be the one with this full name."""
        return [function for function in self.functions if f"::{full}".endswith(f"::{function.name}")]

    def inline_mentions(self):
        """What the bodies of the functions mention; in a header, these are compiled into every object that includes it."""
        found = set()
        for function in self.functions:
            tokens = collections.Counter(TOKEN.findall("\n".join(self.lines[function.first - 1:function.last])))
            tokens[function.name.rpartition("::")[2]] -= 1
            found.update(token for token, times in tokens.items() if times > 0)
        return found

    def mentions_outside(self, full):
        """Whether the file mentions a function apart from its definition, from calls to itself, and from other definitions of its name."""
        name = full.rpartition("::")[2]
        rest, heads = list(self.lines), 0
        same = self.definitions(full)
        for function in self.functions:
            if function.name.rpartition("::")[2] != name:
                continue
            # With overloads it is unknown which one calls which.
            if function in same and len(same) == 1:
                rest[function.first - 1:function.last] = [""] * function.lines
            else:
                heads += 1
        return sum(len(re.findall(rf"\b{re.escape(name)}\b", line)) for line in rest) > heads


def read_sources(root):
    found = {}
    for folder in USERS:
        for path in sorted((root / folder).rglob("*")) if (root / folder).is_dir() else []:
            if path.suffix in (".h", ".cc") and not is_for_tests(path) and "node_modules" not in path.parts:
                source = Source(root, path)
                found[source.name] = source
    return found


def public_names(sources):
    """The names of all classes and functions that include/fanfare declares."""
    return {token for name, source in sources.items() if name.startswith("include/") for token in source.tokens}


def overridden_names(sources):
    """The names of virtual functions and of those that override one."""
    found = set()
    for source in sources.values():
        found.update(re.findall(r"\bvirtual\b[^;{}()]*?(~?\w+)\s*\(", source.clean))
        found.update(re.findall(r"\b(\w+)\s*\((?:[^(){};]|\([^(){};]*\))*\)[^;{}()]*\b(?:override|final)\b", source.clean))
    return found


# ---- functions of .cc files, by their symbols ----

def objects_of(root, build):
    """Yields (source name, object path, whether tests use it only) for every compiled file."""
    for entry in compile_commands.read_commands(build):
        path = pathlib.Path(entry["file"])
        if not path.is_relative_to(root) or path.is_relative_to(build) or path.suffix != ".cc":
            continue
        arguments = shlex.split(entry["command"])
        output = pathlib.Path(entry["directory"], arguments[arguments.index("-o") + 1])
        name = str(path.relative_to(root))
        # A program of the tests may compile sources of the product once more.
        is_in_tests = output.is_relative_to(build) and output.relative_to(build).parts[0] in ("tests", "fuzz", "bench")
        yield name, output, is_for_tests(path) or is_in_tests or name.split("/")[0] not in USERS


def read_symbols(objects):
    """Returns object -> (defined functions, undefined symbols)."""
    found = {}
    for begin in range(0, len(objects), 100):
        part = [str(item) for item in objects[begin:begin + 100]]
        output = subprocess.run(["nm", "-A", "-P", *part], capture_output=True, text=True, check=True).stdout
        for line in output.splitlines():
            match = re.match(r"(.+?): (\S+) (\w)", line)
            if match:
                defined, undefined = found.setdefault(match.group(1), (set(), set()))
                if match.group(3) == "T":
                    defined.add(match.group(2))
                elif match.group(3) == "U":
                    undefined.add(match.group(2))
    return found


def demangle(symbols):
    output = subprocess.run(["c++filt"], input="\n".join(symbols), capture_output=True, text=True, check=True).stdout
    return dict(zip(symbols, output.splitlines()))


def plain_name(demangled):
    """"fanfare::net::Loop::post(...)" -> "fanfare::net::Loop::post", without ABI tags and template arguments."""
    depth, name = 0, ""
    for character in re.sub(r"\[abi:\w+\]|\(anonymous namespace\)::", "", demangled):
        if character == "(" and depth == 0:
            break
        if character == "<":
            depth += 1
        elif character == ">":
            depth -= 1
        elif depth == 0:
            name += character
    return name


def unused_functions(sources, symbols, objects, public, overridden):
    users, defined_in, compiled_as_one = set(), {}, collections.defaultdict(list)
    for name, path, only_tests in objects:
        defined, undefined = symbols.get(str(path), (set(), set()))
        if only_tests:
            continue
        users |= undefined
        compiled_as_one[path].append(name)
        if name.split("/")[0] in OWN:
            defined_in |= dict.fromkeys(defined, path)
    waiting = [symbol for symbol in sorted(defined_in) if symbol not in users]
    names = demangle(waiting)
    inline = set().union(*(source.inline_mentions() for name, source in sources.items() if name.endswith(".h")))
    for symbol in waiting:
        full = plain_name(names[symbol])
        *scopes, name = full.split("::")
        if not full.startswith("fanfare::") or name in IMPLICIT or name.startswith(("~", "operator")):
            continue
        is_constructor = bool(scopes) and scopes[-1] == name
        is_public = scopes[:1] == ["fanfare"] and (scopes[1:2] or [name])[0] in public and scopes[1:2] != ["api"]
        if is_constructor or is_public or name in overridden:
            continue
        files = compiled_as_one[defined_in[symbol]]
        # Within an object no symbol shows who refers to whom, so a mention counts.
        if name in inline or any(file in sources and sources[file].mentions_outside(full) for file in files):
            continue
        where = next((file for file in files if file in sources and sources[file].definitions(full)), files[0])
        yield where, full.removeprefix("fanfare::"), f"{names[symbol]}: nothing but tests uses it"


# ---- what headers define, and declarations ----

def unused_names(sources, public):
    total = collections.Counter()
    for source in sources.values():
        total.update(source.tokens)
    named = collections.defaultdict(list)
    for name, source in sources.items():
        if name.endswith(".h") and name.split("/")[0] in OWN:
            for function in source.functions:
                named[function.name.rpartition("::")[2]].append((name, function.name))
            for constant in CONSTANT.findall(source.clean):
                named[constant].append((name, constant))
    for name, places in named.items():
        if name in IMPLICIT or name in public or name.startswith(("~", "operator")) or total[name] > len(places):
            continue
        for file, full in places:
            if full.split("::")[-2:-1] != [name]:
                yield file, full, "no file but tests mentions it"


def undefined_declarations(sources, public):
    defined = {function.name for source in sources.values() for function in source.functions}
    for name, source in sources.items():
        if not name.endswith(".h") or name.split("/")[0] not in OWN:
            continue
        for found in source.classes:
            body = "\n".join(source.lines[found.first - 1:found.last])
            body = re.sub(r"^[^{]*\{", "", body, count=1)
            # Only what stands directly in the class.
            while (inner := re.sub(r"\{[^{}]*\}", ";", body)) != body:
                body = inner
            for before, function, _, after in DECLARATION.findall(body):
                if re.search(r"\b(?:friend|using|typedef|static_assert|return|new|operator)\b|=|->\s*$|\.\s*$", before) or "=" in after:
                    continue
                if not re.search(r"[\w>&*]\s*$", before) or function in ("alignas", "decltype") or function == found.name.rpartition("::")[2]:
                    continue
                if function.isupper() or re.search(r"\b(?:std::function|UniqueFunction|decltype)\s*<?[^>]*$", before):
                    continue
                full = f"{found.name}::{function}"
                if full not in defined and not any(item.endswith("::" + full) for item in defined):
                    yield name, full, "declared, but defined nowhere"


def unused_enumerators(sources):
    everything = "\n".join(source.clean for source in sources.values())
    # All but case labels.
    uses = re.sub(r"\bcase\s+[\w:]+\s*:(?!:)", "", everything)
    used = set(re.findall(r"(?=\b(\w+::\w+)\b)", uses))
    plain = collections.Counter(TOKEN.findall(uses))
    opened = set(re.findall(r"\busing\s+enum\s+(?:\w+::)*(\w+)", everything))
    # Values that come from numbers, or are walked through.
    opened.update(re.findall(r"\bstatic_cast<(?:\w+::)*(\w+)>", everything))
    opened.update(re.findall(r"\bEnumMap<\s*(?:\w+::)*(\w+)\b", everything))
    for name, source in sources.items():
        if name.split("/")[0] not in OWN:
            continue
        for scoped, enum, body in ENUM.findall(source.clean):
            if enum in opened:
                continue
            for item in body.split(","):
                match = re.match(r"\s*(\w+)", item)
                if not match or match.group(1).startswith("count") or match.group(1).isupper():
                    continue
                if f"{enum}::{match.group(1)}" not in used and (scoped or plain[match.group(1)] < 2):
                    yield name, f"{enum}::{match.group(1)}", "only case labels name it: nothing has this value"


def read_exceptions(root):
    path = root / "tools" / "dead_code_exceptions"
    lines = path.read_text().splitlines() if path.is_file() else []
    return {line.split()[0] for line in lines if len(line.split()) > 1 and not line.startswith("#")}


def excepted_by(exceptions, file, name):
    """The exceptions that a finding falls under: its name, or a pattern of its file."""
    return {item for item in exceptions if item == name or ("/" in item and fnmatch.fnmatch(file, item))}


def check(root, build):
    """Returns (file, name, text) of everything that is dead and not excepted, and the exceptions that nothing falls under."""
    sources = read_sources(root)
    public, overridden = public_names(sources), overridden_names(sources)
    objects = list(objects_of(root, build))
    missing = [path for _, path, only_tests in objects if not only_tests and not path.is_file()]
    if missing:
        raise SystemExit(f"dead code: {missing[0]} is not built; build {build} first")
    # Files that are compiled as one share an object.
    symbols = read_symbols(sorted({path for _, path, only_tests in objects if not only_tests}))
    found = [*unused_functions(sources, symbols, objects, public, overridden), *unused_names(sources, public),
             *undefined_declarations(sources, public), *unused_enumerators(sources)]
    exceptions = read_exceptions(root)
    used = set()
    problems = set()
    for file, name, text in found:
        reasons = excepted_by(exceptions, file, name)
        used |= reasons
        if not reasons:
            problems.add((file, name, text))
    return sorted(problems), sorted(exceptions - used)


def main(arguments):
    if len(arguments) != 2:
        print(__doc__)
        return 2
    problems, unused = check(pathlib.Path.cwd().resolve(), pathlib.Path(arguments[1]).resolve())
    for name in unused:
        print(f"tools/dead_code_exceptions: warning: {name} is used or gone; remove the exception")
    for file, name, text in problems:
        print(f"{file}: {name}: {text}")
    print(f"dead code: {len(problems)} found")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

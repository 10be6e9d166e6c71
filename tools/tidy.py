#!/usr/bin/env python3
"""Runs clang-tidy on every C++ file of the project, in parallel, and caches clean results.

Most of the time goes into the standard library, which every check walks through again for each file. So files with the same compile
command are checked several at a time, as one file that includes them. If that file has a finding, or does not compile because two of
them use one name, each half is checked by itself, down to single files: only a file that is checked alone is reported.

Usage: tidy.py [--fast] BUILD_DIR [PART...]. Reads BUILD_DIR/compile_commands.json. With PARTs, checks only the files whose
path contains one of them. --fast leaves out the test files and SLOW_CHECK. A file is checked again only if it, a project header it includes, its
compile command, .clang-tidy or the tool changed: build/tidy records clean results by the hash of these.
Prints the findings and exits 1 if there is any.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import compile_commands

TOOL = "clang-tidy-19"
BATCH_MAX = 64  # as many as are compiled as one in the folders of ./dev test; 0.75 GB for each process
# Two thirds of the time of all checks together (--enable-check-profile): it looks through a whole function for each parameter.
SLOW_CHECK = "performance-unnecessary-value-param"
INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
# misc-unused-alias-decls looks at the main file only, bugprone-suspicious-include would report a batch itself, and a program has one main().
ALONE = re.compile(r"^\s*namespace\s+\w+\s*=|^\s*#\s*include\s*[<\"][^>\"]+\.(c|cc|cpp|cxx)[>\"]|^(int|auto) main\(", re.MULTILINE)
SOURCE_FOLDERS = ("src", "apps", "include", "examples", "bench")


class Tree:
    """The project's own files, with a hash over each file and everything it includes."""

    def __init__(self, root):
        self.root = root
        self.closures = {}

    def find(self, name, beside):
        for folder in (beside.parent, self.root / "src", self.root / "include", self.root / "apps/fanfare", self.root):
            path = folder / name
            if path.is_file():
                return path.resolve()
        return None

    def closure(self, path):
        """Returns every project file that `path` includes, and `path` itself."""
        if path not in self.closures:
            seen, waiting = set(), [path]
            while waiting:
                current = waiting.pop()
                if current in seen:
                    continue
                seen.add(current)
                for name in INCLUDE.findall(current.read_bytes()):
                    found = self.find(name.decode(), current)
                    if found:
                        waiting.append(found)
            self.closures[path] = sorted(seen)
        return self.closures[path]

    def key(self, path, command, salt):
        digest = hashlib.sha256(salt + command.encode())
        for file in self.closure(path):
            digest.update(str(file.relative_to(self.root)).encode() + b"\0" + file.read_bytes() + b"\0")
        return digest.hexdigest()


def run_tool(root, build, path, *left_out):
    """Returns the tool's findings for one file, without the checks `left_out`; empty if it is clean."""
    # clang does not know some of g++'s options, and libstdc++ uses features that clang reports as deprecated.
    command = [TOOL, "--quiet", "-p", str(build), f"--config-file={root / '.clang-tidy'}", "--extra-arg=-Wno-unknown-warning-option",
               "--extra-arg=-Wno-deprecated-declarations", f"--checks={','.join('-' + check for check in left_out)}", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return ""
    return result.stdout.strip() or result.stderr.strip() or f"{TOOL} failed with status {result.returncode}"


def command_of_all(entry):
    """Returns the compile command without its source and output, which is the same for all files of a target."""
    return re.sub(r" -o \S+ -c \S+$", "", entry["command"])


def group_of(entry):
    """Files of one group can be checked together. Those that are compiled as one have shown that no two of them use one name."""
    compiled_as_one = re.search(r" -o \S*/Unity/\S+", entry["command"])
    return command_of_all(entry) + (compiled_as_one.group() if compiled_as_one else "")


def run_tool_on(root, entries, *left_out):
    """Checks files with the same compile command. Returns the findings of each file, by path."""
    paths = [pathlib.Path(entry["file"]) for entry in entries]
    if len(paths) == 1:
        # A database of its own: that of the build has no entry for a file that is compiled with others, and the tool would guess.
        with tempfile.TemporaryDirectory(dir=root / "build" / "tidy") as folder:
            pathlib.Path(folder, "compile_commands.json").write_text(json.dumps(entries))
            return {paths[0]: run_tool(root, folder, paths[0], *left_out)}
    with tempfile.TemporaryDirectory(dir=root / "build" / "tidy") as folder:
        batch = pathlib.Path(folder, "batch.cc")
        batch.write_text("".join(f'#include "{path}"\n' for path in paths))
        database = [{**entries[0], "file": str(batch), "command": f"{command_of_all(entries[0])} -c {batch}"}]
        pathlib.Path(folder, "compile_commands.json").write_text(json.dumps(database))
        if not run_tool(root, folder, batch, "bugprone-suspicious-include", *left_out):
            return dict.fromkeys(paths, "")
    half = len(entries) // 2
    return run_tool_on(root, entries[:half], *left_out) | run_tool_on(root, entries[half:], *left_out)


def batches_of(entries):
    """Returns lists of up to BATCH_MAX files that can be checked together, as equal in length as possible."""
    alone, together = [], {}
    for entry in entries:
        if ALONE.search(pathlib.Path(entry["file"]).read_text()):
            alone.append([entry])
        else:
            together.setdefault(group_of(entry), []).append(entry)
    batches = []
    for group in together.values():
        count = -(-len(group) // BATCH_MAX)
        batches += [group[len(group) * i // count:len(group) * (i + 1) // count] for i in range(count)]
    # The long ones first, so that no core is idle at the end.
    return sorted(batches, key=len, reverse=True) + alone


def main(arguments):
    fast = "--fast" in arguments
    left_out = [SLOW_CHECK] if fast else []
    arguments = [argument for argument in arguments if argument != "--fast"]
    if len(arguments) < 2:
        print(__doc__)
        return 2
    build, parts = pathlib.Path(arguments[1]), arguments[2:]
    root = pathlib.Path.cwd().resolve()
    cache = root / "build" / "tidy"
    cache.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([TOOL, "--version"], capture_output=True, check=True).stdout
    salt = version + (root / ".clang-tidy").read_bytes() + ",".join(left_out).encode()

    tree, waiting, keys, clean = Tree(root), {}, {}, 0
    for entry in compile_commands.read_commands(build):
        path = pathlib.Path(entry["file"]).resolve()
        inside = path.is_relative_to(root) and path.relative_to(root).parts[0] in SOURCE_FOLDERS
        if not inside or (parts and not any(part in str(path.relative_to(root)) for part in parts)):
            continue
        if fast and path.stem.endswith("_test"):
            continue
        key = tree.key(path, entry["command"].replace(str(root), ""), salt)
        if (cache / key).exists():
            clean += 1
        else:
            waiting[path], keys[path] = {**entry, "file": str(path)}, key

    print(f"tidy: {clean} files unchanged, {len(waiting)} to look at", flush=True)
    bad = done = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        began = time.monotonic()
        futures = [pool.submit(run_tool_on, root, batch, *left_out) for batch in batches_of(waiting.values())]
        for future in concurrent.futures.as_completed(futures):
            for path, findings in future.result().items():
                done += 1
                if findings:
                    bad += 1
                    print(findings)
                else:
                    (cache / keys[path]).touch()
                print(f"[{done}/{len(waiting)}] {path.relative_to(root)}", flush=True)
    if waiting:
        print(f"tidy: {time.monotonic() - began:.0f} s")
    print(f"tidy: {bad} files with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

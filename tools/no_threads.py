#!/usr/bin/env python3
"""Checks that some test files of a room start no thread, so that ThreadSanitizer can find nothing in them.

Usage: no_threads.py WITHOUT_THREADS PROGRAM FILE...

Runs the tests of the FILEs in PROGRAM through WITHOUT_THREADS (tests/programs). The kernel ends a process that starts a thread, whatever
starts it: a test, the code under test, or a library. So nothing has to be recognised in the text. A FILE without a test is an error, too.
"""

import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile


def tests_of(program):
    """Returns the tests of a program by the name of their file: {"/path/x_test.cc": ["Suite.Name", ...]}."""
    with tempfile.TemporaryDirectory() as folder:
        listed = pathlib.Path(folder, "tests.json")
        subprocess.run([program, "--gtest_list_tests", f"--gtest_output=json:{listed}"], stdout=subprocess.DEVNULL, check=True)
        suites = json.loads(listed.read_text())["testsuites"]
    found = {}
    for suite in suites:
        for test in suite["testsuite"]:
            found.setdefault(test["file"], []).append(f"{suite['name']}.{test['name']}")
    return found


def check(without_threads, program, files):
    """Returns what is wrong, or nothing."""
    tests = tests_of(program)
    if missing := [file for file in files if file not in tests]:
        return f"{', '.join(missing)}: has no test in {program}, but is in NO_THREADS of its room"
    file_of = {name: file for file in files for name in tests[file]}
    done = subprocess.run([without_threads, program, f"--gtest_filter={':'.join(file_of)}"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return ""
    if done.returncode == -signal.SIGSYS:
        begun = re.findall(r"^\[ RUN      \] (\S+)", done.stdout, re.MULTILINE)
        name = begun[-1] if begun else "the program"
        file = file_of.get(name, program)
        return f"{file}: {name} starts a thread. Take the file out of NO_THREADS of its room: it has to run under ThreadSanitizer"
    return f"{done.stdout}\n{program}: exit status {done.returncode} where no thread can be started"


def main(arguments):
    if len(arguments) < 4:
        print(__doc__)
        return 2
    problem = check(arguments[1], arguments[2], arguments[3:])
    if problem:
        print(f"ERROR: {problem}")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

#!/usr/bin/env python3
"""Misuse of the API fails to compile for the right reason. Usage: misuse_test.py COMPILER INCLUDE_FOLDER"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

COMPILER, INCLUDE = sys.argv[1:3]
PRECOMPILED = tempfile.TemporaryDirectory()
SOURCE = pathlib.Path(__file__).with_name("misuse.cc")
FLAGS = [COMPILER, "-std=c++23", "-Wall", "-Wextra", "-Werror"]
CASES = dict(re.findall(r"^#ifdef CASE_(\w+)\s+// (.*)$", SOURCE.read_text(), re.MULTILINE))


def compile_case(name):
    define = [f"-DCASE_{name}"] if name else []
    return subprocess.run([*FLAGS, "-fsyntax-only", "-I", PRECOMPILED.name, "-I", INCLUDE, *define, SOURCE],
                          capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})


class Misuse(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Compiled once for all cases: the header takes ten times as long as any case.
        folder = pathlib.Path(PRECOMPILED.name, "fanfare")
        folder.mkdir()
        subprocess.run([*FLAGS, "-w", "-x", "c++-header", "-I", INCLUDE, f"{INCLUDE}/fanfare/fanfare.h",
                        "-o", folder / "fanfare.h.gch"], check=True)

    def test_the_right_use_compiles(self):
        done = compile_case(None)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_every_case_is_read(self):
        self.assertEqual(len(CASES), SOURCE.read_text().count("#ifdef"))

    def test_each_wrong_use_is_refused(self):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for name, done in zip(CASES, pool.map(compile_case, CASES)):
                with self.subTest(name):
                    self.assertNotEqual(done.returncode, 0, "it compiles")
                    self.assertRegex(done.stderr, CASES[name])
                    if name.startswith("method_"):  # in words, and not in a template's as well
                        self.assertEqual(len(re.findall(r"\berror:", done.stderr)), 1, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

#!/usr/bin/env python3
"""Tests of tools/tidy.py: a finding is reported wherever it is, although clean files are checked several at a time."""

import contextlib
import io
import json
import os
import pathlib
import shutil
import tempfile
import unittest
from unittest import mock

import tidy

CLEAN = "int clean_{0}(int value) {{ return value + {0}; }}\n"
REDUNDANT = "bool redundant_{0}(int value) {{ return value == {0} || value == {0}; }}\n"
CONFIG = pathlib.Path(__file__).parent.parent / ".clang-tidy"


class Tidy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        (self.root / "src/room").mkdir(parents=True)
        shutil.copy(CONFIG, self.root / ".clang-tidy")
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.root)
        self.runs = []

    def write(self, **texts):
        """Writes src/room/NAME.cc (or .h, for names that end in _h) and the compile commands of the .cc files."""
        entries = []
        for name, text in texts.items():
            is_header = name.endswith("_h")
            path = self.root / "src/room" / (f"{name.removesuffix('_h')}.h" if is_header else f"{name}.cc")
            path.write_text(text)
            if not is_header:
                command = f"clang++-19 -I{self.root}/src -std=c++23 -o {name}.o -c {path}"
                entries.append({"directory": str(self.root), "file": str(path), "command": command})
        (self.root / "build").mkdir(exist_ok=True)
        (self.root / "build/compile_commands.json").write_text(json.dumps(entries))

    def check(self, *options):
        """Returns the status and what is printed. `runs` has the files that each run of clang-tidy looked at."""
        run = tidy.run_tool

        def watched(root, build, path, *left_out):
            includes = [pathlib.Path(line.split('"')[1]).stem for line in path.read_text().splitlines() if line.startswith("#include \"/")]
            self.runs.append(includes or [path.stem])
            return run(root, build, path, *left_out)

        with contextlib.redirect_stdout(io.StringIO()) as printed, mock.patch("tidy.run_tool", watched):
            status = tidy.main(["tidy.py", *options, "build"])
        return status, printed.getvalue()

    def test_clean_files_are_checked_together_and_only_once(self):
        texts = {f"file_{i}": CLEAN.format(i) for i in range(tidy.BATCH_MAX)}
        self.write(**texts)
        self.assertEqual(self.check()[0], 0)
        self.assertEqual(self.runs, [[f"file_{i}" for i in range(tidy.BATCH_MAX)]])
        self.runs.clear()
        self.write(**texts | {"file_3": CLEAN.format(33)})
        self.assertEqual(self.check()[0], 0)
        self.assertEqual(self.runs, [["file_3"]])

    def test_the_slow_check_is_left_out_only_where_that_is_asked_for(self):
        # A clean result without it says nothing about it.
        self.write(file_1="struct Large { char bytes[4096]; Large(const Large&); };\nchar first(Large large) { return large.bytes[0]; }\n")
        self.assertEqual(self.check("--fast")[0], 0)
        status, printed = self.check()
        self.assertEqual(status, 1)
        self.assertIn(tidy.SLOW_CHECK, printed)

    def test_one_more_than_a_batch_makes_two(self):
        self.write(**{f"file_{i}": CLEAN.format(i) for i in range(tidy.BATCH_MAX + 1)})
        self.assertEqual(self.check()[0], 0)
        self.assertEqual(sorted(len(files) for files in self.runs), [tidy.BATCH_MAX // 2, tidy.BATCH_MAX // 2 + 1])

    def test_files_that_are_compiled_as_one_are_checked_as_one(self):
        texts = {f"file_{i}": CLEAN.format(i) for i in range(6)}
        self.write(**texts)
        commands = self.root / "build/compile_commands.json"
        entries = json.loads(commands.read_text())
        for i, entry in enumerate(entries):
            entry["command"] = entry["command"].replace(f"-o file_{i}.o", f"-o room.dir/Unity/unity_{i % 2}_cxx.cxx.o")
        commands.write_text(json.dumps(entries))
        self.assertEqual(self.check()[0], 0)
        self.assertEqual(sorted(self.runs), [["file_0", "file_2", "file_4"], ["file_1", "file_3", "file_5"]])

    def test_findings_are_reported_with_their_file(self):
        texts = {f"file_{i}": CLEAN.format(i) for i in range(6)}
        self.write(**texts | {"file_2": REDUNDANT.format(2), "file_5": REDUNDANT.format(5)})
        status, printed = self.check()
        self.assertEqual(status, 1)
        for name in ("file_2", "file_5"):
            self.assertIn(f"src/room/{name}.cc:1:", printed)
        self.assertEqual(printed.count("[misc-redundant-expression"), 2)
        self.assertIn("2 files with findings", printed)
        # The clean ones are known to be clean, the others are looked at again.
        self.runs.clear()
        self.assertEqual(self.check()[0], 1)
        self.assertEqual({name for files in self.runs for name in files}, {"file_2", "file_5"})

    def test_a_finding_in_a_header_is_reported(self):
        self.write(box_h="#pragma once\ninline " + REDUNDANT.format(1), file_0='#include "room/box.h"\n' + CLEAN.format(0),
                   file_1=CLEAN.format(1))
        status, printed = self.check()
        self.assertEqual(status, 1)
        self.assertIn("src/room/box.h:2:", printed)
        self.assertIn("1 files with findings", printed)

    def test_files_that_use_one_name_are_checked_apart(self):
        same = "namespace {\nint helper() { return 1; }\n}\n"
        self.write(one=same + "int one() { return helper(); }\n", other=same + "int other() { return helper(); }\n", third=CLEAN.format(3))
        self.assertEqual(self.check()[0], 0)
        self.assertIn(["one"], self.runs)

    def test_a_file_that_does_not_compile_is_a_finding(self):
        self.write(good=CLEAN.format(0), wrong="int wrong() { return nothing; }\n")
        status, printed = self.check()
        self.assertEqual(status, 1)
        self.assertIn("undeclared identifier 'nothing'", printed)
        self.assertIn("1 files with findings", printed)

    def test_what_only_a_main_file_shows_is_found(self):
        for text, check in (("namespace far {}\nnamespace near = far;\n", "misc-unused-alias-decls"),
                            ('#include "room/other.cc"\n', "bugprone-suspicious-include"), ("int main() { return 0; }\n", None)):
            with self.subTest(text):
                self.write(one=text, other=CLEAN.format(1), third=CLEAN.format(2))
                status, printed = self.check()
                self.assertEqual(status, 1 if check else 0)
                if check:
                    self.assertIn(check, printed)
                self.assertIn(["one"], self.runs)
                self.runs.clear()

    def test_files_with_different_commands_are_checked_apart(self):
        self.write(one=CLEAN.format(1), other=CLEAN.format(2))
        database = self.root / "build/compile_commands.json"
        database.write_text(database.read_text().replace("-o other.o", "-DMORE -o other.o"))
        self.assertEqual(self.check()[0], 0)
        self.assertEqual(sorted(self.runs), [["one"], ["other"]])


if __name__ == "__main__":
    unittest.main()

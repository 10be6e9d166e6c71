"""Tests of no_threads.py, with a small program in place of a room's tests."""

import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TOOLS))
import no_threads  # noqa: E402

# Takes the options of a program of GoogleTest, and prints as one does.
PROGRAM = """\
    import json, subprocess, sys, threading
    tests = {"Pure.Adds": ("pure_test.cc", lambda: None),
             "Pure.StartsAProcess": ("pure_test.cc", lambda: subprocess.run(["true"], check=True)),
             "Wrong.Fails": ("wrong_test.cc", lambda: sys.exit(1)),
             "Threads.StartsOne": ("threads_test.cc", lambda: threading.Thread(target=print).start())}
    options = dict(argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument)
    if "--gtest_list_tests" in sys.argv:
        suites = [{"name": name.split(".")[0], "testsuite": [{"name": name.split(".")[1], "file": file}]} for name, (file, _) in tests.items()]
        with open(options["--gtest_output"].removeprefix("json:"), "w") as out:
            json.dump({"testsuites": suites}, out)
        sys.exit()
    for name in options["--gtest_filter"].split(":"):
        print("[ RUN      ]", name, flush=True)
        tests[name][1]()
"""


class NoThreads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.without_threads = os.path.join(folder.name, "without_threads")
        subprocess.run(["g++", "-std=c++20", TOOLS.parent / "tests/programs/without_threads.cc", "-o", cls.without_threads], check=True)
        program = pathlib.Path(folder.name, "room_test")
        program.write_text(f"#!{sys.executable}\n" + textwrap.dedent(PROGRAM))
        program.chmod(0o755)
        cls.program = str(program)

    def check(self, *files):
        return no_threads.check(self.without_threads, self.program, files)

    def test_files_that_start_no_thread_pass_and_may_start_processes(self):
        self.assertEqual(self.check("pure_test.cc"), "")

    def test_a_thread_is_found_and_its_test_is_named(self):
        problem = self.check("pure_test.cc", "threads_test.cc")
        self.assertIn("threads_test.cc: Threads.StartsOne starts a thread", problem)

    def test_a_failed_test_is_no_thread(self):
        problem = self.check("wrong_test.cc")
        self.assertIn("exit status 1", problem)
        self.assertNotIn("starts a thread", problem)

    def test_a_file_without_a_test_is_an_error(self):
        self.assertIn("gone_test.cc: has no test", self.check("pure_test.cc", "gone_test.cc"))


if __name__ == "__main__":
    unittest.main()

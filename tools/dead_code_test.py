#!/usr/bin/env python3
"""Tests of tools/dead_code.py: each kind of dead code is found, and what is used is not."""

import json
import pathlib
import subprocess
import tempfile
import unittest

import dead_code

HEADER = """#pragma once
namespace fanfare::room {
class Box {
 public:
  void used();
  void unused();
  void undefined();
  void only_tests();
  int inline_used() const { return 1; }
  int inline_unused() const { return 2; }
  virtual void hook();
};
inline constexpr int kUsed = 1;
inline constexpr int kUnused = 2;
enum class Kind { made, never_made };
void used_here();
void recursive();
}  // namespace fanfare::room
"""
SOURCE = """#include "box.h"
namespace fanfare::room {
void used_here() {}
void recursive() { recursive(); }
void Box::used() { used_here(); }
void Box::unused() {}
void Box::only_tests() {}
void Box::hook() {}
}  // namespace fanfare::room
"""
USER = """#include "box.h"
namespace fanfare::room {
int use(Kind kind) {
  Box box;
  box.used();
  switch (kind) {
    case Kind::made: return box.inline_used() + kUsed;
    case Kind::never_made: return 0;  // never_made unused kUnused
  }
  return 0;
}
}  // namespace fanfare::room
int main() { return fanfare::room::use(fanfare::room::Kind::made); }
"""
TEST = """#include "box.h"
void test() { fanfare::room::Box().only_tests(); }
"""


class DeadCode(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        self.build = self.root / "build"
        commands = []
        for name, text in (("src/room/box.h", HEADER), ("src/room/box.cc", SOURCE), ("src/room/box_test.cc", TEST),
                           ("apps/main.cc", USER)):
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            if path.suffix == ".cc":
                output = self.build / (path.name + ".o")
                output.parent.mkdir(exist_ok=True)
                command = ["g++", "-std=c++20", f"-I{self.root / 'src/room'}", "-c", str(path), "-o", str(output)]
                subprocess.run(command, check=True)
                commands.append({"file": str(path), "directory": str(self.root), "command": " ".join(command)})
        (self.build / "compile_commands.json").write_text(json.dumps(commands))

    def except_(self, *lines):
        (self.root / "tools").mkdir(exist_ok=True)
        (self.root / "tools/dead_code_exceptions").write_text("".join(line + "\n" for line in lines))

    def names(self):
        problems, unused = dead_code.check(self.root, self.build)
        return {name for _, name, _ in problems}, unused

    def test_finds_each_kind_and_nothing_else(self):
        self.assertEqual(self.names(), ({"room::Box::unused", "room::Box::only_tests", "room::recursive", "Box::inline_unused",
                                         "kUnused", "Box::undefined", "Kind::never_made"}, []))

    def test_among_files_compiled_as_one_a_mention_counts_as_a_use(self):
        folder = self.build / "Unity"
        folder.mkdir()
        together = folder / "unity_0_cxx.cxx"
        together.write_text(f'#include "{self.root / "src/room/box.cc"}"\n#include "{self.root / "apps/main.cc"}"\n')
        command = ["g++", "-std=c++20", f"-I{self.root / 'src/room'}", "-o", str(self.build / "unity.o"), "-c", str(together)]
        subprocess.run(command, check=True)
        (self.build / "compile_commands.json").write_text(json.dumps(
            [{"file": str(together), "directory": str(self.root), "command": " ".join(command)}]))
        problems, _ = dead_code.check(self.root, self.build)
        self.assertEqual({(file, name) for file, name, _ in problems if file.endswith(".cc")}, {
            ("src/room/box.cc", name) for name in ("room::Box::unused", "room::Box::only_tests", "room::recursive")})

    def test_an_exception_has_a_name_or_a_file(self):
        self.except_("# a comment", "room::Box::unused tests look at it", "src/room/*.h new", "src/gone/* old", "kUnused")
        self.assertEqual(self.names(), ({"room::Box::only_tests", "room::recursive"}, ["src/gone/*"]))

    def test_an_object_that_is_not_built_is_an_error(self):
        (self.build / "main.cc.o").unlink()
        with self.assertRaisesRegex(SystemExit, "is not built"):
            dead_code.check(self.root, self.build)


if __name__ == "__main__":
    unittest.main()

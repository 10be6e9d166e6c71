"""The flags of the preset "package": a program that is built in two folders has the same bytes. ./dev release --twice compares the whole."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What a path could reach: __FILE__, the names of functions of one file, and constructors that run before main().
SOURCE = """#include <string>
namespace { std::string file = __FILE__; const char* const kPlace = __builtin_FILE(); }
std::string other();
int main() { return (file + kPlace + other()).empty() ? 1 : 0; }
"""
OTHER = """#include <string>
namespace { std::string file = std::string("other ") + __FILE__; }
std::string other() { return file; }
"""


def flags_of_preset(folder):
    presets = {entry["name"]: entry for entry in json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]}
    variables = presets["package"]["cacheVariables"]
    text = f"{variables['CMAKE_CXX_FLAGS']} {variables['CMAKE_CXX_FLAGS_RELEASE']}"
    return text.replace("${sourceDir}", str(folder)).split()


@unittest.skipUnless(shutil.which("g++"), "needs g++")
class Reproducible(unittest.TestCase):
    def build(self, folder, flags):
        folder.mkdir(parents=True)
        (folder / "main.cc").write_text(SOURCE)
        (folder / "other.cc").write_text(OTHER)
        linker = ["-fuse-ld=mold"] if shutil.which("mold") else []
        for name in ("main", "other"):
            subprocess.run(["g++", *flags, "-c", folder / f"{name}.cc", "-o", folder / f"{name}.o"], check=True)
        subprocess.run(["g++", *flags, *linker, folder / "main.o", folder / "other.o", "-o", folder / "program"], check=True)
        subprocess.run(["strip", folder / "program"], check=True)
        return (folder / "program").read_bytes()

    def test_the_folder_leaves_no_trace(self):
        with tempfile.TemporaryDirectory() as root:
            one, two = pathlib.Path(root) / "one", pathlib.Path(root) / "two/of/another/length"
            self.assertEqual(self.build(one, flags_of_preset(one)), self.build(two, flags_of_preset(two)))

    def test_without_the_map_it_does(self):
        with tempfile.TemporaryDirectory() as root:
            one, two = pathlib.Path(root) / "one", pathlib.Path(root) / "two/of/another/length"
            flags = [flag for flag in flags_of_preset(one) if not flag.startswith("-ffile-prefix-map")]
            self.assertNotEqual(self.build(one, flags), self.build(two, flags))

    def test_the_time_of_the_build_is_refused(self):
        with tempfile.TemporaryDirectory() as root:
            folder = pathlib.Path(root)
            (folder / "a.cc").write_text("const char* text = __DATE__ __TIME__;\n")
            done = subprocess.run(["g++", *flags_of_preset(folder), "-Werror", "-c", folder / "a.cc", "-o", folder / "a.o"],
                                  capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("date-time", done.stderr)


if __name__ == "__main__":
    unittest.main()

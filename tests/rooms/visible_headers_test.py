#!/usr/bin/env python3
"""What the compiler of each target can include. Usage: visible_headers_test.py SOURCE_DIR BUILD_DIR.

Takes one compile command of each target from BUILD_DIR/compile_commands.json, with all its options, and asks the compiler which
rooms' headers it finds. A room must find itself, the rooms that its CMakeLists.txt states, and the public dependencies of those.
A program that uses the public API must find no room at all.
"""

import functools
import pathlib
import shlex
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
sys.path.insert(0, str(SOURCE / "tools"))
import compile_commands  # noqa: E402
import floor_check  # noqa: E402

ROOMS = floor_check.read_floors(SOURCE / "src" / "FLOORS")
PUBLIC_HEADER = "fanfare/fanfare.h"
# Options with a separate value that have no influence on which headers are found. -Xclang adds the precompiled header.
WITH_VALUE = ("-o", "-MF", "-MT", "-MQ", "-Xclang")


@functools.cache
def commands():
    """Returns source file (relative to SOURCE) -> the compiler's arguments without input and output."""
    found = {}
    for entry in compile_commands.read_commands(BUILD):
        file = pathlib.Path(entry["file"]).resolve()
        if not file.is_relative_to(SOURCE) or file.is_relative_to(BUILD) or file.suffix != ".cc":
            continue
        # A file of another room can be part of a test program, as the generated certificates are.
        output = entry["command"].split(" -o ")[1].split()[0]
        if file.is_relative_to(SOURCE / "src") and not output.startswith(f"{file.parent.relative_to(SOURCE)}/"):
            continue
        arguments, rest = [], iter(shlex.split(entry["command"]))
        for argument in rest:
            if argument in WITH_VALUE:
                next(rest)
            elif argument not in ("-c", "-MD", "-MMD") and argument != entry["file"]:
                arguments.append(argument)
        found[str(file.relative_to(SOURCE))] = (arguments, entry["directory"])
    return found


def command_of(prefix, without_tests=False):
    for name, command in sorted(commands().items()):
        if name.startswith(prefix) and not (without_tests and name.endswith("_test.cc")):
            return command
    raise AssertionError(f"no compile command for a file below {prefix}")


def compile_text(command, text, *options):
    """Runs the compiler of a command on `text`, in a folder without any header."""
    arguments, directory = command
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "probe.cc")
        file.write_text(text)
        return subprocess.run([*arguments, *options, str(file)], cwd=directory, capture_output=True, text=True, check=False)


@functools.cache
def header_of(room):
    """The room's first header that is not for tests."""
    headers = [path for path in floor_check.sources_under(SOURCE / "src" / room)
               if path.suffix == ".h" and not floor_check.is_test_file(path)]
    return f"{room}/{headers[0].name}" if headers else None


def rooms():
    # A build without the gateway has no targets for its rooms.
    return [room for room in ROOMS if header_of(room) and any(name.startswith(f"src/{room}/") for name in commands())]


def visible(command):
    """The rooms whose headers this command finds; "fanfare" are the public headers."""
    names = {room: header_of(room) for room in ROOMS if header_of(room)} | {"fanfare": PUBLIC_HEADER}
    text = "".join(f'#if __has_include("{header}")\nfound {name}\n#endif\n' for name, header in names.items())
    done = compile_text(command, text, "-E", "-P")
    if done.returncode:
        raise AssertionError(done.stderr)
    return {line.split()[1] for line in done.stdout.splitlines() if line.startswith("found ")}


def stated(room, keywords):
    return {name for name, (_, keyword) in floor_check.stated_rooms(SOURCE / "src" / room / "CMakeLists.txt").items()
            if keyword in keywords}


def with_public(names):
    """`names` and every room that is a public dependency of one of them."""
    found, waiting = set(), list(names)
    while waiting:
        room = waiting.pop()
        if room not in found:
            found.add(room)
            waiting.extend(stated(room, ("DEPENDS",)))
    return found


class VisibleHeaders(unittest.TestCase):
    def test_a_room_finds_itself_and_the_stated_rooms(self):
        self.assertGreater(len(rooms()), 5)
        for room in rooms():
            with self.subTest(room):
                allowed = with_public({room} | stated(room, ("DEPENDS", "USES")))
                self.assertEqual(visible(command_of(f"src/{room}/", without_tests=True)), allowed | {"fanfare"})

    def test_the_tests_of_a_room_find_the_same_rooms(self):
        for room in rooms():
            if any(name.startswith(f"src/{room}/") and name.endswith("_test.cc") for name in commands()):
                with self.subTest(room):
                    tests = min(name for name in commands() if name.startswith(f"src/{room}/") and name.endswith("_test.cc"))
                    self.assertEqual(visible(commands()[tests]), visible(command_of(f"src/{room}/", without_tests=True)))

    def test_an_include_of_a_room_that_is_not_stated_does_not_compile(self):
        command = command_of("src/ws/", without_tests=True)
        own = compile_text(command, f'#include "{header_of("ws")}"\n', "-fsyntax-only")
        self.assertEqual(own.returncode, 0, own.stderr)
        for room in ("http", "net", "session", "api"):
            with self.subTest(room):
                done = compile_text(command, f'#include "{header_of(room)}"\n', "-fsyntax-only")
                self.assertNotEqual(done.returncode, 0)
                self.assertRegex(done.stderr, f"{header_of(room)}.*(file not found|No such file)")

    def test_a_private_dependency_is_not_passed_on(self):
        self.assertIn("api", stated("gateway", ("USES",)))
        sim = [name for name in commands() if name.startswith("tests/sim/")]
        if sim:
            self.assertNotIn("api", visible(commands()[sim[0]]))
            self.assertIn("gateway", visible(commands()[sim[0]]))

    def test_programs_of_the_public_api_find_no_room(self):
        for prefix in ("examples/", "tests/conformance/", "tests/programs/echo_server"):
            if any(name.startswith(prefix) for name in commands()):
                with self.subTest(prefix):
                    self.assertEqual(visible(command_of(prefix)), {"fanfare"})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

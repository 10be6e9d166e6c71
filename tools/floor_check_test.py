"""The floor check must detect every kind of violation: each test breaks one rule in a small valid tree."""

import pathlib
import tempfile
import unittest

import floor_check

FLOORS = """# floors
F0  base     bytes
F1  ws       protocol, no I/O
F1  http     messages, no I/O
F2  net      sockets
F3  pubsub   topics; knows no socket
F4  eth      heads; knows no socket
F4  canvas   pixels; knows no socket
F5  gateway  wiring
"""


class House(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("src/FLOORS", FLOORS)
        self.write("src/base/bytes.h", "#pragma once\n#include <span>\n")
        self.write("src/ws/frame.h", '#pragma once\n#include "base/bytes.h"\n#include "ws/rules.h"\n')
        self.write("src/net/loop.cc", '#include <sys/epoll.h>\n#include <openssl/ssl.h>\n#include "base/bytes.h"\n')
        self.write("src/gateway/wire.cc", '#include "ws/frame.h"\n#include "net/loop.h"\n#include "eth/heads.h"\n')
        self.write("include/fanfare/server.h", '#include <string>\n#include "fanfare/options.h"\n')

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def problems(self):
        return [(str(p.file.relative_to(self.root)), p.line, p.text) for p in floor_check.check(self.root)]

    def expect_one(self, file, line, part):
        found = self.problems()
        self.assertEqual(len(found), 1, found)
        self.assertEqual(found[0][:2], (file, line))
        self.assertIn(part, found[0][2])

    def test_a_sound_house_has_no_problem(self):
        self.assertEqual(self.problems(), [])

    def test_an_include_upward(self):
        self.write("src/ws/frame.cc", '#include "ws/frame.h"\n\n#include "gateway/wire.h"\n')
        self.expect_one("src/ws/frame.cc", 3, "reaches up to gateway (F5)")

    def test_another_room_of_the_same_floor(self):
        self.write("src/ws/frame.cc", '#include "http/message.h"\n')
        self.expect_one("src/ws/frame.cc", 1, "same floor F1")

    def test_tests_are_held_to_the_floors_too(self):
        self.write("src/ws/frame_test.cc", '#include "net/loop.h"\n')
        self.expect_one("src/ws/frame_test.cc", 1, "reaches up to net (F2)")

    def test_eth_and_canvas_never_know_each_other_whatever_their_floors(self):
        self.write("src/FLOORS", FLOORS.replace("F4  canvas", "F3  canvas"))
        self.write("src/eth/heads.cc", '#include "canvas/pixels.h"\n')
        self.expect_one("src/eth/heads.cc", 1, "never know each other")

    def test_a_room_that_knows_no_socket_includes_a_socket_header(self):
        self.write("src/ws/frame.cc", "#include <sys/socket.h>\n")
        self.expect_one("src/ws/frame.cc", 1, "knows no socket")

    def test_a_room_that_knows_no_socket_includes_net(self):
        self.write("src/eth/heads.cc", '#include "net/loop.h"\n')
        self.expect_one("src/eth/heads.cc", 1, "knows no socket")

    def test_a_third_party_in_a_header(self):
        for name in ("openssl/ssl.h", "yaml-cpp/yaml.h", "rapidjson/document.h", "zlib.h", "llhttp.h"):
            with self.subTest(name):
                self.write("src/net/loop.h", f"#pragma once\n#include <{name}>\n")
                self.expect_one("src/net/loop.h", 2, "include it in the .cc file")

    def test_a_test_helper_may_include_googletest(self):
        for name in ("fake_testing.h", "fake_for_tests.h", "test_fake.h"):
            self.write("src/net/" + name, "#pragma once\n#include <gtest/gtest.h>\n")
        self.assertEqual(self.problems(), [])

    def test_a_file_without_its_room(self):
        self.write("src/ws/frame.cc", '#include "frame.h"\n')
        self.expect_one("src/ws/frame.cc", 1, 'write "room/file.h"')

    def test_an_unknown_room(self):
        self.write("src/cellar/wine.h", "#pragma once\n")
        self.expect_one("src/cellar", 0, "no line in src/FLOORS")

    def test_the_public_api_includes_a_room(self):
        self.write("include/fanfare/server.h", '#include "net/loop.h"\n')
        self.expect_one("include/fanfare/server.h", 1, "the public API")

    def test_the_public_api_includes_a_third_party(self):
        self.write("include/fanfare/server.h", "#include <openssl/ssl.h>\n")
        self.expect_one("include/fanfare/server.h", 1, "leaks")

    def test_cmake_depends_upward(self):
        self.write("src/net/CMakeLists.txt", "find_package(X)\nfanfare_room(net DEPENDS pubsub USES base LINK x)\n")
        self.expect_one("src/net/CMakeLists.txt", 2, "reaches up to pubsub (F3)")

    def test_cmake_depends_on_no_room(self):
        self.write("src/net/CMakeLists.txt", "fanfare_room(net DEPENDS cellar USES base)\n")
        self.expect_one("src/net/CMakeLists.txt", 1, "'cellar' is no room")

    def test_cmake_uses_upward(self):
        self.write("src/net/CMakeLists.txt", "fanfare_room(net USES base\n  pubsub LINK x)\n")
        self.expect_one("src/net/CMakeLists.txt", 1, "USES: net (F2) reaches up to pubsub (F3)")

    def test_an_include_of_a_room_that_is_not_stated(self):
        self.write("src/net/CMakeLists.txt", "fanfare_room(net LINK x)\n")
        self.expect_one("src/net/loop.cc", 3, "add it to USES of src/net/CMakeLists.txt")
        self.write("src/net/loop.h", '#pragma once\n#include "base/bytes.h"\n')
        self.expect_one("src/net/loop.h", 2, "add it to DEPENDS of src/net/CMakeLists.txt")

    def test_a_room_that_is_stated_but_not_included(self):
        self.write("src/net/CMakeLists.txt", "fanfare_room(net USES base http)\n")
        self.expect_one("src/net/CMakeLists.txt", 1, "no file of net includes a header of http")

    def test_a_room_that_only_a_source_includes_is_no_public_dependency(self):
        self.write("src/net/CMakeLists.txt", "fanfare_room(net DEPENDS base)\n")
        self.expect_one("src/net/CMakeLists.txt", 1, "move it to USES")
        self.write("src/net/world_for_tests.h", '#pragma once\n#include "base/bytes.h"\n')
        self.expect_one("src/net/CMakeLists.txt", 1, "move it to USES")

    def test_a_room_that_a_header_includes_is_a_public_dependency(self):
        self.write("src/net/loop.h", '#pragma once\n#include "base/bytes.h"\n')
        self.write("src/net/CMakeLists.txt", "fanfare_room(net USES base)\n")
        self.expect_one("src/net/loop.h", 2, "move it from USES to DEPENDS")

    def test_a_table_that_cannot_be_read(self):
        self.write("src/FLOORS", FLOORS + "ground base\n")
        with self.assertRaisesRegex(ValueError, "FLOORS:10"):
            floor_check.check(self.root)

    def test_a_room_that_stands_twice(self):
        self.write("src/FLOORS", FLOORS + "F2  ws  again\n")
        with self.assertRaisesRegex(ValueError, "stands twice"):
            floor_check.check(self.root)


if __name__ == "__main__":
    unittest.main()

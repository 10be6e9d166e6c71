"""Tests of the rows of ./dev bench that are relative to uWebSockets in Node, and of that contestant."""

import contextlib
import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import unittest
import unittest.mock

import bench
import bench_contestants
import bench_rows
from bench_contestants import ROOT, UWS


class FakeServer:
    def __init__(self, log, flags):
        self.log, self.flags = log, list(flags)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def load(self, flags):
        self.log.append((self.flags, flags))
        return {"messages_per_second": 10, "cpu_ns": 4000, "faults": 2.5, "waited_share": 0, "own_cpu_seconds": 0, "seconds": 1}


class Sample:
    def __init__(self, name, can, cost=1, raw=False):
        self.name, self.can, self.cost, self.raw, self.log = name, can, cost, raw, []

    def start(self, *flags):
        return FakeServer(self.log, flags)

    def start_tls(self, _, *flags):
        return FakeServer(self.log, ["tls", *flags])


def lines_of(row, *samples, quick=True):
    with contextlib.redirect_stdout(io.StringIO()):
        made = bench.Bench(list(samples), quick=quick, certificate=("c", "k"))
        row.measure(made)
    return made.table.lines


class TakeoverTest(unittest.TestCase):
    def test_only_a_server_that_chooses_is_told(self):
        flags = []
        with unittest.mock.patch.object(bench_contestants, "Server", lambda command, **_: flags.append(command)):
            for chooses in (False, True):
                bench_contestants.Contestant("one", ["one"], {"deflate"}, chooses_takeover=chooses).start("--deflate", bench_contestants.NO_TAKEOVER)
        self.assertEqual(flags, [["one", "--deflate"], ["one", "--deflate", "--no-takeover"]])

    def test_the_row_without_takeover_tells_it(self):
        row = next(row for row in bench.ROWS if "no takeover" in row.name)
        self.assertIn(bench_contestants.NO_TAKEOVER, row.server_flags)


class LargeTest(unittest.TestCase):
    def test_the_server_allows_the_size_and_a_raw_one_gets_no_flag(self):
        ours, raw = Sample("ours", {"large"}), Sample("raw epoll", {"large"}, raw=True)
        lines = lines_of(bench.Large("64 KiB", 65536), ours, raw)
        self.assertEqual(ours.log[0][0], ["--message-bytes", "65536"])
        self.assertEqual(raw.log[0][0], [])
        self.assertIn("(to raw epoll)", lines[2])
        self.assertIn("| - page faults a message |  | 2.5 | 2.5 |", lines)
        self.assertIn("| - CPU a message, us |  | 4.0 | 4.0 |", lines)

    def test_it_is_relative_to_uws_if_that_is_there(self):
        lines = lines_of(bench.Large("64 KiB", 65536, cpu_goal="0.90"), Sample(UWS, {"large"}), Sample("raw epoll", {"large"}))
        self.assertIn(f"(to {UWS})", lines[2])
        self.assertIn("| - CPU a message | 0.90 | 1.00 ±0% | 1.00 ±0% |", lines)

    def test_a_quick_run_still_measures_enough_of_them(self):
        one = Sample("raw epoll", {"large tls"}, raw=True)
        lines_of(bench.Large("64 KiB", 65536, tls=True), one)
        self.assertEqual(one.log[0][0], ["tls"])
        self.assertEqual(one.log[1][1][-1], bench_rows.Large.SECONDS)

    def test_a_row_for_each_goal_of_the_issue(self):
        goals = {row.name: row.cpu_goal for row in bench.ROWS if isinstance(row, (bench.Large, bench.Handshakes)) and row.cpu_goal}
        self.assertEqual(goals, {"64 KiB, 10 connections": "0.90", "256 KiB, 10 connections": "0.85", "1 MiB, 10 connections": "0.80",
                                 "connect, upgrade, close; 100 at a time": "0.95"})


class HandshakesTest(unittest.TestCase):
    def test_connections_are_counted_by_the_load(self):
        one = Sample(UWS, {"handshakes"})
        lines = lines_of(bench.Handshakes(7, cpu_goal="0.95"), one)
        self.assertEqual(one.log[1][1][:3], ["-c", "7", "--handshakes"])
        self.assertIn("| - CPU a connection, us |  | 4.0 |", lines)
        self.assertIn("| - CPU a connection | 0.95 | 1.00 ±0% |", lines)


class FaultsTest(unittest.TestCase):
    def test_the_pages_that_a_process_touched_are_its_faults(self):
        code = ("import signal; go = {signal.SIGUSR1}; signal.pthread_sigmask(signal.SIG_BLOCK, go); print('listening x', flush=True); "
                "signal.sigwait(go); b = bytearray(64 << 20); print(len(b), flush=True); signal.sigwait(go)")
        server = bench_contestants.Server([sys.executable, "-c", code])
        with server:
            before = server.faults()
            server.process.send_signal(signal.SIGUSR1)
            server.process.stdout.readline()
            # Huge pages may need only one fault for 2 MiB.
            self.assertGreaterEqual(server.faults() - before, 32)


@unittest.skipUnless(shutil.which("node") and (ROOT / "bench/uws/node_modules").exists(), "bench/uws is not installed: ./dev bench")
class UwsTest(unittest.TestCase):
    def start(self, **more):
        return subprocess.Popen(["node", str(ROOT / "bench/uws_echo.js"), "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**os.environ, **more})

    def test_it_serves_from_the_native_library(self):
        with self.start() as process:
            try:
                self.assertRegex(process.stdout.readline(), r"^listening 127\.0\.0\.1:\d+$")
                mapped = pathlib.Path(f"/proc/{process.pid}/maps").read_text()
                self.assertRegex(mapped, r"/uws_linux_\w+\.node")
            finally:
                process.kill()

    def test_the_fallback_in_javascript_is_no_contestant(self):
        with self.start(UWS_USE_FALLBACK="1") as process:
            _, error = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertIn("was not loaded", error)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""Tests of bench_streams.py and its readers."""

import json
import math
import pathlib
import subprocess
import sys
import unittest
import zlib

import bench_streams
import bench_streams_clients as clients
from bench_attacks_wire import TEXT, frame


class Reading(unittest.TestCase):
    def connection(self, stream="s", deflates=False):
        """One without a socket."""
        made = clients.Connection.__new__(clients.Connection)
        made.stream, made.deflates, made.is_fresh, made.on_value = stream, deflates, False, None
        made.bytes = made.values = 0
        made.subscribed, made.closed, made.waiting = False, False, bytearray()
        made.inflater = zlib.decompressobj(-15)
        return made

    def test_messages_in_any_portions(self):
        wire = frame(TEXT, b"a" * 5) + frame(TEXT, b"b" * 300) + frame(TEXT, b"c" * 70_000)
        for step in (1, 7, 1000, len(wire)):
            made, seen = self.connection(), []
            for at in range(0, len(wire), step):
                made.waiting += wire[at:at + step]
                seen += [(size, text[:1]) for size, text in made.messages()]
            self.assertEqual(seen, [(7, b"a"), (304, b"b"), (70_010, b"c")])

    def test_compressed_messages_with_and_without_a_context(self):
        for is_fresh in (False, True):
            deflater, made = zlib.compressobj(9, zlib.DEFLATED, -15), self.connection(deflates=True)
            made.is_fresh = is_fresh
            for text in (b"the same text, the same text", b"the same text, the same text"):
                if is_fresh:
                    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
                payload = (deflater.compress(text) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
                made.waiting += bytes([0xC1, len(payload)]) + payload
                self.assertEqual([text for _, text in made.messages()], [text])

    def test_a_close_is_seen(self):
        made = self.connection()
        made.waiting += frame(8, b"\x03\xf5")
        self.assertEqual(list(made.messages()), [])
        self.assertTrue(made.closed)

    def test_spread(self):
        self.assertEqual(clients.spread(range(100)), {"p50": 50, "p99": 99, "max": 99})
        self.assertTrue(math.isnan(clients.spread([])["p99"]))


class Report(unittest.TestCase):
    def test_bytes_and_the_goal(self):
        def seen(both):
            ways = {"plain": 1000, "deflate": 500, "delta": 400, "both": both}
            return {stream: {way: {"bytes": size, "values": 3} for way, size in ways.items()} for stream in bench_streams.STREAMS}

        lines, share = bench_streams.bytes_lines(seen(150))
        self.assertEqual(lines[0], "| network_metrics | 3 | 1,000 | 500 (50.0%) | 400 (40.0%) | 150 (15.0%) |")
        self.assertEqual(lines[-1], "| **all four** | - | 4,000 | 2,000 (50.0%) | 1,600 (40.0%) | 600 (15.0%) |")
        self.assertLessEqual(share, bench_streams.GOAL)
        self.assertGreater(bench_streams.bytes_lines(seen(151))[1], bench_streams.GOAL)

    def test_load_counts_what_was_lost(self):
        times = {"p50": 1.0, "p99": 2.0, "max": 3.0}
        one = {"polls_per_minute": 120.0, "seconds": 5, "values": 51, "whole": 5, "delivered": 49, "to_socket_ms": times,
               "to_reader_ms": times, "connection_bytes": 2048, "value_bytes": 250, "cpu_us": 7.5}
        self.assertEqual(bench_streams.load_line(10, "both", [one, one]),
                         "| 10 | both | 120 | 98 of 100 | 1.0 / 2.0 / 3.0 | 1.0 / 2.0 / 3.0 | 2.0 | 250 | 7.5 |")

    def test_quick_is_shorter(self):
        quick, whole = (bench_streams.options_of(flags) for flags in (["--streams", "--quick"], ["--streams"]))
        self.assertEqual((quick.rounds, quick.seconds, quick.bytes_seconds), (1, 5, 30))
        self.assertEqual((whole.rounds, whole.seconds, whole.bytes_seconds), (3, 20, 120))

    def test_the_streams_are_those_of_the_development_chain(self):
        config = bench_streams.bytes_config(8545)
        for stream in bench_streams.STREAMS:
            self.assertIn(f"- name: {stream}", config)
        self.assertEqual(config.count("upstream: node"), 4)


class Node(unittest.TestCase):
    def test_calls_are_counted(self):
        node = clients.MetricsNode()
        answer = node.answer_one({"id": 7, "method": "dev_networkStatus"})
        self.assertEqual(answer["id"], 7)
        self.assertIn("sentNs", answer["result"])
        node.answer_one({"id": 8, "method": "eth_blockNumber"})
        self.assertEqual(node.calls, 2)

    def test_the_process_says_its_port_and_its_counts(self):
        script = pathlib.Path(__file__).with_name("bench_streams_clients.py")
        with subprocess.Popen([sys.executable, script, "node", "{}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
            self.assertRegex(node.stdout.readline(), r"^listening \d+$")
            out, _ = node.communicate("report\n", timeout=30)
            self.assertEqual(json.loads(out), {"calls": 0})


if __name__ == "__main__":
    unittest.main()

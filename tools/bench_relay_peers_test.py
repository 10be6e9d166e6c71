#!/usr/bin/env python3
"""Tests of bench_relay_peers.py, and of what its load counts."""

import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import threading
import unittest

import bench_relay_peers as bench
import bench_relay_peers_run as run
from bench_attacks_wire import TEXT, frame
from bench_contestants import ROOT

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
PAYLOAD_BYTES = 100
FRAME_BYTES = 6 + PAYLOAD_BYTES  # a client's, with its mask, which is zero
# The warm-up ends long before it, and a run gets there.
FAULTY_NUMBER = 1000


class Contestant:
    def __init__(self, name):
        self.name, self.keeps = name, "nothing"


def seen(**more):
    return {"publishes_per_s": 100, "deliveries_per_s": 1000, "delivered": 5000, "lost": 0, "doubled": 0, "overtaken": 0, "p50_us": 1000.0, "p99_us": 2000.0,
            "back_ms": 30.0, "own_share": 0.5, "cpu_us": 2.0, "cpu_parts_us": [0.5, 1.0, 0.5], **more}


class Tables(unittest.TestCase):
    ROW, RECONNECT = bench.Row(1_000, 0, 2), bench.Row(100, 5_000, 4, "reconnect")
    ONE, OTHER = Contestant("one"), Contestant("other")

    def lines(self, row, *runs):
        return bench.table(row, [self.ONE, self.OTHER], runs)[5:]

    def test_the_ratio_is_that_of_the_rounds(self):
        rates = [(1000, 500), (9000, 9000), (100, 60)]
        runs = [{"one": seen(deliveries_per_s=one), "other": seen(deliveries_per_s=other, cpu_us=3.0)} for one, other in rates]
        self.assertIn("| 500 ±894% | 0.60 | 3.00 ±0% | 1.50 | 0.50, 1.00, 0.50 | 1.0, 2.0 | 0, 0, 0 | 50% |", self.lines(self.ROW, *runs)[1])

    def test_faults_of_all_rounds_are_added(self):
        runs = [{"one": seen(lost=2, doubled=1)}, {"one": seen(lost=1_000, overtaken=3)}]
        self.assertIn("| 1,002, 1, 3 |", self.lines(self.ROW, *runs)[0])
        self.assertIn("| 1,002, 1, 3 | 11,002 | 30 |", self.lines(self.RECONNECT, *runs)[0])

    def test_a_busy_load_is_marked(self):
        self.assertNotIn("whole core", self.lines(self.ROW, {"one": seen(own_share=0.89)})[0])
        self.assertIn("near a whole core", self.lines(self.ROW, {"one": seen()}, {"one": seen(own_share=0.9)}, {"one": seen()})[0])

    def test_who_failed_is_left_out(self):
        self.assertEqual(len(self.lines(self.ROW, {"one": seen()})), 1)

    def test_a_row_has_a_cell_for_each_column(self):
        for row in (self.ROW, self.RECONNECT):
            lines = bench.table(row, [self.ONE], [{"one": seen()}])[3:]
            self.assertEqual(len({line.count("|") for line in lines}), 1, lines)


class FakeServer:
    """Publishers and readers as those of Fanfare. `sent` says how often an event is sent; `keeps`: whether who returns gets what it missed;
    `late`: the number that another one overtakes."""

    def __init__(self, sent=lambda number: 1, keeps=True, late=None):
        self.sent, self.keeps, self.late, self.waiting = sent, keeps, late, None
        self.lock, self.events, self.readers, self.peers = threading.Lock(), [], [], []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                self.peers.append(self.listening.accept()[0])
            except OSError:
                return
            threading.Thread(target=self.serve, args=(self.peers[-1],), daemon=True).start()

    def serve(self, peer):
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += peer.recv(1)
        peer.sendall(UPGRADED)
        if request.startswith(b"GET /publish "):
            with peer.makefile("rb") as stream:
                while len(message := stream.read(FRAME_BYTES)) == FRAME_BYTES:
                    self.publish(message[6:])
            return
        after = re.match(rb"GET /\?after=1-(\d+) ", request)
        with self.lock:
            if after and self.keeps:
                peer.sendall(b"".join(self.events[int(after[1]):]))
            self.readers.append(peer)

    def publish(self, payload):
        if int(payload[16:32], 16) == self.late:
            self.waiting = payload
            return
        self.send(payload)
        if self.waiting:
            self.waiting = self.send(self.waiting)

    def send(self, payload):
        with self.lock:
            self.events.append(frame(TEXT, b"1-%d " % (len(self.events) + 1) + payload))
            for reader in self.readers:
                try:
                    reader.sendall(self.events[-1] * self.sent(int(payload[16:32], 16)))
                except OSError:
                    pass  # it has been cut off

    def close(self):
        for each in (self.listening, *self.peers):
            each.close()


class Load(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.program = pathlib.Path(cls.folder.name) / "peers_load"
        sources = [ROOT / "bench/peers" / f"{name}.cc" for name in ("load", "codec", "connection")]
        subprocess.run([os.environ.get("CXX", "c++"), "-std=c++23", "-o", cls.program, *sources], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_load(self, server, every_us, seconds, how, warm_up=0):
        self.addCleanup(server.close)
        command = [self.program, "fanfare", server.port, server.port, 2, every_us, warm_up, seconds, how, os.getpid()]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=90)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_nothing_is_lost(self):
        found = self.run_load(FakeServer(), 0, 0.3, "steady")
        self.assertEqual((found["lost"], found["doubled"], found["overtaken"]), (0, 0, 0))
        self.assertGreaterEqual(found["delivered"], 2 * 256)
        self.assertGreater(found["cpu_ns"][0], 0)

    def test_the_warm_up_is_not_counted(self):
        found = self.run_load(FakeServer(lambda number: 2 if number < 100 else 1), 0, 0.1, "steady", warm_up=0.1)
        self.assertEqual((found["lost"], found["doubled"], found["overtaken"]), (0, 0, 0))

    def test_what_is_left_out_and_what_comes_twice_is_counted_for_each_reader(self):
        faults = {FAULTY_NUMBER: 0, FAULTY_NUMBER + 5: 2, FAULTY_NUMBER + 9: 3}
        found = self.run_load(FakeServer(lambda number: faults.get(number, 1)), 0, 1, "steady")
        self.assertEqual((found["lost"], found["doubled"], found["overtaken"]), (2 * 1, 2 * 3, 0))

    def test_an_event_that_another_one_overtakes_is_not_lost(self):
        found = self.run_load(FakeServer(late=FAULTY_NUMBER), 0, 1, "steady")
        self.assertEqual((found["lost"], found["doubled"], found["overtaken"]), (0, 0, 2))

    def test_who_returns_asks_for_what_it_missed(self):
        found = self.run_load(FakeServer(), 1_000, 0.3, "reconnect")
        self.assertEqual((found["lost"], found["doubled"], found["overtaken"]), (0, 0, 0))
        self.assertGreater(found["back_ms"], 0)

    def test_what_a_server_does_not_keep_is_lost(self):
        found = self.run_load(FakeServer(keeps=False), 1_000, 0.3, "reconnect")
        self.assertGreater(found["lost"], 0)
        self.assertEqual(found["doubled"], 0)


class SameWork(unittest.TestCase):
    def test_all_keep_as_much(self):
        config = run.nginx_config("/folder", 1234, 5678)
        self.assertEqual(config.count("{"), config.count("}"))
        kept = f"{run.HISTORY_MESSAGES}"
        self.assertIn(f"nchan_message_buffer_length {kept};", config)
        self.assertIn(f"kHistoryMessages = {kept};", (run.PEERS / "peers_server.cc").read_text())
        self.assertIn(f"HISTORY_MESSAGES = {kept};", (run.PEERS / "socketio.js").read_text())


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""A feed with history on disk is killed twenty times; clients that return have every event. Usage: kill_test.py PROGRAM...

The program may be one that starts another: `without_uring ledger`."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import unittest

import websockets

PROGRAM = sys.argv[1:] or ["build/asan/examples/ledger"]
PATIENCE = 120
KILLS = 20
EVENTS = 25  # of each life: 500 of all


@contextlib.contextmanager
def running(*arguments):
    with subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


class Client:
    """Follows the feed, and remembers every event with its position."""

    def __init__(self):
        self.at = None
        self.events = []
        self.unrecovered = []

    async def follow(self, url, count):
        """Until `count` more events came."""
        query = f"?since={self.at}" if self.at else ""
        # A full queue would hold up the closing handshake.
        async with websockets.connect(f"{url}/feed{query}", max_queue=None) as socket:
            begin = json.loads(await socket.recv())
            if self.at and (not begin["recovered"] or begin["begins_after"] != self.at):
                self.unrecovered.append((self.at, begin))
            self.at = begin["begins_after"]
            while count > 0:
                message = json.loads(await socket.recv())
                if "missed_after" in message:
                    raise AssertionError(f"after {begin}, at {self.at}: {message}")
                self.events.append((message["at"], message["event"]))
                self.at = message["at"]
                count -= 1


class Kill(unittest.TestCase):
    def lives(self, sync, kills):
        steady, rare = Client(), Client()

        async def life(url, number):
            async with asyncio.timeout(PATIENCE):
                # One is there all the time, the other returns now and then, and reads from the disk.
                both = [steady.follow(url, EVENTS)]
                if number % 4 == 0:
                    both.append(rare.follow(url, 1 if number == 0 else EVENTS * 4))
                await asyncio.gather(*both)

        with tempfile.TemporaryDirectory() as folder:
            for number in range(kills + 1):
                with running(f"{folder}/events", "0", sync) as (process, url):
                    asyncio.run(life(url, number))
                    process.send_signal(signal.SIGKILL)
                    process.wait(PATIENCE)
        for client in (steady, rare):
            self.assertEqual(client.unrecovered, [])
            epochs = {at.split("-")[0] for at, _ in client.events}
            self.assertEqual(len(epochs), 1)
            offsets = [int(at.split("-")[1]) for at, _ in client.events]
            self.assertEqual(offsets, list(range(offsets[0], offsets[0] + len(offsets))))
            numbers = [event for _, event in client.events]
            self.assertEqual(numbers, sorted(set(numbers)))
        first, second = dict(steady.events), dict(rare.events)
        shared = first.keys() & second.keys()
        self.assertGreater(len(shared), EVENTS)
        for at in shared:
            self.assertEqual(first[at], second[at], at)
        return steady

    def test_twenty_kills_lose_nothing(self):
        client = self.lives("interval", KILLS)
        self.assertGreaterEqual(len(client.events), EVENTS * KILLS)

    def test_with_every_sync(self):
        for sync in ("each", "none"):
            with self.subTest(sync=sync):
                self.lives(sync, 4)

    def test_a_clean_end_loses_nothing(self):
        client = Client()
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(2):
                with running(f"{folder}/events", "0") as (process, url):
                    asyncio.run(client.follow(url, EVENTS))
                    process.send_signal(signal.SIGTERM)
                    process.wait(PATIENCE)
        self.assertEqual(client.unrecovered, [])

    def test_a_second_program_and_a_wrong_folder_are_told(self):
        with tempfile.TemporaryDirectory() as folder, running(f"{folder}/events", "0"):
            for path, words in ((f"{folder}/events", "another program uses it"), (f"{folder}/no/events", "No such file")):
                done = subprocess.run([*PROGRAM, path, "0"], capture_output=True, text=True, timeout=PATIENCE)
                self.assertEqual(done.returncode, 1)
                self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)

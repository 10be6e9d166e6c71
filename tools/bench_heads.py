#!/usr/bin/env python3
"""Measures how long after a block exists a subscriber hears of it: ./dev bench --heads. docs/bench.md explains the method.

Each row is a chain behind nodes of its own, each with a gateway in front: one that only polls over HTTP, one whose node announces its
blocks beside HTTP, and one that is connected over WebSocket. Every gateway has one subscriber to newHeads. All rows are measured at the same time: the processes sleep nearly always.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from bench_attacks_run import Node, Stage
from bench_attacks_wire import ClientSocket, TEXT, frame
from bench_contestants import LOAD_CORE, Failed
from bench_forward import ANVIL, CHAIN, PROGRAM, gateway
from bench_report import Watch, machine, save

SUBSCRIBE = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}).encode()
WARM_UP_S = 15  # a gateway has to learn a chain's rhythm first
GOALS = {("1 s", "HTTP"): "60"}
# Column: the scheme of the gateway's endpoint, and further settings of the upstream.
TRANSPORTS = {
    "HTTP": ("http", ", headHints: never"),
    "HTTP, hints": ("http", ", headHints: auto"),
    "WebSocket": ("ws", ""),
}


class Chain:
    """A row: blocks every `seconds`, each up to the share `jitter` of that earlier or later; by anvil, or by a node that knows when
    it made a block."""

    def __init__(self, name, seconds, jitter=0.0, anvil=False):
        self.name, self.seconds, self.jitter, self.anvil = name, seconds, jitter, anvil


CHAINS = [
    Chain("1 s", 1), Chain("1 s ±5 %", 1, jitter=0.05), Chain("1 s ±30 %", 1, jitter=0.3),
    Chain("12 s", 12), Chain("12 s ±5 %", 12, jitter=0.05),
    Chain("anvil, 1 s", 1, anvil=True), Chain("anvil, 12 s", 12, anvil=True),
]


class Anvil:
    """Counts the calls, which anvil prints, by the second."""

    def __init__(self, seconds):
        command = ["taskset", "-c", LOAD_CORE, str(ANVIL), "--port", "0", "--block-time", str(seconds)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.calls, seen = collections.Counter(), ""
        for line in self.process.stdout:
            seen += line
            if found := re.search(r"^Listening on [\d.]+:(\d+)", line):
                self.port = int(found[1])
                threading.Thread(target=self.count, daemon=True).start()
                return
        raise Failed(f"anvil did not start: {seen[-400:]}")

    def count(self):
        for line in self.process.stdout:
            if re.match(r"(eth|net|web3)_\w+\s*$", line):
                self.calls[int(time.monotonic())] += 1

    def kill(self):
        self.process.kill()
        self.process.wait()


class Listener:
    """One subscriber to newHeads: when it got each block, by hash."""

    def __init__(self):
        self.got, self.socket = {}, None

    async def subscribe(self, url):
        self.socket = await ClientSocket.open(url, self.on_text)
        self.socket.transport.write(frame(TEXT, SUBSCRIBE, masked=True))

    def on_text(self, text):
        now = time.monotonic_ns()
        message = json.loads(text)
        if message.get("method") == "eth_subscription":
            self.got.setdefault(message["params"]["result"]["hash"], now)
        elif "error" in message:
            raise Failed(f"the subscription was refused: {message['error']}")


class Cell:
    """One gateway on a node of its own."""

    def __init__(self, chain, transport, stage, folder):
        self.chain, self.transport = chain, transport
        if chain.anvil:
            self.node = stage.add(Anvil(chain.seconds))
        else:
            self.node = stage.add(Node({"chain_id": CHAIN, "block_ms": chain.seconds * 1000, "block_jitter": chain.jitter}))
            self.node.go()
        scheme, more = TRANSPORTS[transport]
        kept = tempfile.mkdtemp(dir=folder)
        self.gateway = gateway(stage, kept, "gateway", PROGRAM, f"{scheme}://127.0.0.1:{self.node.port}", more)
        self.listener, self.direct = Listener(), Listener()

    async def subscribe(self):
        await self.listener.subscribe(f"ws://127.0.0.1:{self.gateway.process.port}{self.gateway.path}")
        if self.chain.anvil:
            await self.direct.subscribe(f"ws://127.0.0.1:{self.node.port}/")

    def result(self, begin_ns, end_ns):
        """Delays in ms of the blocks that came between the two times, the number of blocks never heard of, calls a minute."""
        if self.chain.anvil:
            made, calls = self.direct.got, self.node.calls
        else:
            report = self.node.ask_report()
            made = {hash_: made_ns for hash_, made_ns, _ in report["blocks"]}
            calls = {int(second): count for second, count in report["calls"].items()}
        return delays_of(made, self.listener.got, begin_ns, end_ns), calls_a_minute(calls, begin_ns, end_ns)


def delays_of(made, got, begin_ns, end_ns):
    """Returns (delays in ms, blocks that nobody heard of). The last two seconds are left out: their blocks may be under way."""
    due = {hash_: at for hash_, at in made.items() if begin_ns <= at < end_ns - 2_000_000_000}
    delays = [(got[hash_] - at) / 1e6 for hash_, at in due.items() if hash_ in got]
    return delays, len(due) - len(delays)


def calls_a_minute(calls, begin_ns, end_ns):
    first, last = begin_ns // 1_000_000_000 + 1, end_ns // 1_000_000_000
    return sum(count for second, count in calls.items() if first <= second < last) * 60 / max(1, last - first)


def text_of(delays, missed, calls):
    if not delays:
        return f"no block, {missed} missed"
    ordered = sorted(delays)
    p90 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.9))]
    lost = f", {missed} missed" if missed else ""
    return f"{statistics.median(ordered):.1f} / {p90:.1f} / {ordered[-1]:.1f}, {calls:.0f} calls, {len(ordered)} blocks{lost}"


async def listen(cells, seconds):
    """Returns the first and the last moment that count."""
    for cell in cells:
        await cell.subscribe()
    await asyncio.sleep(WARM_UP_S)  # style: time is what is measured
    begin = time.monotonic_ns()
    await asyncio.sleep(seconds)  # style: time is what is measured
    return begin, time.monotonic_ns()


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench --heads")
    parser.add_argument("--heads", action="store_true", help=argparse.SUPPRESS)  # the flag that selected this program
    parser.add_argument("--quick", action="store_true", help="one minute in place of five")
    parser.add_argument("--seconds", type=int, help="that are measured")
    parser.add_argument("rows", nargs="*", help='parts of rows, as "1 s"')
    options = parser.parse_args(arguments)
    options.seconds = options.seconds or (60 if options.quick else 300)
    return options


def measure(options, folder):
    lines = ["| blocks | HTTP | goal | HTTP, hints | WebSocket |", "|---|---|---|---|---|"]
    with Stage() as stage:
        chains = [chain for chain in CHAINS if not options.rows or any(part in chain.name for part in options.rows)]
        cells = [(chain, [Cell(chain, transport, stage, folder) for transport in TRANSPORTS]) for chain in chains]
        begin, end = asyncio.run(listen([cell for _, columns in cells for cell in columns], options.seconds))
        for chain, columns in cells:
            texts = []
            for cell in columns:
                (delays, missed), calls = cell.result(begin, end)
                texts.append(text_of(delays, missed, calls))
            lines.append(f"| {chain.name} | {texts[0]} | {GOALS.get((chain.name, 'HTTP'), '')} | {texts[1]} | {texts[2]} |")
            print(lines[-1], flush=True)
    return lines


def main():
    options = options_of(sys.argv[1:])
    with contextlib.suppress(OSError):
        os.nice(-10)
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        lines = measure(options, folder)
    _, others = watch.read()
    save("How soon a subscriber hears of a block", ["heads", *(["quick"] if options.quick else [])], [
        f"{machine()}. Load average {watch.load_before:.1f} before it began; other processes took {others:.0%} of the machine meanwhile.",
        f"{options.seconds} s, after {WARM_UP_S} s to learn the rhythm. Each cell: median / p90 / longest time in ms from the moment the block existed until",
        "the gateway's subscriber had it, and the calls a minute to the node. For anvil: in addition to the time of a subscriber of anvil itself.",
        "docs/bench.md explains the rows.", "", *lines])


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measures forwarded calls: ./dev bench --forward. docs/bench.md explains the method.

Each row is one way to call: HTTP or WebSocket, 1 or 64 connections with one call in flight each, equal or different calls.
Its columns are ways to the same node: directly, and through gateways that differ in how they call the node. In each round every
column is measured once, one after the other. The gateways have core 0; the load and the node share core 1.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import threading

from bench_attacks_run import READY_S, Stage
from bench_contestants import LOAD_CORE, PROGRAMS, ROOT, SERVER_CORE, Failed
from bench_report import Watch, machine, save

PROGRAM = ROOT / "build/release/apps/fanfare/fanfare"
ANVIL = ROOT / "tests/e2e/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
CHAIN = 31337  # of both nodes
ROWS = [(transport, connections, calls) for transport in ("http", "ws") for connections in (1, 64) for calls in ("different", "equal")]

CONFIG = """
logLevel: warn
server: {{ httpPort: 0, threads: 1, shutdownTimeout: 1s }}
projects:
  - id: main
    networks: [{{ architecture: evm, evm: {{ chainId: {chain} }} }}]
    upstreams: [{{ id: node, endpoint: "{endpoint}"{more} }}]
"""


class Process:
    """A program on a core, once it has printed a line that `listening` finds the port in."""

    def __init__(self, command, core, listening):
        self.process = subprocess.Popen(["taskset", "-c", core, *map(str, command)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        seen = ""
        for line in self.process.stdout:
            seen += line
            if found := re.search(listening, line):
                self.port = int(found[1])
                # Anvil prints a line for each call, and waits when nobody reads them.
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return
        raise Failed(f"{command[0]} did not start: {seen[-400:]}")

    def cpu_ns(self):
        """The CPU time of all its threads."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # the thread has ended
                total += int((task / "schedstat").read_text().split()[0])
        return total

    def kill(self):
        self.process.kill()
        self.process.wait()


class Way:
    """A column: where the load sends its calls."""

    def __init__(self, name, process, path):
        self.name, self.process, self.path = name, process, path

    def measure(self, row, seconds):
        transport, connections, calls = row
        used = self.process.cpu_ns()
        command = ["taskset", "-c", LOAD_CORE, PROGRAMS / "forward_load", f"127.0.0.1:{self.process.port}", self.path, transport,
                   connections, calls, seconds]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=seconds + READY_S, check=False)
        if done.returncode != 0:
            raise Failed(f"{self.name}: {done.stderr.strip()[-200:]}")
        result = json.loads(done.stdout)
        result["cpu_us"] = (self.process.cpu_ns() - used) / 1000 / max(1, result["calls"])
        result["rate"] = result["calls"] / result["seconds"]
        return result


def gateway(stage, folder, name, program, endpoint, more=""):
    config = pathlib.Path(folder) / f"{re.sub('[^a-z]', '-', name)}.yaml"
    config.write_text(CONFIG.format(chain=CHAIN, endpoint=endpoint, more=more))
    process = stage.add(Process([program, "serve", "--config", config], SERVER_CORE, r"http://[\d.]+:(\d+)/main/evm"))
    return Way(name, process, f"/main/evm/{CHAIN}")


def ways_to(stage, folder, node_name, before):
    """The columns for a node."""
    if node_name == "anvil":
        node = stage.add(Process([ANVIL, "--port", "0"], LOAD_CORE, r"^Listening on [\d.]+:(\d+)"))
    else:
        node = stage.add(Process([PROGRAMS / "forward_node"], LOAD_CORE, r"^listening (\d+)"))
    http = f"http://127.0.0.1:{node.port}"
    ways = [Way("direct", node, "/")]
    raw = stage.add(Process([PROGRAMS / "raw_forward", node.port], SERVER_CORE, r"^listening (\d+)"))
    ways.append(Way("raw forwarder", raw, "/"))
    if before:
        ways.append(gateway(stage, folder, "before", before, http))
    ways.append(gateway(stage, folder, "libcurl", PROGRAM, http, ", httpClient: libcurl"))
    ways.append(gateway(stage, folder, "builtin", PROGRAM, http, ", httpClient: builtin"))
    if node_name == "anvil":
        ways.append(gateway(stage, folder, "websocket", PROGRAM, f"ws://127.0.0.1:{node.port}"))
    return ways


def cell(many, direct):
    """The share of the direct way's rate in the same round, the added median time, and the CPU of a call."""
    shares = [one["rate"] / of_direct["rate"] for one, of_direct in zip(many, direct)]
    added = statistics.median(one["median_us"] - of_direct["median_us"] for one, of_direct in zip(many, direct))
    cpu = statistics.median(one["cpu_us"] for one in many)
    spread = (max(shares) - min(shares)) / 2
    return f"{statistics.median(shares):.2f} ±{spread:.2f}, {added:+.0f} µs, {cpu:.1f} µs"


def direct_cell(many):
    return f"{statistics.median(one['rate'] for one in many):,.0f}/s, {statistics.median(one['median_us'] for one in many):.0f} µs"


def measure_row(ways, row, options):
    for way in ways:
        way.measure(row, 0.2)  # connections and caches are warm
    seen = {way.name: [] for way in ways}
    for _ in range(options.rounds):
        for way in ways:
            seen[way.name].append(way.measure(row, options.seconds))
    return seen


def line_of(row, ways, seen):
    transport, connections, calls = row
    cells = [direct_cell(seen["direct"]), *(cell(seen[way.name], seen["direct"]) for way in ways[1:])]
    return f"| {transport}, {connections}, {calls} | " + " | ".join(cells) + " |"


def measure_node(name, options, folder):
    lines = []
    with Stage() as stage:
        ways = ways_to(stage, folder, name, options.before)
        lines += ["", f"Node: {name}.", "", "| calls | " + " | ".join(way.name for way in ways) + " |", "|" + "---|" * (len(ways) + 1)]
        for row in ROWS:
            if name == "raw" and row[0] == "ws":
                continue  # it has only HTTP, and the table needs a direct way
            if options.rows and not any(part in " ".join(map(str, row)) for part in options.rows):
                continue
            lines.append(line_of(row, ways, measure_row(ways, row, options)))
            print(lines[-1], flush=True)
    return lines


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench --forward")
    parser.add_argument("--forward", action="store_true", help=argparse.SUPPRESS)  # the flag that selected this program
    parser.add_argument("--quick", action="store_true", help="three rounds of 0.5 s, without the raw node")
    parser.add_argument("--rounds", type=int, help="five if not given")
    parser.add_argument("--seconds", type=float, help="of each measurement: 2 if not given")
    parser.add_argument("--before", type=pathlib.Path, help="the program of an earlier build, as a column of its own")
    parser.add_argument("rows", nargs="*", help='parts of rows, as "http 64"')
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.seconds = options.seconds or (0.5 if options.quick else 2)
    return options


def main():
    options = options_of(sys.argv[1:])
    with contextlib.suppress(OSError):
        os.nice(-10)
    watch, lines = Watch(), []
    with tempfile.TemporaryDirectory() as folder:
        for node in ["anvil", *([] if options.quick else ["raw"])]:
            lines += measure_node(node, options, folder)
    _, others = watch.read()
    head = [f"{machine()}. Load average {watch.load_before:.1f} before it began; other processes took {others:.0%} of the machine meanwhile.",
            f"Median of {options.rounds} rounds of {options.seconds} s. Each cell: calls a second relative to the direct way in the same round,",
            "what is added to the median time of a call, and the gateway's CPU time of a call. docs/bench.md explains the columns."]
    save("Forwarded calls", ["forward", *(["quick"] if options.quick else [])], head + lines)


if __name__ == "__main__":
    main()

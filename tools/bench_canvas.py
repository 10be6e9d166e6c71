#!/usr/bin/env python3
"""Measures the canvas: ./dev bench --canvas. docs/bench.md explains the method.

The server has core 0. Viewers, drawers and cursors are one program on core 1 (bench/canvas), which checks every hash that a viewer gets.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from bench_attacks_run import Program, Stage
from bench_contestants import LOAD_CORE, ROOT, SERVER_CORE
from bench_report import LOAD_BUSY, Watch, machine, save
from bench_serve import PROGRAM, ServeProcess

LOAD = ROOT / "build/bench/bench/canvas_load"
CONNECT_S, SETTLE_S = 180, 120
FAULTS = ["malformed", "wrong_hash", "diverged", "gap", "twice", "behind", "lost", "refused", "unchecked"]

# The limits of users and addresses are for people; here one address sends everything. Overload control would refuse some of the
# 11,000 who connect at once, and each of them is needed.
CONFIG = """
server:
  httpPort: 0
  threads: 1
  shutdownTimeout: 1s
  overload: { enabled: false }
canvas:
  rooms:
    - name: main
      width: 1000
      height: 1000
      pixelsPerSecond: 1000000
      pixelsBurst: 1000000
      pixelsPerSecondPerAddress: 1000000
      pixelsBurstPerAddress: 1000000
      limits: { messagesPerSecond: 100000 }
"""

# name, options of the load. `seconds` and the sizes are for a whole run; --quick divides them.
ROWS = [
    ("8,000 pixels a second to 100 viewers", {"viewers": 100, "drawers": 1000, "rate": 8000}),
    ("8,000 pixels a second to 10,000 viewers, 1,000 of whom lose their connection", {"viewers": 10_000, "drawers": 1000, "rate": 8000, "returns": 1000}),
    ("8,000 pixels a second in strokes of 50 to 1,000 viewers", {"viewers": 1000, "drawers": 100, "rate": 8000, "batch": 50}),
    ("1,000 cursors to 100 viewers who see them", {"viewers": 100, "drawers": 0, "rate": 0, "cursors": 1000, "cursorrate": 10, "watch": "0,0,0,0"}),
    ("1,000 cursors and 100 viewers who look elsewhere", {"viewers": 100, "drawers": 0, "rate": 0, "cursors": 1000, "cursorrate": 10, "watch": "3,3,3,3"}),
]


class Load(Program):
    """canvas_load on the load's core."""

    def __init__(self, port, options):
        self.name = "canvas_load"
        command = ["taskset", "-c", LOAD_CORE, str(LOAD), str(port), *(f"{name}={value}" for name, value in options.items())]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class Server(ServeProcess):
    """A server with a canvas, on its core."""

    def __init__(self, folder):
        path = pathlib.Path(folder) / "canvas.yaml"
        path.write_text(CONFIG)
        super().__init__(["--config", str(path)], SERVER_CORE, rb"Canvas +ws://\S+:(\d+)/canvas", "/canvas/main/info")


def measure(row, seconds, folder):
    """One run: what canvas_load reports, with {server_cpu, client_bytes}."""
    with Stage() as stage:
        server = stage.add(Server(folder))
        before = server.resident_bytes()
        load = stage.add(Load(server.port, {**row, "seconds": seconds}))
        load.wait_for("ready", CONNECT_S)
        connections = row["viewers"] + row["drawers"] + row.get("cursors", 0)
        memory = (server.resident_bytes() - before) / connections
        cpu = server.cpu_seconds()
        load.go()
        watch = time.monotonic()
        time.sleep(seconds)  # style: what is measured
        cpu, took = server.cpu_seconds() - cpu, time.monotonic() - watch
        return {**load.read_report(SETTLE_S), "server_cpu": cpu / took, "client_memory": memory,
                "client_memory_after": (server.resident_bytes() - before) / connections}


def line_of(name, seen):
    seconds = seen["seconds"]
    pixels = seen["pixels"]
    faults = ", ".join(f"{key} {seen[key]:,}" for key in FAULTS if seen[key]) or "none"
    delay = f"{seen['p50_ms']:.1f} / {seen['p99_ms']:.1f} / {seen['max_ms']:.1f}" if pixels else "-"
    per_pixel = f"{seen['tick_bytes'] / pixels:.2f}" if pixels else "-"
    busy = " (saturated)" if seen["cpu"] / seconds > LOAD_BUSY else ""
    return (f"| {name} | {seen['accepted'] / seconds:,.0f} | {delay} | {pixels / seconds / 1e6:.2f} | {seen['frames'] / seconds:,.0f} | {per_pixel} | "
            f"{seen['bytes'] / seen['viewers'] / seconds / 1000:.1f} | {seen['cursors'] / seconds:,.0f} | {seen['server_cpu']:.0%} | {seen['cpu'] / seconds:.0%}{busy} | "
            f"{seen['client_memory'] / 1024:.1f} | {seen['client_memory_after'] / 1024:.1f} | {seen['returned']:,} | {faults} |")


def smaller(row):
    """The row for a quick run: a fifth of everything but the rate of drawing."""
    return {name: max(1, value // 5) if name in ("viewers", "drawers", "returns", "cursors") and value else value for name, value in row.items()}


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench --canvas")
    parser.add_argument("--canvas", action="store_true", help=argparse.SUPPRESS)  # the flag that selected this program
    parser.add_argument("--quick", action="store_true", help="a fifth of the viewers, 10 s each")
    parser.add_argument("--seconds", type=int, help="of each row: 60 if not given, 10 with --quick")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="only the rows whose name contains it")
    options = parser.parse_args(arguments)
    options.seconds = options.seconds or (10 if options.quick else 60)
    return options


def rows_of(options):
    chosen = [(name, row) for name, row in ROWS if not options.rows or any(part in name for part in options.rows)]
    return [(f"{name}, a fifth of it", smaller(row)) for name, row in chosen] if options.quick else chosen


def report(options, watch, lines):
    _, others = watch.read()
    return [
        f"{machine()}. Load average {watch.load_before:.1f} before it began; other processes took {others:.0%} of the machine meanwhile.",
        f"{options.seconds} s a row; a canvas of 1000 x 1000 with 24-bit colours, in memory. docs/bench.md explains the columns.", "",
        "| row | drawn a second | from sending to receipt, ms: p50 / p99 / max | million pixels delivered a second | frames a second | bytes a pixel | kB/s a viewer | cursors a second | "
        "CPU of the server | CPU of the load | KiB a client, before | after | returns | faults |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|", *lines]


def main():
    options = options_of(sys.argv[1:])
    for needed in (PROGRAM, LOAD):
        if not needed.exists():
            raise SystemExit(f"bench: no {needed}; ./dev bench --canvas builds it")
    try:
        os.nice(-10)
    except OSError:
        print("bench: not allowed to go before other programs")
    watch, lines, has_faults = Watch(), [], False
    with tempfile.TemporaryDirectory() as folder:
        for name, row in rows_of(options):
            seen = measure(row, options.seconds, folder)
            has_faults |= any(seen[key] for key in FAULTS)
            lines.append(line_of(name, seen))
            print(lines[-1], flush=True)
    save("Canvas under load", ["canvas", *(["quick"] if options.quick else [])], report(options, watch, lines))
    return 1 if has_faults else 0


if __name__ == "__main__":
    sys.exit(main())

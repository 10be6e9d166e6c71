#!/usr/bin/env python3
"""Sends heads to 10,000 subscribers: ./dev bench --fanout. Prints the report and writes it to bench/results."""

import json
import os
import statistics
import subprocess
import sys

from bench_contestants import ROOT
from bench_report import Watch, machine, save

PROGRAM = ROOT / "build/bench/bench/heads_fanout"
ROUNDS = 5
# Subscribers, heads, and ms between heads (0: as soon as all subscribers have the last one).
ROWS = [(1_000, 200, 0), (10_000, 50, 0), (10_000, 20, 250)]


def measure(row):
    done = subprocess.run([PROGRAM, *map(str, row)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"bench: {done.stderr.strip()}")
    return json.loads(done.stdout)


def line_of(row, rounds):
    def median(*path):
        values = []
        for each in rounds:
            for key in path:
                each = each[key]
            values.append(each)
        return statistics.median(values)

    def times(name):
        return ", ".join(f"{median(name, which):.1f}" for which in ("p50", "p99", "max"))

    subscribers, heads, every_ms = row
    best = max(each["deliveries_per_s_while_sending"] for each in rounds)
    pace = f"every {every_ms} ms" if every_ms else "one after the other"
    return (f"| {subscribers:,} | {heads}, {pace} | {median('deliveries_per_s_while_sending'):,.0f} (best {best:,.0f}) | "
            f"{times('socket_ms')} | {times('read_ms')} | {median('server_cpu_us_per_delivery'):.2f} µs |")


def main():
    # Keep other programs from affecting the measurement.
    try:
        os.nice(-19)
    except OSError:
        print("bench: not allowed to go before others")
    watch = Watch()
    lines = []
    for row in ROWS:
        lines.append(line_of(row, [measure(row) for _ in range(ROUNDS)]))
        print(lines[-1], flush=True)
    _, others = watch.read()
    save("Heads to many subscribers", ["fanout"], [
        f"{machine()}. Load average {watch.load_before:.1f} before it began; other processes took {others:.0%} of the machine",
        f"meanwhile. Median of {ROUNDS} rounds; chain, server and its one loop on core 0, all readers on core 1, loopback.",
        "",
        "From `on_new_block` of the chain: to the kernel's stamp in the reader's socket, and to the one thread that reads them all.",
        "p50, p99 and the last, in ms. Deliveries a second from that call to the last socket; CPU is the server's, user and system.",
        "",
        "| subscribers | heads | deliveries a second | to the socket | to the reader | CPU a delivery |",
        "|---|---|---|---|---|---|",
        *lines,
    ])


main()

#!/usr/bin/env python3
"""Measures how attacks on the gateway affect honest clients: ./dev bench --attacks. docs/bench.md explains the method.

Each round runs every attack against the gateway of each tree in turn. The gateway has core 0. The honest client, the
attackers and the fake nodes are separate processes on core 1.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from bench_attacks_report import HEAD, Result, row_of
from bench_attacks_run import ADDRESS_SPACE_BYTES, CALLS_PER_SECOND, Gateway, Node, Program, Stage
from bench_contestants import ROOT, Failed
from bench_report import Watch, commit, machine, save

MIB = 1 << 20
PROGRAM = "build/release/apps/fanfare/fanfare"
# Seconds of honest calls: with --quick, and without.
USUAL, LONG = (3, 4), (4, 7)


class Attack:
    """`client`: a role of bench_attacks_clients.py and its options. `node`: options for the honest client's node.
    `flood`: what the node of another project sends. `needs`: a counter which proves that the attack took place."""

    def __init__(self, name, client=None, node=None, flood=None, needs=None, seconds=USUAL):
        self.name, self.client, self.node, self.flood = name, client, node or {}, flood
        self.needs, self.seconds = needs, seconds


def flood(name, kind):
    return Attack(f"another project's node floods with {name}", flood=kind, needs="messages of the flood")


ATTACKS = [
    Attack("no attack"),
    Attack("200 slow reads at a time on one WebSocket", ("slow-reads", {"parallel": 200}), needs="calls", seconds=LONG),
    Attack("200 slow reads at a time on 200 HTTP connections", ("slow-reads", {"parallel": 200, "over": "http"}),
           needs="calls", seconds=LONG),
    Attack("a node that refuses logs by blockHash, and a client that subscribes to logs again when it was closed", ("resubscriber", {}),
           node={"refuses_block_hash": True, "logs": 1}, needs="subscriptions", seconds=LONG),
    flood("junk", "junk"),
    flood("notifications nobody asked for", "notifications"),
    flood("heads", "heads"),
    flood("answers nobody asked for", "answers"),
    Attack("batches of 200 answers of 12 MiB", ("batches", {"items": 200}), node={"raw_bytes": 12 * MIB}, needs="batches",
           seconds=LONG),
    Attack("batches of 1,000 answers of 12 MiB", ("batches", {"items": 1000}), node={"raw_bytes": 12 * MIB}, needs="batches",
           seconds=LONG),
    Attack("8,000 logs in every fourth block, to a client that reads", ("reader", {"logs": True}),
           node={"logs": 8000, "logs_every": 4}, needs="logs made"),
    Attack("ten answers of 3 MB at a time, to a client that reads", ("reader", {"answers": 10, "every_s": 0.3}),
           node={"raw_bytes": 3_000_000}, needs="answers asked for"),
    Attack("20 MB to a client that reads 4 MB/s and listens to heads",
           ("reader", {"answers": 1, "every_s": 1, "bytes_per_second": 4_000_000}), node={"raw_bytes": 20_000_000},
           needs="answers asked for", seconds=(7, 8)),
    Attack("60,000 filters with the busy address and topics that never match, 200 logs in a block",
           ("filters", {"filters": 60_000, "filters_per_connection": 100}), node={"logs": 200}, needs="filters", seconds=(10, 14)),
]


def measure(attack, program, seconds, folder):
    """One run of one attack against one gateway."""
    with Stage() as stage:
        node = stage.add(Node(attack.node))
        flooder = stage.add(Node({"flood": attack.flood, "chain_id": 2})) if attack.flood else None
        gateway = stage.add(Gateway(program, folder, node, flooder))
        gateway.wait_ready()
        honest = stage.add(Program("honest", {"url": gateway.url, "calls_per_second": CALLS_PER_SECOND, "seconds": seconds}, nice=-5))
        client = stage.add(Program(attack.client[0], {"url": gateway.url, **attack.client[1]}, nice=5)) if attack.client else None
        parties = [one for one in (node, flooder, client) if one]
        # Slow preparations, such as tens of thousands of filters, are complete before the measurement starts.
        for one in (honest, client):
            if one:
                one.wait_for("ready", 60)
        for one in (*[party for party in parties if party is not client], client, honest):
            if one:
                one.go()
        seen = honest.read_report(seconds + 15)
        reports = {one: one.ask_report() for one in parties}
        return Result.of(attack, seen, reports[node], [reports[one] for one in parties], gateway.end())


def measure_or_complain(attack, tree, seconds, folder, complaints):
    try:
        return measure(attack, tree.program, seconds, folder)
    except Failed as failure:
        complaints.append(f"{attack.name}, {tree.name}: {failure}")
        print(f"bench: {complaints[-1]}", flush=True)
        return None


class Tree:
    def __init__(self, name, root):
        self.name, self.root = name, pathlib.Path(root).resolve()
        self.program = self.root / PROGRAM
        if not self.program.exists():
            raise SystemExit(f"bench: no {PROGRAM} in {root}; build it with cmake --preset release and cmake --build build/release "
                             "--target fanfare")

    def commit(self):
        if self.root == ROOT:
            return commit()
        done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=self.root, check=False)
        return done.stdout.strip() or "unknown"


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench --attacks")
    parser.add_argument("--attacks", action="store_true", help=argparse.SUPPRESS)  # the flag that selected this program
    parser.add_argument("--quick", action="store_true", help="one round, shorter runs")
    parser.add_argument("--rounds", type=int, help="three if not given, one with --quick")
    parser.add_argument("--seconds", type=int, help="of honest calls in each run, instead of each attack's own")
    parser.add_argument("--before", metavar="DIR", help="an earlier tree with a release build")
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help="part of an attack's name")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def seconds_of(attack, options):
    return options.seconds or attack.seconds[0 if options.quick else 1]


def main():
    options = options_of(sys.argv[1:])
    attacks = [one for one in ATTACKS if not options.attacks or any(word in one.name for word in options.attacks)]
    if not attacks:
        raise SystemExit("bench: no attack has that in its name")
    trees = [*([Tree("before", options.before)] if options.before else []), Tree("now", ROOT)]
    # Keep other programs on the machine from affecting the measurement.
    try:
        os.nice(-10)
    except OSError:
        print("bench: not allowed to go before other programs")
    watch, complaints = Watch(), []
    results = {(attack.name, tree.name): [] for attack in attacks for tree in trees}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            for attack in attacks:
                seconds = seconds_of(attack, options)
                for tree in trees:
                    begin = time.monotonic()
                    found = measure_or_complain(attack, tree, seconds, folder, complaints)
                    if found:
                        results[attack.name, tree.name].append(found)
                        print(f"round {number + 1}, {time.monotonic() - begin:.1f} s " + row_of(attack, tree.name, [found]), flush=True)
    elapsed, others = watch.read()
    print(f"bench: {elapsed:.0f} s; other processes took {others:.0%} of the machine")
    commits = ", ".join(f"{tree.name} is {tree.commit()}" for tree in trees)
    seconds = " or ".join(str(each) for each in sorted({seconds_of(one, options) for one in attacks}))
    save("Honest clients beside attacks",
         ["attacks", *(["quick"] if options.quick else []), *(["rows"] if options.attacks else [])], [
             f"{machine()}. Load average {watch.load_before:.1f} before it began; other processes took {others:.0%} of the machine meanwhile.",
             f"In the table {commits}. Rounds: {options.rounds}, {elapsed:.0f} s in all, with {seconds} s of honest calls in each run,",
             f"{CALLS_PER_SECOND} a second, and a block every 500 ms. A gateway may have {ADDRESS_SPACE_BYTES / 2**30:.0f} GiB of addresses.",
             "docs/bench.md explains rows and columns.",
             "",
             *HEAD,
             *(row_of(attack, tree.name, results[attack.name, tree.name]) for attack in attacks for tree in trees),
             *[line for complaint in complaints for line in ("", f"Not measured: {complaint}")],
         ])


if __name__ == "__main__":
    main()

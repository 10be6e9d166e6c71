#!/usr/bin/env python3
"""Measures access control of the gateway: what it costs a message, a crowd of authenticated clients, and an abuser beside
another client. Writes bench/results. `--quick` is a trial of the script. docs/bench.md explains the rows.

The gateway has core 0. Clients and the fake node are separate processes on core 1.
"""

import argparse
import contextlib
import hashlib
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile

from bench_access_clients import MIX
from bench_attacks_report import number, percentile
from bench_attacks_run import SERVER_CORE, Gateway, Node, Program, Stage
from bench_contestants import ROOT, Failed
from bench_report import Watch, machine, save

PROGRAM = "build/{}/apps/fanfare/fanfare"
RPC_PROGRAM = "build/release/tests/programs/rpc_server"
PATHS = {"/": "an echo of the same bytes", "/rpc": "a program's method", "/guarded/key-of-the-bench-program": "the same behind a key"}
KEYS = 50           # of the crowd; every second one has the second role
BATCH_ITEMS = 100_000
BATCH_ITEMS_USUAL = 1000  # the default of batchItemsMax
DEPTH = 32          # calls in flight when the work for one is measured
LOGS = 3            # in each block
MIB = 1 << 20


class Clients(Program):
    SCRIPT = "bench_access_clients.py"


class RpcServer(Program):
    def __init__(self):
        self.name = "rpc_server"
        self.process = subprocess.Popen(["taskset", "-c", SERVER_CORE, str(ROOT / RPC_PROGRAM)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)


def key(index):
    return f"key-{index:04d}-of-the-bench"


def config(node, access, batch_items):
    lines = ["server:", "  httpPort: 0", "  threads: 1", "  shutdownTimeout: 1s",
             f"  limits: {{ batchItemsMax: {batch_items} }}", f"  websocket: {{ maxMessageBytes: {64 * MIB} }}"]
    if access:
        lines += ["access:", "  roles:",
                  "    - { id: first, projects: [honest], methods: ['*'], topics: [newHeads, newFinalizedHeads, logs, syncing],"
                  " limits: { requestsPerSecond: 1000000, bytesPerSecond: 1000000000, subscriptionsMax: 100000, connectionsMax: 100000 } }",
                  "    - { id: second, projects: ['*'], methods: ['eth_*', net_version], topics: ['*'] }",
                  "    - { id: abuser, projects: [honest], methods: ['*'], limits: { requestsPerSecond: 100 } }",
                  "  keys:"]
        lines += [f"    - {{ id: k{index}, roles: [{('first', 'second')[index % 2]}],"
                  f" keyHash: {hashlib.sha256(key(index).encode()).hexdigest()} }}" for index in range(KEYS)]
        lines += [f"    - {{ id: abuser, roles: [abuser], key: {key(9999)} }}"]
    lines += ["projects:", "  - id: honest", "    networks: [{ architecture: evm, evm: { chainId: 1, pollIntervalMax: 200ms } }]",
              f"    upstreams: [{{ id: node, endpoint: \"http://127.0.0.1:{node.port}\" }}]"]
    return "\n".join(lines) + "\n"


def cpu_ns(pid):
    """CPU time of all threads of a process."""
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))


def resident_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Run:
    """A node and a gateway, with or without access control."""

    def __init__(self, stage, program, access, batch_items=BATCH_ITEMS_USUAL, tsan=False):
        self.stage = stage
        folder = stage.enter_context(tempfile.TemporaryDirectory())
        node = stage.add(Node({"logs": LOGS}))
        node.go()
        self.gateway = stage.add(Gateway(program, folder, node, None, config(node, access, batch_items), tsan))
        self.gateway.wait_ready()
        self.pid, self.access = self.gateway.process.pid, access

    def url(self, index):
        return f"{self.gateway.url}/{key(index)}" if self.access else self.gateway.url

    def clients(self, role, **options):
        one = self.stage.add(Clients(role, options))
        one.wait_for("ready", 120)
        return one


def overhead(program, rounds, seconds):
    """Returns {access: [ns of CPU for a message, one for each round]}; the two gateways alternate."""
    found = {False: [], True: []}
    with Stage() as stage:
        runs = [Run(stage, program, access) for access in (False, True)]
        for _ in range(rounds):
            for run in runs:
                client = run.clients("pipeline", urls=[run.url(0)], depth=DEPTH, seconds=seconds)
                before = cpu_ns(run.pid)
                client.go()
                calls = client.read_report(seconds + 30)["calls"]
                found[run.access].append((cpu_ns(run.pid) - before) / calls)
                client.kill()
    return found


def methods(rounds, seconds):
    """Returns {path: [ns of CPU for a message, one for each round]} of a program with an echo and methods; they alternate."""
    found = {path: [] for path in PATHS}
    with Stage() as stage:
        server = stage.add(RpcServer())
        port = int(server.wait_for("listening", 10).split()[1])
        for _ in range(rounds):
            for path, values in found.items():
                client = stage.add(Clients("pipeline", {"urls": [f"ws://127.0.0.1:{port}{path}"], "depth": DEPTH, "seconds": seconds,
                                                        "call": ["echo", ["x" * 64]]}))
                client.wait_for("ready", 30)
                before = cpu_ns(server.process.pid)
                client.go()
                calls = client.read_report(seconds + 30)["calls"]
                values.append((cpu_ns(server.process.pid) - before) / calls)
                client.kill()
    return found


def end_of_tsan(gateway):
    """Ends a gateway with ThreadSanitizer. Returns what it reported, in words; "" if nothing."""
    gateway.process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        gateway.process.wait(60)
    gateway.kill()
    status, said = gateway.process.returncode, gateway.output.head + gateway.output.tail
    if status == 0 and b"ThreadSanitizer" not in said:
        return ""
    first = said.find(b"ThreadSanitizer")
    return f"status {status}: {said[max(first, 0):][:4000].decode(errors='replace')}"


def crowd(program, clients, seconds, tsan=False):
    with Stage() as stage:
        run = Run(stage, program, True, tsan=tsan)
        one = run.clients("crowd", urls=[run.url(index) for index in range(KEYS)], clients=clients, seconds=seconds, every_s=1.0)
        before = resident_bytes(run.pid)
        one.go()
        seen = one.read_report(seconds + 60)
        growth = resident_bytes(run.pid) - before
        if tsan and (reported := end_of_tsan(run.gateway)):
            raise Failed(f"ThreadSanitizer: {reported}")
        return {**seen, "growth": growth, "per_client": before / clients}


def beside_abuser(program, seconds, batch_items):
    """Returns [p99 alone, p99 beside the abuser] in ms, and the tally of the abuser."""
    with Stage() as stage:
        run = Run(stage, program, True, batch_items)
        found, tally = [], {}
        for abused in (False, True):
            abuser = run.clients("abuser", urls=[run.url(9999)], items=BATCH_ITEMS, seconds=seconds) if abused else None
            client = run.clients("crowd", urls=[run.url(1)], clients=1, seconds=seconds, every_s=0.01)
            if abuser:
                abuser.go()
            client.go()
            seen = client.read_report(seconds + 60)
            found.append(percentile([each / 1e6 for each in seen["latencies_ns"]], 99))
            client.kill()
            if abuser:
                tally = abuser.read_report(seconds + 60)["tally"]
        return found, tally


def overhead_rows(found):
    plain, guarded = (statistics.median(found[access]) for access in (False, True))
    ratios = [b / a for a, b in zip(found[False], found[True])]
    return [f"| CPU for a call without access control, µs | {plain / 1000:.2f} | |",
            f"| the same with it | {guarded / 1000:.2f} | {statistics.median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f}) |"]


def method_rows(found):
    echo, rows = found["/"], []
    for path, values in found.items():
        ratios = [value / base for value, base in zip(values, echo)]
        rows.append(f"| CPU for {PATHS[path]}, µs | {statistics.median(values) / 1000:.2f} | {statistics.median(ratios):.2f} times an echo "
                    f"({min(ratios):.2f} to {max(ratios):.2f}) |")
    return rows


def crowd_row(clients, seconds, seen):
    latencies = [each / 1e6 for each in seen["latencies_ns"]]
    tally = seen["tally"]
    lost, denied = tally.get("lost", 0), tally.get("error -32601", 0)
    events = {name: count for name, count in sorted(tally.items()) if name.endswith(" events")}
    others = {name: count for name, count in tally.items() if name.startswith("error ") and name != "error -32601"}
    return [f"| {clients} clients with {KEYS} keys, {len(MIX)} kinds of calls, {seconds} s | p50 {number(percentile(latencies, 50))} ms, "
            f"p99 {number(percentile(latencies, 99))} ms | {len(latencies):,} calls, {lost} lost, {seen['closed']} closed, {denied:,} denied as they "
            f"must be, other errors {others or 'none'}; {', '.join(f'{count:,} {name}' for name, count in events.items())}, "
            f"{tally.get('gaps', 0)} gaps; memory grew by {seen['growth'] / MIB:.1f} MiB |"]


def abuser_row(batch_items, found, tally):
    alone, beside = found
    words = ", ".join(f"{count:,} {name}" for name, count in sorted(tally.items()))
    return [f"| p99 of a client beside batches of {BATCH_ITEMS:,} calls, with batchItemsMax {batch_items:,} | {number(alone)} ms alone, {number(beside)} ms beside | "
            f"{beside / alone:.1f} times (at most 2); the abuser: {words} |"]


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench --access", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--access", action="store_true", help=argparse.SUPPRESS)  # the flag that selected this program
    parser.add_argument("--quick", action="store_true", help="a trial of the script: small, and not written down")
    parser.add_argument("--program", help="another build of the gateway")
    parser.add_argument("--crowd", action="store_true", help="only the crowd of clients")
    parser.add_argument("--abuser", action="store_true", help="only the abuser beside another client")
    parser.add_argument("--tsan", action="store_true",
                        help="with --crowd: a gateway with ThreadSanitizer (build/tsan), which must report nothing; not written down")
    parser.add_argument("--clients", type=int, default=1000, help="of the crowd (default: %(default)s)")
    parser.add_argument("--minutes", type=float, help="of the crowd (default: 5, with --tsan 1)")
    options = parser.parse_args(arguments)
    if options.tsan and not options.crowd:
        parser.error("--tsan needs --crowd")
    options.program = options.program or str(ROOT / PROGRAM.format("tsan" if options.tsan else "release"))
    options.minutes = options.minutes or (1 if options.tsan else 5)
    return options


def main():
    options = options_of(sys.argv[1:])
    if not os.access(options.program, os.X_OK):
        raise SystemExit(f"bench: no {options.program}; build it with cmake --build build/{'tsan' if options.tsan else 'release'} --target fanfare")
    rounds, seconds, clients, long = (1, 1, 20, 2) if options.quick else (7, 3, options.clients, round(60 * options.minutes))
    watch, rows, complaints = Watch(), [], []
    for name, measure in (
            ("overhead", lambda: overhead_rows(overhead(options.program, rounds, seconds))),
            ("methods", lambda: method_rows(methods(rounds, seconds))),
            ("crowd", lambda: crowd_row(clients, long, crowd(options.program, clients, long, options.tsan))),
            *(("abuser", lambda items=items: abuser_row(items, *beside_abuser(options.program, 2 if options.quick else 15, items)))
              for items in (BATCH_ITEMS_USUAL, BATCH_ITEMS))):
        if (options.crowd or options.abuser) and not getattr(options, name, False):
            continue
        before = len(rows)
        try:
            rows += measure()
            print("\n".join(rows[before:]), flush=True)
        except Failed as failure:
            complaints.append(f"{name}: {failure}")
            print(f"bench: {complaints[-1]}", flush=True)
    elapsed, others = watch.read()
    print(f"bench: {elapsed:.0f} s; other processes took {others:.0%} of the machine")
    if options.quick or options.tsan:
        return 1 if complaints else 0
    save("Access control", ["access"], [
        f"{machine()}. Load average {watch.load_before:.1f} before it began; other processes took {others:.0%} of the machine meanwhile.",
        f"CPU: median of {rounds} rounds of {seconds} s with {DEPTH} calls in flight, which the gateway answers itself. docs/bench.md explains the rows.",
        "", "| row | result | |", "|---|---|---|", *rows, *[line for one in complaints for line in ("", f"Not measured: {one}")]])
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

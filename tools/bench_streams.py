#!/usr/bin/env python3
"""Measures streams under load, and their bytes: ./dev bench --streams. docs/bench.md explains the method.

The server has core 0. The readers and the fake node, which counts its calls, are processes of their own on core 1.
"""

import argparse
import os
import pathlib
import statistics
import sys
import tempfile

from bench_attacks_run import READY_S, Program, Stage
from bench_contestants import LOAD_CORE, ROOT, SERVER_CORE
from bench_report import Watch, machine, save
from bench_serve import PROGRAM, ServeProcess
from bench_streams_clients import WAYS

INTERVAL_MS = 500               # of network_metrics under load: in a minute as many values as in four of the default
STREAMS = ["network_metrics", "markets_health", "receipts", "peers"]
CONNECT_S = 60
GOAL = 0.15                     # bytes with delta and deflate, relative to plain
# Subscribers of network_metrics, and how they read it.
ROWS = [(1, "plain"), (1_000, "plain"), (5_000, "plain"), (5_000, "both")]

LOAD_CONFIG = """
server: {{ httpPort: 0, threads: 1, shutdownTimeout: 1s, websocket: {{ compression: {{ enabled: true, minBytes: 64 }} }} }}
streams:
  upstreams: [{{ id: node, endpoint: "http://127.0.0.1:{node}" }}]
  definitions:
    - name: network_metrics
      interval: {interval}ms
      upstream: node
      calls: {{ height: eth_blockNumber, status: dev_networkStatus }}
      fields:
        network_strength: {{ pointer: /status/strength, min: 0, max: 100 }}
        block_height: {{ pointer: /height, as: number }}
        finality_time: /status/finalitySeconds
        peer_count: /status/peerCount
        tps: /status/transactionsPerSecond
        bandwidth_in: /status/bytesInPerSecond
        bandwidth_out: /status/bytesOutPerSecond
        active_connections: /status/connections
        sent_ns: /status/sentNs
"""


def bytes_config(node):
    """The four streams of the development chain, as they are by default, from one that runs elsewhere, with compression."""
    text = (ROOT / "examples/streams/devchain.yaml").read_text().replace("network: main/1337", "upstream: node")
    return "\n".join([
        "server: { httpPort: 0, threads: 1, shutdownTimeout: 1s, websocket: { compression: { enabled: true, minBytes: 64 } } }",
        "streams:", f'  upstreams: [{{ id: node, endpoint: "http://127.0.0.1:{node}" }}]',
        *(f"  {line}" for line in text.splitlines()), ""])


class Reader(Program):
    SCRIPT = "bench_streams_clients.py"


class Server(ServeProcess):
    """A server with a configuration, on its core; or the development chain, on the load's."""

    def __init__(self, config, folder):
        path = pathlib.Path(folder) / "streams.yaml"
        path.write_text(config or "")
        core, what = (SERVER_CORE, ["--config", str(path)]) if config else (LOAD_CORE, ["--dev", "--http-port", "0", "--ws-port", "0"])
        super().__init__(what, core, rb"Streams +ws://\S+:(\d+)/streams", "/readyz")


def measure_load(subscribers, way, seconds, folder):
    """One run: {calls_per_minute, report of the readers, bytes_per_connection, cpu_us}."""
    with Stage() as stage:
        node = stage.add(Reader("node", {}))
        port = int(node.wait_for("listening", READY_S).split()[1])
        server = stage.add(Server(LOAD_CONFIG.format(node=port, interval=INTERVAL_MS), folder))
        before = server.resident_bytes()
        readers = stage.add(Reader("subscribers", {"port": server.port, "count": subscribers, "way": way, "seconds": seconds,
                                                   "stream": "network_metrics"}))
        readers.wait_for("ready", CONNECT_S)
        calls, cpu = node.ask_report()["calls"], server.cpu_seconds()
        readers.go()
        seen = readers.read_report(seconds + 30)
        cpu = server.cpu_seconds() - cpu
        polls = (node.ask_report()["calls"] - calls) / 2  # two calls a poll
        return {"polls_per_minute": polls * 60 / seen["seconds"], **seen,
                "connection_bytes": (server.resident_bytes() - before) / subscribers,
                "cpu_us": cpu * 1e6 / max(1, seen["values"])}


def measure_bytes(seconds, folder):
    """Bytes on the wire by stream and way, from the answer to `subscribe` on."""
    with Stage() as stage:
        chain = stage.add(Server(None, folder))
        server = stage.add(Server(bytes_config(chain.port), folder))
        reader = stage.add(Reader("ways", {"port": server.port, "streams": STREAMS, "seconds": seconds}))
        reader.wait_for("ready", CONNECT_S)
        reader.go()
        return reader.read_report(seconds + 30)


def load_line(subscribers, way, rounds):
    def median(name):
        return statistics.median(each[name] for each in rounds)

    expected = sum(each["whole"] * subscribers for each in rounds)
    values = sum(each["delivered"] for each in rounds)

    def times(name):
        return " / ".join(f"{statistics.median(each[name][which] for each in rounds):.1f}" for which in ("p50", "p99", "max"))

    memory = f"{median('connection_bytes') / 1024:.1f}" if subscribers > 1 else "-"
    return (f"| {subscribers:,} | {way} | {median('polls_per_minute'):.0f} | {values:,} of {expected:,} | {times('to_socket_ms')} | "
            f"{times('to_reader_ms')} | {memory} | {median('value_bytes'):.0f} | {median('cpu_us'):.1f} |")


def bytes_lines(seen):
    """One line a stream and one for all, each with its share of plain."""
    rows = {stream: {way: seen[stream][way]["bytes"] for way in WAYS} for stream in STREAMS}
    rows["**all four**"] = {way: sum(rows[stream][way] for stream in STREAMS) for way in WAYS}
    lines = []
    for name, by_way in rows.items():
        plain = by_way["plain"] or 1
        cells = [f"{by_way['plain']:,}", *(f"{by_way[way]:,} ({by_way[way] / plain:.1%})" for way in WAYS if way != "plain")]
        values = f"{seen[name]['plain']['values']}" if name in seen else "-"
        lines.append(f"| {name} | {values} | " + " | ".join(cells) + " |")
    return lines, rows["**all four**"]["both"] / (rows["**all four**"]["plain"] or 1)


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench --streams")
    parser.add_argument("--streams", action="store_true", help=argparse.SUPPRESS)  # the flag that selected this program
    parser.add_argument("--quick", action="store_true", help="one round, shorter runs")
    parser.add_argument("--rounds", type=int, help="three if not given, one with --quick")
    parser.add_argument("--seconds", type=int, help="of each run under load: 20 if not given, 5 with --quick")
    parser.add_argument("--bytes-seconds", type=int, help="of the comparison of bytes: 120 if not given, 30 with --quick; 0: none")
    parser.add_argument("--subscribers-max", type=int, default=5_000, help="leaves out the larger rows; 0: all of them")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (5 if options.quick else 20)
    if options.bytes_seconds is None:
        options.bytes_seconds = 30 if options.quick else 120
    return options


def report(options, watch, load, by_bytes):
    _, others = watch.read()
    lines = [
        f"{machine()}. Load average {watch.load_before:.1f} before it began; other processes took {others:.0%} of the machine meanwhile.",
        f"Rounds: {options.rounds}, of {options.seconds} s each, with a poll every {INTERVAL_MS} ms. docs/bench.md explains the columns.",
    ]
    if load:
        lines += ["", "| subscribers | way | polls a minute | values delivered | to the socket, ms: p50 / p99 / max | to the reader, ms | "
                  "KiB a connection | bytes a value | CPU µs a value |", "|---|---|---|---|---|---|---|---|---|", *load]
    if by_bytes:
        table, share = bytes_lines(by_bytes)
        verdict = "met" if share <= GOAL else "missed"
        lines += ["", f"Bytes a client received in {options.bytes_seconds} s, with the streams of the development chain as they are by default.",
                  f"Goal: delta and deflate together take at most {GOAL:.0%} of plain: {verdict}.", "",
                  "| stream | values | plain | deflate | delta | both |", "|---|---|---|---|---|---|", *table]
    return lines


def main():
    options = options_of(sys.argv[1:])
    if not PROGRAM.exists():
        raise SystemExit(f"bench: no {PROGRAM}; build it with cmake --preset release and cmake --build build/release --target fanfare")
    try:
        os.nice(-10)
    except OSError:
        print("bench: not allowed to go before other programs")
    watch, load = Watch(), []
    by_bytes = None
    with tempfile.TemporaryDirectory() as folder:
        for subscribers, way in ROWS:
            if subscribers > options.subscribers_max:
                continue
            load.append(load_line(subscribers, way,
                                  [measure_load(subscribers, way, options.seconds, folder) for _ in range(options.rounds)]))
            print(load[-1], flush=True)
        if options.bytes_seconds:
            by_bytes = measure_bytes(options.bytes_seconds, folder)
            print("\n".join(bytes_lines(by_bytes)[0]), flush=True)
    save("Streams under load", ["streams", *(["quick"] if options.quick else [])], report(options, watch, load, by_bytes))


if __name__ == "__main__":
    main()

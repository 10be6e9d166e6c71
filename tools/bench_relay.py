#!/usr/bin/env python3
"""Topics over NATS JetStream next to topics of one process: ./dev bench --relay. docs/bench.md explains the method."""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from bench_contestants import ROOT
from bench_report import Watch, machine, save

PROGRAM = ROOT / "build/bench/bench/relayed_topics"
WHERE = ["local", "relayed", "elsewhere"]
# Subscribers, and µs between events (0: as many as get through with 256 in flight).
ROWS = [(1, 0), (100, 0), (1_000, 0), (1, 2_000), (100, 2_000)]
START_SECONDS_MAX = 10


class Broker:
    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="fanfare-bench-")
        folder = self.folder.name
        program = shutil.which("nats-server", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not program:
            sys.exit("bench: nats-server is missing: apt-get install nats-server")
        self.child = subprocess.Popen([program, "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", f"{folder}/data", "--ports_file_dir", folder,
                                       "-l", f"{folder}/log"])
        ports = pathlib.Path(folder) / f"nats-server_{self.child.pid}.ports"
        end = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                self.url = json.loads(ports.read_text())["nats"][0]
                return self
            except (OSError, ValueError):
                if time.monotonic() > end:
                    sys.exit("bench: nats-server did not start")
                threading.Event().wait(0.02)

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait()
        self.folder.cleanup()


def measure(broker, where, row, seconds):
    done = subprocess.run([PROGRAM, broker.url, where, *map(str, row), str(seconds)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"bench: {where}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def line_of(row, where, rounds, local):
    def median(key, of=rounds):
        return statistics.median(each[key] for each in of)

    def spread(key):
        values = [each[key] for each in rounds]
        return (max(values) - min(values)) / 2 / median(key)

    subscribers, every_us = row
    pace = f"{1_000_000 // every_us} a second" if every_us else "as fast as it goes"
    added = "" if where == "local" else "{:+,.0f}, {:+,.0f}".format(*(median(key) - median(key, local) for key in ("p50_us", "p99_us")))
    return (f"| {subscribers:,} | {pace} | {where} | {median('publishes_per_s'):,.0f} ±{spread('publishes_per_s'):.0%} | "
            f"{median('deliveries_per_s'):,.0f} | {median('p50_us'):,.0f}, {median('p99_us'):,.0f} | {added} |")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --relay")
    parser.add_argument("--relay", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="three rounds of 0.5 s instead of five of 2 s")
    arguments = parser.parse_args()
    rounds, seconds = (3, 0.5) if arguments.quick else (5, 2)
    watch = Watch()
    lines, refused = [], 0
    with Broker() as broker:
        for row in ROWS:
            # Alternating, so that what disturbs one disturbs the others.
            runs = [{where: measure(broker, where, row, seconds) for where in WHERE} for _ in range(rounds)]
            refused += sum(each["refused"] for run in runs for each in run.values())
            for where in WHERE:
                lines.append(line_of(row, where, [run[where] for run in runs], [run["local"] for run in runs]))
                print(lines[-1], flush=True)
    _, others = watch.read()
    save("Topics over a broker next to topics of one process", ["relay", *(["quick"] if arguments.quick else [])], [
        f"{machine()}. Load average {watch.load_before:.1f} before it began; other processes took {others:.0%} of the machine",
        f"meanwhile. Median of {rounds} rounds of {seconds} s each, in which the three alternate; ± is half the distance between the best and the worst.",
        "",
        "Events of 100 bytes from one thread to WebSockets on loopback, at most 256 in flight. local: a topic of one process. relayed: over",
        "NATS JetStream (one server, on disk), to the clients of the instance that publishes; elsewhere: to those of another instance. The",
        "broker, both instances and the readers share the machine. Latency is from publish() to the reader; added: less that of local.",
        f"Refused publishes: {refused}.",
        "",
        "| subscribers | publishes | topic | publishes a second | deliveries a second | latency p50, p99 in µs | added p50, p99 in µs |",
        "|---|---|---|---|---|---|---|",
        *lines,
    ])


if __name__ == "__main__":
    main()

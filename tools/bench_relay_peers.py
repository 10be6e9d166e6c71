#!/usr/bin/env python3
"""Relayed topics next to other servers with a broker: ./dev bench --relay-peers. docs/bench.md explains the method."""

import argparse
import dataclasses
import statistics
import tempfile

from bench_contestants import Failed
from bench_relay_peers_run import HISTORY_MESSAGES, all_contestants, measure, versions
from bench_report import Watch, machine, save

# From here on the load may be what limits a row.
LOAD_NEAR_A_CORE = 0.9
STEADY = ["contestant", "the broker keeps", "deliveries a second", "of Fanfare's", "servers' CPU µs a delivery", "of Fanfare's",
          "of it: publisher's, readers', broker", "latency p50, p99 in ms", "lost, doubled, overtaken", "the load's core"]
RECONNECT = ["contestant", "the broker keeps", "lost, doubled, overtaken", "of deliveries due", "all readers are back after ms", "servers' CPU µs a delivery",
             "of Fanfare's", "the load's core"]


@dataclasses.dataclass
class Row:
    readers: int
    every_us: int  # 0: as many as get through
    seconds: float
    how: str = "steady"

    @property
    def name(self):
        pace = f"{1_000_000 // self.every_us} events a second" if self.every_us else "as fast as it goes"
        return f"{self.readers:,} reader{'s' * (self.readers != 1)}, {pace}" + (", all cut off once" if self.how == "reconnect" else "")


def rows(seconds):
    return [Row(1, 0, seconds), Row(100, 0, seconds), Row(1_000, 0, seconds), Row(100, 10_000, seconds),
            Row(100, 10_000, 2 * seconds, "reconnect")]


def median_of(rounds, key):
    return statistics.median(each[key] for each in rounds)


def spread_of(rounds, key):
    values = [each[key] for each in rounds]
    return (max(values) - min(values)) / 2 / statistics.median(values)


def ratio(rounds, first, key):
    """The median of the ratios within a round, because what disturbs a round disturbs all of it."""
    return statistics.median(one[key] / other[key] for one, other in zip(rounds, first))


def cells(row, contestant, rounds, first):
    """`first`: the rounds of the one that the others are compared with."""
    own = median_of(rounds, "own_share")
    load = f"{own:.0%}" + (" **near a whole core**" if max(each["own_share"] for each in rounds) >= LOAD_NEAR_A_CORE else "")
    lost, doubled, overtaken, delivered = (sum(each[key] for each in rounds) for key in ("lost", "doubled", "overtaken", "delivered"))
    cpu = [f"{median_of(rounds, 'cpu_us'):,.2f} ±{spread_of(rounds, 'cpu_us'):.0%}", f"{ratio(rounds, first, 'cpu_us'):.2f}"]
    faults = f"{lost:,}, {doubled:,}, {overtaken:,}"
    if row.how == "reconnect":
        back = f"{median_of(rounds, 'back_ms'):,.0f}"
        return [contestant.name, contestant.keeps, faults, f"{lost + delivered:,}", back, *cpu, load]
    parts = ", ".join(f"{statistics.median(each['cpu_parts_us'][i] for each in rounds):,.2f}" for i in range(3))
    latency = ", ".join(f"{median_of(rounds, key) / 1e3:,.1f}" for key in ("p50_us", "p99_us"))
    rate = f"{median_of(rounds, 'deliveries_per_s'):,.0f} ±{spread_of(rounds, 'deliveries_per_s'):.0%}"
    return [contestant.name, contestant.keeps, rate, f"{ratio(rounds, first, 'deliveries_per_s'):.2f}", *cpu, parts, latency, faults, load]


def table(row, contestants, runs):
    """`runs`: of each round, the results by contestant's name. A contestant that failed in a round is left out; the first may not fail."""
    columns = RECONNECT if row.how == "reconnect" else STEADY
    lines = ["", f"**{row.name}**", "", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    first = contestants[0].name
    for one in contestants:
        both = [run for run in runs if one.name in run and first in run]
        if both:
            lines.append("| " + " | ".join(cells(row, one, [run[one.name] for run in both], [run[first] for run in both])) + " |")
    return lines


def run_round(contestants, row, folder, complaints):
    found = {}
    for one in contestants:
        try:
            with tempfile.TemporaryDirectory(dir=folder) as own:
                found[one.name] = measure(one, row, own)
        except Failed as failure:
            complaints.append(str(failure))
    return found


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --relay-peers")
    parser.add_argument("--relay-peers", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="three rounds of 0.5 s instead of five of 2 s")
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="only the contestants whose name contains NAME, and Fanfare")
    parser.add_argument("rows", metavar="ROW", nargs="*", help="only the rows whose name contains ROW")
    arguments = parser.parse_args()
    rounds, seconds = (3, 0.5) if arguments.quick else (5, 2)
    first, *others = all_contestants()
    contestants = [first, *(one for one in others if not arguments.only or any(part in one.name for part in arguments.only))]
    watch, lines, complaints = Watch(), [], []
    with tempfile.TemporaryDirectory(prefix="fanfare-bench-") as folder:
        for row in rows(seconds):
            if arguments.rows and not any(part in row.name for part in arguments.rows):
                continue
            # Alternating, so that what disturbs one disturbs the others.
            added = table(row, contestants, [run_round(contestants, row, folder, complaints) for _ in range(rounds)])
            print("\n".join(added), flush=True)
            lines += added
    _, others_share = watch.read()
    save("Relayed topics next to other servers with a broker", ["relay-peers", *(["quick"] if arguments.quick else [])], [
        f"{machine()}. Load average {watch.load_before:.1f} before it began; other processes took {others_share:.0%} of the machine",
        f"meanwhile. Median of {rounds} rounds of {seconds} s each, in which the contestants alternate; *of Fanfare's* is the median of the",
        "ratios within a round; ± is half the distance between the best and the worst.",
        "",
        "Each contestant is two instances and a broker, all on core 0; the load has core 1. It publishes events of 100 bytes at one",
        "instance, at most 256 in flight, and reads at the other one, over WebSockets on loopback. *The broker keeps*: what it stores of",
        f"the last {HISTORY_MESSAGES:,} events. JetStream writes them to a file, Redis keeps them in memory, and its pub/sub keeps nothing.",
        "The server's CPU time is the soundest figure. *Lost, doubled, overtaken* are sums over all readers and rounds.",
        "",
        "; ".join(versions()) + ".",
        *lines,
        *(line for complaint in complaints for line in ("", f"Not measured: {complaint}")),
    ])
    return 1 if complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Runs the contestants of ./dev bench in alternation and prints the medians.

Every round runs each contestant once, so that a machine that slows down affects all of them. Results are relative
to the base contestant of the same round. The spread is the one between rounds.
"""

import argparse
import os
import resource
import statistics
import subprocess
import tempfile

from bench_contestants import NO_TAKEOVER, Failed, all_contestants
from bench_memory import Crowd, Idle
from bench_report import LOAD_BUSY, Table, Watch, write_result
from bench_rows import Broadcast, Echo, Handshakes, Large, Loops, Pace, ratio_of


class Bench:
    """The state shared by all rows: contestants, duration, rounds, and the table's cells."""

    def __init__(self, contestants, quick, certificate):
        self.contestants, self.quick, self.certificate = contestants, quick, certificate
        self.rounds = 3 if quick else 5
        self.duration = "700ms" if quick else "3s"
        self.idle_connections = 10_000
        self.tls_connections = 2_000 if quick else 10_000
        self.table = Table([one.name for one in contestants])
        self.complaints = []
        self.load_was_busy = False
        self.waited_shares = []
        self.raw_speeds = {}  # the base's speed by row; rows with a fixed pace use half of it

    def waited(self):
        """The share of time for which a server was runnable but had to wait for its core; median over the runs."""
        return statistics.median(self.waited_shares or [0])

    def taking_part(self, kind):
        return [one for one in self.contestants if kind in one.can]

    def alternate(self, row, kind, measure):
        """Returns {name: [one measurement per round]} for the contestants that never failed."""
        values = {one.name: [] for one in self.taking_part(kind)}
        for _ in range(self.rounds):
            for one in self.taking_part(kind):
                if values[one.name] is None:
                    continue
                try:
                    values[one.name].append(measure(one))
                except Failed as failure:
                    values[one.name] = None
                    self.complaints.append(f"{row}, {one.name}: {failure}")
        return {name: many for name, many in values.items() if many}

    def timed(self, server, flags, warm_up="150ms", duration=None):
        """Returns the result of one load."""
        if warm_up:
            server.load([*flags, "-d", warm_up])
        result = server.load([*flags, "-d", duration or self.duration])
        self.waited_shares.append(result["waited_share"])
        # With a rate, the load generator polls the clock instead of sleeping.
        self.load_was_busy |= "--rate" not in flags and result["own_cpu_seconds"] > LOAD_BUSY * result["seconds"]
        return result

    def add(self, row, goal, by_name, tell):
        self.table.add(row, [goal, *(tell(by_name[one.name]) if one.name in by_name else "-" for one in self.contestants)])

    def add_ratios(self, row, goal, values, base):
        if base not in values:
            return
        relative = {name: [x / of_base for x, of_base in zip(many, values[base])] for name, many in values.items()}
        self.add(row, goal, relative, ratio_of)


ROWS = [
    Echo("20 B, 100 connections, 1 in flight", ["-c", "100", "-n", "1", "-s", "20"], "1.08"),
    Echo("20 B, 1,000 connections, 1 in flight", ["-c", "1000", "-n", "1", "-s", "20"], "1.16", cpu_goal="0.88"),
    Echo("20 B, 1,000 connections, 16 in flight", ["-c", "1000", "-n", "16", "-s", "20"], "1.09",
         uws_cpu_goal="0.92; io_uring 0.78"),
    Echo("512 B, 1,000 connections, 16 in flight", ["-c", "1000", "-n", "16", "-s", "512"], "1.14", uws_cpu_goal="0.88"),
    Echo("1 KiB, 100 connections, 1 in flight", ["-c", "100", "-n", "1", "-s", "1024"], "1.08"),
    Large("16 KiB", 16 << 10),
    Large("64 KiB", 64 << 10, cpu_goal="0.90"),
    Large("256 KiB", 256 << 10, cpu_goal="0.85"),
    Large("1 MiB", 1 << 20, cpu_goal="0.80"),
    Large("16 MiB", 16 << 20),
    Large("64 KiB under TLS", 64 << 10, tls=True),
    Handshakes(100, cpu_goal="0.95"),
    Loops("two loops: CPU a message, to one loop's; 20 B, 1,000 connections, 1 in flight", ["-c", "1000", "-n", "1", "-s", "20"]),
    Loops("two loops: CPU a message, to one loop's; 20 B, 1,000 connections, 16 in flight", ["-c", "1000", "-n", "16", "-s", "20"]),
    Broadcast("broadcast 500 B to 1,000, one at a time", "1", "", count=1000, uws_goal="1.10"),
    Broadcast("broadcast 500 B to 1,000, four in flight", "4", "", count=1000, uws_goal="1.10"),
    Broadcast("broadcast 500 B to 10,000, one at a time", "1", "0.95"),
    Broadcast("broadcast 500 B to 10,000, four in flight", "4", "1.23"),
    Idle("idle memory a connection", "idle", "at most 200 B"),
    Idle("idle memory a connection under TLS", "tls", "at most 15 KB"),
    Echo("1 KiB JSON, deflate, no takeover (to Beast)",
         ["-c", "100", "-n", "1", "-s", "1024", "--deflate", "no-takeover"],
         "1.48", kind="deflate", base="Beast", server_flags=["--deflate", NO_TAKEOVER]),
    Echo("1 KiB JSON, deflate, takeover both ways (to Beast)",
         ["-c", "100", "-n", "1", "-s", "1024", "--deflate", "takeover"],
         "1.16", kind="deflate", base="Beast", server_flags=["--deflate"]),
    Pace("p99 at half the pace, 100 connections", ["-c", "100", "-s", "20"], "20 B, 100 connections, 1 in flight"),
    Pace("p99 at half the pace, 1,000 connections", ["-c", "1000", "-s", "20"], "20 B, 1,000 connections, 1 in flight"),
]


def make_certificate(folder):
    files = [f"{folder}/certificate.pem", f"{folder}/key.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True)
    return files


def choose(options):
    rows = [row for row in ROWS if not options.rows or any(word in row.name for word in options.rows)]
    if options.crowd:
        rows = [Crowd()] if not options.rows else [*rows, Crowd()]
    contestants = [
        one for one in all_contestants(options.quick and not options.only, options.before)
        if one.name == "raw epoll" or not options.only or any(word in one.name for word in options.only)
    ]
    return rows, contestants


def main():
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--crowd", action="store_true")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--before")
    parser.add_argument("rows", nargs="*")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("bench: needs two cores, one for the server and one for the load")
    if hard < 11_000:
        raise SystemExit(f"bench: needs 11,000 descriptors for a process, {hard} are allowed (ulimit -Hn)")

    rows, contestants = choose(options)
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(contestants, options.quick, make_certificate(folder))
        for row in rows:
            row.measure(bench)
    elapsed, others = watch.read()
    for complaint in bench.complaints:
        print(f"bench: not measured: {complaint}")
    print(f"bench: {elapsed:.0f} s; other processes took {others:.0%} of the machine, "
          f"and the servers waited for their core for {bench.waited():.0%} of the time")
    write_result(bench, watch, others, (["crowd"] if options.crowd else []) + (["rows"] if options.rows else []))


if __name__ == "__main__":
    main()

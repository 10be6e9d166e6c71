"""Runs the contestants of ./dev bench in alternation and prints the medians.

Every round runs each contestant once, so that a machine that slows down affects all of them. Results are relative
to the base contestant of the same round. The spread is the one between rounds.
"""

import argparse
import contextlib
import os
import pathlib
import resource
import statistics
import subprocess
import tempfile
import time

from bench_contestants import Failed, all_contestants, result_of
from bench_report import LOAD_BUSY, Table, Watch, write_result


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

    def timed(self, server, flags, warm_up="150ms"):
        """Returns the result of one load."""
        if warm_up:
            server.load([*flags, "-d", warm_up])
        result = server.load([*flags, "-d", self.duration])
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


def half_spread(values):
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle * 50 if middle else 0


def pick(results, key):
    return {name: [one[key] for one in many] for name, many in results.items()}


def ratio_of(values):
    return f"{statistics.median(values):.2f} ±{half_spread(values):.0f}%"


def number_of(values):
    return f"{statistics.median(values):,.0f}"


class Echo:
    """Echoes as fast as possible: throughput, and the server's cost per message."""

    def __init__(self, name, flags, goal, cpu_goal="", kind="echo", base="raw epoll", server_flags=()):
        self.name, self.flags, self.goal, self.cpu_goal = name, flags, goal, cpu_goal
        self.kind, self.base, self.server_flags = kind, base, server_flags

    def measure(self, bench):
        def one_run(contestant):
            with contestant.start(*self.server_flags) as server:
                return bench.timed(server, self.flags)

        results = bench.alternate(self.name, self.kind, one_run)
        speeds, costs = pick(results, "messages_per_second"), pick(results, "cpu_ns")
        if self.base in speeds:
            bench.raw_speeds[self.name] = statistics.median(speeds[self.base])
        bench.add_ratios(self.name, self.goal, speeds, self.base)
        bench.add("- messages a second", "", speeds, number_of)
        bench.add_ratios("- CPU a message", self.cpu_goal, costs, self.base)
        bench.add("- CPU a message, ns", "", costs, number_of)


class Loops:
    """The cost of a message with two loops relative to one loop: loops that wait for each other cost more. A second
    loop adds throughput only with another core; here two loops and the load share two cores."""

    def __init__(self, name, flags):
        self.name, self.flags = name, flags

    def measure(self, bench):
        def cost(contestant, loops):
            with contestant.start_with_loops(loops) as server:
                return server.load([*self.flags, "-d", bench.duration])["cpu_ns"]

        results = bench.alternate(self.name, "loops", lambda one: cost(one, 2) / cost(one, 1))
        bench.add(self.name, "about 1", results, ratio_of)


class Broadcast:
    """One connection sends to all: deliveries per second, with one or several broadcasts in flight."""

    def __init__(self, name, in_flight, goal):
        self.name, self.in_flight, self.goal = name, in_flight, goal

    def measure(self, bench):
        count = str(bench.idle_connections)
        flags = ["-c", count, "-n", self.in_flight, "-s", "500", "--broadcast"]

        def one_run(contestant):
            with contestant.start("--broadcast") as server:
                return bench.timed(server, flags, warm_up=None)

        results = bench.alternate(self.name, "broadcast", one_run)
        speeds = pick(results, "messages_per_second")
        bench.add_ratios(self.name, self.goal, speeds, "raw epoll")
        bench.add("- deliveries a second", "", speeds, number_of)
        bench.add_ratios("- CPU a delivery", "", pick(results, "cpu_ns"), "raw epoll")


class Pace:
    """Latency at the same rate for all: half of raw epoll's throughput."""

    def __init__(self, name, flags, of_row):
        self.name, self.flags, self.of_row = name, flags, of_row

    def measure(self, bench):
        if self.of_row not in bench.raw_speeds:
            bench.complaints.append(f"{self.name}: needs the row \"{self.of_row}\" before it")
            return
        rate = str(round(bench.raw_speeds[self.of_row] / 2))

        def one_run(contestant):
            with contestant.start() as server:
                result = bench.timed(server, [*self.flags, "--rate", rate])
                if result["unanswered"] > 0:
                    raise Failed(f"{result['unanswered']} messages were not answered")
                return result["latency_ns"]

        results = bench.alternate(self.name, "pace", one_run)
        tails = pick(results, "p99")
        bench.add_ratios(self.name, "1.10", tails, "raw epoll")
        bench.add("- p99, us", "", tails, lambda many: f"{statistics.median(many) / 1e3:,.0f}")
        bench.add("- p50, us", "", pick(results, "p50"), lambda many: f"{statistics.median(many) / 1e3:,.0f}")


class Idle:
    """Peak resident memory per connection, with many connections that send one message per second each. Measured
    again with little traffic, after a burst on the same number of connections, since closed."""

    LAST_SECONDS = 1.0

    def __init__(self, name, kind, goal):
        self.name, self.kind, self.goal = name, kind, goal

    def measure(self, bench):
        count = bench.tls_connections if self.kind == "tls" else bench.idle_connections
        fresh, later = {}, {}
        for one in bench.taking_part(self.kind):
            try:
                with one.start_tls(bench.certificate) if self.kind == "tls" else one.start() as server:
                    server.load(["-c", "10", "-n", "1", "-d", "200ms"])  # the one-time cost of the first connections
                    before = server.resident_bytes()
                    fresh[one.name] = self.bytes_each(server, count, before, rate=count)
                    if not bench.quick:
                        server.load(["-c", str(count), "-n", "4", "-s", "1024", "-d", "2s"])
                        later[one.name] = self.bytes_each(server, count, before, rate=1)
            except Failed as failure:
                bench.complaints.append(f"{self.name}, {one.name}: {failure}")
        bench.add(f"{self.name} ({count:,})", self.goal, fresh, lambda size: f"{size:,.0f} B")
        if later:
            bench.add("- silent, after a burst of 1 KiB messages", self.goal, later, lambda size: f"{size:,.0f} B")

    @classmethod
    def bytes_each(cls, server, count, before, rate):
        """Peak in the last second: by then all connections are open, and memory used before them is released."""
        load = server.start_load(["-q", "-c", str(count), "--rate", str(rate), "-d", "4s"])
        seen = []
        while load.poll() is None:
            seen.append((time.monotonic(), server.resident_bytes()))
            try:
                load.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        result_of(load)
        end = time.monotonic()
        return (max(size for at, size in seen if at > end - cls.LAST_SECONDS) - before) / count


class Crowd:
    """Fifty thousand silent connections; then as many subscribed to a topic, with an occasional broadcast to all of
    them. If the descriptor limit of a process is lower, several servers of each contestant run side by side."""

    CONNECTIONS = 50_000
    CACHES = ("TCP", "sock_inode_cache", "filp", "dentry", "eventpoll_epi", "ep_head", "request_sock_TCP")
    SILENT = ["-s", "20", "--rate", "1", "-d", "8s"]
    BROADCASTS = ["-s", "500", "--broadcast", "--rate", "0.5", "-d", "15s"]

    def __init__(self):
        self.name = f"{self.CONNECTIONS:,} idle connections"

    def measure(self, bench):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1000
        parts = -(-self.CONNECTIONS // limit)
        silent, listening = {}, {}
        for one in bench.taking_part("broadcast"):
            if one.name == "npm ws":
                continue
            try:
                silent[one.name] = self.run(one, parts, [], ["-n", "1"], self.SILENT)
                listening[one.name] = self.run(one, parts, ["--broadcast"], ["-s", "500", "--broadcast"], self.BROADCASTS)
            except Failed as failure:
                bench.complaints.append(f"{self.name}, {one.name}: {failure}")
        shown = f"{self.name} on {parts} servers"
        bench.add(f"{shown}: RSS of each", "at most 200 B", silent, lambda it: f"{it['at_rest']:,.0f} B")
        bench.add("- kernel's caches, both ends", "", silent, lambda it: f"{it['kernel']:,.0f} B")
        bench.add("- each with a topic, between two broadcasts", "", listening, lambda it: f"{it['at_rest']:,.0f} B")
        bench.add("- at most, while all get a broadcast", "", listening, lambda it: f"{it['at_most']:,.0f} B")
        bench.add("- kernel's caches, both ends", "", listening, lambda it: f"{it['kernel']:,.0f} B")
        bench.add("- a broadcast to all, p50, ms", "", listening, lambda it: f"{it['to_all_ns'] / 1e6:,.0f}")

    def run(self, contestant, parts, server_flags, warm_up, load_flags):
        each = self.CONNECTIONS // parts
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(contestant.start(*server_flags)) for _ in range(parts)]
            for server in servers:
                server.load(["-c", "10", *warm_up, "-d", "200ms"])  # the one-time cost of the first ones
            resident, kernel = self.resident(servers), self.kernel_bytes()
            loads = [server.start_load(["-q", "-c", str(each), *load_flags]) for server in servers]
            seen = []
            while any(load.poll() is None for load in loads):
                seen.append((self.resident(servers), self.kernel_bytes()))
                time.sleep(0.2)
            results = [result_of(load) for load in loads]
        count = each * parts
        # Near the end of the run all connections are open, and idle between two broadcasts.
        at_rest = min(size for size, _ in seen[-40:-10])
        return {
            "at_rest": (at_rest - resident) / count,
            "at_most": (max(size for size, _ in seen) - resident) / count,
            "kernel": (max(size for _, size in seen) - kernel) / count,
            "to_all_ns": max(result.get("to_all_ns", {"p50": 0})["p50"] for result in results),
        }

    @staticmethod
    def resident(servers):
        return sum(server.resident_bytes() for server in servers)

    def kernel_bytes(self):
        """The kernel's memory for sockets, both ends of each connection; 0 without permission to read it."""
        try:
            lines = pathlib.Path("/proc/slabinfo").read_text().splitlines()
        except OSError:
            return 0
        total = 0
        for line in lines:
            fields = line.split()
            if fields[0] in self.CACHES:
                total += int(fields[1]) * int(fields[3])
        return total


ROWS = [
    Echo("20 B, 100 connections, 1 in flight", ["-c", "100", "-n", "1", "-s", "20"], "1.08"),
    Echo("20 B, 1,000 connections, 1 in flight", ["-c", "1000", "-n", "1", "-s", "20"], "1.16", cpu_goal="0.88"),
    Echo("20 B, 1,000 connections, 16 in flight", ["-c", "1000", "-n", "16", "-s", "20"], "1.09"),
    Echo("512 B, 1,000 connections, 16 in flight", ["-c", "1000", "-n", "16", "-s", "512"], "1.14"),
    Echo("1 KiB, 100 connections, 1 in flight", ["-c", "100", "-n", "1", "-s", "1024"], "1.08"),
    Loops("two loops: CPU a message, to one loop's; 20 B, 1,000 connections, 1 in flight", ["-c", "1000", "-n", "1", "-s", "20"]),
    Loops("two loops: CPU a message, to one loop's; 20 B, 1,000 connections, 16 in flight", ["-c", "1000", "-n", "16", "-s", "20"]),
    Broadcast("broadcast 500 B to 10,000, one at a time", "1", "0.95"),
    Broadcast("broadcast 500 B to 10,000, four in flight", "4", "1.23"),
    Idle("idle memory a connection", "idle", "at most 200 B"),
    Idle("idle memory a connection under TLS", "tls", "at most 15 KB"),
    Echo("1 KiB JSON, deflate, no takeover (to Beast)",
         ["-c", "100", "-n", "1", "-s", "1024", "--deflate", "no-takeover"],
         "1.48", kind="deflate", base="Beast", server_flags=["--deflate"]),
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

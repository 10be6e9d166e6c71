"""The rows of ./dev bench about memory. docs/bench.md explains the rows."""

import contextlib
import pathlib
import resource
import subprocess
import time

from bench_contestants import Failed, result_of


class Idle:
    """Peak resident memory per connection, with many connections that send one message per second each. Measured
    again when they have gone, and with little traffic, after a burst on the same number of connections, since closed."""

    LAST_SECONDS = 1.0
    GONE_SECONDS = 3.0

    def __init__(self, name, kind, goal):
        self.name, self.kind, self.goal = name, kind, goal

    def measure(self, bench):
        count = bench.tls_connections if self.kind == "tls" else bench.idle_connections
        fresh, gone, later = {}, {}, {}
        for one in bench.taking_part(self.kind):
            try:
                with one.start_tls(bench.certificate) if self.kind == "tls" else one.start() as server:
                    server.load(["-c", "10", "-n", "1", "-d", "200ms"])  # the one-time cost of the first connections
                    before = server.resident_bytes()
                    fresh[one.name] = self.bytes_each(server, count, before, rate=count)
                    time.sleep(self.GONE_SECONDS)
                    gone[one.name] = max(0, server.resident_bytes() - before) / count
                    if not bench.quick:
                        server.load(["-c", str(count), "-n", "4", "-s", "1024", "-d", "2s"])
                        later[one.name] = self.bytes_each(server, count, before, rate=1)
            except Failed as failure:
                bench.complaints.append(f"{self.name}, {one.name}: {failure}")
        bench.add(f"{self.name} ({count:,})", self.goal, fresh, lambda size: f"{size:,.0f} B")
        bench.add(f"- {self.GONE_SECONDS:.0f} s after all have gone", "at most 20 B" if self.kind == "idle" else "", gone, lambda size: f"{size:,.0f} B")
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

"""Runs the contestants of ./dev bench alternating, one after the other, and tells the medians.

Every round runs each contestant once, so that a machine that gets slower in between does so for all of them.
Throughput is given relative to the raw epoll echo of the same round; the spread is that of the rounds.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "build/bench/bench"
LOAD = ROOT / "build/bench/apps/fanfare/fanfare"
RESULTS = ROOT / "bench/results"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SERVER_CORE, LOAD_CORE = "0", "1"
BASE = "raw epoll"
IDLE_CONNECTIONS = 10_000

ROWS = [
    ("20 B, 100 connections, 1 in flight", ["-c", "100", "-n", "1", "-s", "20"]),
    ("20 B, 1,000 connections, 1 in flight", ["-c", "1000", "-n", "1", "-s", "20"]),
    ("20 B, 1,000 connections, 16 in flight", ["-c", "1000", "-n", "16", "-s", "20"]),
    ("512 B, 1,000 connections, 16 in flight", ["-c", "1000", "-n", "16", "-s", "512"]),
    ("1 KiB, 100 connections, 1 in flight", ["-c", "100", "-n", "1", "-s", "1024"]),
]


class Contestant:
    def __init__(self, name, command, raw=False, cwd=ROOT):
        self.name, self.command, self.raw, self.cwd = name, command, raw, cwd

    def __enter__(self):
        self.process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *self.command],
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.cwd,
        )
        line = self.process.stdout.readline().split()
        if len(line) != 2 or line[0] != "listening":
            self.__exit__()
            raise SystemExit(f"bench: {self.name} did not start")
        self.url = f"ws://{line[1]}"
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def load(self, flags):
        """The result of one run of the load generator against this server."""
        run = subprocess.run(
            self._load_command(flags), capture_output=True, text=True, check=False
        )
        if run.returncode != 0:
            raise SystemExit(f"bench: {self.name} {' '.join(flags)}: {run.stderr}{run.stdout}")
        return json.loads(run.stdout)

    def _load_command(self, flags):
        raw = ["--raw"] if self.raw else []
        return ["taskset", "-c", LOAD_CORE, str(LOAD), "bench", self.url, "--json", "-q", *raw, *flags]

    def cpu_seconds(self):
        """User and system time of the server so far."""
        fields = self._proc("stat").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def resident_bytes(self):
        return int(self._proc("statm").split()[1]) * PAGE_BYTES

    def idle_bytes(self):
        """Resident memory for each of many connections, at most, while each sends a message a second."""
        self.load(["-c", "10", "-n", "1", "-d", "200ms"])  # what the first connections cost once
        before = self.resident_bytes()
        flags = ["-c", str(IDLE_CONNECTIONS), "-n", "1", "--rate", str(IDLE_CONNECTIONS), "-d", "2s"]
        idle = subprocess.Popen(self._load_command(flags), stdout=subprocess.PIPE, text=True)
        most = before
        while idle.poll() is None:
            most = max(most, self.resident_bytes())
            try:
                idle.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        idle.stdout.close()
        if idle.returncode != 0:
            return None
        return (most - before) / IDLE_CONNECTIONS

    def _proc(self, name):
        return pathlib.Path(f"/proc/{self.process.pid}/{name}").read_text()


def contestants():
    found = [
        Contestant(BASE, [str(PROGRAMS / "raw_epoll_echo"), "0"], raw=True),
        Contestant("raw io_uring", [str(PROGRAMS / "raw_uring_echo"), "0"], raw=True),
        Contestant("Fanfare epoll", [str(PROGRAMS / "fanfare_echo"), "0", "epoll"]),
        Contestant("Fanfare io_uring", [str(PROGRAMS / "fanfare_echo"), "0", "uring"]),
    ]
    if (PROGRAMS / "beast_echo").exists():
        found.append(Contestant("Beast", [str(PROGRAMS / "beast_echo"), "0"]))
    if (ROOT / "tests/e2e/node_modules/ws").exists():
        found.append(Contestant("npm ws", ["node", str(ROOT / "bench/ws_echo.js"), "0"]))
    return found


def machine():
    models = [
        line.split(":", 1)[1].strip()
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout.strip()
    return models[0] if models else platform.machine(), len(models), platform.release(), commit


def spread_of(values):
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle * 100 if middle else 0


class Table:
    """Cells by row and contestant, as Markdown."""

    def __init__(self, names):
        self.names, self.lines = names, []
        self.add("", names)
        self.lines.append("|" + "---|" * (len(names) + 1))

    def add(self, row, cells):
        self.lines.append("| " + " | ".join([row, *cells]) + " |")
        print(self.lines[-1], flush=True)


def measure_row(found, flags, rounds, duration):
    """Messages a second and CPU nanoseconds a message of each contestant, one of each for every round."""
    speeds = {one.name: [] for one in found}
    costs = {one.name: [] for one in found}
    for _ in range(rounds):
        for one in found:
            with one as server:
                server.load([*flags, "-d", "200ms"])
                before = server.cpu_seconds()
                result = server.load([*flags, "-d", duration])
                used = server.cpu_seconds() - before
            speeds[one.name].append(result["messages_per_second"])
            costs[one.name].append(used * 1e9 / max(result["messages"], 1))
    return speeds, costs


def ratios(values, base):
    return [value / of_base if of_base else 0 for value, of_base in zip(values, base)]


def main():
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("rows", nargs="*")
    options = parser.parse_args()
    rounds, duration = (3, "1s") if options.quick else (5, "3s")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("bench: needs two cores, one for the server and one for the load")
    rows = [row for row in ROWS if not options.rows or any(word in row[0] for word in options.rows)]

    found = contestants()
    names = [one.name for one in found]
    load_before = os.getloadavg()[0]
    model, cores, kernel, commit = machine()
    table = Table(names)
    for name, flags in rows:
        speeds, costs = measure_row(found, flags, rounds, duration)
        speed_cells, cost_cells, rate_cells = [], [], []
        for one in names:
            relative = ratios(speeds[one], speeds[BASE])
            cost = ratios(costs[one], costs[BASE])
            speed_cells.append(f"{statistics.median(relative):.2f} ±{spread_of(relative) / 2:.0f}%")
            cost_cells.append(f"{statistics.median(cost):.2f} ±{spread_of(cost) / 2:.0f}%")
            rate_cells.append(f"{statistics.median(speeds[one]):,.0f}")
        table.add(name, speed_cells)
        table.add("- messages a second", rate_cells)
        table.add("- CPU a message", cost_cells)
    if not options.rows:
        if hard > IDLE_CONNECTIONS + 100:
            cells = []
            for one in found:
                with one as server:
                    idle = server.idle_bytes()
                cells.append("-" if idle is None else f"{idle:,.0f} B")
            table.add(f"idle memory a connection (RSS; {IDLE_CONNECTIONS:,})", cells)
        else:
            print(f"bench: no idle memory, only {hard} descriptors are allowed", file=sys.stderr)

    day = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{day}-{commit}.md"
    path.write_text(
        f"# Echo, {day}, commit {commit}\n\n"
        f"{model}, {cores} cores, Linux {kernel}; load average {load_before:.1f} before it began.\n"
        f"Median of {rounds} rounds of {duration}, relative to raw epoll in the same round; ± is half the distance\n"
        "between the best and the worst round.\n\n" + "\n".join(table.lines) + "\n"
    )
    print(f"bench: written to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

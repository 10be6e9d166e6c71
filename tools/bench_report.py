"""The report of ./dev bench: the table, the machine, and how much other processes disturbed the run."""

import datetime
import os
import pathlib
import platform
import resource
import subprocess
import time

from bench_contestants import ROOT

RESULTS = ROOT / "bench/results"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# The load generator was saturated; the server may not have been.
LOAD_BUSY = 0.95


class Table:
    """A table of cells by row and contestant, as Markdown."""

    def __init__(self, names):
        self.lines = []
        self.add("", ["goal", *names])
        self.lines.append("|" + "---|" * (len(names) + 2))

    def add(self, row, cells):
        self.lines.append("| " + " | ".join([row, *cells]) + " |")
        print(self.lines[-1], flush=True)


def machine():
    models = [
        line.split(":", 1)[1].strip()
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    congestion = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    return f"{models[0] if models else platform.machine()}, {len(models)} cores, Linux {platform.release()}, TCP {congestion}"


def commit():
    def git(*arguments):
        return subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=ROOT, check=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("-changed" if git("status", "--porcelain", "-uno") else "")


def busy_seconds():
    """CPU time of all processes on this machine so far, including stolen time."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = fields
    return (user + nice + system + interrupts + soft + stolen) / TICKS_PER_SECOND


def own_seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


class Watch:
    """Measures, from its creation on, the elapsed time and the share of the machine that other processes use."""

    def __init__(self):
        self.load_before = os.getloadavg()[0]
        self.start, self.busy, self.own = time.monotonic(), busy_seconds(), own_seconds()

    def read(self):
        """Returns (seconds so far, share of the machine used by others)."""
        elapsed = time.monotonic() - self.start
        others = busy_seconds() - self.busy - (own_seconds() - self.own)
        return elapsed, max(0.0, others) / (elapsed * (os.cpu_count() or 1))


def save(title, kinds, lines):
    """Writes DATE-COMMIT[-KIND..].md. Never overwrites an earlier result."""
    day = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    stem = "-".join([day, commit(), *kinds])
    RESULTS.mkdir(parents=True, exist_ok=True)
    path, number = RESULTS / f"{stem}.md", 1
    while path.exists():
        number += 1
        path = RESULTS / f"{stem}-{number}.md"
    path.write_text("\n".join([f"# {title}, {day}, commit {commit()}", "", *lines]) + "\n")
    print(f"bench: written to {os.path.relpath(path, ROOT)}")
    return path


def write_result(bench, watch, others, kinds):
    lines = [
        f"{machine()}. Load average {watch.load_before:.1f} before it began. Other processes took {others:.0%} of the machine meanwhile, and the",
        f"servers waited for their core for {bench.waited():.0%} of the time: past a few per cent only the CPU rows mean much.",
        f"Median of {bench.rounds} rounds of {bench.duration}; relative to raw epoll, or as the row says, in the same",
        "round; ± is half the distance between the best and the worst round. docs/bench.md explains the rows.",
        "",
        *bench.table.lines,
    ]
    if bench.load_was_busy:
        lines += ["", f"In some rows the load generator took over {LOAD_BUSY:.0%} of its core: there the fastest are nearer to each",
                  "other than they are."]
    lines += [line for complaint in bench.complaints for line in ("", f"Not measured: {complaint}")]
    return save("Comparison", [*kinds, *(["quick"] if bench.quick else [])], lines)

#!/usr/bin/env python3
"""Measures the gateway under twice the load that it can sustain: ./dev bench --overload [--quick]. Writes bench/results.
docs/bench.md explains the method and the goals.

The gateway has core 0. The load (bench/overload), other clients and the fake node are separate processes on core 1.
"""

import argparse
import sys
import tempfile
import urllib.parse

from bench_attacks_report import number, percentile
from bench_attacks_run import Gateway, Node, Program, Stage
from bench_contestants import ROOT, Failed
from bench_report import Watch, machine, save

PROGRAM = "build/release/apps/fanfare/fanfare"
LOAD = "build/bench/bench/overload_load"
SUSTAINED = (0.7, 0.65, 0.6, 0.55, 0.5)  # of what it answers at most: the first that it sustains for the whole time is the sustained load
OVERLOAD = 2.0         # of the sustained load
FAR_OVERLOAD = 3.0     # shown, without a goal
BATCH = 54             # calls in a request: just what is read at once, so that the clients are not what is measured
LONG_BATCH = 400       # read in slices
DEPTH = 16             # requests in flight when the capacity is measured: less than what counts as overload
WEBSOCKETS = 200
SUBSCRIBERS = 100
KINDS = ["http", "websocket", "long"]
MIB = 1 << 20
CEILING_BYTES = 256 * MIB
P99_RATIO_MAX, RECOVERY_S_MAX, REFUSED_IN_CALM_MAX = 3.0, 5.0, 0.001


class Load(Program):
    """The requests. Before all others on its core, so that it does not send late and sees answers when they come."""

    def __init__(self, port, path, kind, seconds, rate):
        self.start("load", [str(ROOT / LOAD), *(str(one) for one in (port, path, kind, seconds, rate, DEPTH, WEBSOCKETS, BATCH, LONG_BATCH))], -5)


class Clients(Program):
    """Subscribers to heads, and new WebSockets."""

    SCRIPT = "bench_overload_clients.py"


def config(node, enabled=True):
    return "\n".join([
        "logLevel: info", "server:", "  httpPort: 0", "  threads: 1", "  shutdownTimeout: 1s",
        f"  memory: {{ maxBytes: {CEILING_BYTES} }}", f"  overload: {{ enabled: {str(enabled).lower()} }}",
        "projects:", "  - id: honest", "    networks: [{ architecture: evm, evm: { chainId: 1, pollIntervalMax: 200ms } }]",
        f"    upstreams: [{{ id: node, endpoint: \"http://127.0.0.1:{node.port}\" }}]"]) + "\n"


class Run:
    """A node, a gateway and clients, for one kind of load."""

    def __init__(self, options, enabled=True):
        self.options, self.enabled = options, enabled

    def measure(self, kind, seconds, rate=0.0):
        with tempfile.TemporaryDirectory() as folder, Stage() as stage:
            node = stage.add(Node({}))
            gateway = stage.add(Gateway(ROOT / PROGRAM, folder, node, None, config(node, self.enabled)))
            gateway.wait_ready()
            parts = urllib.parse.urlsplit(gateway.url)
            clients = stage.add(Clients("", {"host": parts.hostname, "port": parts.port, "path": parts.path, "seconds": seconds,
                                             "connections_per_s": rate / 100, "subscribers": SUBSCRIBERS}))
            clients.wait_for("ready", 30)
            load = stage.add(Load(parts.port, parts.path, kind, seconds, rate))
            load.wait_for("ready", 30)
            clients.go()
            load.go()
            seen = load.read_report(seconds + 90)
            clients.order("end")
            others = clients.read_report(30)
            seen["lost"] += others.pop("lost")
            seen |= others
            seen["peak_bytes"] = gateway.end()["peak_bytes"]
            return seen


def latency(seen, percent, kind):
    times = seen["admitted_ms"][kind]
    return percentile(times, percent) if times else float("inf")


def p99_ratios(sustained, overload):
    return {kind: latency(overload, 99, kind) / latency(sustained, 99, kind) for kind in KINDS}


def served_of(seen):
    return sum(len(times) for times in seen["admitted_ms"].values())


def refused_of(seen):
    return sum(seen["refused"].values())


def calm_refusals(seen):
    """Their share of all requests."""
    return refused_of(seen) / max(1, served_of(seen) + refused_of(seen))


def row(name, rate, seconds, seen):
    heads, fresh = seen["heads"], seen["connections"]
    recovered = "" if seen["recovered_s"] is None else f"{seen['recovered_s']:.1f} s"
    served, refused = served_of(seen), refused_of(seen)
    times = " | ".join(f"{latency(seen, 50, kind):.1f}, {latency(seen, 99, kind):.1f}" for kind in KINDS)
    return (f"| {name} | {number(rate)} | {number(served / seconds)} | {number(refused / seconds)} "
            f"| {times} | {seen['lost']} lost, {seen['unsent']} unsent "
            f"| {fresh['open']} open, {fresh['refused']} refused | {heads['closed']} closed, {heads['gaps']} gaps "
            f"| {seen['peak_bytes'] / MIB:.0f} MiB | {recovered} |")


HEADER = ["| load | requests/s | served/s | refused/s | HTTP p50, p99 ms | WebSocket p50, p99 ms | long batch p50, p99 ms | faults | new WebSockets | subscribers | peak RSS | recovered in |",
          "|" + "---|" * 12]


def verdict(sustained, overload):
    """Returns the goals as lines, and whether all are met."""
    heads, fresh = overload["heads"], overload["connections"]
    ratios = p99_ratios(sustained, overload)
    shown = ", ".join(f"{kind} {ratio:.1f}" for kind, ratio in ratios.items())
    calm = calm_refusals(sustained)
    goals = [
        (f"a load of at least {SUSTAINED[-1]:.0%} is sustained (refused: {calm:.2%})", calm <= REFUSED_IN_CALM_MAX),
        (f"p99 of admitted requests at most {P99_RATIO_MAX:.0f} times ({shown})", max(ratios.values()) <= P99_RATIO_MAX),
        ("everything else is refused with 503 or -32005 and a hint", refused_of(overload) > 0 and overload["lost"] == 0 and overload["without_hint"] + fresh["without_hint"] == 0),
        ("subscribers lose nothing", heads["closed"] == heads["gaps"] == heads["missing"] == 0),
        ("memory under the ceiling", overload["peak_bytes"] < CEILING_BYTES),
        (f"recovered within {RECOVERY_S_MAX:.0f} s", overload["recovered_s"] is not None and overload["recovered_s"] <= RECOVERY_S_MAX),
    ]
    return [f"- {'met' if met else 'NOT MET'}: {goal}" for goal, met in goals], all(met for _, met in goals)


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench --overload")
    parser.add_argument("--overload", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="10 s of overload in place of a minute")
    parser.add_argument("--before", action="store_true", help="also without overload control, for comparison")
    return parser.parse_args(arguments)


def main(arguments):
    options = options_of(arguments)
    seconds = 10 if options.quick else 60
    watch = Watch()
    capacity = sorted(Run(options).measure("capacity", 5)["rate"] for _ in range(3))[1]
    print(f"bench: answers {capacity:.0f} requests/s at most, with {DEPTH} in flight", flush=True)
    lines = [*HEADER]

    def measure(name, rate, enabled=True):
        seen = Run(options, enabled).measure("load", seconds, rate)
        lines.append(row(name, rate, seconds, seen))
        print(lines[-1], flush=True)
        return seen

    for share in SUSTAINED:
        rate = capacity * share
        sustained = measure(f"{share:.0%} of what it answers at most", rate)
        if calm_refusals(sustained) <= REFUSED_IN_CALM_MAX:
            break
    overload = measure("twice that", rate * OVERLOAD)
    measure("three times that", rate * FAR_OVERLOAD)
    if options.before:
        measure("twice that, without control", rate * OVERLOAD, enabled=False)
    goals, met = verdict(sustained, overload)
    _, others = watch.read()
    lines = [f"{machine()}. Load average {watch.load_before:.1f} before it began; other processes took {others:.0%} of the machine meanwhile.",
             f"Requests are batches of {BATCH} calls, long ones of {LONG_BATCH}. The clients sent late by {percentile(overload['late_ms'], 50):.1f} ms "
             f"(median), {percentile(overload['late_ms'], 99):.1f} ms (p99), which is in all latencies.", "", *lines, "", *goals]
    print("\n".join(goals))
    save("Overload", ["overload", *(["quick"] if options.quick else [])], lines)
    return 0 if met else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Failed as failure:
        sys.exit(f"bench: {failure}")

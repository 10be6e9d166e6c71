"""A rolling deploy under load: ./dev bench --fleet --rolling. Each instance is stopped with SIGTERM, and started again when it has ended. Compared
are the handshakes with an even rate, the times of the clients of other instances with those of a calm window, and the calls of nodes with those
that the same deploy causes without clients, and with a few."""

import dataclasses
import itertools
import math
import re
import signal
import statistics
import time

import bench_fleet_run as run
from bench_contestants import Failed

PEAK_WINDOW_S = 1
PEAK_FACTOR_MAX = 1.5
STOP_SECONDS_MAX = 60
# The same for any number of clients, so that they miss the same blocks.
STOP = "shutdownSpread: 16s"
FEW_CLIENTS = 30
STEADY_CLIENTS = 60
STEADY_METHOD = "eth_gasPrice"  # what they call; an instance does not by itself
LOGS, BLOCKS, POLLS = "eth_getLogs", "eth_getBlockByNumber", "polls of the head"
# The rhythm of polls follows the blocks as they come, so it is not the same in two windows. How much it varies is seen in parts of the calm ones.
PART_S, POLLS_DEVIATIONS_MAX = 5, 3
# Of the stream `ticks`, which is polled as often whoever polls it. Fewer: the machine had no time, and the windows cannot be compared.
TICKS_PER_SECOND, TICKS_SHARE_MIN = 4, 0.95
# Of 99 of 100 times during the deploy: at most this many times those of the calm window, or so much more.
SLOWER_FACTOR_MAX, SLOWER_MS = 2, 5


@dataclasses.dataclass
class Calls:
    """The calls of nodes in a time, by method."""
    seconds: float
    counts: dict
    polls: tuple = ()  # in each PART_S of a calm time
    away: int = 0  # blocks that came while an instance was stopped and started again


@dataclasses.dataclass
class Step:
    """One instance was replaced."""
    name: str
    spread_s: float
    opens: list  # times in seconds, of clients that came back
    closed: list  # those of their closes
    behind: dict
    pong: list  # of clients of the other instances, in ms
    call: list


def peak_rate(times, window=PEAK_WINDOW_S):
    """The most events within a window, a second. `times` in seconds."""
    times, first, most = sorted(times), 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most / window


def p99(times):
    return sorted(times)[math.ceil(len(times) * 0.99) - 1] if times else math.nan


def spread_of(log):
    """Seconds, of the line `stopping`."""
    return int(re.search(r"\bstopping\b.*\bspread_ms=(\d+)", log)[1]) / 1000


def caused(calm, deploy):
    """By method, what a deploy adds to the calls of a calm time as long."""
    methods = {*calm.counts, *deploy.counts}
    return {method: deploy.counts.get(method, 0) - calm.counts.get(method, 0) * deploy.seconds / calm.seconds for method in sorted(methods)}


def error_of(calm, deploy, method):
    """The calls that depend on where the two windows begin: one in the calm window, as many times as the deploy is longer, and one in the deploy."""
    return deploy.seconds / calm.seconds + 1 if calm.counts.get(method) else 0


def polls_error(pairs, calm, deploy):
    """The polls by which a deploy may differ from its calm time, because polls in a time vary as much as in the parts of all calm times."""
    parts = [count for calm_of, _ in pairs for count in calm_of.polls]
    if len(parts) < 2:
        raise Failed(f"a calm time must be at least {2 * PART_S} s long")
    return POLLS_DEVIATIONS_MAX * statistics.stdev(parts) * math.sqrt(deploy.seconds / PART_S * (1 + deploy.seconds / calm.seconds))


def is_even(step):
    """A spread shorter than the window has no rate."""
    return step.spread_s >= PEAK_WINDOW_S and peak_rate(step.opens) <= PEAK_FACTOR_MAX * len(step.opens) / step.spread_s


def is_as_fast(calm, deploy):
    return p99(deploy) <= max(SLOWER_FACTOR_MAX * p99(calm), p99(calm) + SLOWER_MS)


def is_undisturbed(calls):
    return calls.counts.get("fleet_ticks", 0) >= TICKS_PER_SECOND * TICKS_SHARE_MIN * calls.seconds


class CallWatch:
    def __init__(self, fleet):
        self.fleet, self.begin, self.before, self.away = fleet, time.monotonic(), fleet.counts()["counts"], 0

    def read(self):
        after = self.fleet.counts()["counts"]
        return Calls(time.monotonic() - self.begin, {method: count - self.before.get(method, 0) for method, count in after.items()}, away=self.away)


def replace(fleet, instance, watch):
    """Returns the time over which its connections were closed."""
    before = fleet.block()
    instance.child.send_signal(signal.SIGTERM)
    instance.child.wait(STOP_SECONDS_MAX)
    spread = spread_of(instance.text())
    instance.start()
    instance.wait(lambda: fleet.is_ready(instance.port))
    watch.away += fleet.block() - before
    return spread


def deploy_alone(fleet, calm_seconds):
    """(calm, deploy): the calls without clients. The time after the deploy is long enough for what begins late."""
    calm = watch_calm(fleet, calm_seconds)
    watch = CallWatch(fleet)
    for instance in fleet.instances:
        replace(fleet, instance, watch)
    time.sleep(calm_seconds / 4)  # style: what is measured
    return calm, watch.read()


def deploy_few(fleet, clients, calm_seconds):
    """(calm, deploy): the calls with a few clients."""
    run.settle(fleet, clients)
    calm = watch_calm(fleet, calm_seconds)
    watch = CallWatch(fleet)
    for instance in fleet.instances:
        replace(fleet, instance, watch)
        run.settle(fleet, clients)
    return calm, watch.read()


def watch_calm(fleet, seconds):
    watch, polls = CallWatch(fleet), [0]
    for _ in range(int(seconds / PART_S)):
        time.sleep(PART_S)  # style: what is measured
        polls.append(watch.read().counts.get(POLLS, 0))
    calls = watch.read()
    return dataclasses.replace(calls, polls=tuple(after - before for before, after in itertools.pairwise(polls)))


def replace_watched(fleet, number, clients, steady, watch):
    others = [one for one in range(len(fleet.instances)) if one != number]
    steady.ask("window", at=[])
    clients.ask("opens")
    spread = replace(fleet, fleet.instances[number], watch)
    behind = run.settle(fleet, clients)
    times = steady.ask("window", at=others)
    moved = {what: [ms / 1000 for ms in of] for what, of in clients.ask("opens").items()}
    return Step(fleet.instances[number].name, spread, moved["opens"], moved["closed"], behind, times["pong"], times["call"])


def start_steady(fleet):
    """Starts the clients of single instances. They are connected in every deploy: their calls open connections to the node, and an instance asks
    each new connection for its chain."""
    steady = run.Script("steady.js", {"instances": [f"ws://127.0.0.1:{one.port}" for one in fleet.instances], "clients": STEADY_CLIENTS})
    try:
        steady.wait_for("ready", 60)
    except Failed:
        steady.kill()
        raise
    return steady


def deploy_watched(fleet, clients, steady, smaller, calm_seconds):
    """`smaller`: the calls of (deploy_alone(), deploy_few()). Returns (lines of the report, whether all was met)."""
    run.settle(fleet, clients)
    steady.ask("window", at=[])
    clients.ask("delays")
    calm = watch_calm(fleet, calm_seconds)
    times = steady.ask("window", at=list(range(len(fleet.instances))))
    delays = [clients.ask("delays")["delays"]]
    watch = CallWatch(fleet)
    steps = [replace_watched(fleet, number, clients, steady, watch) for number in range(len(fleet.instances))]
    calls = watch.read()
    delays.append(clients.ask("delays")["delays"])
    return report(steps, times, (*smaller, (calm, calls)), delays)


def report(steps, calm_times, calls, delays):
    lines = ["| replaced | came back | closed within | even rate | peak of closes | peak of handshakes | behind afterwards |", "|---|---|---|---|---|---|---|"]
    for step in steps:
        even = f"{len(step.opens) / step.spread_s:.1f}/s" if step.spread_s else "-"
        lines.append(f"| {step.name} | {len(step.opens)} | {step.spread_s:.1f} s | {even} | {peak_rate(step.closed):.0f}/s | {peak_rate(step.opens):.0f}/s | {step.behind or 'none'} |")
    moved = {kind: [one for step in steps for one in getattr(step, kind)] for kind in ("pong", "call")}
    lines += ["", "| clients of other instances | calm p99 | p99 during the deploy | answers |", "|---|---|---|---|"]
    lines += [f"| {kind} | {p99(calm_times[kind]):.1f} ms | {p99(of):.1f} ms | {len(of):,} |" for kind, of in moved.items()]
    lines += ["", f"99 of 100 entries came within {p99(delays[0]):.0f} ms of their time in the calm window, and within {p99(delays[1]):.0f} ms in the deploy, "
              "with those of clients that came back later."]
    alone, few, crowd = calls
    polls = polls_error(calls, *crowd)
    more = beyond(alone, crowd, len(steps), polls)
    lines += ["", *calls_table(calls, polls), "", f"While an instance stopped or started, {', '.join(str(deploy.away) for _, deploy in calls)} blocks came.", ""]
    met = {"the calm windows were not disturbed": is_undisturbed(few[0]) and is_undisturbed(crowd[0]),
           f"handshakes at most {PEAK_FACTOR_MAX} times the even rate": all(is_even(step) for step in steps),
           f"clients of other instances: p99 at most {SLOWER_FACTOR_MAX} times the calm one, or {SLOWER_MS} ms more":
               all(is_as_fast(calm_times[kind], of) for kind, of in moved.items()),
           f"no {LOGS} and {POLLS} beyond those of a calm time, and no other calls of nodes beyond those of the deploy without clients{named(more)}": not more}
    return [*lines, *(f"- {'met' if good else 'NOT MET'}: {what}" for what, good in met.items())], all(met.values())


def beyond(reference, crowd, handovers, polls):
    """Each (calm, deploy), and the error of the polls. The methods that the deploy causes more of, by more than the windows' error. A new instance reads logs whether it has
    clients or not, and polls for heads, so these are compared with the calm time. Each replacement may cause one call more of each method, for all
    clients together: a stream that is handed over is polled at once, a node is asked for its chain. And two for the logs of the blocks that came
    while the instance was not there, and two for the blocks that its clients have from others before it has them. A block that came while an instance
    was away is read once, and a busy machine starts it later."""
    before, found = caused(*reference), {}
    for method, count in caused(*crowd).items():
        is_like_calm = method in (LOGS, POLLS)
        at_once = handovers * (2 if method in (LOGS, BLOCKS) else 1)
        error = polls if method == POLLS else error_of(*crowd, method) + error_of(*reference, method)
        more = count - (0 if is_like_calm else before.get(method, 0))
        if method == BLOCKS:
            more -= crowd[1].away - reference[1].away
        if method != STEADY_METHOD and more > error + at_once:
            found[method] = more
    return found


def named(found):
    return f" ({', '.join(f'{method} {more:.0f} more' for method, more in found.items())})" if found else ""


def calls_table(calls, polls):
    crowd = calls[-1]
    lines = [f"| calls of nodes, caused by the deploy | without clients | with {FEW_CLIENTS} | with all | in the deploy with all | error of its windows |", "|---|---|---|---|---|---|"]
    columns = [caused(*one) for one in calls]
    for method in columns[-1]:
        if method != STEADY_METHOD:
            cells = [f"{column.get(method, 0):.1f}" for column in columns]
            lines.append(f"| {' | '.join([method, *cells])} | {crowd[1].counts.get(method, 0):,} | {polls if method == POLLS else error_of(*crowd, method):.1f} |")
    return lines

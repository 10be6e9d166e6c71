"""Evaluates the runs of ./dev bench --attacks: the figures of one run, and the rows of the table."""

import collections
import statistics

HEAD = [
    "| attack | tree | calls p50, ms | p99, ms | not answered | heads' delay p50, ms | at most, ms | heads missing | peak RSS, MiB "
    "| log, MiB | ended in, s | what the attack got |",
    "|" + "---|" * 12,
]
MIB = 1 << 20


def percentile(values, share):
    """The nearest-rank percentile; None without values."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)] if ordered else None


class Result:
    """One run. Times are in ms. A call or head still outstanding at the end counts with its time so far."""

    def __init__(self, **figures):
        self.__dict__.update(figures)

    @classmethod
    def of(cls, attack, seen, node_report, reports, ending):
        begin, end = seen["window_ns"]
        latencies = [each / 1e6 for each in seen["latencies_ns"] + seen["waiting_ns"]]
        in_window = [(block, made, logs) for block, made, logs in node_report["blocks"] if begin <= made <= end]
        delays = [(seen["heads"].get(block, seen["now_ns"]) - made) / 1e6 for block, made, _ in in_window]
        attacked = collections.Counter()
        for report in reports:
            attacked.update(report["tally"])
            if "logs" in report:
                attacked["logs made"] += sum(logs for _, _, logs in in_window)
                attacked["logs read"] += sum(min(logs, report["logs"].get(block, 0)) for block, _, logs in in_window)
        return cls(
            p50=percentile(latencies, 50), p99=percentile(latencies, 99),
            calls=seen["calls"], failed=seen["calls"] - len(seen["latencies_ns"]), honest_tally=collections.Counter(seen["tally"]),
            delays=delays, blocks=len(in_window), missing=sum(block not in seen["heads"] for block, _, _ in in_window),
            attacked=attacked, took_place=attack.needs is None or attacked[attack.needs] > 0, **ending)


def row_of(attack, tree, results):
    """A row of the table, over all rounds of one attack on one tree."""
    if not results:
        return f"| {attack.name} | {tree} |" + " - |" * 10
    total = sum((one.honest_tally for one in results), collections.Counter())
    delays = [delay for one in results for delay in one.delays]
    cells = [
        attack.name, tree,
        median_and_range([one.p50 for one in results]), median_and_range([one.p99 for one in results]),
        share(sum(one.failed for one in results), sum(one.calls for one in results), total),
        number(percentile(delays, 50)), number(max(delays, default=None)),
        share(sum(one.missing for one in results), sum(one.blocks for one in results)),
        f"{max(one.peak_bytes for one in results) / MIB:,.0f}",
        f"{max(one.log_bytes for one in results) / MIB:,.1f}",
        ending(results), attacked(results),
    ]
    return "| " + " | ".join(cells) + " |"


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def median_and_range(values):
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    middle = number(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({number(min(values))} to {number(max(values))})"


def share(part, whole, reasons=None):
    text = f"{part:,} of {whole:,}"
    return text + (f" ({listed(reasons)})" if reasons else "")


def ending(results):
    """Describes how the gateways ended, after SIGTERM or before it."""
    died = collections.Counter(f"died ({one.died})" for one in results if one.died)
    died["killed"] = sum(one.end_s is None for one in results)
    parts = [f"**{how}**" + (f" {count} of {len(results)}" if len(results) > 1 else "") for how, count in died.items() if count]
    ends = [one.end_s for one in results if one.end_s is not None and not one.died]
    return ", ".join(([f"{max(ends):.1f}"] if ends else []) + parts)


def attacked(results):
    """The counts of attackers and their nodes in all rounds. An attack that did not take place is not a success."""
    absent = sum(not one.took_place for one in results)
    total = sum((one.attacked for one in results), collections.Counter())
    return (f"**no attack in {absent} of {len(results)}** " if absent else "") + (listed(total) or "-")


def listed(tally):
    return ", ".join(f"{size(count)} {name.removeprefix('bytes ')}" if name.startswith("bytes ") else f"{count:,} {name}"
                     for name, count in sorted(tally.items()))


def size(count):
    return f"{count / MIB:,.0f} MiB" if count >= MIB else f"{count / 1024:,.1f} KiB"

#!/usr/bin/env python3
"""Kills, stops, restarts or replaces instances behind HAProxy while clients count what they get: ./dev bench --fleet. docs/relay.md says what is
checked."""

import argparse
import random
import signal
import sys
import tempfile
import time

import bench_fleet_rolling as rolling
from bench_fleet_run import Fleet, Script, settle
from bench_report import Watch, machine, save

DOWN_SECONDS, HUNG_SECONDS = 3, 20
FAULTS = ("kill", "hang", "restart")
DRAWERS = 5


def plan_of(options, instances):
    """(kind, "instance" or "broker", its number) of each fault. Every kind is among three or more faults of instances."""
    chance = random.Random(options.seed)
    has_broker = options.broker_restart or options.brokers > 1
    of_broker = [has_broker and number % 3 == 2 for number in range(options.faults)]
    kinds = chance.sample(FAULTS, len(FAULTS)) + chance.choices(FAULTS, k=options.faults)
    kinds = kinds[:of_broker.count(False)]
    chance.shuffle(kinds)
    return [("kill", "broker", chance.randrange(options.brokers)) if broker else (kinds.pop(), "instance", chance.randrange(instances))
            for broker in of_broker]


def do_fault(kind, part):
    """Ends or stops a part, and brings it back."""
    if kind == "hang":
        part.child.send_signal(signal.SIGSTOP)
        time.sleep(HUNG_SECONDS)  # style: the fault
        part.child.send_signal(signal.SIGCONT)
        return
    part.child.send_signal(signal.SIGTERM if kind == "restart" else signal.SIGKILL)
    part.child.wait(60)
    time.sleep(DOWN_SECONDS)  # style: the fault
    part.start()


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench --fleet")
    parser.add_argument("--fleet", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--faults", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broker-restart", action="store_true", help="every third fault is the broker's")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1, help="3: a cluster that keeps three copies; every third fault is one broker's")
    parser.add_argument("--rolling", action="store_true", help="a rolling deploy instead of faults")
    parser.add_argument("--calm", type=float, default=60, metavar="SECONDS", help="with --rolling: the window that the deploy is compared with")
    return parser.parse_args(arguments)


def start_clients(fleet, count, part=0, parts=1):
    clients = Script("clients.js", {"front": f"ws://127.0.0.1:{fleet.proxy.port}", "chain": f"http://127.0.0.1:{fleet.node.port}",
                                    "clients": count, "part": part, "parts": parts, "drawers": DRAWERS})
    clients.wait_for("ready", 180)
    clients.ask("draw")
    return clients


def do_faults(fleet, clients, plan):
    """Returns (lines of the report, whether every client had everything after each)."""
    lines, is_settled = ["| | fault | behind afterwards |", "|---|---|---|"], True
    for number, (kind, what, which) in enumerate(plan):
        part = fleet.brokers[which] if what == "broker" else fleet.instances[which]
        do_fault(kind, part)
        behind = settle(fleet, clients)
        lines.append(f"| {number + 1} | {kind} {part.name} | {behind or 'none'} |")
        print(lines[-1], flush=True)
        is_settled = is_settled and not behind
    return lines, is_settled


def finish(fleet, clients):
    """Returns (what the clients counted, whether each had everything)."""
    clients.ask("rest")
    fleet.counts("freeze")
    behind = settle(fleet, clients)
    return clients.ask("compare", 120, block=fleet.block() - 2, instances=[f"ws://127.0.0.1:{one.port}" for one in fleet.instances]), not behind


def losses(end):
    rows = ["| clients | number | events | lost | twice | notices of a gap | missing after a notice | faults | returns |", "|---|---|---|---|---|---|---|---|---|"]
    rows += [f"| {kind} | {row['clients']} | {row['events']:,} | {row['lost']} | {row['twice']} | {row['told'] or 'none'} | {row['toldEvents']} | {row['faults']} | {row['returns']} |"
             for kind, row in end["rows"].items()]
    rows += ["", f"{end['logs']:,} logs compared with the chain, {end['pixels']:,.0f} acknowledged pixels found at all instances.",
             f"Closes by code: {end['closes']}. Refused, and tried again: {end['refused']}.", "", *[f"- {fault}" for fault in end["faults"]]]
    return rows, all(row["lost"] == row["twice"] == row["faults"] == 0 for row in end["rows"].values())


def smaller_deploys(fleet, options):
    alone = rolling.deploy_alone(fleet, options.calm)
    clients = start_clients(fleet, rolling.FEW_CLIENTS, 1, 2)
    try:
        return alone, rolling.deploy_few(fleet, clients, options.calm)
    finally:
        clients.kill()


def run(options, folder):
    """Returns (lines of the report, whether all was met)."""
    fleet, clients, steady = Fleet(folder, options.brokers, *([rolling.STOP] if options.rolling else [])), None, None
    try:
        fleet.start_all()
        steady = rolling.start_steady(fleet) if options.rolling else None
        smaller = smaller_deploys(fleet, options) if options.rolling else None
        clients = start_clients(fleet, options.clients, 0, 2 if options.rolling else 1)
        if options.rolling:
            lines, is_good = rolling.deploy_watched(fleet, clients, steady, smaller, options.calm)
        else:
            lines, is_good = do_faults(fleet, clients, plan_of(options, len(fleet.instances)))
        end, has_all = finish(fleet, clients)
    finally:
        for program in filter(None, (steady, clients)):
            program.kill()
        fleet.stop_all()
    rows, is_whole = losses(end)
    is_whole = is_whole and has_all
    return [*lines, "", *rows, f"- {'met' if is_whole else 'NOT MET'}: nothing lost, nothing twice"], is_good and is_whole


def main():
    options, watch = options_of(sys.argv[1:]), Watch()
    with tempfile.TemporaryDirectory(prefix="fanfare-fleet-") as folder:
        lines, is_good = run(options, folder)
    of = "A rolling deploy" if options.rolling else f"Seed {options.seed}"
    text = [f"{machine()}. Other processes took {watch.read()[1]:.0%} of the machine. {of}, {options.clients:,} clients, brokers: {options.brokers}.", "", *lines]
    print("\n".join(text))
    kinds = ["rolling" if options.rolling else "", "brokers" if options.brokers > 1 else "broker" if options.broker_restart else ""]
    save("Fleet", ["fleet", *filter(None, kinds)], text)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())

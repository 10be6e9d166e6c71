#!/usr/bin/env python3
"""Kills, stops and restarts instances behind HAProxy while clients count what they get: ./dev bench --fleet. docs/relay.md says what is checked."""

import argparse
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import cluster
from bench_attacks_run import Program
from bench_report import ROOT, Watch, machine, save

FLEET = ROOT / "tests/e2e/fleet"
DOWN_SECONDS, HUNG_SECONDS, SETTLE_SECONDS_MAX = 3, 20, 120
FAULTS = ("kill", "hang", "restart")
DRAWERS = 5


class Script(Program):
    """A program of tests/e2e/fleet: orders are lines of a name and JSON, answers one line of JSON."""

    def __init__(self, name, options):
        self.name = name
        self.process = subprocess.Popen(["node", str(FLEET / name), json.dumps(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, order, seconds=60, **details):
        self.order(f"{order} {json.dumps(details)}")
        return json.loads(self.read_line(seconds))


class Fleet(cluster.Cluster):
    def start_all(self):
        folder = self.folder
        self.broker = self.add("broker", lambda port: [
            cluster.program("nats-server"), "-a", "127.0.0.1", "-p", str(port or -1), "-js", "-sd", str(folder / "jetstream"),
            "--ports_file_dir", str(folder)], cluster.broker_port)
        self.node = self.add("node", lambda port: [
            str(cluster.BINARY), "serve", "--dev", "--no-web", "--ws-port", "0", "--http-port", str(port)], cluster.listening_port)
        self.source = self.add("source", lambda _port: ["node", str(FLEET / "source.js"), f"http://127.0.0.1:{self.node.port}"], source_port)
        self.orders = int(re.search(r"orders (\d+)", self.source.text())[1])
        self.instances = [self.add(name, lambda port, name=name: self.instance_command(name, port), cluster.listening_port) for name in cluster.INSTANCES]
        config = folder / "haproxy.cfg"
        text = cluster.haproxy_config(self.front.fileno(), {one.name: one.port for one in self.instances})
        config.write_text(text.replace("maxconn 2000", "maxconn 9000").replace(" on-marked-down shutdown-sessions", ""))
        self.proxy = self.add("haproxy", lambda _port: [cluster.program("haproxy"), "-db", "-f", str(config)],
                              lambda _part: self.front.getsockname()[1], descriptors=(self.front.fileno(),))
        self.proxy.wait(self.is_served)

    def instance_command(self, name, port):
        path = self.folder / f"{name}.yaml"
        path.write_text(instance_config(port, self.source.port, self.broker.port))
        return [str(cluster.BINARY), "serve", "--config", str(path)]

    def counts(self, path="counts"):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.orders}/{path}", timeout=5) as answer:
            return json.load(answer)

    def block(self):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.node.port}", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(json.load(answer)["result"], 16)


def source_port(part):
    found = re.search(r"listening (\d+) orders", part.text())
    return int(found[1]) if found else 0


def instance_config(port, source, broker):
    node = f"http://127.0.0.1:{source}"
    return f"""logLevel: info
server:
  httpPort: {port}
  shutdownTimeout: 30s
  shutdownClosesPerSecond: 100
  limits: {{ connectionsPerAddressMax: 0, connectionsPerSecondPerAddress: 0 }}
relay: {{ nats: {{ servers: ["nats://127.0.0.1:{broker}"] }} }}
projects:
  - id: main
    networks: [{{ architecture: evm, evm: {{ chainId: 1337 }} }}]
    upstreams: [{{ id: node, endpoint: "{node}" }}]
canvas: {{ rooms: [{{ name: main, width: 256, height: 128, relay: true, pixelsPerSecondPerAddress: 100000 }}] }}
streams:
  upstreams: [{{ id: source, endpoint: "{node}" }}]
  definitions:
    - {{ name: entries, relay: true, interval: 500ms, upstream: source, calls: {{ r: fleet_entries }},
        fields: {{ list: {{ each: /r, fields: {{ id: /id, at: /at }} }} }}, newOnly: {{ list: list, key: id }} }}
    - {{ name: ticks, relay: true, interval: 250ms, upstream: source, calls: {{ r: fleet_ticks }}, fields: {{ n: /r/n, at: /r/at }} }}
"""


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


def settle(fleet, clients):
    """Until every client has what was there at the call. Returns who has not, at the end."""
    goal = {"entry": fleet.counts()["last"], "block": fleet.block()}
    end = time.monotonic() + SETTLE_SECONDS_MAX
    while True:
        behind = clients.ask("behind", **goal)
        if not behind["behind"] or time.monotonic() > end:
            return behind["behind"]
        time.sleep(0.5)  # style: polls


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench --fleet")
    parser.add_argument("--fleet", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--faults", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broker-restart", action="store_true", help="every third fault is the broker's")
    return parser.parse_args(arguments)


def main():
    options, watch, lines = options_of(sys.argv[1:]), Watch(), []
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="fanfare-fleet-") as folder:
        fleet, clients, unsettled = Fleet(folder, None), None, {}
        try:
            fleet.start_all()
            clients = Script("clients.js", {"front": f"ws://127.0.0.1:{fleet.proxy.port}", "chain": f"http://127.0.0.1:{fleet.node.port}",
                                            "clients": options.clients, "part": 0, "parts": 1, "drawers": DRAWERS})
            clients.wait_for("ready", 180)
            clients.ask("draw")
            for number in range(options.faults):
                is_broker = options.broker_restart and number % 3 == 2
                kind = "kill" if is_broker else chance.choice(FAULTS)
                part = fleet.broker if is_broker else chance.choice(fleet.instances)
                do_fault(kind, part)
                behind = settle(fleet, clients)
                lines.append(f"| {number + 1} | {kind} {part.name} | {behind or 'none'} |")
                print(lines[-1], flush=True)
                unsettled.update(behind)
            clients.ask("rest")
            fleet.counts("freeze")
            unsettled.update(settle(fleet, clients))
            end = clients.ask("compare", 120, block=fleet.block() - 2, instances=[f"ws://127.0.0.1:{one.port}" for one in fleet.instances])
        finally:
            if clients:
                clients.kill()
            fleet.stop_all()
    rows = ["| clients | number | events | lost | twice | notices of a gap | missing after a notice | faults | returns |", "|---|---|---|---|---|---|---|---|---|"]
    rows += [f"| {kind} | {row['clients']} | {row['events']:,} | {row['lost']} | {row['twice']} | {row['told'] or 'none'} | {row['toldEvents']} | {row['faults']} | {row['returns']} |"
             for kind, row in end["rows"].items()]
    is_good = not unsettled and all(row["lost"] == row["twice"] == row["faults"] == 0 for row in end["rows"].values())
    text = [f"{machine()}. Other processes took {watch.read()[1]:.0%} of the machine. Seed {options.seed}.", "", "| | fault | behind afterwards |", "|---|---|---|",
            *lines, "", *rows, "", f"{end['logs']:,} logs compared with the chain, {end['pixels']:,.0f} acknowledged pixels found at all instances.",
            f"Closes by code: {end['closes']}. Refused, and tried again: {end['refused']}.", "", *[f"- {fault}" for fault in end["faults"]],
            f"- {'met' if is_good else 'NOT MET'}: nothing lost, nothing twice"]
    print("\n".join(text))
    save("Fleet", ["fleet", *(["broker"] if options.broker_restart else [])], text)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())

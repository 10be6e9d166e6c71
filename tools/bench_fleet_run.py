"""The processes of ./dev bench --fleet: brokers, a node, the source that counts calls, three instances, HAProxy, and the programs of clients."""

import contextlib
import json
import random
import re
import socket
import subprocess
import time
import urllib.request

import cluster
from bench_attacks_run import Program
from bench_report import ROOT

FLEET = ROOT / "tests/e2e/fleet"
SETTLE_SECONDS_MAX = 120
# A broker of a cluster has to know the others' ports before they start. Below those that the system gives to others meanwhile.
ROUTE_PORTS = range(20_000, 30_000)


class Script(Program):
    """A program of tests/e2e/fleet: orders are lines of a name and JSON, answers one line of JSON."""

    def __init__(self, name, options):
        self.name = name
        self.process = subprocess.Popen(["node", str(FLEET / name), json.dumps(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, order, seconds=60, **details):
        self.order(f"{order} {json.dumps(details)}")
        return json.loads(self.read_line(seconds))


class Fleet(cluster.Cluster):
    def __init__(self, folder, brokers=1, stop="shutdownClosesPerSecond: 100"):
        super().__init__(folder, None)
        self.broker_count, self.stop = brokers, stop

    def start_all(self):
        folder = self.folder
        routes = free_ports(self.broker_count) if self.broker_count > 1 else [0]
        self.brokers = [self.add(f"broker{number}", lambda port, number=number: broker_command(folder, number, port, routes), cluster.broker_port)
                        for number in range(self.broker_count)]
        self.node = self.add("node", lambda port: [
            str(cluster.BINARY), "serve", "--dev", "--no-web", "--ws-port", "0", "--http-port", str(port)], cluster.listening_port)
        self.source = self.add("source", lambda _port: ["node", str(FLEET / "source.js"), f"http://127.0.0.1:{self.node.port}"], source_port)
        self.orders = int(re.search(r"orders (\d+)", self.source.text())[1])
        self.instances = [self.add(name, lambda port, name=name: self.instance_command(name, port), cluster.listening_port) for name in cluster.INSTANCES]
        config = folder / "haproxy.cfg"
        text = cluster.haproxy_config(self.front.fileno(), {one.name: one.port for one in self.instances})
        config.write_text(text.replace("maxconn 2000", "maxconn 9000"))
        self.proxy = self.add("haproxy", lambda _port: [cluster.program("haproxy"), "-db", "-f", str(config)],
                              lambda _part: self.front.getsockname()[1], descriptors=(self.front.fileno(),))
        self.proxy.wait(self.is_served)

    def instance_command(self, name, port):
        path = self.folder / f"{name}.yaml"
        path.write_text(instance_config(port, self.source.port, [one.port for one in self.brokers], self.stop))
        return [str(cluster.BINARY), "serve", "--config", str(path)]

    @staticmethod
    def is_ready(port):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

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


def broker_command(folder, number, port, routes):
    """`routes`: the ports of all brokers for each other; one broker needs none."""
    command = [cluster.program("nats-server"), "-a", "127.0.0.1", "-p", str(port or -1), "-js", "-sd", str(folder / f"jetstream{number}"),
               "--ports_file_dir", str(folder)]
    if len(routes) == 1:
        return command
    return [*command, "--server_name", f"broker{number}", "--cluster_name", "fleet", "--cluster", f"nats://127.0.0.1:{routes[number]}",
            "--routes", ",".join(f"nats://127.0.0.1:{one}" for one in routes)]


def free_ports(count):
    with contextlib.ExitStack() as stack:
        found = []
        for port in random.SystemRandom().sample(ROUTE_PORTS, 1000):
            with contextlib.suppress(OSError):
                held = stack.enter_context(socket.socket())
                held.bind(("127.0.0.1", port))
                found.append(port)
            if len(found) == count:
                return found
    raise cluster.Failure("no free ports for the brokers")


def instance_config(port, source, brokers, stop):
    node = f"http://127.0.0.1:{source}"
    servers = ", ".join(f'"nats://127.0.0.1:{broker}"' for broker in brokers)
    return f"""logLevel: info
server:
  httpPort: {port}
  shutdownTimeout: 30s
  {stop}
  limits: {{ connectionsPerAddressMax: 0, connectionsPerSecondPerAddress: 0 }}
relay: {{ nats: {{ servers: [{servers}], replicas: {len(brokers)} }} }}
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


def settle(fleet, clients):
    """Until every client has what was there at the call. Returns who has not, at the end."""
    goal = {"entry": fleet.counts()["last"], "block": fleet.block()}
    end = time.monotonic() + SETTLE_SECONDS_MAX
    while True:
        behind = clients.ask("behind", **goal)
        if not behind["behind"] or time.monotonic() > end:
            return behind["behind"]
        time.sleep(0.5)  # style: polls

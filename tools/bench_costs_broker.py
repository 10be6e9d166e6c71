"""The broker's part of ./dev bench --costs: what an event of a relayed topic costs the broker and each instance, and what a topic holds."""

import json
import socket
import tempfile
import threading

from bench_attacks_run import DIRECTLY, Stage
from bench_contestants import LOAD_CORE, Failed
from bench_costs_run import Chain, Child, Drain, Server

TOPICS, INTERVAL_MS, SECONDS = 10, 20, 8
INSTANCES = (1, 2, 4)
STREAMS_HELD = 1_000
PATIENCE_S = 30


class Broker(Child):
    def __init__(self, folder):
        self.data = tempfile.TemporaryDirectory(dir=folder)
        super().__init__(["nats-server", "-a", "127.0.0.1", "-p", "-1", "-m", "-1", "-js", "-sd", self.data.name], LOAD_CORE)
        self.monitor = self.find(rb"Starting http monitor on \S+?:(\d+)")
        self.port = self.find(rb"client connections on \S+?:(\d+)")

    def counts(self):
        return json.loads(DIRECTLY.open(f"http://127.0.0.1:{self.monitor}/varz", timeout=10).read())


def relayed_streams(node, broker):
    definitions = "\n".join(
        f"    - {{ name: topic{i}, relay: true, interval: {INTERVAL_MS}ms, upstream: node,"
        " calls: { height: eth_blockNumber, status: dev_networkStatus },"
        " fields: { block_height: { pointer: /height, as: number }, status: /status } }" for i in range(TOPICS))
    return (f'relay: {{ nats: {{ servers: ["nats://127.0.0.1:{broker}"] }} }}\nstreams:\n'
            f'  upstreams: [{{ id: node, endpoint: "http://127.0.0.1:{node}" }}]\n  definitions:\n{definitions}\n')


def wait(seconds):
    threading.Event().wait(seconds)


def measure_events(folder, instances):
    """Events of ten streams that one instance polls, and each instance reads for one subscriber."""
    with Stage() as stage:
        broker, chain = stage.add(Broker(folder)), stage.add(Chain("1s"))
        config = relayed_streams(chain.port, broker.port)
        servers, drains = [], []
        for i in range(instances):
            servers.append(stage.add(Server(folder, config, name=f"instance{i}")))
            texts = ['{"type":"subscribe","stream":"topic%d"}' % topic for topic in range(TOPICS)]
            drains.append(stage.add(Drain(servers[i].port, "/streams", texts)).wait_for(100_000))
        names = ("in_msgs", "out_msgs", "in_bytes", "out_bytes")
        published = [server.metric("fanfare_relay_published_total") for server in servers]
        received = [server.metric("fanfare_relay_received_total") for server in servers]
        before, cpu = broker.counts(), [each.cpu_seconds() for each in (broker, *servers)]
        wait(SECONDS)
        after, cpu = broker.counts(), [each.cpu_seconds() - then for each, then in zip((broker, *servers), cpu)]
        published = [server.metric("fanfare_relay_published_total") - then for server, then in zip(servers, published)]
        received = [server.metric("fanfare_relay_received_total") - then for server, then in zip(servers, received)]
        events = sum(published)
        if events < 1:
            raise Failed("no event was published over the broker")
        found = {name: (after[name] - before[name]) / events for name in names}
        # Who polls has the polls' cost as well; the others only receive.
        others = [used / got for used, got, sent in zip(cpu[1:], received, published) if sent == 0 and got > 0]
        return found | {"events_per_s": events / SECONDS, "broker_us": cpu[0] * 1e6 / events,
                        "instance_us": sum(others) * 1e6 / len(others) if others else 0}


class Client:
    """As much of the protocol of NATS as requests need."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.lines = self.socket.makefile("rb")
        self.lines.readline()
        self.send(b'CONNECT {"verbose":false,"headers":false}\r\nSUB answers 1\r\n')

    def send(self, data):
        self.socket.sendall(data)

    def ask(self, subject, body):
        text = json.dumps(body).encode()
        self.send(b"PUB %s answers %d\r\n%s\r\n" % (subject.encode(), len(text), text))
        while not (line := self.lines.readline()).startswith(b"MSG"):
            if line.startswith(b"PING"):
                self.send(b"PONG\r\n")
            elif not line:
                raise Failed("the broker has closed the connection")
        answer = json.loads(self.lines.read(int(line.split()[-1]) + 2))
        if "error" in answer:
            raise Failed(f"{subject}: {answer['error']}")

    def kill(self):
        self.socket.close()


def measure_streams(folder):
    """Memory of the broker for a stream on disk with one event, and for one with a consumer, too."""
    with Stage() as stage:
        broker = stage.add(Broker(folder))
        client = stage.add(Client(broker.port))
        client.ask("$JS.API.STREAM.CREATE.first", {"name": "first", "subjects": ["first"], "storage": "file"})
        before = broker.resident_bytes()
        for i in range(STREAMS_HELD):
            client.ask(f"$JS.API.STREAM.CREATE.s{i}", {"name": f"s{i}", "subjects": [f"s.{i}"], "storage": "file"})
            client.send(b"PUB s.%d 5\r\nevent\r\n" % i)
        streams = broker.resident_bytes()
        for i in range(STREAMS_HELD):
            client.ask(f"$JS.API.CONSUMER.CREATE.s{i}", {"stream_name": f"s{i}", "config": {
                "deliver_subject": f"to.{i}", "ack_policy": "none", "mem_storage": True, "num_replicas": 1}})
        consumers = broker.resident_bytes()
        cpu = broker.cpu_seconds()
        wait(SECONDS)
        return {"stream": (streams - before) / STREAMS_HELD, "consumer": (consumers - streams) / STREAMS_HELD,
                "idle": (broker.cpu_seconds() - cpu) / SECONDS}


def report(costs, folder):
    costs.table(f"An event of a relayed topic: {TOPICS} topics, one broker, one subscriber of each at each instance", [
        "instances", "events a second", "broker: bytes in", "bytes out", "broker, CPU µs", "an instance that receives, CPU µs"])
    for instances in INSTANCES:
        found = costs.median(measure_events, instances)
        costs.row(f"{instances}", f"{found['events_per_s']:,.0f}", f"{found['in_bytes']:,.0f}", f"{found['out_bytes']:,.0f}",
                  f"{found['broker_us']:.0f}", f"{found['instance_us']:.0f}" if found["instance_us"] else "-")
    costs.table(f"{STREAMS_HELD:,} streams of one broker", ["broker's memory for a stream, B", "for a consumer, B", "broker's CPU while nothing happens"])
    found = costs.median(measure_streams)
    costs.row(f"{found['stream']:,.0f}", f"{found['consumer']:,.0f}", f"{found['idle']:.1%} of a core")

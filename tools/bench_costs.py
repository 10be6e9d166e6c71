#!/usr/bin/env python3
"""Measures what a connection, a subscription, an event, a chain and an instance cost: ./dev bench --costs.

docs/bench.md explains the rows. `fanfare size` (apps/fanfare/size/costs.h) computes with them. The server has core 0 and the load core 1, on
loopback. Processor time is that of the server's threads, so other work on the machine matters little.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile

import bench_costs_broker
from bench_attacks_run import Stage
from bench_contestants import LOAD_CORE, Failed
from bench_costs_run import PROGRAM, Chain, Drain, Load, Sampler, Server, is_open, second_of, slab_bytes, tcp_buffer_bytes
from bench_report import Watch, machine, save

SILENCE = '{"type":"ping"}'  # answered once
HEADS = '{"jsonrpc":"2.0","id":%d,"method":"eth_subscribe","params":["newHeads"]}'
LOGS = '{"jsonrpc":"2.0","id":%d,"method":"eth_subscribe","params":["logs",{"address":"0x%040x"}]}'
SUBSCRIPTIONS = 51           # of one connection, for the cost of one of them
FILTERS, FILTER_CONNECTIONS = 4_000, 5
STREAMS = """
streams:
  limits: {{ connectionsMax: 100000 }}
  upstreams: [{{ id: node, endpoint: "http://127.0.0.1:{node}" }}]
  definitions:
    - name: small
      interval: 100ms
      upstream: node
      calls: {{ height: eth_blockNumber, status: dev_networkStatus }}
      fields: {{ block_height: {{ pointer: /height, as: number }}, status: /status }}
    - name: large
      interval: 100ms
      upstream: node
      calls: {{ block: {{ method: eth_getBlockByNumber, params: ["latest", false] }} }}
      fields: {{ block: /block }}
"""
NETWORK = """
projects:
  - id: main
    networks: [{{ architecture: evm, evm: {{ chainId: 1337 }} }}]
    upstreams: [{{ id: node, endpoint: "{node}" }}]
"""


def network(url):
    return NETWORK.format(node=url)


def measure_connections(folder, count, tls):
    """Connecting, and what an idle connection holds: of the server, and of the kernel for both ends."""
    with Stage() as stage:
        chain = stage.add(Chain("1s"))
        server = stage.add(Server(folder, STREAMS.format(node=chain.port), tls=tls))
        # The first connections make what all of them share.
        for _ in stage.add(Load(server.url("/streams"), 100, SILENCE, 1)):
            pass
        resident, slab, buffers, cpu = server.resident_bytes(), slab_bytes(), tcp_buffer_bytes(), server.cpu_seconds()
        found = {"before": resident}
        for note in stage.add(Load(server.url("/streams"), count, SILENCE, 4)):
            if is_open(note):
                found["handshake_us"] = (server.cpu_seconds() - cpu) * 1e6 / count
            if second_of(note) == 3:
                found |= {"resident": (server.resident_bytes() - resident) / count, "slab": (slab_bytes() - slab) / count / 2,
                          "buffers": max(0, tcp_buffer_bytes() - buffers) / count / 2}
        return found


def measure_pings(folder, count, tls):
    """A ping and its pong: a connection that is pinged each second."""
    with Stage() as stage:
        chain = stage.add(Chain("1s"))
        server = stage.add(Server(folder, STREAMS.format(node=chain.port), tls=tls, ping_interval="1s"))
        cpu = {}
        for note in stage.add(Load(server.url("/streams"), count, SILENCE, 9)):
            cpu[second_of(note)] = server.cpu_seconds()
        return {"ping_us": (cpu[8] - cpu[2]) * 1e6 / count / 6}


def measure_deliveries(folder, count, seconds, stream, tls, deflate):
    """A value of a stream to many subscribers, ten times a second."""
    with Stage() as stage:
        chain = stage.add(Chain("1s"))
        server = stage.add(Server(folder, STREAMS.format(node=chain.port), tls=tls, compression=deflate))
        flags, before = ["--deflate", "takeover"] if deflate else [], server.resident_bytes()
        load = stage.add(Load(server.url("/streams"), count, '{"type":"subscribe","stream":"%s"}' % stream, seconds, *flags))
        quiet, sampler, begin, end, resident = tcp_buffer_bytes(), None, None, None, None
        for note in load:
            if is_open(note):
                quiet, sampler = tcp_buffer_bytes(), Sampler()
            if second_of(note) == 1:
                begin = server.cpu_seconds()
            if second_of(note) == seconds - 1:
                end, resident = server.cpu_seconds(), (server.resident_bytes() - before) / count
        most = sampler.stop()
        messages = load.result["messages"] * (seconds - 2) / load.result["seconds"]
        return {"delivery_us": (end - begin) * 1e6 / messages, "bytes": load.result["bytes"] / load.result["messages"],
                "resident": resident,
                "buffers": max(0, most - quiet) / count / 2, "lost": load.result["lost"], "own_cpu": load.result["own_cpu_seconds"] / seconds}


def measure_head_delivery(folder, count, seconds):
    """newHeads of a chain with a block each second."""
    with Stage() as stage:
        chain = stage.add(Chain("1s"))
        server = stage.add(Server(folder, network(f"http://127.0.0.1:{chain.port}")))
        load, cpu = stage.add(Load(server.url("/main/evm/1337"), count, HEADS % 1, seconds)), {}
        for note in load:
            cpu[second_of(note)] = server.cpu_seconds()
        messages = load.result["messages"] * (seconds - 2) / load.result["seconds"]
        return {"delivery_us": (cpu[seconds - 1] - cpu[1]) * 1e6 / messages, "bytes": load.result["bytes"] / load.result["messages"]}


def measure_subscriptions(folder, count):
    """Memory of a subscription to what others have subscribed to, too: the difference between 51 and 1 on each connection."""
    resident = []
    for each in (1, SUBSCRIPTIONS):
        with Stage() as stage:
            chain = stage.add(Chain("10m"))
            server = stage.add(Server(folder, network(f"http://127.0.0.1:{chain.port}")))
            text, before = "[" + ",".join(HEADS % i for i in range(each)) + "]", server.resident_bytes()
            for note in stage.add(Load(server.url("/main/evm/1337"), count, text, 4)):
                if second_of(note) == 3:
                    resident.append((server.resident_bytes() - before) / count)
    return {"subscription": (resident[1] - resident[0]) / (SUBSCRIPTIONS - 1)}


def measure_filters(folder):
    """Memory of a log filter that nobody else has."""
    with Stage() as stage:
        chain = stage.add(Chain("10m"))
        server = stage.add(Server(folder, network(f"http://127.0.0.1:{chain.port}")))
        before = server.resident_bytes()
        for connection in range(FILTER_CONNECTIONS):
            text = "[" + ",".join(LOGS % (i, 1 + connection * FILTERS + i) for i in range(FILTERS)) + "]"
            stage.add(Drain(server.port, "/main/evm/1337", [text])).wait_for(FILTERS * len('{"jsonrpc":"2.0","id":1,"result":""}'))
        return {"filter": (server.resident_bytes() - before) / (FILTERS * FILTER_CONNECTIONS)}


def measure_chain(folder, block_time, blocks, text):
    """Calls to the node and processor time for each block of a chain that is followed, with one subscriber."""
    with Stage() as stage:
        chain = stage.add(Chain(block_time))
        server = stage.add(Server(folder, network(f"http://127.0.0.1:{chain.port}")))
        stage.add(Drain(server.port, "/main/evm/1337", [text]))
        return watch_blocks(chain, server, server, blocks)


def watch_blocks(chain, asker, server, blocks):
    """From one block to another: calls of `asker` to the node, and processor time of `server`, for each block."""
    start = chain.wait_for_blocks(3)
    calls, cpu = asker.metric("fanfare_upstream_calls_total"), server.cpu_seconds()
    count = chain.wait_for_blocks(blocks) - start
    return {"calls": (asker.metric("fanfare_upstream_calls_total") - calls) / count, "cpu_us": (server.cpu_seconds() - cpu) * 1e6 / count}


def measure_tree(folder, scheme, instances, blocks):
    """The same of an instance that is the node of other instances."""
    with Stage() as stage:
        chain = stage.add(Chain("2s"))
        top = stage.add(Server(folder, network(f"http://127.0.0.1:{chain.port}"), name="top"))
        below = [stage.add(Server(folder, network(f"{scheme}://127.0.0.1:{top.port}/main/evm/1337"), core=LOAD_CORE, name=f"below{i}"))
                 for i in range(instances)]
        for server in below:
            stage.add(Drain(server.port, "/main/evm/1337", [LOGS % (1, 1), HEADS % 2]))
        return watch_blocks(chain, top, top, blocks)


def program():
    lines = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()
    return ", ".join(re.sub(" +", " ", line).strip() for line in lines[1:3])


class Costs:
    def __init__(self, options, folder):
        self.options, self.folder, self.lines = options, folder, []

    def median(self, measure, *arguments):
        rounds = [measure(self.folder, *arguments) for _ in range(self.options.rounds)]
        return {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}

    def table(self, title, heads):
        self.lines += ["", f"**{title}**", "", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]

    def row(self, *cells):
        self.lines.append("| " + " | ".join(cells) + " |")
        print(self.lines[-1], flush=True)

    def wants(self, part):
        return not self.options.parts or part in self.options.parts

    def connections(self):
        count = self.options.connections
        self.table(f"An idle connection, of {count:,}", ["", "server's memory, B", "kernel's objects, B", "kernel's buffers, B", "handshake, CPU µs",
                                                          "ping and pong, CPU µs", "server's memory before, MiB"])
        for name, tls in (("plain", False), ("TLS", True)):
            found = self.median(measure_connections, count, tls) | self.median(measure_pings, count // 2, tls)
            self.row(name, f"{found['resident']:,.0f}", f"{found['slab']:,.0f}", f"{found['buffers']:,.0f}", f"{found['handshake_us']:.1f}",
                     f"{found['ping_us']:.1f}", f"{found['before'] / (1 << 20):.1f}")

    def subscriptions(self):
        self.table("A subscription", ["", "server's memory, B"])
        self.row("one more to the heads of a chain", f"{self.median(measure_subscriptions, 2_000)['subscription']:,.0f}")
        self.row("a log filter that nobody else has", f"{self.median(measure_filters)['filter']:,.0f}")

    def deliveries(self):
        count, seconds = self.options.subscribers, self.options.seconds
        self.table(f"An event for one of {count:,} subscribers", ["event", "way", "bytes on the connection", "CPU µs", "server's memory for a connection, B",
                                                                  "kernel's buffers at most, B",
                                                                  "load's core busy"])
        for stream in ("small", "large"):
            for name, tls, deflate in (("plain", False, False), ("TLS", True, False), ("deflate", False, True), ("TLS and deflate", True, True)):
                found = self.median(measure_deliveries, count, seconds, stream, tls, deflate)
                lost = f", {found['lost']:.0f} lost" if found["lost"] else ""
                self.row(stream + lost, name, f"{found['bytes']:,.0f}", f"{found['delivery_us']:.2f}", f"{found['resident']:,.0f}",
                         f"{found['buffers']:,.0f}", f"{found['own_cpu']:.0%}")
        found = self.median(measure_head_delivery, count, seconds)
        self.row("newHeads", "plain", f"{found['bytes']:,.0f}", f"{found['delivery_us']:.2f}", "-", "-", "-")

    def chains(self):
        self.table("A chain that an instance follows", ["", "calls to the node for a block", "CPU µs for a block"])
        for block_time, blocks in (("1s", 20), ("12s", 4)):
            for name, text in (("heads", HEADS % 1), ("heads and logs", f"[{HEADS % 1},{LOGS % (2, 1)}]")):
                found = self.median(measure_chain, block_time, blocks, text)
                self.row(f"a block each {block_time[:-1]} s, {name}", f"{found['calls']:.1f}", f"{found['cpu_us']:,.0f}")
        for scheme in ("http", "ws"):
            for instances in (1, 4):
                found = self.median(measure_tree, scheme, instances, 12)
                self.row(f"a block each 2 s, heads and logs for {instances} instances behind it ({scheme})", f"{found['calls']:.1f}",
                         f"{found['cpu_us']:,.0f}")

    def broker(self):
        bench_costs_broker.report(self, self.folder)


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench --costs")
    parser.add_argument("--costs", action="store_true", help=argparse.SUPPRESS)  # the flag that selected this program
    parser.add_argument("--quick", action="store_true", help="a trial of the script: small and short, one round")
    parser.add_argument("--rounds", type=int, help="three if not given, one with --quick")
    parser.add_argument("parts", nargs="*", help="only these tables: connections, subscriptions, deliveries, chains, broker")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.connections, options.subscribers, options.seconds = (1_000, 500, 5) if options.quick else (10_000, 5_000, 10)
    return options


def main():
    options = options_of(sys.argv[1:])
    if not PROGRAM.exists():
        sys.exit(f"bench: no {PROGRAM}; build it with cmake --preset release and cmake --build build/release --target fanfare")
    if os.geteuid() != 0:
        sys.exit("bench: only root may read the kernel's memory (/proc/slabinfo)")
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        costs = Costs(options, folder)
        try:
            for part in ("connections", "subscriptions", "deliveries", "chains", "broker"):
                if costs.wants(part):
                    getattr(costs, part)()
        except Failed as error:
            sys.exit(f"bench: {error}")
    _, others = watch.read()
    save("What things cost", ["costs", *(["quick"] if options.quick else [])], [
        f"{machine()}. {program()}. Load average {watch.load_before:.1f} before it began; other processes took {others:.0%} of the machine meanwhile, so only",
        f"memory and processor time are given, no wall time. Median of {options.rounds} rounds. The server has one loop and core 0; load, node and broker core 1;",
        "loopback. Processor time is user and system time of the server's threads. The kernel's memory is that of both ends, halved. docs/bench.md",
        "explains the rows; `fanfare size` computes with them.", *costs.lines])


if __name__ == "__main__":
    main()

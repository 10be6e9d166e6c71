#!/usr/bin/env python3
"""The readers of ./dev bench --streams, and their node: bench_streams_clients.py ROLE OPTIONS, a JSON object.

`subscribers`: many connections that read one stream in one way. `ways`: one connection for each stream and way. Both print
"ready" once all have subscribed, measure from the line "go" on, and print their results as JSON. `node`: answers the calls of
network_metrics, prints "listening PORT", and its counts at each line "report".
"""

import asyncio
import base64
import collections
import contextlib
import json
import math
import os
import re
import resource
import select
import socket
import struct
import sys
import time
import zlib

from bench_attacks_wire import TEXT, NodeConnection, Orders, frame, say

WAYS = ["plain", "deflate", "delta", "both"]
PING, PONG = 9, 10
SO_TIMESTAMPNS = 35     # the kernel's stamp of what arrived, in the clock of time.time_ns()
READ_BYTES = 1 << 16
COMPRESSED = 0x40       # RSV1 (RFC7692§6)
TAIL = b"\x00\x00\xff\xff"
SENT = re.compile(rb'"sent_ns":(\d+)')


class Connection:
    """A subscriber. Counts bytes and values; `on_value` gets each value's text, and when it arrived."""

    def __init__(self, port, stream, way, on_value=None):
        self.stream, self.on_value, self.deflates = stream, on_value, way in ("deflate", "both")
        self.bytes = self.values = self.waiting_bytes = 0
        self.subscribed, self.waiting, self.closed = False, bytearray(), False
        self.inflater = zlib.decompressobj(-15) if self.deflates else None
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if self.deflates else ""
        self.socket.sendall(f"GET /streams HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{extension}\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.socket.recv(READ_BYTES)
            if not more:
                raise SystemExit(f"the server refused a connection: {head!r}")
            head += more
        head, rest = head.split(b"\r\n\r\n", 1)
        if b" 101 " not in head or self.deflates != (b"permessage-deflate" in head.lower()):
            raise SystemExit(f"the upgrade went wrong: {head!r}")
        # RFC7692§7.1.1.1: each message is compressed alone.
        self.is_fresh = b"server_no_context_takeover" in head.lower()
        self.waiting += rest
        more = {"delta": "merge"} if way in ("delta", "both") else {}
        self.socket.sendall(frame(TEXT, json.dumps({"type": "subscribe", "stream": stream, **more}).encode(), masked=True))
        self.socket.setblocking(False)

    def read(self, begun):
        """What has arrived. `begun`: it counts."""
        data, extra, _, _ = self.socket.recvmsg(READ_BYTES, 64)
        if not data:
            self.closed = True
            return
        now = time.time_ns()
        stamp = next((s * 1_000_000_000 + ns for level, kind, body in extra if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS
                      for s, ns in [struct.unpack("qq", body[:16])]), now)
        self.waiting += data
        for size, text in self.messages():
            if text.startswith(b'{"type":"subscribed"'):
                self.subscribed = True
            elif self.subscribed and begun and text.startswith(b'{"type":"' + self.stream.encode() + b'"'):
                self.values += 1
                self.bytes += size
                if self.on_value:
                    self.on_value(text, stamp, now)

    def messages(self):
        """Yields (bytes on the wire, text). Servers do not mask."""
        at, waiting = 0, self.waiting
        while len(waiting) - at >= 2:
            size, head = waiting[at + 1] & 127, 2
            if size >= 126:
                head = 4 if size == 126 else 10
                if len(waiting) - at < head:
                    break
                size = int.from_bytes(waiting[at + 2:at + head], "big")
            if len(waiting) - at < head + size:
                break
            first, payload = waiting[at], bytes(waiting[at + head:at + head + size])
            at += head + size
            if first & 15 == TEXT:
                yield head + size, self.inflate(payload) if first & COMPRESSED else payload
            elif first & 15 == PING:
                self.socket.sendall(frame(PONG, payload, masked=True))  # a run is longer than the server waits
            elif first & 15 == 8:
                self.closed = True
        del waiting[:at]

    def inflate(self, payload):
        inflater = zlib.decompressobj(-15) if self.is_fresh else self.inflater
        return inflater.decompress(payload + TAIL)


def turns(connections, poll, by_number, until, begun):
    """Reads until `until()` is true, which is asked every 20 ms at least."""
    while not until():
        for number, _ in poll.poll(20):
            one = by_number[number]
            with contextlib.suppress(BlockingIOError):
                one.read(begun)
            if one.closed:
                raise SystemExit(f"the server closed a connection of {one.stream}")
    return connections


def watch(connections):
    poll = select.epoll()
    for one in connections:
        poll.register(one.socket.fileno(), select.EPOLLIN)
    return poll, {one.socket.fileno(): one for one in connections}


def measure(connections, seconds):
    """Waits for all to have subscribed and had a value, then for "go", then measures. Returns the seconds it took."""
    poll, by_number = watch(connections)
    turns(connections, poll, by_number, lambda: all(one.subscribed for one in connections), False)
    say("ready")
    order = select.epoll()
    order.register(sys.stdin.fileno(), select.EPOLLIN)
    turns(connections, poll, by_number, lambda: bool(order.poll(0)), False)
    if sys.stdin.readline().strip() != "go":
        raise SystemExit(0)
    begun = time.monotonic()
    turns(connections, poll, by_number, lambda: time.monotonic() - begun >= seconds, True)
    return time.monotonic() - begun


def spread(values):
    ordered = sorted(values)
    if not ordered:
        return {"p50": math.nan, "p99": math.nan, "max": math.nan}
    pick = lambda share: ordered[min(len(ordered) - 1, int(len(ordered) * share))]
    return {"p50": pick(0.5), "p99": pick(0.99), "max": ordered[-1]}


def run_subscribers(options):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    to_socket, to_reader, deliveries = [], [], collections.Counter()

    def on_value(text, stamp, now):
        if found := SENT.search(text):
            sent = int(found[1])
            deliveries[sent] += 1
            to_socket.append((stamp - sent) / 1e6)
            to_reader.append((now - sent) / 1e6)

    connections = [Connection(options["port"], options["stream"], options["way"], on_value) for _ in range(options["count"])]
    seconds = measure(connections, options["seconds"])
    values = sum(one.values for one in connections)
    # The first and the last were on their way when the time began and ended.
    whole = sorted(deliveries)[1:-1]
    say({"seconds": seconds, "values": values, "whole": len(whole), "delivered": sum(deliveries[sent] for sent in whole), "value_bytes": sum(one.bytes for one in connections) / max(1, values),
         "to_socket_ms": spread(to_socket), "to_reader_ms": spread(to_reader)})


def run_ways(options):
    connections = {(stream, way): Connection(options["port"], stream, way) for stream in options["streams"] for way in WAYS}
    measure(list(connections.values()), options["seconds"])
    say({stream: {way: {"bytes": connections[stream, way].bytes, "values": connections[stream, way].values} for way in WAYS}
         for stream in options["streams"]})


class MetricsNode:
    """Numbers like those of the development chain. `sentNs` is the time of the answer."""

    def __init__(self):
        self.calls = 0

    def opened(self, connection):
        raise SystemExit("streams are polled over HTTP")

    async def answer(self, body, _connection):
        requests = json.loads(body)
        answers = [self.answer_one(one) for one in (requests if isinstance(requests, list) else [requests])]
        return [json.dumps(answers if isinstance(requests, list) else answers[0]).encode()]

    def answer_one(self, request):
        self.calls += 1
        wave = math.sin(self.calls / 20)
        result = hex(1000 + self.calls) if request["method"] == "eth_blockNumber" else {
            "strength": round(82 + 9 * wave, 1), "finalitySeconds": round(2.1 + wave / 2, 2), "peerCount": 23 + self.calls // 50 % 4,
            "transactionsPerSecond": round(18 + 6 * wave, 1), "bytesInPerSecond": round(184_000 + 60_000 * wave),
            "bytesOutPerSecond": round(342_000 + 90_000 * wave), "connections": 18, "sentNs": time.time_ns(),
        }
        return {"jsonrpc": "2.0", "id": request["id"], "result": result}


async def run_node():
    node = MetricsNode()
    server = await asyncio.get_running_loop().create_server(lambda: NodeConnection(node), "127.0.0.1", 0)
    say(f"listening {server.sockets[0].getsockname()[1]}")
    orders = await Orders().begin()
    while True:
        await orders.wait_for("report")
        say({"calls": node.calls})


def main():
    role, options = sys.argv[1], json.loads(sys.argv[2])
    if role == "node":
        asyncio.run(run_node())
    elif role == "ways":
        run_ways(options)
    else:
        run_subscribers(options)


if __name__ == "__main__":
    main()

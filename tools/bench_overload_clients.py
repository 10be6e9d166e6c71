#!/usr/bin/env python3
"""Clients for ./dev bench --overload: bench_overload_clients.py OPTIONS, a JSON object. Sends requests at a fixed rate, whatever the server
does, holds subscribers to heads, and tries new WebSockets. Prints "ready", waits for the line "go", and prints its counts as JSON.

Kinds of requests: batches over HTTP and over WebSocket that the server reads at once, and long ones over HTTP that it reads in slices.

A request's latency counts from the time it was due, so a server that stalls makes those behind it slow, too.
"""

import asyncio
import base64
import json
import os
import re
import sys
import time

from bench_attacks_wire import TEXT, ClientSocket, frame

CONNECTIONS_MAX = 2000  # of each kind
# Of twenty requests.
PATTERN = ["http"] * 9 + ["websocket"] * 7 + ["long"] * 4
PATTERN = [PATTERN[i * 7 % 20] for i in range(20)]  # mixed
READ_AT_ONCE_BYTES = 4096


def batch_of(calls):
    """The gateway answers these from its cache. The text is as short as it can be, so that the clients are not what is measured."""
    return json.dumps([{"jsonrpc": "2.0", "id": i, "method": "eth_call", "params": [{}, "0x1"]} for i in range(calls)],
                      separators=(",", ":")).encode()



class HttpConnection(asyncio.Protocol):
    """One HTTP connection with at most one request in flight. An answer is "served", "refused", "bare" (refused without a hint) or "lost"."""

    def __init__(self):
        self.transport, self.done, self.head, self.left, self.received = None, None, None, 0, b""

    def connection_made(self, transport):
        self.transport = transport

    def is_open(self):
        return self.transport is not None and not self.transport.is_closing()

    def send(self, request):
        self.done = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.done

    def data_received(self, data):
        if self.head is None:
            self.received += data
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return
            self.head, data, self.received = self.received[:end], self.received[end + 4:], b""
            self.left = int(re.search(rb"(?i)^content-length: (\d+)", self.head, re.MULTILINE)[1])
        self.left -= len(data)
        if self.left <= 0:
            head, self.head = self.head, None
            self.end(self.what_is(head))

    @staticmethod
    def what_is(head):
        if head.startswith(b"HTTP/1.1 200"):
            return "served"
        if not head.startswith(b"HTTP/1.1 503"):
            return "lost"
        return "refused" if b"retry-after:" in head.lower() else "bare"

    def end(self, what):
        if self.done and not self.done.done():
            self.done.set_result(what)

    def connection_lost(self, _error):
        self.end("lost")
        self.transport = None


class SocketConnection:
    """The same over a WebSocket. Calls are refused one by one there: a batch of which any was served counts as served."""

    def __init__(self):
        self.socket, self.done = None, None

    @classmethod
    async def open(cls, url):
        one = cls()
        one.socket = await ClientSocket.open(url, one.on_text)
        one.socket.closed.add_done_callback(lambda _: one.end("lost"))
        return one

    def is_open(self):
        return not self.socket.closed.done()

    def send(self, request):
        self.done = asyncio.get_running_loop().create_future()
        self.socket.transport.write(request)
        return self.done

    def on_text(self, text):
        if b'"result"' in text:
            return self.end("served")
        return self.end("refused" if b'"retry_after_ms"' in text else "bare")

    def end(self, what):
        if self.done and not self.done.done():
            self.done.set_result(what)


class Load:
    def __init__(self, options):
        self.host, self.port, self.path = options["host"], options["port"], options["path"]
        self.url = f"ws://{self.host}:{self.port}{self.path}"
        self.options = options
        short, long = batch_of(options["batch"]), batch_of(options["long_batch"])
        if not len(short) <= READ_AT_ONCE_BYTES < len(long):
            raise ValueError(f"batches of {len(short)} and {len(long)} bytes are not a short and a long one")
        self.requests = {"http": self.post_of(short), "websocket": frame(TEXT, short, masked=True), "long": self.post_of(long)}
        self.idle = {kind: [] for kind in self.requests}
        self.count = dict.fromkeys(self.requests, 0)
        self.running = set()
        self.seen = {"admitted_ms": {kind: [] for kind in self.requests}, "refused": dict.fromkeys(self.requests, 0), "without_hint": 0, "lost": 0,
                     "unsent": 0, "late_ms": [], "connections": {"open": 0, "refused": 0, "without_hint": 0}, "recovered_s": None}

    def post_of(self, body):
        return (f"POST {self.path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode() + body

    async def new_connection(self, kind):
        if kind == "websocket":
            return await SocketConnection.open(self.url)
        return (await asyncio.get_running_loop().create_connection(HttpConnection, self.host, self.port))[1]

    async def connection(self, kind):
        """None: there are too many. New WebSockets are refused under overload, so those of the load are opened before."""
        idle = self.idle[kind]
        while idle:
            one = idle.pop()
            if one.is_open():
                return one
            self.count[kind] -= 1
        if self.count[kind] >= CONNECTIONS_MAX or (kind == "websocket" and self.count[kind] >= self.options["websockets"]):
            return None
        self.count[kind] += 1
        return await self.new_connection(kind)

    async def open_websockets(self):
        for _ in range(self.options["websockets"]):
            self.idle["websocket"].append(await self.new_connection("websocket"))
            self.count["websocket"] += 1

    async def one(self, kind, due):
        try:
            connection = await self.connection(kind)
        except OSError:
            self.count[kind] -= 1
            self.seen["lost"] += 1
            return
        if connection is None:
            self.seen["unsent"] += 1
            return
        what = await connection.send(self.requests[kind])
        self.idle[kind].append(connection)
        if what == "served":
            self.seen["admitted_ms"][kind].append(round((time.monotonic() - due) * 1000, 2))
        elif what == "lost":
            self.seen["lost"] += 1
        else:
            self.seen["refused"][kind] += 1
            self.seen["without_hint"] += what == "bare"

    def served(self):
        return sum(len(times) for times in self.seen["admitted_ms"].values())

    async def closed_loop(self, seconds, depth):
        """Returns answers a second with so many requests always in flight."""
        end, number = time.monotonic() + seconds, 0

        async def worker():
            nonlocal number
            while time.monotonic() < end:
                number += 1
                await self.one(PATTERN[number % len(PATTERN)], time.monotonic())

        await asyncio.gather(*(worker() for _ in range(depth)))
        return self.served() / seconds

    async def open_loop(self, seconds, rate):
        begin, sent = time.monotonic(), 0
        while True:
            now = time.monotonic()
            if now - begin >= seconds:
                break
            due_count = int((now - begin) * rate)
            if sent < due_count:
                self.seen["late_ms"].append(round((now - begin - sent / rate) * 1000, 2))
            while sent < due_count:
                task = asyncio.ensure_future(self.one(PATTERN[sent % len(PATTERN)], begin + sent / rate))
                self.running.add(task)
                task.add_done_callback(self.running.discard)
                sent += 1
            await asyncio.sleep(max(0.0, begin + (sent + 1) / rate - time.monotonic()))
        if self.running:
            await asyncio.wait(self.running, timeout=20)

    async def try_websocket(self):
        """A new WebSocket: counts whether it was opened, or refused with a hint."""
        counts = self.seen["connections"]
        try:
            reader, writer = await asyncio.open_connection(self.host, self.port)
            key = base64.b64encode(os.urandom(16)).decode()
            writer.write(f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode("latin1")
            writer.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            self.seen["lost"] += 1
            return None
        is_open = head.startswith("HTTP/1.1 101")
        counts["open" if is_open else "refused"] += 1
        counts["without_hint"] += not is_open and "retry-after:" not in head.lower()
        return is_open

    async def keep_trying(self):
        """As many new connections as their share of the load: a hundredth of the rate."""
        while True:
            await asyncio.sleep(100 / self.options["rate"])
            await self.try_websocket()

    async def recover(self):
        """Seconds from now until four requests of each kind and an upgrade in a row are served."""
        begin = time.monotonic()
        while time.monotonic() - begin < 30:
            before = self.served()
            for kind in [*self.requests] * 4:
                await self.one(kind, time.monotonic())
                await asyncio.sleep(0.01)
            if self.served() == before + 4 * len(self.requests) and await self.try_websocket():
                return time.monotonic() - begin
        return None


class Subscriber:
    """Heads that came, and when each came after the first subscriber had it."""

    first = {}

    def __init__(self):
        self.numbers, self.delays_ms = [], []

    def on_text(self, text):
        message = json.loads(text)
        if "params" not in message:
            return
        number, now = int(message["params"]["result"]["number"], 16), time.monotonic()
        self.numbers.append(number)
        self.delays_ms.append((now - self.first.setdefault(number, now)) * 1000)


async def subscribe(options):
    one = Subscriber()
    url = f"ws://{options['host']}:{options['port']}{options['path']}"
    socket = await ClientSocket.open(url, one.on_text)
    socket.send('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}')
    one.socket = socket
    return one


async def main(options):
    load = Load(options)
    subscribers = [await subscribe(options) for _ in range(options["subscribers"])]
    await load.open_websockets()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    if options["kind"] == "capacity":
        load.seen["rate"] = await load.closed_loop(options["seconds"], options["depth"])
    else:
        trying = asyncio.ensure_future(load.keep_trying())
        await load.open_loop(options["seconds"], options["rate"])
        trying.cancel()
        load.seen["recovered_s"] = await load.recover()
    gaps = sum(b != a + 1 for one in subscribers for a, b in zip(one.numbers, one.numbers[1:]))
    load.seen["heads"] = {"subscribers": len(subscribers), "closed": sum(one.socket.closed.done() for one in subscribers), "gaps": gaps,
                          "received": sum(len(one.numbers) for one in subscribers), "missing": sum(not one.numbers for one in subscribers)}
    print(json.dumps(load.seen), flush=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))

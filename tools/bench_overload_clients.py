#!/usr/bin/env python3
"""Clients for ./dev bench --overload: bench_overload_clients.py OPTIONS, a JSON object. Sends requests at a fixed rate, whatever the server
does, holds subscribers to heads, and tries new WebSockets. Prints "ready", waits for the line "go", and prints its counts as JSON.

A request's latency counts from the time it was due, so a server that stalls makes those behind it slow, too.
"""

import asyncio
import base64
import json
import os
import re
import sys
import time

from bench_attacks_wire import ClientSocket

CONNECTIONS_MAX = 2000


class Connection(asyncio.Protocol):
    """One HTTP connection with at most one request in flight."""

    def __init__(self):
        self.transport, self.done, self.head, self.left, self.received = None, None, None, 0, b""

    def connection_made(self, transport):
        self.transport = transport

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
            self.head, data, self.received = self.received[:end].decode("latin1"), self.received[end + 4:], b""
            self.left = int(re.search(r"(?i)^content-length: (\d+)", self.head, re.MULTILINE)[1])
        self.left -= len(data)
        if self.left <= 0:
            head, self.head = self.head, None
            if self.done and not self.done.done():
                self.done.set_result(head)

    def connection_lost(self, _error):
        if self.done and not self.done.done():
            self.done.set_result(None)
        self.transport = None


class Load:
    def __init__(self, options):
        self.host, self.port, self.path = options["host"], options["port"], options["path"]
        self.options = options
        batch = json.dumps([{"jsonrpc": "2.0", "id": i, "method": "eth_getBlockByNumber", "params": ["0x1", False]}
                            for i in range(options["batch"])])
        self.request = (f"POST {self.path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
                        f"Content-Length: {len(batch)}\r\n\r\n{batch}").encode()
        self.idle, self.count, self.running = [], 0, set()
        self.seen = {"admitted_ms": [], "refused": 0, "without_hint": 0, "lost": 0, "unsent": 0, "late_ms": 0.0,
                     "connections": {"open": 0, "refused": 0, "without_hint": 0}, "recovered_s": None}
        self.last_refusal = None

    async def connection(self):
        while self.idle:
            one = self.idle.pop()
            if one.transport is not None and not one.transport.is_closing():
                return one
            self.count -= 1
        if self.count >= CONNECTIONS_MAX:
            return None
        self.count += 1
        _, one = await asyncio.get_running_loop().create_connection(Connection, self.host, self.port)
        return one

    async def one(self, due):
        try:
            connection = await self.connection()
        except OSError:
            self.count -= 1
            self.seen["lost"] += 1
            return
        if connection is None:
            self.seen["unsent"] += 1
            return
        head = await connection.send(self.request)
        now = time.monotonic()
        self.idle.append(connection)
        if head is None:
            self.seen["lost"] += 1
        elif head.startswith("HTTP/1.1 200"):
            self.seen["admitted_ms"].append((now - due) * 1000)
        elif head.startswith("HTTP/1.1 503"):
            self.seen["refused"] += 1
            self.last_refusal = now
            self.seen["without_hint"] += "retry-after:" not in head.lower()
        else:
            self.seen["lost"] += 1

    async def closed_loop(self, seconds, depth):
        """Returns answers a second with so many requests always in flight."""
        end, before = time.monotonic() + seconds, len(self.seen["admitted_ms"])

        async def worker():
            while time.monotonic() < end:
                await self.one(time.monotonic())

        await asyncio.gather(*(worker() for _ in range(depth)))
        return (len(self.seen["admitted_ms"]) - before) / seconds

    async def open_loop(self, seconds, rate):
        begin, sent = time.monotonic(), 0
        while True:
            now = time.monotonic()
            if now - begin >= seconds:
                break
            due_count = int((now - begin) * rate)
            while sent < due_count:
                due = begin + sent / rate
                self.seen["late_ms"] = max(self.seen["late_ms"], (now - due) * 1000)
                task = asyncio.ensure_future(self.one(due))
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
        while True:
            await asyncio.sleep(0.1)
            await self.try_websocket()

    async def recover(self):
        """Seconds from now until ten requests and an upgrade in a row are served."""
        begin = time.monotonic()
        while time.monotonic() - begin < 30:
            before = self.seen["refused"], self.seen["lost"]
            for _ in range(10):
                await self.one(time.monotonic())
                await asyncio.sleep(0.01)
            if (self.seen["refused"], self.seen["lost"]) == before and await self.try_websocket():
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
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    if options["kind"] == "capacity":
        load.seen["rate"] = await load.closed_loop(options["seconds"], 32)
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

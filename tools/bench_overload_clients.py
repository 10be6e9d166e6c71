#!/usr/bin/env python3
"""The other clients of ./dev bench --overload: bench_overload_clients.py OPTIONS, a JSON object. Holds subscribers to heads, and tries new
WebSockets. Prints "ready", waits for the line "go", tries for the given seconds, and after the line "end" prints its counts as JSON."""

import asyncio
import base64
import json
import os
import sys

from bench_attacks_wire import ClientSocket


class Tries:
    """New WebSockets: each is opened, refused, or lost."""

    def __init__(self, options):
        self.host, self.port, self.path = options["host"], options["port"], options["path"]
        self.counts, self.lost = {"open": 0, "refused": 0, "without_hint": 0}, 0

    async def one(self):
        try:
            reader, writer = await asyncio.open_connection(self.host, self.port)
            key = base64.b64encode(os.urandom(16)).decode()
            writer.write(f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode("latin1")
            writer.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            self.lost += 1
            return
        is_open = head.startswith("HTTP/1.1 101")
        self.counts["open" if is_open else "refused"] += 1
        self.counts["without_hint"] += not is_open and "retry-after:" not in head.lower()

    async def many(self, seconds, per_s):
        end = asyncio.get_running_loop().time() + seconds
        while per_s > 0 and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(1 / per_s)
            await self.one()


class Subscriber:
    """Numbers of the heads that came."""

    def __init__(self):
        self.numbers = []

    def on_text(self, text):
        message = json.loads(text)
        if "params" in message:
            self.numbers.append(int(message["params"]["result"]["number"], 16))


async def subscribe(options):
    one = Subscriber()
    one.socket = await ClientSocket.open(f"ws://{options['host']}:{options['port']}{options['path']}", one.on_text)
    one.socket.send('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}')
    return one


async def main(options):
    subscribers = [await subscribe(options) for _ in range(options["subscribers"])]
    tries = Tries(options)

    async def line():
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)

    print("ready", flush=True)
    await line()
    trying = asyncio.ensure_future(tries.many(options["seconds"], options["connections_per_s"]))
    await line()
    await trying
    gaps = sum(b != a + 1 for one in subscribers for a, b in zip(one.numbers, one.numbers[1:]))
    heads = {"closed": sum(one.socket.closed.done() for one in subscribers), "gaps": gaps, "missing": sum(not one.numbers for one in subscribers)}
    print(json.dumps({"heads": heads, "connections": tries.counts, "lost": tries.lost}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))

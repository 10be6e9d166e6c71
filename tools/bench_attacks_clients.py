#!/usr/bin/env python3
"""The clients of ./dev bench --attacks: bench_attacks_clients.py ROLE OPTIONS, a JSON object with `url` at least.

Prints "ready" once it is connected, and begins at the line "go" on its standard input. At "report" it prints its results as
JSON and continues. It ends at the end of its input. `honest` reports without being asked, once its time is over.
"""

import asyncio
import gc
import json
import re
import sys
import time
import urllib.parse

from bench_attacks_node import BUSY, SLOW_ADDRESS
from bench_attacks_wire import ClientSocket, Orders, Refused, new_tally, post, refusal, say

RECONNECT_S = 0.05
AFTER_ERROR_S = 0.1
DRAIN_S = 1.0        # after the honest client's last call: heads that arrive later count as missing
ERROR = re.compile(rb'"error": ?\{"code": ?(-?\d+)')


def request(call_id, method, params):
    return json.dumps({"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}).encode()


def error_code(text):
    """Returns the code of the first error in an answer, as text; None without one."""
    found = ERROR.search(text)
    return found[1].decode() if found else None


class Client:
    """A persistent client: it reconnects after each disconnect, and counts those."""

    def __init__(self, options):
        self.options, self.tally = options, new_tally()
        self.url = options["url"]

    async def connect(self, on_text, bytes_per_second=0):
        """Retries until it succeeds."""
        while True:
            try:
                return await ClientSocket.open(self.url, on_text, bytes_per_second)
            except Refused as refused:
                self.tally[str(refused)] += 1
                await asyncio.sleep(RECONNECT_S)

    async def wait_closed(self, made):
        try:
            self.tally[f"closed with {await asyncio.shield(made.closed)}"] += 1
        finally:
            made.abort()
        await asyncio.sleep(RECONNECT_S)

    async def post_for_ever(self, next_body, piece, after):
        """Sends calls over HTTP, one at a time. `piece` gets the parts of an answer; `after` is awaited when it is complete."""
        parts = urllib.parse.urlsplit(self.url)
        while True:
            writer = None
            try:
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 22)
                while True:
                    await post(reader, writer, parts.path, next_body(), piece)
                    await after()
            except (Refused, OSError) as error:
                self.tally[str(error if isinstance(error, Refused) else refusal(error))] += 1
            finally:
                if writer:
                    writer.close()
            await asyncio.sleep(RECONNECT_S)

    async def until_going(self, orders):
        say("ready")
        await orders.wait_for("go")

    def report(self):
        return {"tally": self.tally}

    async def run(self, orders):
        """Runs the attack until the end; reporting does not interrupt it."""
        await self.prepare()
        await self.until_going(orders)
        attack = asyncio.get_running_loop().create_task(self.attack())
        await orders.wait_for("report")
        say(self.report())
        await orders.wait_for("end")
        attack.cancel()

    async def prepare(self):
        pass


class Honest(Client):
    """Sends calls at a steady pace and subscribes to heads, on one connection."""

    def __init__(self, options):
        super().__init__(options)
        self.heads = {}            # hash -> ns
        self.waiting, self.latencies, self.lost = {}, [], []  # ns: time sent, duration, time sent
        self.serial, self.socket, self.warm = 0, None, asyncio.Event()

    def received(self, text):
        now = time.monotonic_ns()
        if b'"eth_subscription"' in text[:200]:
            self.heads.setdefault(json.loads(text)["params"]["result"]["hash"], now)
            self.warm.set()
            return
        answer = json.loads(text)
        sent = self.waiting.pop(answer.get("id"), None)
        if sent is None:
            if "error" in answer:
                self.tally[f"heads or late answers: error {answer['error'].get('code')}"] += 1
            return
        if "error" in answer:
            self.tally[f"error {answer['error'].get('code')}"] += 1
        else:
            self.latencies.append(now - sent)

    async def stay_connected(self):
        while True:
            self.socket = await self.connect(self.received)
            self.socket.send(request("heads", "eth_subscribe", ["newHeads"]))
            await self.wait_closed(self.socket)
            if self.waiting:
                self.tally["calls lost with their connection"] += len(self.waiting)
            self.lost += self.waiting.values()
            self.waiting.clear()

    def call(self):
        self.serial += 1
        if self.socket is None or not self.socket.opened.done() or self.socket.closed.done():
            self.tally["calls without a connection"] += 1
            self.lost.append(time.monotonic_ns())
            return
        # Two calls that no cache answers.
        method, params = (("eth_blockNumber", []), ("eth_getBalance", [f"0x{self.serial:040x}", "latest"]))[self.serial % 2]
        self.waiting[self.serial] = time.monotonic_ns()
        self.socket.send(request(self.serial, method, params))

    async def run(self, orders):
        connection = asyncio.get_running_loop().create_task(self.stay_connected())
        await self.warm.wait()
        for _ in range(5):
            self.call()
        while self.waiting:
            await asyncio.sleep(0.005)
        self.latencies.clear()
        self.lost.clear()
        self.tally.clear()
        await self.until_going(orders)
        gc.disable()
        loop, rate = asyncio.get_running_loop(), self.options["calls_per_second"]
        start, start_ns = loop.time(), time.monotonic_ns()
        calls = round(self.options["seconds"] * rate)
        for index in range(calls):
            await asyncio.sleep(max(0, start + index / rate - loop.time()))
            self.call()
        end_ns = time.monotonic_ns()
        await asyncio.sleep(DRAIN_S)
        now = time.monotonic_ns()
        say({"calls": calls, "latencies_ns": self.latencies, "waiting_ns": [now - sent for sent in (*self.waiting.values(), *self.lost)],
             "heads": self.heads, "window_ns": [start_ns, end_ns], "now_ns": now, "tally": self.tally})
        await orders.wait_for("end")
        connection.cancel()


class SlowReads(Client):
    """`parallel` reads at a time, on one WebSocket or, with `over` http, on one connection each. Each reads different logs."""

    serial = 0

    def next_call(self):
        self.serial += 1
        self.tally["calls"] += 1
        address = SLOW_ADDRESS + f"{self.serial:034x}"
        return request(self.serial, "eth_getLogs", [{"fromBlock": "0x1", "toBlock": "0x2", "address": address}])

    def answered(self, text):
        """Returns the delay before the next call: refused calls are retried, but must not become a flood."""
        code = error_code(text)
        self.tally["answers" if code is None else f"error {code}"] += 1
        return 0 if code is None else AFTER_ERROR_S

    async def attack(self):
        if self.options.get("over") == "http":
            return await asyncio.gather(*(self.one_connection() for _ in range(self.options["parallel"])))
        while True:
            made = None

            def received(text):
                asyncio.get_running_loop().call_later(self.answered(text), lambda: made.send(self.next_call()))

            made = await self.connect(received)
            for _ in range(self.options["parallel"]):
                made.send(self.next_call())
            await self.wait_closed(made)

    async def one_connection(self):
        text = bytearray()

        async def after():
            await asyncio.sleep(self.answered(bytes(text)))
            text.clear()

        await self.post_for_ever(self.next_call, text.extend, after)


class Resubscriber(Client):
    """Subscribes to all logs, and again after each disconnect."""

    def received(self, text):
        if b'"eth_subscription"' in text[:200]:
            self.tally["logs or notices read"] += 1
        else:
            code = error_code(text)
            self.tally["subscriptions" if code is None else f"error {code}"] += 1

    async def attack(self):
        while True:
            made = await self.connect(self.received)
            made.send(request(1, "eth_subscribe", ["logs", {}]))
            await self.wait_closed(made)


class Batches(Client):
    """Requests the same large answer many times in one batch over HTTP, one batch after the other."""

    async def attack(self):
        items = [request(index, "debug_getRawBlock", ["0x1"]) for index in range(self.options["items"])]
        self.body = b"[" + b",".join(items) + b"]"
        await self.post_for_ever(self.next_body, self.piece, self.answered)

    def next_body(self):
        self.tally["batches"] += 1
        return self.body

    async def answered(self):
        self.tally["batches answered"] += 1

    def piece(self, part):
        self.tally["bytes of answers"] += len(part)
        self.tally["errors in answers"] += len(ERROR.findall(part))


class Reader(Client):
    """Reads everything it requested: newHeads; `logs` of the busy address; `answers` large answers at a time, repeated
    `every_s` after the last one arrived. Reads at `bytes_per_second`, or as fast as it can."""

    def __init__(self, options):
        super().__init__(options)
        self.logs = new_tally()  # block's hash -> logs
        self.open_answers, self.all_came = 0, asyncio.Event()

    def received(self, text):
        if b'"eth_subscription"' in text[:200]:
            if b'"logIndex"' in text:
                at = text.find(b'"blockHash":"') + 13
                self.logs[text[at:at + 66].decode()] += 1
            else:
                self.tally["heads read"] += 1
            return
        code = error_code(text[:4096])
        if text.startswith(b'{"jsonrpc":"2.0","id":"subscribe"'):
            if code is not None:
                self.tally[f"subscriptions refused ({code})"] += 1
        else:
            self.tally["answers read" if code is None else f"error {code}"] += 1
            self.open_answers -= 1
            if self.open_answers == 0:
                self.all_came.set()

    async def attack(self):
        while True:
            made = await self.connect(self.received, self.options.get("bytes_per_second", 0))
            made.send(request("subscribe", "eth_subscribe", ["newHeads"]))
            if self.options.get("logs"):
                made.send(request("subscribe", "eth_subscribe", ["logs", {"address": BUSY}]))
            asking = asyncio.get_running_loop().create_task(self.ask(made))
            await self.wait_closed(made)
            asking.cancel()

    async def ask(self, made):
        number = 0
        while self.options.get("answers"):
            self.open_answers = self.options["answers"]
            self.all_came.clear()
            for _ in range(self.open_answers):
                number += 1
                self.tally["answers asked for"] += 1
                made.send(request(number, "debug_getRawBlock", [hex(number)]))
            await self.all_came.wait()
            await asyncio.sleep(self.options["every_s"])

    def report(self):
        return {"tally": self.tally, "logs": self.logs}


class Filters(Client):
    """`filters` log subscriptions, on as many connections as needed. Each names the busy address among others, and 12 topics
    that no log has. They are made before the measurement."""

    TOPICS, ADDRESSES = 12, 6  # an index with one entry for each pair would be too large
    PATIENCE_S = 40

    async def prepare(self):
        self.asked, self.answered = 0, 0
        self.done = asyncio.Event()
        self.sockets = []
        each = self.options["filters_per_connection"]
        limit = asyncio.get_running_loop().time() + self.PATIENCE_S
        for first in range(0, self.options["filters"], each):
            try:
                made = await ClientSocket.open(self.url, self.received)
            except Refused as refused:
                self.tally[str(refused)] += 1
                continue
            made.closed.add_done_callback(lambda closed: self.tally.update([f"closed with {closed.result()}"]))
            self.sockets.append(made)
            self.done.clear()
            for index in range(first, first + each):
                made.send(self.filter(index))
            self.asked += each
            while self.answered < self.asked and not made.closed.done() and asyncio.get_running_loop().time() < limit:
                try:
                    await asyncio.wait_for(self.done.wait(), 1)
                except asyncio.TimeoutError:
                    pass
            if made.closed.done():
                self.answered = self.asked
            if asyncio.get_running_loop().time() >= limit:
                self.tally["stopped for want of time"] += 1
                break

    def filter(self, index):
        """Formatted by hand for speed: there are many of them."""
        addresses = "".join(f',"0x{index:020x}{address:020x}"' for address in range(1, self.ADDRESSES))
        topics = ",".join(f'"0x{index:032x}{topic:032x}"' for topic in range(self.TOPICS))
        return (f'{{"jsonrpc":"2.0","id":{index},"method":"eth_subscribe","params":["logs",{{"address":["{BUSY}"{addresses}],'
                f'"topics":[[{topics}]]}}]}}')

    def received(self, text):
        if b'"eth_subscription"' in text[:200]:
            self.tally["logs that should not match"] += 1
            return
        code = error_code(text)
        self.tally["filters" if code is None else f"filters refused ({code})"] += 1
        self.answered += 1
        if self.answered >= self.asked:
            self.done.set()

    async def attack(self):
        """Does nothing: the filters exist, and the node's logs cause the load."""


ROLES = {"honest": Honest, "slow-reads": SlowReads, "resubscriber": Resubscriber, "batches": Batches, "reader": Reader,
         "filters": Filters}


async def main():
    client = ROLES[sys.argv[1]](json.loads(sys.argv[2]))
    await client.run(await Orders().begin())


if __name__ == "__main__":
    asyncio.run(main())

"""WebSocket and JSON-RPC over HTTP for the programs of ./dev bench --attacks, on asyncio. Only what they need."""

import asyncio
import base64
import collections
import hashlib
import json
import os
import re
import socket
import struct
import sys
import urllib.parse

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Refused(Exception):
    """The server refused a request. The text is the name under which it is counted."""


def refusal(error):
    """Converts an OSError of connect()."""
    return Refused("connections refused" if isinstance(error, ConnectionRefusedError) else f"connections failed ({error})")


def frame(opcode, payload, masked=False):
    """Returns a whole message. A client's mask is 0 (RFC6455§5.3 leaves the choice to the client), so masking costs nothing."""
    size, bit = len(payload), 0x80 if masked else 0
    if size < 126:
        head = bytes((0x80 | opcode, bit | size))
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, bit | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, bit | 127, size)
    return head + (b"\0\0\0\0" if masked else b"") + payload


def unmask(payload, key):
    repeated = (key * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")


class Frames:
    """Takes bytes in any portions and returns whole messages."""

    def __init__(self):
        self.waiting, self.parts = bytearray(), []

    def feed(self, data):
        """Returns [(opcode, payload)], with fragments assembled."""
        self.waiting += data
        at, messages = 0, []
        while (found := self._frame_at(at)) is not None:
            first, payload, at = found
            opcode = first & 15
            if opcode >= 8:
                messages.append((opcode, payload))
                continue
            self.parts.append(payload)
            if first & 0x80:
                messages.append((TEXT, b"".join(self.parts) if len(self.parts) > 1 else payload))
                self.parts = []
        del self.waiting[:at]
        return messages

    def _frame_at(self, at):
        waiting = self.waiting
        if len(waiting) - at < 2:
            return None
        size, masked, head = waiting[at + 1] & 127, waiting[at + 1] >> 7, 2
        if size >= 126:
            head = 4 if size == 126 else 10
            if len(waiting) - at < head:
                return None
            size = int.from_bytes(waiting[at + 2:at + head], "big")
        start = at + head + 4 * masked
        if len(waiting) < start + size:
            return None
        payload = bytes(waiting[start:start + size])
        if masked:
            payload = unmask(payload, waiting[start - 4:start])
        return waiting[at], payload, start + size


class ClientSocket(asyncio.Protocol):
    """A WebSocket client. `on_text` gets each message's bytes. `closed` is a future of the close code (1006 without one)."""

    def __init__(self, on_text, bytes_per_second):
        self.on_text, self.bytes_per_second = on_text, bytes_per_second
        self.frames, self.head, self.code = Frames(), bytearray(), 1006
        loop = asyncio.get_running_loop()
        self.opened, self.closed = loop.create_future(), loop.create_future()
        self.upgraded, self.transport = False, None

    @classmethod
    async def open(cls, url, on_text, bytes_per_second=0):
        """Reads at most `bytes_per_second`, if given. Raises Refused if the connection or the upgrade fails."""
        parts = urllib.parse.urlsplit(url)
        plain = socket.socket()
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if bytes_per_second:
            # A large kernel buffer would absorb unread bytes and hide the slow reader.
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 << 10)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(plain, (parts.hostname, parts.port))
        except OSError as error:
            plain.close()
            raise refusal(error) from error
        _, made = await loop.create_connection(lambda: cls(on_text, bytes_per_second), sock=plain)
        key = base64.b64encode(os.urandom(16)).decode()
        made.transport.write(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        await made.opened
        return made

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if self.bytes_per_second:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(len(data) / self.bytes_per_second, self._read_on)
        if not self.upgraded:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            status = bytes(self.head[9:12]).decode()
            if status != "101":
                return self.opened.done() or self.opened.set_exception(Refused(f"upgrades refused ({status})"))
            self.upgraded, data = True, bytes(self.head[end + 4:])
            self.opened.set_result(None)
        for opcode, payload in self.frames.feed(data):
            if opcode == TEXT:
                self.on_text(payload)
            elif opcode == PING:
                self.transport.write(frame(PONG, payload, masked=True))
            elif opcode == CLOSE:
                self.code = int.from_bytes(payload[:2], "big") or 1005
                self.transport.write(frame(CLOSE, payload[:2], masked=True))

    def _read_on(self):
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, _):
        if not self.opened.done():
            self.opened.set_exception(Refused("upgrades without an answer"))
        self.closed.set_result(self.code)

    def send(self, text):
        """Drops the text if the connection has ended; `closed` reports that to the owner."""
        self.transport.write(frame(TEXT, text if isinstance(text, bytes) else text.encode(), masked=True))

    def abort(self):
        self.transport.abort()


async def post(reader, writer, path, body, piece=lambda _: None):
    """Sends one call over a keep-alive HTTP connection. `piece` gets the parts of the answer's body. Raises Refused."""
    try:
        writer.write(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                     f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise Refused(f"HTTP {head[9:12].decode()}")
        left = int(re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)[1])
        while left:
            part = await reader.read(min(left, 1 << 20))
            if not part:
                raise Refused("answers cut off")
            left -= len(part)
            piece(part)
    except (OSError, asyncio.IncompleteReadError) as error:
        raise Refused("connections lost") from error


class NodeConnection(asyncio.Protocol):
    """A connection to a fake node: calls over HTTP, or over WebSocket after an upgrade. `node` has `answer(body,
    connection)`, a coroutine that returns the parts of the answer. An upgrade calls `node.opened(connection)`."""

    def __init__(self, node):
        self.node, self.waiting, self.frames, self.transport = node, bytearray(), None, None
        self.may_write, self.is_open = asyncio.Event(), True
        self.may_write.set()
        self.tasks = set()

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _):
        self.is_open = False
        self.may_write.set()

    def pause_writing(self):
        self.may_write.clear()

    def resume_writing(self):
        self.may_write.set()

    def data_received(self, data):
        if self.frames is not None:
            return self._frames_received(data)
        self.waiting += data
        while (end := self.waiting.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.waiting[:end + 2])
            if key := re.search(rb"\r\nsec-websocket-key: *(\S+)", head, re.IGNORECASE):
                return self._upgrade(key[1], bytes(self.waiting[end + 4:]))
            length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.waiting) < whole:
                return None
            body = bytes(self.waiting[end + 4:whole])
            del self.waiting[:whole]
            self._start(self._answer_http(body))
        return None

    def _start(self, coroutine):
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _upgrade(self, key, rest):
        accept = base64.b64encode(hashlib.sha1(key + ACCEPT_GUID).digest()).decode()
        self.transport.write(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        self.frames = Frames()
        self.node.opened(self)
        self._frames_received(rest)

    def _frames_received(self, data):
        for opcode, payload in self.frames.feed(data):
            if opcode == TEXT:
                self._start(self._answer_frame(payload))
            elif opcode == PING:
                self.transport.write(frame(PONG, payload))
            elif opcode == CLOSE:
                self.transport.write(frame(CLOSE, payload[:2]))
                self.transport.close()

    async def _answer_http(self, body):
        parts = await self.node.answer(body, self)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {sum(map(len, parts))}\r\n\r\n"
        for part in (head.encode(), *parts):
            if not await self.write(part):
                return

    async def _answer_frame(self, body):
        parts = await self.node.answer(body, self)
        await self.write(frame(TEXT, b"".join(parts)))

    async def write(self, data):
        """Waits until the peer has taken earlier data. Returns False once the connection has ended."""
        await self.may_write.wait()
        if not self.is_open:
            return False
        self.transport.write(data)
        await asyncio.sleep(0)  # let other connections run, however fast this one reads
        return True


class Orders:
    """A program's orders from the driver: lines on standard input. The program ends at the end of its input."""

    async def begin(self):
        self.lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self.lines), sys.stdin)
        return self

    async def wait_for(self, word):
        line = await self.lines.readline()
        if line.strip() != word.encode():
            raise SystemExit(0)


def say(what):
    print(what if isinstance(what, str) else json.dumps(what), flush=True)


def new_tally():
    """Counts of events, by the name used in the table."""
    return collections.Counter()

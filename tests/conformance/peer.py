"""One end of a WebSocket connection, written from RFC 6455 and RFC 7692 with the standard library alone.

It shares no code with the engine under test. It sends any frame it is given, including invalid ones. It checks received
data strictly: anything that breaks a rule raises Violation.
"""

import base64
import hashlib
import os
import socket
import struct
import zlib

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
# How a compressed message ends: without a final block; with a final block and the zero byte of RFC 7692 section
# 7.2.3.4; with a final block without that byte. Messages that end in a final block do not refer to earlier ones.
SYNC, FINAL, FINAL_WITHOUT_PADDING = range(3)
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Violation(Exception):
    """The peer broke a rule, or did not do what was required."""


def mask(payload, key):
    if not payload:
        return payload
    size = len(payload)
    pad = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(pad, "little")).to_bytes(size, "little")


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def parse_parameters(value):
    """'permessage-deflate; a; b=9, permessage-deflate' -> [{'a': None, 'b': '9'}, {}]"""
    offers = []
    for element in value.split(","):
        name, *rest = [part.strip() for part in element.split(";")]
        if name != "permessage-deflate":
            raise Violation(f"extension {name!r}")
        parameters = {}
        for part in rest:
            key, _, number = part.partition("=")
            if key in parameters:
                raise Violation(f"{key} given twice")
            parameters[key] = number.strip('"') or None
        offers.append(parameters)
    return offers


class Deflate:
    """The negotiated permessage-deflate. `ours` and `theirs` are (window bits, no context takeover)."""

    def __init__(self, ours, theirs):
        self.ours, self.theirs = ours, theirs
        self.deflater = self.inflater = None

    def compressor(self):
        # zlib has no 8-bit window; output without matches needs none.
        strategy = zlib.Z_HUFFMAN_ONLY if self.ours[0] == 8 else zlib.Z_DEFAULT_STRATEGY
        return zlib.compressobj(6, zlib.DEFLATED, -max(self.ours[0], 9), strategy=strategy)

    def compress(self, payload, ending=SYNC):
        if ending != SYNC:
            deflater = self.compressor()
            return deflater.compress(payload) + deflater.flush() + (b"\0" if ending == FINAL else b"")
        if self.deflater is None or self.ours[1]:
            self.deflater = self.compressor()
        data = self.deflater.compress(payload) + self.deflater.flush(zlib.Z_SYNC_FLUSH)
        return data[:-4]

    def inflate(self, payload):
        if self.inflater is None or self.theirs[1]:
            self.inflater = zlib.decompressobj(-self.theirs[0])
        try:
            return self.inflater.decompress(payload) + self.inflater.decompress(b"\0\0\xff\xff")
        except zlib.error as error:
            raise Violation(f"does not inflate with a window of {self.theirs[0]} bits: {error}") from error


class Peer:
    """`masking`: this end is the client."""

    def __init__(self, connection, masking, received=b""):
        self.socket, self.masking, self.received = connection, masking, bytearray(received)
        self.deflate = None
        self.compressed_messages = 0
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # ---- out ----

    def frame(self, opcode, payload=b"", fin=True, rsv=0):
        first = (0x80 if fin else 0) | rsv << 4 | opcode
        bit = 0x80 if self.masking else 0
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", first, bit | size)
        elif size < 65536:
            head = struct.pack("!BBH", first, bit | 126, size)
        else:
            head = struct.pack("!BBQ", first, bit | 127, size)
        if self.masking:
            key = os.urandom(4)
            return head + key + mask(payload, key)
        return head + payload

    def message(self, opcode, payload, fragment=0, compressed=False, ending=SYNC):
        """Returns a message's frames as bytes, in fragments of at most the given size (0: one frame)."""
        rsv = 4 if compressed else 0
        if compressed:
            payload = self.deflate.compress(payload, ending)
        if not fragment or len(payload) <= fragment:
            return self.frame(opcode, payload, rsv=rsv)
        frames = []
        for start in range(0, len(payload), fragment):
            last = start + fragment >= len(payload)
            frames.append(self.frame(CONTINUATION if start else opcode, payload[start : start + fragment], last,
                                     0 if start else rsv))
        return b"".join(frames)

    def send(self, data, chop=0):
        """Writes the bytes in pieces of the given size (0: at once)."""
        if not chop:
            self.socket.sendall(data)
            return
        for start in range(0, len(data), chop):
            self.socket.sendall(data[start : start + chop])

    # ---- in ----

    def fill(self):
        """Reads more bytes; returns False at the end of the stream."""
        try:
            data = self.socket.recv(1 << 18)
        except TimeoutError as error:
            raise Violation("silence") from error
        except ConnectionResetError as error:
            raise Violation("connection reset") from error
        self.received += data
        return bool(data)

    def take(self, size):
        while len(self.received) < size:
            if not self.fill():
                raise Violation("the stream ended without a Close frame")
        data = bytes(self.received[:size])
        del self.received[:size]
        return data

    def receive_frame(self):
        first, second = self.take(2)
        fin, rsv, opcode, size = first >> 7, first >> 4 & 7, first & 15, second & 127
        if bool(second >> 7) == self.masking:
            raise Violation("masked the wrong way")
        if size == 126:
            (size,) = struct.unpack("!H", self.take(2))
            if size < 126:
                raise Violation("length not in its shortest form")
        elif size == 127:
            (size,) = struct.unpack("!Q", self.take(8))
            if size < 65536:
                raise Violation("length not in its shortest form")
        if opcode >= 8 and (not fin or rsv or size > 125):
            raise Violation("a control frame that is fragmented, compressed or long")
        key = b"" if self.masking else self.take(4)
        payload = self.take(size)
        return fin, rsv, opcode, mask(payload, key) if key else payload

    def receive(self):
        """Returns the next message, Ping, Pong or Close as (opcode, payload), inflated."""
        parts, kind, compressed = [], None, False
        while True:
            fin, rsv, opcode, payload = self.receive_frame()
            if opcode >= 8:
                if kind is not None:
                    raise Violation("a control frame amid fragments")
                if opcode not in (CLOSE, PING, PONG):
                    raise Violation(f"opcode {opcode}")
                return opcode, payload
            if (kind is None) != (opcode in (TEXT, BINARY)) or opcode > BINARY:
                raise Violation(f"opcode {opcode} out of turn")
            if rsv and (rsv != 4 or self.deflate is None or kind is not None):
                raise Violation("reserved bits")
            if kind is None:
                kind, compressed = opcode, bool(rsv)
            parts.append(payload)
            if fin:
                payload = b"".join(parts)
                if compressed:
                    self.compressed_messages += 1
                    payload = self.deflate.inflate(payload)
                if kind == TEXT:
                    payload.decode()
                return kind, payload

    def expect(self, opcode, payload):
        got, data = self.receive()
        if (got, data) != (opcode, payload):
            raise Violation(f"expected {describe(opcode, payload)}, got {describe(got, data)}")

    def expect_close(self, codes):
        """Expects a Close frame with one of the codes (None: without a body)."""
        got, data = self.receive()
        code = struct.unpack("!H", data[:2])[0] if len(data) >= 2 else None
        if got != CLOSE or len(data) == 1 or code not in codes:
            raise Violation(f"expected a Close with {codes}, got {describe(got, data)}")
        data[2:].decode()

    def expect_end(self):
        """Expects FIN, without any byte before it."""
        while True:
            if self.received:
                raise Violation(f"{len(self.received)} bytes after the Close frame")
            if not self.fill():
                return

    # ---- handshakes ----

    def read_head(self):
        while b"\r\n\r\n" not in self.received:
            if not self.fill():
                raise Violation("the stream ended in the handshake")
        end = self.received.index(b"\r\n\r\n")
        lines = self.take(end + 4)[:-4].decode("latin-1").split("\r\n")
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name = name.lower()
            fields[name] = fields[name] + ", " + value.strip() if name in fields else value.strip()
        return lines[0], fields

    def handshake_as_client(self, host, offer):
        key = base64.b64encode(os.urandom(16)).decode()
        extension = f"Sec-WebSocket-Extensions: {offer}\r\n" if offer else ""
        self.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{extension}\r\n".encode())
        status, fields = self.read_head()
        if not status.startswith("HTTP/1.1 101 ") or fields.get("sec-websocket-accept") != accept_of(key):
            raise Violation(f"handshake answered {status!r}")
        answer = fields.get("sec-websocket-extensions")
        if answer is None:
            if offer:
                raise Violation("the offer of permessage-deflate was declined")
            return
        if not offer:
            raise Violation("an extension that was not offered")
        self.agree(parse_parameters(offer), answer)

    def handshake_as_server(self, answer, offer=None):
        """`offer`: the exact offer that the client must make; None: any offer that matches the answer."""
        status, fields = self.read_head()
        if status != "GET / HTTP/1.1" or fields.get("sec-websocket-version") != "13" or "host" not in fields:
            raise Violation(f"handshake began {status!r}")
        if len(base64.b64decode(fields["sec-websocket-key"], validate=True)) != 16:
            raise Violation("the key is not 16 bytes")
        if offer is not None and fields.get("sec-websocket-extensions") != offer:
            raise Violation(f"offered {fields.get('sec-websocket-extensions')!r}, not {offer!r}")
        extension = ""
        if answer:
            if "sec-websocket-extensions" not in fields:
                raise Violation("no offer of permessage-deflate")
            extension = f"Sec-WebSocket-Extensions: {answer}\r\n"
            self.agree(parse_parameters(fields["sec-websocket-extensions"]), answer)
        self.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  f"Sec-WebSocket-Accept: {accept_of(fields['sec-websocket-key'])}\r\n{extension}\r\n".encode())

    def agree(self, offers, answer):
        """Checks the answer against the offers (RFC 7692 section 7.1) and sets up both directions."""
        accepted = parse_parameters(answer)
        if len(accepted) != 1 or not any(fits(offer, accepted[0]) for offer in offers):
            raise Violation(f"the answer {answer!r} fits no offer")
        server = (int(accepted[0].get("server_max_window_bits") or 15), "server_no_context_takeover" in accepted[0])
        client = (int(accepted[0].get("client_max_window_bits") or 15), "client_no_context_takeover" in accepted[0])
        self.deflate = Deflate(client, server) if self.masking else Deflate(server, client)


def fits(offer, answer):
    for name, value in answer.items():
        if name.endswith("_takeover"):
            if value is not None:
                return False
        elif name.endswith("_window_bits"):
            if value is None or not value.isdigit() or value.startswith("0") or not 8 <= int(value) <= 15:
                return False
        else:
            return False
    if "server_no_context_takeover" in offer and "server_no_context_takeover" not in answer:
        return False
    if "client_max_window_bits" in answer:
        if "client_max_window_bits" not in offer:
            return False
        if int(answer["client_max_window_bits"]) > int(offer["client_max_window_bits"] or 15):
            return False
    if "server_max_window_bits" in offer:
        return int(answer.get("server_max_window_bits") or 16) <= int(offer["server_max_window_bits"])
    return True


def describe(opcode, payload):
    names = {TEXT: "text", BINARY: "binary", CLOSE: "Close", PING: "Ping", PONG: "Pong"}
    return f"{names.get(opcode, opcode)} of {len(payload)} bytes {payload[:24]!r}"

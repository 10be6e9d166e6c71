"""The test cases, numbered as in a well-known suite. A case is data; run.py plays it.

`send` is a list of frames (opcode, payload[, fin[, rsv]]). `expect` lists the expected replies, in order. `end` is the
end of the connection. None: we close with 1000. A number: the peer closes with this code before we do. Closing: we send
that Close frame and the frames after it.
"""

import random
from dataclasses import dataclass, field

from peer import BINARY, CLOSE, CONTINUATION, FINAL, FINAL_WITHOUT_PADDING, PING, PONG, SYNC, TEXT

KIB, MIB = 1 << 10, 1 << 20
DEFAULT_OFFER = "permessage-deflate; client_max_window_bits"  # a client's default offer; browsers offer the same
FRAMEWISE = -1  # one write per frame


@dataclass
class Closing:
    body: bytes
    codes: tuple  # accepted codes of the answer; None: without a body
    after: list = field(default_factory=list)  # frames after our Close frame


@dataclass
class Rounds:
    """`count` messages, each sent after the previous one was echoed."""

    opcode: int
    size: int
    count: int = 1
    fragment: int = 0
    sample: str = ""  # which text or data; "": one repeated byte
    ending: int = SYNC  # the end of a compressed message


@dataclass
class Case:
    id: str
    behaviour: str
    send: list = field(default_factory=list)
    expect: list = field(default_factory=list)
    end: object = None
    chop: int = 0  # bytes per write; 0: everything at once; FRAMEWISE
    held_back: int = 0  # number of bytes at the end that are never sent
    rounds: Rounds | None = None
    offer: str = ""  # our permessage-deflate offer as the client
    answer: str = ""  # our answer to the client's offer, as the server


def text(payload):
    return (TEXT, payload)


def code(number, reason=b""):
    return number.to_bytes(2, "big") + reason


def pieces(payload, size):
    """Returns a text message in fragments of the given size in bytes."""
    parts = [payload[i : i + size] for i in range(0, len(payload), size)]
    return [(TEXT if i == 0 else CONTINUATION, part, i == len(parts) - 1) for i, part in enumerate(parts)]


def framing():
    for group, (opcode, name, byte) in enumerate([(TEXT, "text", b"*"), (BINARY, "binary", b"\xfe")], 1):
        for number, size in enumerate([0, 125, 126, 127, 128, 65535, 65536, 65536], 1):
            chop = 997 if number == 8 else 0
            how = ", written in pieces of 997 bytes" if chop else ""
            yield Case(f"1.{group}.{number}", f"{name} message of {size} bytes{how}: comes back",
                       [(opcode, byte * size)], [(opcode, byte * size)], chop=chop)


def pings():
    data, full = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125
    ten = [b"payload-%d" % i for i in range(10)]
    asked, answered = [(PING, p) for p in ten], [(PONG, p) for p in ten]
    yield Case("2.1", "empty Ping: empty Pong", [(PING, b"")], [(PONG, b"")])
    yield Case("2.2", "Ping with text: the same in the Pong", [(PING, b"Hello")], [(PONG, b"Hello")])
    yield Case("2.3", "Ping with bytes that are not text: the same in the Pong", [(PING, data)], [(PONG, data)])
    yield Case("2.4", "Ping of 125 bytes, the maximum", [(PING, full)], [(PONG, full)])
    yield Case("2.5", "Ping of 126 bytes: fails", [(PING, full + b"!")], end=1002)
    yield Case("2.6", "Ping of 125 bytes, written byte by byte", [(PING, full)], [(PONG, full)], chop=1)
    yield Case("2.7", "unsolicited empty Pong: ignored", [(PONG, b"")])
    yield Case("2.8", "unsolicited Pong with a payload: ignored", [(PONG, b"unasked")])
    yield Case("2.9", "such a Pong, then a Ping: only the Ping is answered",
               [(PONG, b"unasked"), (PING, b"asked")], [(PONG, b"asked")])
    yield Case("2.10", "ten Pings: ten Pongs in their order", asked, answered)
    yield Case("2.11", "ten Pings, written byte by byte", asked, answered, chop=1)


def reserved_bits():
    hello = text(b"Hello")
    ping = (PING, b"")
    yield Case("3.1", "text with RSV 1: fails", [(TEXT, b"Hello", True, 1)], end=1002)
    for number, (rsv, chop, how) in enumerate([(2, 0, "at once"), (3, FRAMEWISE, "frame by frame"),
                                               (4, 1, "byte by byte")], 2):
        yield Case(f"3.{number}", f"good text, then text with RSV {rsv}, {how}: the first comes back, then fails",
                   [hello, (TEXT, b"Hello", True, rsv)] + ([ping] if chop != 1 else []), [hello], 1002, chop)
    yield Case("3.5", "binary with RSV 5: fails", [(BINARY, b"\0\xff", True, 5)], end=1002)
    yield Case("3.6", "Ping with RSV 6: fails", [(PING, b"Hello", True, 6)], end=1002)
    yield Case("3.7", "Close with RSV 7: fails", [(CLOSE, code(1000), True, 7)], end=1002)


def opcodes():
    hello = text(b"Hello")
    for group, first, kind in [(1, 3, "data"), (2, 11, "control")]:
        for number in range(1, 6):
            opcode = first + number - 1
            payload = b"" if number % 2 else b"reserved"
            body = f"with {len(payload)} bytes" if payload else "without payload"
            if number < 3:
                yield Case(f"4.{group}.{number}", f"reserved {kind} opcode {opcode} {body}: fails",
                           [(opcode, payload)], end=1002)
            else:
                yield Case(f"4.{group}.{number}",
                           f"good text, then reserved {kind} opcode {opcode} {body}: the text comes back, then fails",
                           [hello, (opcode, payload)], [hello], 1002, 1 if number == 5 else 0)


def fragmentation():
    ways = [(0, "at once"), (FRAMEWISE, "frame by frame"), (1, "byte by byte")]
    two = [(TEXT, b"fragment1", False), (CONTINUATION, b"fragment2")]
    both = text(b"fragment1fragment2")
    ping, pong = (PING, b"between"), (PONG, b"between")
    yield Case("5.1", "Ping in two fragments: fails", [(PING, b"frag", False), (CONTINUATION, b"ment")], end=1002)
    yield Case("5.2", "Pong in two fragments: fails", [(PONG, b"frag", False), (CONTINUATION, b"ment")], end=1002)
    for i, (chop, how) in enumerate(ways):
        yield Case(f"5.{3 + i}", f"text in two fragments, {how}: comes back whole", two, [both], chop=chop)
    for i, (chop, how) in enumerate(ways):
        yield Case(f"5.{6 + i}", f"a Ping between two fragments, {how}: Pong first, then the text",
                   [two[0], ping, two[1]], [pong, both], chop=chop)
    for i, (chop, how) in enumerate(ways):
        yield Case(f"5.{9 + i}", f"a last fragment without a first one, {how}: fails",
                   [(CONTINUATION, b"orphan")] + ([text(b"Hello")] if chop == 0 else []), end=1002, chop=chop)
    for i, (chop, how) in enumerate(ways):
        yield Case(f"5.{12 + i}", f"a middle fragment without a first one, {how}: fails",
                   [(CONTINUATION, b"orphan", False)] + ([text(b"Hello")] if chop == 0 else []), end=1002, chop=chop)
    yield Case("5.15", "a good fragmented text, then a fragment that continues nothing: the text comes back, then fails",
               [*two, (CONTINUATION, b"orphan", False), text(b"Hello")], [both], 1002)
    yield Case("5.16", "a middle fragment that continues nothing, before a fragmented text: fails",
               [(CONTINUATION, b"orphan", False), *two], end=1002)
    yield Case("5.17", "a last fragment that continues nothing, before a fragmented text: fails",
               [(CONTINUATION, b"orphan"), *two], end=1002)
    yield Case("5.18", "a second text begins before the first one's end: fails",
               [(TEXT, b"one", False), text(b"two")], end=1002)
    many = [(TEXT, b"one", False), (CONTINUATION, b"two", False), ping, (CONTINUATION, b"three", False),
            (CONTINUATION, b"four", False), ping, (CONTINUATION, b"five")]
    for i, (chop, how) in enumerate(ways[:2]):
        yield Case(f"5.{19 + i}", f"text in five fragments with two Pings between them, {how}",
                   many, [pong, pong, text(b"onetwothreefourfive")], chop=chop)


def hex_list(*items):
    return [bytes.fromhex(item) for item in items]


def utf8():
    greek = "κόσμε".encode()
    mixed = "Hello-µ@ßöäüàá-UTF-8!!".encode()
    surrogate = b"\xed\xa0\x80"
    bad = greek + surrogate + b"edited"
    yield Case("6.1.1", "empty text", [text(b"")], [text(b"")])
    yield Case("6.1.2", "text of three empty fragments",
               [(TEXT, b"", False), (CONTINUATION, b"", False), (CONTINUATION, b"")], [text(b"")])
    yield Case("6.1.3", "text of three fragments, the outer ones empty",
               [(TEXT, b"", False), (CONTINUATION, b"middle", False), (CONTINUATION, b"")], [text(b"middle")])
    yield Case("6.2.1", "valid text with letters of several bytes", [text(mixed)], [text(mixed)])
    yield Case("6.2.2", "the same in two fragments, split between letters", pieces(mixed, 12), [text(mixed)])
    yield Case("6.2.3", "the same in fragments of one byte", pieces(mixed, 1), [text(mixed)])
    yield Case("6.2.4", "Greek in fragments of one byte", pieces(greek, 1), [text(greek)])
    yield Case("6.3.1", "text with a surrogate in it: fails", [text(bad)], end=1007)
    yield Case("6.3.2", "the same in fragments of one byte: fails", pieces(bad, 1)[: len(greek) + 2], end=1007)
    beyond = greek + b"\xf4\x90\x80\x80" + b"edited"
    for number, cut, what in [(1, len(greek) + 4, "just after an invalid code point"),
                              (2, len(greek) + 2, "at the first byte that cannot be valid")]:
        yield Case(f"6.4.{number}", f"fragments that end {what}: fails before the rest is sent",
                   [(TEXT, beyond[: len(greek)], False), (CONTINUATION, beyond[len(greek) : cut], False)],
                   end=1007, chop=FRAMEWISE)
        yield Case(f"6.4.{number + 2}", f"one frame that stops {what}: fails before the rest is sent",
                   [text(beyond)], end=1007, chop=len(greek), held_back=len(beyond) - cut)
    for group, (what, payloads) in enumerate(utf8_groups(greek), 5):
        for number, payload in enumerate(payloads, 1):
            try:
                payload.decode()
                verdict, expect, end = "comes back", [text(payload)], None
            except UnicodeDecodeError:
                verdict, expect, end = "fails", [], 1007
            shown = payload.hex(" ").upper() if len(payload) <= 16 else f"{len(payload)} bytes"
            yield Case(f"6.{group}.{number}", f"{what} ({shown}): {verdict}", [text(payload)], expect, end)


def utf8_groups(greek):
    """Groups 6.5 to 6.23. Python's strict decoder decides whether a payload is valid."""
    incomplete = hex_list("c0", "e080", "f08080", "f8808080", "fc80808080",
                          "df", "efbf", "f7bfbf", "fbbfbfbf", "fdbfbfbfbf")
    surrogates = ["d800", "db7f", "db80", "dbff", "dc00", "df80", "dfff"]
    pairs = [(high, low) for high in ("d800", "db7f", "db80", "dbff") for low in ("dc00", "dfff")]

    def lone(number):
        return chr(int(number, 16)).encode("utf-8", "surrogatepass")

    yield "Greek, letter by letter", ["κόσμε"[: i + 1].encode() for i in range(5)]
    yield "Greek, cut after each byte", [greek[: i + 1] for i in range(len(greek))]
    yield "smallest code point of a length", hex_list("00", "c280", "e0a080", "f0908080")
    yield "smallest sequence of a length that is too long", hex_list("f888808080", "fc8480808080")
    yield "largest code point of a length", hex_list("7f", "dfbf", "efbfbf", "f48fbfbf")
    yield "largest sequence of a lead byte, beyond Unicode", hex_list("f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf")
    yield "next to a boundary", hex_list("ed9fbf", "ee8080", "efbfbd", "f48fbfbf", "f4908080")
    yield "continuation bytes alone", [*hex_list("80", "bf", "80bf", "80bf80", "80bf80bf", "80bf80bf80",
                                                 "80bf80bf80bf"), bytes(range(0x80, 0xC0))]
    yield "lead bytes, each before a space", [b"".join(bytes([i, 0x20]) for i in part) for part in
                                              (range(0xC0, 0xE0), range(0xE0, 0xF0), range(0xF0, 0xF8),
                                               range(0xF8, 0xFC), range(0xFC, 0xFE))]
    yield "the last byte is missing", incomplete
    yield "all of those one after the other", [b"".join(incomplete)]
    yield "bytes that never occur", hex_list("fe", "ff", "fefeffff")
    yield "a slash, longer than needed", hex_list("c0af", "e080af", "f08080af", "f8808080af", "fc80808080af")
    yield "largest sequence that is longer than needed", hex_list("c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf",
                                                                  "fc83bfbfbfbf")
    yield "zero, longer than needed", hex_list("c080", "e08080", "f0808080", "f880808080", "fc8080808080")
    yield "one surrogate", [lone(number) for number in surrogates]
    yield "a pair of surrogates", [lone(high) + lone(low) for high, low in pairs]
    yield "a noncharacter, which is valid", [chr(plane << 16 | low).encode() for plane in range(17)
                                             for low in (0xFFFE, 0xFFFF)]
    yield "a special character", [chr(number).encode() for number in (*range(0xFFF9, 0xFFFE), 0xFEFF, 0x2028)]


def closing():
    hello, ping = text(b"Hello"), (PING, b"")
    normal = code(1000)
    yield Case("7.1.1", "a text, then Close: the text comes back, then Close", [hello], [hello])
    for number, what, after in [(2, "a second Close", [(CLOSE, normal)]), (3, "a Ping", [ping]),
                                (4, "a text", [hello])]:
        yield Case(f"7.1.{number}", f"{what} after Close: ignored", end=Closing(normal, (1000,), after))
    yield Case("7.1.5", "Close before a message's last fragment: closes, the message is dropped",
               [(TEXT, b"fragment1", False)], end=Closing(normal, (1000,), [(CONTINUATION, b"fragment2")]))
    big = text(b"BAsd7&jh23" * 26215)
    yield Case("7.1.6", "a text of 256 KiB, then Close and Ping: the text comes back, then Close",
               [big], [big], Closing(normal, (1000,), [ping]))
    yield Case("7.3.1", "Close without a body", end=Closing(b"", (None, 1000)))
    yield Case("7.3.2", "Close with a body of one byte: fails", [(CLOSE, b"a")], end=1002)
    yield Case("7.3.3", "Close with a code", end=Closing(normal, (1000,)))
    yield Case("7.3.4", "Close with a code and a reason", end=Closing(code(1000, b"Hello World!"), (1000,)))
    yield Case("7.3.5", "Close with the longest reason, 123 bytes", end=Closing(code(1000, b"*" * 123), (1000,)))
    yield Case("7.3.6", "Close with a reason of 124 bytes: fails", [(CLOSE, code(1000, b"*" * 124))], end=1002)
    yield Case("7.5.1", "Close with a reason that is not UTF-8: fails",
               [(CLOSE, code(1000, b"\xce\xba\xed\xa0\x80"))], end=1007)
    valid = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999, 1012, 1013, 1014]
    for number, value in enumerate(valid, 1):
        yield Case(f"7.7.{number}", f"Close with code {value}: the same code back",
                   end=Closing(code(value), (value,)))
    for number, value in enumerate([0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999], 1):
        yield Case(f"7.9.{number}", f"Close with code {value}: fails", [(CLOSE, code(value))], end=1002)
    for number, value in enumerate([5000, 65535], 1):
        yield Case(f"7.13.{number}", f"Close with code {value}, out of every range: fails",
                   [(CLOSE, code(value))], end=1002)


def sizes():
    def size_name(size):
        return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB" if size >= KIB else f"{size} bytes"

    kinds = [(TEXT, "text"), (BINARY, "binary")]
    for i, (opcode, name) in enumerate(kinds):
        for number, size in enumerate([64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB], 1):
            yield Case(f"9.{1 + i}.{number}", f"{name} of {size_name(size)} in one frame",
                       rounds=Rounds(opcode, size))
    for i, (opcode, name) in enumerate(kinds):
        for number in range(9):
            fragment = 64 << 2 * number
            yield Case(f"9.{3 + i}.{number + 1}", f"{name} of 4 MiB in fragments of {size_name(fragment)}",
                       rounds=Rounds(opcode, 4 * MIB, fragment=fragment))
    for i, (opcode, name) in enumerate(kinds):
        for number in range(6):
            chop = 64 << number
            yield Case(f"9.{5 + i}.{number + 1}", f"{name} of 1 MiB, written in pieces of {size_name(chop)}",
                       rounds=Rounds(opcode, MIB), chop=chop)
    for i, (opcode, name) in enumerate(kinds):
        for number, size in enumerate([0, 16, 64, 256, KIB, 4 * KIB], 1):
            yield Case(f"9.{7 + i}.{number}", f"1000 {name} messages of {size_name(size)}, one after the other",
                       rounds=Rounds(opcode, size, 1000))


def miscellaneous():
    yield Case("10.1.1", "text of 64 KiB in fragments of 1300 bytes", rounds=Rounds(TEXT, 64 * KIB, fragment=1300))


SAMPLES = {}


def sample(name):
    """Returns 512 KiB of generated data of one kind."""
    if name not in SAMPLES:
        SAMPLES[name] = make_sample(name, random.Random(name))[: 512 * KIB]
    return SAMPLES[name]


def make_sample(name, dice):
    words = "wave harbour lantern copper quiet morning drift signal orchard ladder river stone".split()
    if name == "random":
        return dice.randbytes(512 * KIB)
    if name == "picture":
        return b"".join(bytes([row & 255, column >> 2 & 255, (row ^ column) & 240, dice.choice((0, 1))])
                        for row in range(256) for column in range(512))
    lines = []
    for number in range(9000):
        some = " ".join(dice.choices(words, k=7))
        if name == "JSON":
            lines.append(f'{{"id":{number},"name":"{some}","value":{dice.random():.6f},"on":true}},\n')
        elif name == "HTML":
            lines.append(f'<li class="row"><a href="/item/{number}">{some}</a><span>{dice.randrange(999)}</span></li>\n')
        else:
            lines.append(f"{some.capitalize()}, {dice.choice(words)} {dice.choice(words)} {number}.\n")
    return "".join(lines).encode()


PARAMETERS = [  # (name, what we offer as the client, what we answer as the server)
    ("no parameters", "permessage-deflate", "permessage-deflate"),
    ("no context takeover", "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
     "permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
    ("windows of 9 bits", "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
     "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9"),
    ("windows of 15 bits", "permessage-deflate; server_max_window_bits=15; client_max_window_bits",
     "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15"),
    ("no context takeover, windows of 9 bits",
     "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits",
     "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; "
     "client_max_window_bits=9"),
    ("no context takeover, windows of 15 bits",
     "permessage-deflate; server_no_context_takeover; server_max_window_bits=15",
     "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=15"),
    ("several offers, or different windows",
     "permessage-deflate; server_no_context_takeover; server_max_window_bits=9, "
     "permessage-deflate; server_no_context_takeover, permessage-deflate",
     "permessage-deflate; server_max_window_bits=10; client_max_window_bits=13"),
]
COMPRESSED = [(16 << 2 * n if n < 5 else 4 * KIB << (n - 4), 0) for n in range(10)] + [
    (8 * KIB << n, 256) for n in range(5)] + [(128 * KIB, KIB), (128 * KIB, 4 * KIB), (128 * KIB, 32 * KIB)]


def compressed(prefix, name, opcode, parameters):
    for number, (size, fragment) in enumerate(COMPRESSED, 1):
        count = max(2, min(40, 192 * KIB // size))
        how = f" in fragments of {fragment} bytes" if fragment else ""
        yield Case(f"{prefix}.{number}", f"{parameters[0]}: {count} messages ({name}) of {size} bytes{how}",
                   rounds=Rounds(opcode, size, count, fragment, name), offer=parameters[1], answer=parameters[2])


def compression():
    kinds = [("JSON", TEXT), ("picture", BINARY), ("prose", TEXT), ("random", BINARY), ("HTML", TEXT)]
    default = ("compressed", "permessage-deflate; client_max_window_bits", "permessage-deflate")
    for group, (name, opcode) in enumerate(kinds, 1):
        yield from compressed(f"12.{group}", name, opcode, default)
    for group, parameters in enumerate(PARAMETERS, 1):
        yield from compressed(f"13.{group}", "JSON", TEXT, parameters)
    yield from windows()
    yield from final_blocks()


def windows():
    """One window size each. A server has no deflater for 8 bits, so there the next offer applies."""
    for number, bits in enumerate(range(8, 16), 1):
        # With 8 bits, only messages that fit into the window are compressed.
        rounds = Rounds(TEXT, 256 if bits == 8 else 8 * KIB, 12, sample="JSON")
        for group, side in [(8, "client"), (9, "server")]:
            parameter = f"permessage-deflate; {side}_max_window_bits={bits}"
            second = ", permessage-deflate" if (side, bits) == ("server", 8) else ""
            yield Case(f"13.{group}.{number}", f"{side}_max_window_bits={bits}: 12 messages (JSON) of {rounds.size} bytes",
                       rounds=rounds, offer=parameter + second, answer=parameter)


def final_blocks():
    for group, (ending, how) in enumerate([(FINAL, "with"), (FINAL_WITHOUT_PADDING, "without")], 10):
        for number, (size, fragment) in enumerate([(16, 0), (1024, 0), (64 * KIB, 0), (64 * KIB, 1000)], 1):
            in_fragments = f" in fragments of {fragment} bytes" if fragment else ""
            yield Case(f"13.{group}.{number}", f"final blocks {how} the zero byte behind them: 12 messages (prose) of "
                       f"{size} bytes{in_fragments}", rounds=Rounds(TEXT, size, 12, fragment, "prose", ending),
                       offer="permessage-deflate", answer="permessage-deflate")


SECTIONS = [
    ("1", "Framing", framing), ("2", "Ping and Pong", pings), ("3", "Reserved bits", reserved_bits),
    ("4", "Opcodes", opcodes), ("5", "Fragmentation", fragmentation), ("6", "UTF-8", utf8),
    ("7", "Closing", closing), ("9", "Sizes and counts", sizes), ("10", "Miscellaneous", miscellaneous),
    ("12, 13", "permessage-deflate", compression),
]

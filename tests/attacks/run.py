#!/usr/bin/env python3
"""Misbehaving clients against the library's server: run.py --server BIN [--loop uring|epoll] [--attack NAME].

BIN is tests/programs/echo_server. Each attack must end as its limit specifies. Meanwhile an honest client, in a
separate process on the same loop of the same server, continues its round trips. Prints one line per attack, with
the honest client's results, and "N passed, N failed".
"""

import argparse
import os
import pathlib
import re
import resource
import socket
import subprocess
import sys
import threading
import time
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "conformance"))
from peer import BINARY, CLOSE, PING, TEXT, Peer, Violation  # noqa: E402

PATIENCE_S = 60  # for anything that must arrive; a busy machine is slow
HONEST_WORST_S = 10  # one round trip of the honest client, even on a slow machine
HALF_HANDSHAKES = 5000
LIMITS = {"threads": 1, "handshake_ms": 2000, "close_ms": 1000, "idle_ms": 4000, "outbox_bytes": 256 << 10}
MEBIBYTE = 1 << 20


def dial(address, receive_bytes=0):
    connection = socket.socket(socket.AF_INET)
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(PATIENCE_S)
    connection.connect(address)
    return connection


def open_websocket(address, offer=None, receive_bytes=0):
    peer = Peer(dial(address, receive_bytes), masking=True)
    peer.handshake_as_client("here", offer)
    return peer


def read_to_end(connection):
    data = b""
    while True:
        try:
            piece = connection.recv(1 << 16)
        except ConnectionResetError:
            return data
        if not piece:
            return data
        data += piece


def until(what, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise Violation(f"waited in vain: {what}")
        time.sleep(0.02)


class Server:
    def __init__(self, binary, **settings):
        arguments = [f"{name}={value}" for name, value in settings.items()]
        self.process = subprocess.Popen([binary, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        host, port = self.process.stdout.readline().strip().split("//")[1].split(":")
        self.address = host, int(port)

    def stop(self):
        self.process.stdin.close()
        if self.process.wait(PATIENCE_S):
            raise Violation(f"the server ended with status {self.process.returncode}")

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0


class Honest:
    """The honest client's process. Each report covers the time since the previous one."""

    def __init__(self, address):
        self.process = subprocess.Popen([sys.executable, __file__, "--honest", "%s:%d" % address],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seen()

    def seen(self):
        """Returns (round trips, worst in seconds), for at least ten round trips."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            raise Violation("the honest client was harmed")
        return int(answer[0]), float(answer[1])

    def stop(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)


def be_honest(address):
    peer = open_websocket(address)
    asked = threading.Semaphore(0)

    def listen():
        for _ in sys.stdin:
            asked.release()
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    count, worst, number = 0, 0.0, 0
    while True:
        number += 1
        began = time.monotonic()
        text = b"honest %d" % number
        peer.send(peer.frame(TEXT, text))
        peer.expect(TEXT, text)
        count, worst = count + 1, max(worst, time.monotonic() - began)
        if count >= 10 and asked.acquire(blocking=False):
            print(count, worst, flush=True)
            count, worst = 0, 0.0
        time.sleep(0.005)


# ---- the attacks: each returns when the limit has ended it ----


def half_handshakes(server):
    before = server.fds()
    connections = []
    for _ in range(HALF_HANDSHAKES):
        connection = dial(server.address)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: webso")
        connections.append(connection)
    for connection in connections:
        answer = read_to_end(connection)
        connection.close()
        if not answer.startswith(b"HTTP/1.1 408 "):
            raise Violation(f"half a handshake was answered {answer[:60]!r}")
    until("the server forgets them", lambda: server.fds() <= before)


def half_handshake_byte_by_byte(server):
    connection = dial(server.address)
    connection.settimeout(0.2)
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Slow: yes\r\n" * 1000
    for byte in request:
        connection.sendall(bytes([byte]))
        try:
            answer = connection.recv(1 << 16)
        except TimeoutError:
            continue
        if not answer.startswith(b"HTTP/1.1 408 "):
            raise Violation(f"answered {answer[:60]!r}")
        return
    raise Violation("a head came byte by byte, and took as long as it liked")


def message_byte_by_byte(server):
    peer = open_websocket(server.address)
    frame = peer.frame(TEXT, b"x" * 1000)
    peer.send(frame[:20])
    peer.socket.settimeout(0.2)
    for byte in frame[20:]:
        peer.send(bytes([byte]))
        try:
            peer.expect_close([1008])
        except Violation as silence:
            if str(silence) != "silence":
                raise
            continue
        return
    raise Violation("a message came byte by byte, and took as long as it liked")


def send_until_dropped(server, data):
    """Never reads; returns when the connection has ended."""
    peer = open_websocket(server.address, receive_bytes=4096)
    resident = server.resident_bytes()
    # Limited only by time: a fast machine sends gigabytes while the closing server discards them.
    deadline = time.monotonic() + PATIENCE_S
    sent = 0
    while True:
        try:
            sent += peer.socket.send(data)
        except (ConnectionResetError, BrokenPipeError):
            break
        if time.monotonic() > deadline:
            raise Violation(f"it may send for ever without reading: {sent} bytes in {PATIENCE_S} s")
    grown = server.resident_bytes() - resident
    if grown > 64 * MEBIBYTE:
        raise Violation(f"the server holds {grown / MEBIBYTE:.0f} MiB more than before")


def never_reader(server):
    send_until_dropped(server, Peer.frame(MASKING, BINARY, bytes(1 << 16)))


def never_reader_of_pongs(server):
    send_until_dropped(server, Peer.frame(MASKING, PING, bytes(125)) * 500)


def late_reader(server):
    """Reads too late, and finds the close reason."""
    patient = Server(server.process.args[0], **{**server.settings, "close_ms": 60_000})
    peer = open_websocket(patient.address, receive_bytes=4096)
    peer.send(peer.frame(BINARY, bytes(1 << 16)) * 256)
    while True:
        opcode, payload = peer.receive()
        if opcode == CLOSE:
            break
    if payload[:2] != (1013).to_bytes(2, "big"):
        raise Violation(f"closed with {payload!r}")
    peer.socket.close()
    patient.stop()


def huge_header(server):
    resident = server.resident_bytes()
    for size in (1 << 30, (1 << 63) - 1):
        peer = open_websocket(server.address)
        peer.send(b"\x82\xff" + size.to_bytes(8, "big") + b"\0\0\0\0")
        peer.expect_close([1009])
        peer.expect_end()
    if server.resident_bytes() - resident > 16 * MEBIBYTE:
        raise Violation("a header alone took memory")


def deflate_bomb(server):
    deflater = zlib.compressobj(9, zlib.DEFLATED, -12)
    bomb = deflater.compress(bytes(64 * MEBIBYTE)) + deflater.flush(zlib.Z_SYNC_FLUSH)
    peers = []
    resident = server.resident_bytes()
    for _ in range(8):
        peer = open_websocket(server.address, "permessage-deflate")
        peer.send(peer.frame(BINARY, bomb[:-4], rsv=4))
        peers.append(peer)
    for peer in peers:
        peer.expect_close([1009])
        peer.expect_end()
    grown = server.resident_bytes() - resident
    if grown > 128 * MEBIBYTE:  # eight of them would be 512 MiB
        raise Violation(f"the server holds {grown / MEBIBYTE:.0f} MiB more than before")


def empty_fragments(server):
    peer = open_websocket(server.address)
    peer.send(peer.frame(BINARY, fin=False) + peer.frame(0, fin=False) * 100_000)
    peer.expect_close([1009])
    peer.expect_end()


def flood(server):
    """Sends five million small messages as fast as possible, and reads their echoes."""
    peer = open_websocket(server.address)
    count = 5_000_000
    writer = threading.Thread(target=lambda: [peer.send(peer.frame(TEXT, b"x") * 1000) for _ in range(count // 1000)])
    writer.start()
    received = 0
    while received < 3 * count:
        piece = peer.socket.recv(1 << 18)
        if not piece:
            raise Violation("a client that reads was dropped")
        received += len(piece)
    writer.join()


class Masking:
    masking = True


MASKING = Masking()
ATTACKS = [half_handshakes, half_handshake_byte_by_byte, message_byte_by_byte, never_reader, never_reader_of_pongs,
           late_reader, huge_header, deflate_bomb, empty_fragments, flood]


def attack_all(options):
    settings = dict(LIMITS, loop=options.loop)
    server = Server(options.server, **settings)
    server.settings = settings
    honest = Honest(server.address)
    passed = failed = 0
    for attack in ATTACKS:
        if options.attack not in attack.__name__:
            continue
        began = time.monotonic()
        try:
            honest.seen()
            attack(server)
            trips, worst = honest.seen()
            if worst > HONEST_WORST_S:
                raise Violation(f"the honest client waited {worst:.1f} s")
            passed += 1
            verdict = f"ok   {attack.__name__} ({options.loop}): honest round trips {trips}, worst {worst * 1000:.1f} ms"
        except (Violation, OSError) as error:
            failed += 1
            verdict = f"FAIL {attack.__name__} ({options.loop}): {type(error).__name__}: {error}"
        print(f"{verdict}, {time.monotonic() - began:.1f} s", flush=True)
    honest.stop()
    server.stop()
    return passed, failed


def attack_both(options):
    """Runs attacks concurrently: most of an attack's time is spent waiting for the limit."""
    command = [sys.executable, __file__, "--server", options.server, "--attack", options.attack, "--loop"]
    runs = [subprocess.Popen([*command, loop], stdout=subprocess.PIPE, text=True) for loop in ("uring", "epoll")]
    passed = failed = 0
    for run in runs:
        *lines, last = run.communicate()[0].splitlines() or ["0 passed, 1 failed"]
        print("\n".join(lines), flush=True)
        good, bad = re.fullmatch(r"(\d+) passed, (\d+) failed", last).groups()
        passed, failed = passed + int(good), failed + int(bad)
    return passed, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server")
    parser.add_argument("--loop", choices=["uring", "epoll"])
    parser.add_argument("--attack", default="", help="only those whose name contains this")
    parser.add_argument("--honest", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.honest:
        host, port = options.honest.split(":")
        be_honest((host, int(port)))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most != resource.RLIM_INFINITY and most < HALF_HANDSHAKES + 200:
        print(f"attacks: {most} descriptors are too few for {HALF_HANDSHAKES} half handshakes", file=sys.stderr)
        return 1
    passed, failed = attack_all(options) if options.loop else attack_both(options)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

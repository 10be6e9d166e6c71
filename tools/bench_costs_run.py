"""The programs of ./dev bench --costs: a server whose costs are read, and loads that are paced by their own progress lines."""

import json
import os
import pathlib
import re
import socket
import subprocess
import threading
import time
import urllib.request

from bench import make_certificate
from bench_attacks_run import DIRECTLY, READY_S, SHUTDOWN_PATIENCE_S, Output
from bench_attacks_wire import TEXT, frame
from bench_contestants import LOAD_CORE, SERVER_CORE, Failed
from bench_serve import PROGRAM as BUILT

PROGRAM = pathlib.Path(os.environ.get("FANFARE_BIN", BUILT))
PAGE_BYTES = 4096
# What the kernel allocates for a connection, both ends: protocol block, inode, file, directory entry, entry in an epoll set.
CACHES = ("TCP", "sock_inode_cache", "filp", "dentry", "eventpoll_epi", "ep_head", "request_sock_TCP")
UPGRADE = ("GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
SAMPLE_S = 0.02
BLOCKS_S = 90
BLOCK_NUMBER = b'{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"}'


def slab_bytes():
    total = 0
    for line in pathlib.Path("/proc/slabinfo").read_text().splitlines():
        fields = line.split()
        if fields[0] in CACHES:
            total += int(fields[1]) * int(fields[3])
    return total


def tcp_buffer_bytes():
    """The kernel's buffers of all TCP sockets: what net.ipv4.tcp_mem limits."""
    return int(re.search(r"TCP: .* mem (\d+)", pathlib.Path("/proc/net/sockstat").read_text())[1]) * PAGE_BYTES


def cpu_seconds(pid):
    """User and system time of all threads of a process that is running, in nanoseconds resolution."""
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def resident_bytes(pid):
    return int(re.search(r"^VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1]) << 10


class Child:
    """A program that runs until the end of the stage. What it prints is kept, so that `find` can wait for a line."""

    def __init__(self, command, core):
        self.process = subprocess.Popen(["taskset", "-c", core, *map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.output = Output(self.process.stdout)

    def find(self, pattern):
        end = time.monotonic() + READY_S
        while time.monotonic() < end and self.process.poll() is None:
            if found := re.search(pattern, self.output.head):
                return int(found[1])
            time.sleep(SAMPLE_S)  # style: polls a program that is starting
        raise Failed(f"no {pattern!r} from {self.process.args}: " + self.output.head.decode(errors="replace")[-600:])

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def resident_bytes(self):
        return resident_bytes(self.process.pid)

    def kill(self):
        self.process.terminate()
        try:
            self.process.wait(SHUTDOWN_PATIENCE_S + 3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Chain(Child):
    """A development chain, as a node."""

    def __init__(self, block_time):
        super().__init__([PROGRAM, "serve", "--dev", "--no-web", "--http-port", "0", "--ws-port", "0", "--dev-block-time", block_time], LOAD_CORE)
        self.port = self.find(rb"HTTP JSON-RPC  http://\S+?:(\d+)")

    def block(self):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}", BLOCK_NUMBER, {"content-type": "application/json"})
        return int(json.loads(DIRECTLY.open(request, timeout=10).read())["result"], 16)

    def wait_for_blocks(self, count):
        """Returns the number of the block that came last."""
        goal, end = self.block() + count, time.monotonic() + BLOCKS_S
        while (now := self.block()) < goal:
            if time.monotonic() > end:
                raise Failed(f"no {count} blocks within {BLOCKS_S} s")
            time.sleep(SAMPLE_S)  # style: polls a chain
        return now


class Server(Child):
    """`fanfare serve` with one loop on its core. `config` is the file without `server` and `metrics`."""

    def __init__(self, folder, config, tls=False, compression=False, ping_interval="60s", core=SERVER_CORE, name="server"):
        certificate = make_certificate(folder) if tls else None
        lines = ["server:", "  httpPort: 0", "  threads: 1", "  shutdownTimeout: 1s",
                 "  limits: { connectionsPerAddressMax: 0, connectionsPerSecondPerAddress: 0, batchItemsMax: 100000 }",
                 f"  websocket: {{ maxConnectionsPerNetwork: 100000, maxSubscriptionsPerConnection: 100000, pingInterval: {ping_interval},"
                 f" compression: {{ enabled: {str(compression).lower()}, minBytes: 64 }} }}"]
        if certificate:
            lines.append(f"  tls: {{ certificateFile: {certificate[0]}, keyFile: {certificate[1]} }}")
        lines.append("metrics: { port: 0 }")
        path = pathlib.Path(folder) / f"{name}.yaml"
        path.write_text("\n".join(lines) + "\n" + config)
        super().__init__([PROGRAM, "serve", "--config", path], core)
        self.scheme = "wss" if tls else "ws"
        self.metrics_port = self.find(rb"Metrics +http://\S+?:(\d+)/metrics")
        self.port = self.find(rb"(?:WebSocket|Streams) +wss?://\S+?:(\d+)/")
        self.wait_ready()

    def wait_ready(self):
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            try:
                if DIRECTLY.open(f"http://127.0.0.1:{self.metrics_port}/readyz", timeout=5).status == 200:
                    return
            except (OSError, urllib.request.HTTPError):
                pass  # not yet
            time.sleep(SAMPLE_S)  # style: polls a program that is starting
        raise Failed("the server is not ready: " + self.output.head.decode(errors="replace")[-600:])

    def url(self, path):
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def metric(self, name):
        """The sum of a metric over its labels."""
        text = DIRECTLY.open(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10).read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(name + r"[ {]", line))


class Sampler(threading.Thread):
    """The largest size of the kernel's TCP buffers while it runs."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most, self.ended = 0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(SAMPLE_S):
            self.most = max(self.most, tcp_buffer_bytes())

    def stop(self):
        self.ended.set()
        self.join()
        return self.most


class Load:
    """`fanfare bench`. Iterating yields its notes: progress of the connecting, then a line a second. `result` is there afterwards."""

    def __init__(self, url, connections, text, seconds, *flags):
        insecure = ["--insecure"] if url.startswith("wss") else []
        self.process = subprocess.Popen(
            ["taskset", "-c", LOAD_CORE, PROGRAM, "bench", url, "-c", str(connections), "-d", f"{seconds}s", "--json", "--subscribe", text,
             *insecure, *flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.result = None

    def __iter__(self):
        yield from self.process.stderr
        self.result = json.loads(self.process.stdout.read() or "{}")
        if self.process.wait() != 0:
            raise Failed(f"the load failed: {self.result}")

    def kill(self):
        self.process.kill()
        self.process.wait()


def is_open(note):
    return note.endswith("connections are open\n")


def second_of(note):
    """Of a line of the progress; None: another note."""
    found = re.match(r"(\d+) s  ", note)
    return int(found[1]) if found else None


class Drain(threading.Thread):
    """One WebSocket that sends texts once and then reads and counts bytes, without looking at them."""

    def __init__(self, port, path, texts):
        super().__init__(daemon=True)
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(UPGRADE.format(path=path).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.socket.recv(1 << 16)
            if not data:
                raise Failed(f"the upgrade was refused: {head!r}")
            head += data
        if b" 101 " not in head:
            raise Failed(f"the upgrade was refused: {head!r}")
        for text in texts:
            self.socket.sendall(frame(TEXT, text.encode(), masked=True))
        self.bytes, self.tail = 0, b""
        self.start()

    def wait_for(self, size):
        end = time.monotonic() + READY_S
        while self.bytes < size:
            if time.monotonic() > end:
                raise Failed(f"{self.bytes} bytes instead of {size}: {self.tail[-300:]!r}")
            time.sleep(SAMPLE_S)  # style: polls what another thread reads
        return self

    def run(self):
        try:
            while data := self.socket.recv(1 << 18):
                self.bytes += len(data)
                self.tail = (self.tail + data)[-4096:]
        except OSError:
            pass  # closed by the stage

    def kill(self):
        self.socket.close()

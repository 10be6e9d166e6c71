#!/usr/bin/env python3
"""A broker, three instances and haproxy on loopback. Usage: cluster.py [SECONDS]; ends with Ctrl-C, or after so many seconds.

Each instance is restarted by hand, or not at all: this only starts them, prints where to look and what to kill, and cleans up.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = pathlib.Path(os.environ.get("FANFARE_BIN", ROOT / "build/release/apps/fanfare/fanfare"))
INSTANCES = 3
START_SECONDS_MAX = 30


def free_ports(count):
    """Ports that are free now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def program(name, package):
    """The path of a program; ends with what to install if it is missing."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if not found:
        sys.exit(f"cluster: {name} is missing: apt-get install {package}")
    return found


def instance_config(port, node, broker):
    """A configuration with the example streams, polled from the development chain of `node`."""
    streams = (ROOT / "examples/streams/devchain.yaml").read_text().replace("network: main/1337", "upstream: node")
    streams = "\n".join("  " + line for line in streams.splitlines())
    return f"""server: {{ httpPort: {port}, shutdownTimeout: 5s }}
web: {{ enabled: {"true" if (BINARY.parents[2] / "share/fanfare/web").exists() else "false"} }}
relay: {{ nats: {{ servers: ["nats://127.0.0.1:{broker}"] }} }}
streams:
  upstreams: [{{ id: node, endpoint: "http://127.0.0.1:{node}/main/evm/1337" }}]
{streams}
"""


def haproxy_config(port, instances):
    """TCP in front of the instances that are ready."""
    servers = "\n".join(f"  server i{i + 1} 127.0.0.1:{p} check inter 500ms fall 2 rise 1" for i, p in enumerate(instances))
    return f"""defaults
  mode tcp
  timeout connect 2s
  timeout client 1h
  timeout server 1h
frontend all
  bind 127.0.0.1:{port}
  default_backend instances
backend instances
  balance leastconn
  option redispatch
  option httpchk GET /readyz
{servers}
"""


class Cluster:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.running = {}  # by name
        self.broker, self.node, self.front, *self.instances = free_ports(3 + INSTANCES)

    def start(self, name, command):
        log = open(self.folder / f"{name}.log", "a")
        self.running[name] = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def wait_for(self, name, is_there):
        end = time.monotonic() + START_SECONDS_MAX
        tick = threading.Event()
        while not is_there():
            if self.running[name].poll() is not None or time.monotonic() > end:
                sys.exit(f"cluster: {name} did not start:\n{(self.folder / f'{name}.log').read_text()[-2000:]}")
            tick.wait(0.05)

    def start_all(self):
        self.start("broker", [program("nats-server", "nats-server"), "-a", "127.0.0.1", "-p", str(self.broker), "-js",
                              "-sd", str(self.folder / "jetstream")])
        self.wait_for("broker", lambda: accepts(self.broker))
        self.start("node", [str(BINARY), "serve", "--port", str(self.node), "--log-level", "warn"])
        self.wait_for("node", lambda: answers(self.node, "/readyz"))
        for i, port in enumerate(self.instances):
            config = self.write(f"i{i + 1}.yaml", instance_config(port, self.node, self.broker))
            self.start(f"i{i + 1}", [str(BINARY), "serve", "--config", config])
        for i, port in enumerate(self.instances):
            self.wait_for(f"i{i + 1}", lambda port=port: answers(port, "/readyz"))
        config = self.write("haproxy.cfg", haproxy_config(self.front, self.instances))
        self.start("haproxy", [program("haproxy", "haproxy"), "-db", "-f", config])
        self.wait_for("haproxy", lambda: answers(self.front, "/healthz"))

    def stop_all(self):
        for name in reversed(self.running):
            if self.running[name].poll() is None:
                self.running[name].send_signal(signal.SIGTERM)
        for child in self.running.values():
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def describe(self):
        lines = [f"streams, through haproxy   ws://127.0.0.1:{self.front}/streams"]
        for i, port in enumerate(self.instances):
            child = self.running[f"i{i + 1}"]
            lines.append(f"instance i{i + 1}               ws://127.0.0.1:{port}/streams   pid {child.pid}")
        lines += [
            f"broker                     nats://127.0.0.1:{self.broker}   pid {self.running['broker'].pid}",
            f"logs                       {self.folder}",
            "",
            "Look:  web: npx wscat -c, or fanfare connect, with {\"type\":\"subscribe\",\"stream\":\"network_metrics\",\"position\":true}",
            f"       tail -f {self.folder}/i*.log     lease_taken shows who polls which stream",
            f"Kill:  kill -9 {self.running['i1'].pid}      another instance polls within two intervals; subscribe again with \"since\"",
            f"       kill -STOP {self.running['broker'].pid}   clients get a notice; kill -CONT: what was missed follows, once",
            f"       kill -TERM {self.running['i2'].pid}   a drain: its streams are handed over at once",
        ]
        return "\n".join(lines)


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def answers(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def main():
    if not BINARY.exists():
        sys.exit(f"cluster: {BINARY.name} is not built: ./dev build")
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else None
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with tempfile.TemporaryDirectory(prefix="fanfare-cluster-") as folder:
        cluster = Cluster(folder)
        try:
            cluster.start_all()
            print(cluster.describe(), flush=True)
            ended.wait(seconds)
        finally:
            cluster.stop_all()


if __name__ == "__main__":
    main()

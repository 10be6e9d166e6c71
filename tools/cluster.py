#!/usr/bin/env python3
"""A broker, a node, three instances and HAProxy on loopback: ./dev cluster. Ctrl-C stops all of it.

Every port is one that the system chose. A program that ends is started again, at the same port.
"""

import argparse
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = pathlib.Path(os.environ.get("FANFARE_BIN", ROOT / "build/release/apps/fanfare/fanfare"))
INSTANCES = ("i1", "i2", "i3")
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 10
AGAIN_AFTER_SECONDS = 3
PR_SET_PDEATHSIG = 1
REQUEST = '{"type":"subscribe","stream":"network_metrics","position":true}'


class Failure(Exception):
    pass


def streams(interval):
    """The definitions of the example, shared, and polled from a node of their own."""
    text = (ROOT / "examples/streams/devchain.yaml").read_text().replace("network: main/1337", "upstream: node\n    relay: true")
    return re.sub(r"interval: \S+", f"interval: {interval}", text) if interval else text


def has_page():
    return (BINARY.parents[2] / "share/fanfare/web/index.html").exists()


def instance_config(port, node, broker, interval):
    definitions = "\n".join("  " + line for line in streams(interval).splitlines())
    return f"""server: {{ httpPort: {port}, shutdownTimeout: 5s }}
web: {{ enabled: {str(has_page()).lower()} }}
relay: {{ nats: {{ servers: ["nats://127.0.0.1:{broker}"] }} }}
streams:
  upstreams: [{{ id: node, endpoint: "http://127.0.0.1:{node}" }}]
{definitions}
"""


def haproxy_config(descriptor, instances):
    """TCP in front of the instances that are ready. Not with on-marked-down shutdown-sessions: an instance that stops no longer listens, so it is
    down, but closes its connections over time. One that hangs loses its silent connections after `timeout server`, longer than pingInterval."""
    servers = "\n".join(f"  server {name} 127.0.0.1:{port} check inter 250ms fall 2 rise 1" for name, port in instances.items())
    return f"""global
  maxconn 2000
defaults
  mode tcp
  timeout connect 2s
  timeout client 90s
  timeout server 45s
  timeout check 1s
  option redispatch 1
frontend all
  bind fd@{descriptor}
  default_backend instances
backend instances
  balance leastconn
  option httpchk
  http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host 127.0.0.1
{servers}
"""


def program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not found:
        raise Failure(f"{name} is missing: apt-get install {name}")
    return found


def end_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Part:
    """A program. `command` gets its port, which is zero the first time; `find_port` finds it out, and is zero until it is there."""

    def __init__(self, cluster, name, command, find_port, descriptors=()):
        self.cluster, self.name, self.command, self.find_port, self.descriptors = cluster, name, command, find_port, descriptors
        self.log = cluster.folder / f"{name}.log"
        self.log.touch()
        self.port = 0
        self.child = None
        self.again_at = None  # it has ended

    def start(self):
        """Until its port is there."""
        self.again_at = None
        self.log_begin = self.log.stat().st_size
        with open(self.log, "a") as log:
            self.child = subprocess.Popen(self.command(self.port), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                                          preexec_fn=end_with_parent, pass_fds=self.descriptors)
        self.wait(lambda: self.find_port(self) != 0)
        self.port = self.find_port(self)

    def wait(self, is_there):
        end = time.monotonic() + START_SECONDS_MAX
        while not is_there():
            if self.child.poll() is not None or time.monotonic() > end:
                raise Failure(f"{self.name} did not start:\n{self.text()[-2000:]}")
            if self.cluster.stopping.wait(0.02):
                raise KeyboardInterrupt

    def text(self):
        """What it has logged since its start."""
        return self.log.read_bytes()[self.log_begin:].decode(errors="replace")


def listening_port(part):
    found = re.search(r"listening +address=\S+:(\d+)", part.text())
    return int(found[1]) if found else 0


def broker_port(part):
    file = part.cluster.folder / f"nats-server_{part.child.pid}.ports"
    try:
        return int(json.loads(file.read_text())["nats"][0].rsplit(":", 1)[1])
    except (OSError, ValueError):
        return 0


class Cluster:
    def __init__(self, folder, interval):
        self.folder = pathlib.Path(folder)
        self.stopping = threading.Event()
        self.parts = []
        self.front = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.interval = interval

    def add(self, *arguments, **more):
        part = Part(self, *arguments, **more)
        self.parts.append(part)
        part.start()
        return part

    def start_all(self):
        folder = self.folder
        self.broker = self.add("broker", lambda port: [
            program("nats-server"), "-a", "127.0.0.1", "-p", str(port or -1), "-js", "-sd", str(folder / "jetstream"),
            "--ports_file_dir", str(folder)], broker_port)
        self.node = self.add("node", lambda port: [
            str(BINARY), "serve", "--dev", "--no-web", "--ws-port", "0", "--http-port", str(port)], listening_port)
        self.instances = [self.add(name, lambda port, name=name: self.instance_command(name, port), listening_port) for name in INSTANCES]
        config = folder / "haproxy.cfg"
        config.write_text(haproxy_config(self.front.fileno(), {one.name: one.port for one in self.instances}))
        self.proxy = self.add("haproxy", lambda _port: [program("haproxy"), "-db", "-f", str(config)],
                              lambda _part: self.front.getsockname()[1], descriptors=(self.front.fileno(),))
        self.proxy.wait(self.is_served)

    def instance_command(self, name, port):
        config = self.folder / f"{name}.yaml"
        config.write_text(instance_config(port, self.node.port, self.broker.port, self.interval))
        return [str(BINARY), "serve", "--config", str(config)]

    def is_served(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.proxy.port}/readyz", timeout=1) as response:
                return response.status == 200
        except OSError:
            return False

    def watch(self):
        """Until Ctrl-C: starts again what has ended."""
        while not self.stopping.wait(0.05):
            for part in self.parts:
                code = part.child.poll()
                if code is None:
                    continue
                if part.again_at is None:
                    part.again_at = time.monotonic() + AGAIN_AFTER_SECONDS
                    why = signal.Signals(-code).name if code < 0 else f"status {code}"
                    print(f"{part.name} ended with {why}; started again in {AGAIN_AFTER_SECONDS} s", flush=True)
                elif time.monotonic() >= part.again_at:
                    part.start()
                    print(f"{part.name} is back: pid {part.child.pid}", flush=True)

    def stop_all(self):
        for part in reversed(self.parts):
            if part.child and part.child.poll() is None:
                part.child.send_signal(signal.SIGTERM)
                part.child.send_signal(signal.SIGCONT)
        for part in self.parts:
            if not part.child:
                continue
            try:
                part.child.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                part.child.kill()
                part.child.wait()

    def describe(self):
        front = f"127.0.0.1:{self.proxy.port}"
        lines = ["", f"  HAProxy   ws://{front}/streams"]
        if has_page():
            lines.append(f"  page      http://{front}/")
        lines.append("")
        for part in self.instances:
            lines.append(f"  {part.name}        ws://127.0.0.1:{part.port}/streams     pid {part.child.pid}")
        lines += [
            f"  broker    nats://127.0.0.1:{self.broker.port}            pid {self.broker.child.pid}",
            f"  node      http://127.0.0.1:{self.node.port}            pid {self.node.child.pid}",
            f"  logs      {self.folder}",
            "",
            "Look:",
            f"  {os.path.relpath(BINARY)} connect ws://{front}/streams --reconnect -x '{REQUEST}'",
            f"  grep lease_ {self.folder}/i*.log        which instance polls which stream",
            f"  curl -s http://127.0.0.1:{self.instances[0].port}/metrics | grep fanfare_relay",
            "",
            "Kill, and look what the client gets:",
            f"  kill -9 {self.instances[0].child.pid}       its clients come back at another instance, which polls within two intervals",
            f"  kill -STOP {self.instances[1].child.pid}    it hangs: its clients notice by their own pings, or are cut after 45 s of silence; kill -CONT {self.instances[1].child.pid}",
            f"  kill -TERM {self.instances[2].child.pid}    it hands over its streams and its clients",
            f"  kill -9 {self.broker.child.pid}       clients are notified, nothing is lost, and the values go on when the broker is back",
            "",
            f"What ends is started again after {AGAIN_AFTER_SECONDS} s. Ctrl-C stops all of it.",
        ]
        return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="./dev cluster", description="A broker, three instances and HAProxy on loopback.")
    parser.add_argument("--interval", metavar="DURATION", help="how often every stream is polled, such as 500ms; default: as in the example")
    arguments = parser.parse_args()
    if not BINARY.exists():
        sys.exit("cluster: the program is not built: ./dev build")
    with tempfile.TemporaryDirectory(prefix="fanfare-cluster-") as folder:
        cluster = Cluster(folder, arguments.interval)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: cluster.stopping.set())
        try:
            cluster.start_all()
            print(cluster.describe(), flush=True)
            cluster.watch()
        except KeyboardInterrupt:
            pass
        except Failure as failure:
            sys.exit(f"cluster: {failure}")
        finally:
            cluster.stop_all()


if __name__ == "__main__":
    main()

"""The contestants of ./dev bench --relay-peers: two instances of a server and their broker, and the load against them."""

import grp
import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import threading
import time

from bench_attacks_run import READY_S, Stage
from bench_contestants import LOAD_CORE, PROGRAMS, ROOT, SERVER_CORE, Failed
from bench_costs_run import Child

PEERS = ROOT / "bench/peers"
NCHAN_MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
HISTORY_MESSAGES = 1000  # the same for all: peers_server.cc, socketio.js
PATIENCE_S = 90
WARM_UP_S = 2.5  # Node compiles what it runs often
PORT_ATTEMPTS = 5


def program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not found:
        raise Failed(f"{name} is missing: ./dev deps peers")
    return found


def at_free_port(start):
    """For programs that cannot choose a port themselves. Another program may take it meanwhile: then once more."""
    for attempt in range(PORT_ATTEMPTS):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        try:
            return start(port)
        except Failed:
            if attempt == PORT_ATTEMPTS - 1:
                raise


def wait_until(child, is_ready):
    """A program that does not become ready is stopped."""
    end = time.monotonic() + READY_S
    while not is_ready():
        if child.process.poll() is not None or time.monotonic() > end:
            child.kill()
            raise Failed(f"{child.process.args} did not start: " + child.output.head.decode(errors="replace")[-600:])
        threading.Event().wait(0.02)


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def children(pid):
    try:
        return [int(each) for each in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class Redis(Child):
    """Keeps nothing on disk."""

    def __init__(self, folder, port):
        super().__init__([program("redis-server"), "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", folder],
                         SERVER_CORE)
        self.port = port
        wait_until(self, lambda: accepts(port))


def nginx_config(folder, port, broker):
    user = pwd.getpwuid(os.getuid()).pw_name
    group = grp.getgrgid(os.getgid()).gr_name
    temporary = "\n".join(f"  {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return f"""load_module {NCHAN_MODULE};
daemon off;
user {user} {group};
worker_processes 1;
pid {folder}/pid;
error_log {folder}/log warn;
events {{ worker_connections 8192; }}
http {{
  access_log off;
{temporary}
  nchan_shared_memory_size 256M;
  upstream broker {{ nchan_redis_server redis://127.0.0.1:{broker}; }}
  server {{
    listen 127.0.0.1:{port};
    nchan_channel_id events;
    nchan_message_buffer_length {HISTORY_MESSAGES};
    location = /publish {{
      nchan_redis_pass broker;
      nchan_publisher websocket;
    }}
    location = /events {{
      nchan_redis_pass broker;
      nchan_subscriber websocket;
      nchan_subscriber_first_message newest;
      nchan_subscriber_last_message_id $arg_last_event_id;
    }}
  }}
}}
"""


class Nginx(Child):
    """One worker."""

    def __init__(self, folder, port, broker):
        folder = pathlib.Path(folder) / f"nginx-{port}"
        folder.mkdir(exist_ok=True)
        (folder / "conf").write_text(nginx_config(folder, port, broker))
        super().__init__([program("nginx"), "-e", folder / "log", "-c", folder / "conf"], SERVER_CORE)
        self.port = port
        # The parent listens before its worker is there, and does nothing else.
        wait_until(self, lambda: accepts(port) and children(self.process.pid))
        self.pid = children(self.process.pid)[0]


class Listening(Child):
    """A server that prints where it listens."""

    def __init__(self, command):
        super().__init__(command, SERVER_CORE)
        self.port = self.find(rb"(?m)^listening 127\.0\.0\.1:(\d+)$")
        self.pid = self.process.pid


class Fanfare:
    name, protocol, keeps = "Fanfare, NATS JetStream", "fanfare", "on disk"

    def start(self, stage, folder):
        broker = stage.add(Child([program("nats-server"), "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", f"{folder}/jetstream"], SERVER_CORE))
        port = broker.find(rb"client connections on \S+?:(\d+)")
        return [stage.add(Listening([PROGRAMS / "peers_server", f"nats://127.0.0.1:{port}"])) for _ in range(2)], broker


class SocketIo:
    protocol = "socketio"

    def __init__(self, adapter, keeps):
        self.name, self.adapter, self.keeps = f"socket.io, {adapter}", adapter, keeps

    def start(self, stage, folder):
        broker = stage.add(at_free_port(lambda port: Redis(folder, port)))
        command = [program("node"), PEERS / "socketio.js", f"redis://127.0.0.1:{broker.port}", self.adapter]
        return [stage.add(Listening(command)) for _ in range(2)], broker


class Nchan:
    name, protocol, keeps = "nginx with nchan, Redis", "nchan", "in memory"

    def start(self, stage, folder):
        broker = stage.add(at_free_port(lambda port: Redis(folder, port)))
        return [stage.add(at_free_port(lambda port: Nginx(folder, port, broker.port))) for _ in range(2)], broker


def all_contestants():
    """The first one is what the others are compared with."""
    return [Fanfare(), SocketIo("redis-adapter", "nothing"), SocketIo("redis-streams-adapter", "in memory"), Nchan()]


def measure(contestant, row, folder):
    """One run of the load: what it printed, and the CPU time of all servers for a delivery."""
    with Stage() as stage:
        servers, broker = contestant.start(stage, folder)
        pids = [*(each.pid for each in servers), broker.process.pid]
        command = ["taskset", "-c", LOAD_CORE, PROGRAMS / "peers_load", contestant.protocol, *(each.port for each in servers),
                   row.readers, row.every_us, WARM_UP_S, row.seconds, row.how, *pids]
        try:
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=row.seconds + PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Failed(f"{contestant.name}, {row.name}: the load has not ended") from None
        if done.returncode != 0:
            raise Failed(f"{contestant.name}, {row.name}: {done.stderr.strip()[-300:]}")
        found = json.loads(done.stdout)
        each = [used / 1e3 / found["delivered"] for used in found["cpu_ns"]]
        return found | {"cpu_us": sum(each), "cpu_parts_us": each}


def versions():
    def first_line(*command):
        done = subprocess.run([program(command[0]), *command[1:]], capture_output=True, text=True, check=False)
        return (done.stdout or done.stderr).strip().split("\n")[0]

    modules = json.loads((PEERS / "package.json").read_text())["devDependencies"]
    nchan = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "libnginx-mod-nchan"], capture_output=True, text=True, check=False).stdout
    return [first_line("nats-server", "--version"), f"node {first_line('node', '--version')}",
            *(f"{name} {version}" for name, version in modules.items()), first_line("redis-server", "--version").split(" sha")[0],
            first_line("nginx", "-v"), f"nchan {nchan}"]

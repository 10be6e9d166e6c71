"""The contestants of ./dev bench: the servers of bench/, each pinned to a core, and the load against one of them."""

import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "build/bench/bench"
LOAD = ROOT / "build/bench/apps/fanfare/fanfare"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
UWS = "uWebSockets in Node"
# For a server that does not leave the choice to its client.
NO_TAKEOVER = "--no-takeover"
SERVER_CORE, LOAD_CORE, BOTH_CORES = "0", "1", "0,1"


class Failed(Exception):
    """A contestant failed. Its cell stays empty, and the others continue."""


class Server:
    """One run of a contestant's program, pinned, from its first line of output to its end."""

    def __init__(self, command, scheme="ws", raw=False, cores=(SERVER_CORE, LOAD_CORE)):
        own_cores, self.load_cores = cores
        self.process = subprocess.Popen(
            ["taskset", "-c", own_cores, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        line = self.process.stdout.readline().split()
        if len(line) != 2 or line[0] != "listening":
            self.process.kill()
            raise Failed(f"{command[0]} did not start: {self.process.communicate()[1].strip()}")
        self.flags = [f"{scheme}://{line[1]}", *(["--raw"] if raw else [])]
        if scheme == "wss":
            self.flags.append("--insecure")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def start_load(self, flags):
        command = ["taskset", "-c", self.load_cores, str(LOAD), "bench", *self.flags, "--json", *flags]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def load(self, flags):
        """Returns the result of one run of the load generator against this server, with the server's CPU time from
        the last connection opened to the first one closed."""
        load = self.start_load(flags)
        said = ""
        while "are open" not in said and (line := load.stderr.readline()):
            said += line
        (used_before, waited_before), faults_before = self.cpu_ns(), self.faults()
        out = load.stdout.readline()
        (used, waited), faults = self.cpu_ns(), self.faults()
        result = result_of(load, out, said)
        result["faults"] = (faults - faults_before) / max(result["messages"], 1)
        result["cpu_ns"] = (used - used_before) / max(result["messages"], 1)
        result["waited_share"] = (waited - waited_before) / 1e9 / result["seconds"]
        return result

    def cpu_ns(self):
        """The server's times so far: CPU time (user and system), and time spent waiting for its core."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        fields = [(task / "schedstat").read_text().split() for task in tasks]
        return sum(int(each[0]) for each in fields), sum(int(each[1]) for each in fields)

    def faults(self):
        """Page faults of all its threads so far: pages that it used for the first time, and that the kernel had to fill."""
        fields = self._proc("stat").rsplit(")", 1)[1].split()
        return int(fields[7]) + int(fields[9])

    def resident_bytes(self):
        return int(self._proc("statm").split()[1]) * PAGE_BYTES

    def _proc(self, name):
        return pathlib.Path(f"/proc/{self.process.pid}/{name}").read_text()


def result_of(load, out="", said=""):
    rest, complaint = load.communicate()
    if load.returncode != 0:
        raise Failed(f"{said}{complaint}{out}{rest}".replace("\n", " ").strip())
    return json.loads(out + rest)


class Contestant:
    """`can`: the kinds of rows it takes part in. The load for a raw contestant does not use WebSocket."""

    def __init__(self, name, command, can, raw=False, tls_command=None, chooses_takeover=False):
        self.name, self.command, self.can, self.raw = name, command, can, raw
        self.tls_command = tls_command or command
        self.chooses_takeover = chooses_takeover

    def start(self, *flags):
        known = [flag for flag in flags if flag != NO_TAKEOVER or self.chooses_takeover]
        return Server([*self.command, *known], raw=self.raw)

    def start_with_loops(self, loops):
        """A single loop has its own core, and the load the other one; several loops share both cores with the load."""
        cores = (SERVER_CORE, LOAD_CORE) if loops == 1 else (BOTH_CORES, BOTH_CORES)
        return Server([*self.command, "--loops", str(loops)], cores=cores)

    def start_tls(self, certificate, *flags):
        return Server([*self.tls_command, "--tls", *certificate, *flags], scheme="wss", raw=self.raw)


def ours(programs, prefix=""):
    """Fanfare's servers from one build."""
    for loop, name in (("epoll", "epoll"), ("uring", "io_uring")):
        yield Contestant(f"{prefix}Fanfare {name}", [str(programs / "fanfare_echo"), "0", loop],
                         {"echo", "loops", "broadcast", "idle", "tls", "deflate", "pace", "large", "large tls", "handshakes"})


def ours_by_api(programs, prefix=""):
    yield Contestant(f"{prefix}Fanfare API", [str(programs / "api_echo"), "0", "uring"],
                     {"echo", "loops", "broadcast", "idle", "tls", "deflate", "pace", "handshakes"})


def all_contestants(quick, before=None):
    """`before`: the root of an earlier Fanfare tree with a bench build, for comparison."""
    def program(name):
        return str(PROGRAMS / name)

    found = [
        Contestant("raw epoll", [program("raw_epoll_echo"), "0"], {"echo", "broadcast", "idle", "tls", "pace", "large", "large tls"},
                   raw=True, tls_command=[program("raw_epoll_tls_echo"), "0"]),
        Contestant("raw io_uring", [program("raw_uring_echo"), "0"], {"echo", "broadcast", "idle", "pace", "large"},
                   raw=True),
    ]
    if before:
        programs = pathlib.Path(before).resolve() / "build/bench/bench"
        if not (programs / "fanfare_echo").exists():
            raise SystemExit(f"bench: --before {before}: no bench build there ({programs}/fanfare_echo); build it with "
                             "cmake --preset bench and cmake --build build/bench --target contestants")
        for present, earlier in zip([*ours(PROGRAMS), *ours_by_api(PROGRAMS)],
                                    [*ours(programs, "before: "), *ours_by_api(programs, "before: ")]):
            found += [earlier, present]
        return found
    found += ours(PROGRAMS)
    if not quick:
        found += ours_by_api(PROGRAMS)
    if (PROGRAMS / "beast_echo").exists():
        found.append(Contestant("Beast", [program("beast_echo"), "0"], {"echo", "idle", "deflate", "handshakes"}))
    if (PROGRAMS / "lws_echo").exists():
        found.append(Contestant("libwebsockets", [program("lws_echo"), "0"], {"echo", "idle", "handshakes"}))
    if (ROOT / "bench/uws/node_modules").exists():
        found.append(Contestant(UWS, ["node", str(ROOT / "bench/uws_echo.js"), "0"],
                                {"echo", "broadcast", "idle", "tls", "deflate", "large", "large tls", "handshakes", "pace"},
                                chooses_takeover=True))
    if (ROOT / "tests/e2e/node_modules/ws").exists():
        found.append(Contestant("npm ws", ["node", str(ROOT / "bench/ws_echo.js"), "0"],
                                {"echo", "broadcast", "idle", "tls", "deflate", "handshakes"}))
    return found

"""The processes of ./dev bench --attacks: gateways, fake nodes and clients, each ended through its own handle."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from bench_contestants import LOAD_CORE, ROOT, SERVER_CORE, Failed

ADDRESS_SPACE_BYTES = 4 << 30  # limit for a gateway, so that an attack cannot exhaust the machine
CALLS_PER_SECOND = 100
SHUTDOWN_S, SHUTDOWN_PATIENCE_S = 1, 2
READY_S, REPORT_S = 15, 20
TSAN_STATUS = 66  # after any report
TSAN_OPTIONS = f"exitcode={TSAN_STATUS} halt_on_error=0"
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
HEAD_BYTES, TAIL_BYTES = 1 << 16, 1 << 12


class Stage(contextlib.ExitStack):
    """The processes of a run. All of them have ended when the run ends."""

    def add(self, one):
        self.callback(one.kill)
        return one


class Program:
    """One of our programs, on the load's core. Orders and answers are lines."""

    SCRIPT = "bench_attacks_clients.py"

    def __init__(self, role, options, nice=0):
        self.start(role or "node", [sys.executable, str(ROOT / "tools" / self.SCRIPT), *([role] if role else []), json.dumps(options)], nice)

    def start(self, name, command, nice):
        self.name = name
        self.process = subprocess.Popen(["taskset", "-c", LOAD_CORE, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            os.setpriority(os.PRIO_PROCESS, self.process.pid, os.getpriority(os.PRIO_PROCESS, 0) + nice)
        except PermissionError:
            pass  # only root may raise the priority

    def read_line(self, seconds):
        watchdog = threading.Timer(seconds, self.process.kill)
        watchdog.start()
        try:
            line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            raise Failed(f"the program \"{self.name}\" said nothing for {seconds} s, or ended")
        return line

    def wait_for(self, word, seconds):
        while not (line := self.read_line(seconds)).startswith(word):
            pass
        return line

    def order(self, word):
        try:
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise Failed(f"the program \"{self.name}\" has ended") from error

    def go(self):
        self.order("go")

    def read_report(self, seconds):
        return json.loads(self.wait_for("{", seconds))

    def ask_report(self):
        self.order("report")
        return self.read_report(REPORT_S)

    def kill(self):
        self.process.kill()
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate()


class Node(Program):
    SCRIPT = "bench_attacks_node.py"

    def __init__(self, options):
        super().__init__("", options)
        self.port = int(self.wait_for("listening", READY_S).split()[1])

    def go(self):
        self.order("go")
        self.wait_for("going", REPORT_S)


class Output(threading.Thread):
    """Reads and counts everything a program prints. Keeps the beginning and the end."""

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self.pipe, self.head, self.tail, self.bytes = pipe, b"", b"", 0
        self.start()

    def run(self):
        while data := os.read(self.pipe.fileno(), 1 << 20):
            self.bytes += len(data)
            if len(self.head) < HEAD_BYTES:
                self.head += data
            self.tail = (self.tail + data)[-TAIL_BYTES:]


class Gateway:
    """One run of `fanfare serve` on its core. It serves the honest client's project and, with a `flooder`, that node's project.
    `text`: another configuration, which has the project `honest`, too. `tsan`: the program has ThreadSanitizer, which needs a huge address
    space at fixed addresses."""

    def __init__(self, program, folder, node, flooder, text=None, tsan=False):
        config = pathlib.Path(folder) / "gateway.yaml"
        config.write_text(text or config_text(node, flooder))
        confined = ["setarch", "-R", "prlimit"] if tsan else ["prlimit", f"--as={ADDRESS_SPACE_BYTES}"]
        self.process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *confined, "--core=0", str(program), "serve", "--config", str(config)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "TSAN_OPTIONS": TSAN_OPTIONS})
        self.output = Output(self.process.stdout)
        self.peak_bytes = 0
        self.sampler = threading.Thread(target=self.sample, daemon=True)
        self.sampler.start()
        self.url = None

    def sample(self):
        while self.process.poll() is None:
            self.see_peak()
            time.sleep(0.02)

    def see_peak(self):
        """Updates the peak of resident memory (the kernel's VmHWM), which is not available once the process has ended."""
        with contextlib.suppress(OSError):
            status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
            if found := re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE):
                self.peak_bytes = max(self.peak_bytes, int(found[1]) << 10)

    def wait_ready(self):
        end = time.monotonic() + READY_S
        while time.monotonic() < end and self.process.poll() is None:
            said = self.output.head.decode(errors="replace")
            address = re.search(r"Metrics +http://(\S+)/metrics", said)
            if address and self.answers_ready(f"http://{address[1]}/readyz"):
                self.url = f"ws://{address[1]}/honest/evm/1"
                return
            time.sleep(0.02)
        if self.process.poll() is not None:
            self.output.join()  # its last words may still be in the pipe
        raise Failed(f"the gateway was not ready within {READY_S} s: {self.output.tail[-300:].decode(errors='replace')}")

    @staticmethod
    def answers_ready(url):
        try:
            with DIRECTLY.open(url, timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def end(self):
        """Sends SIGTERM during the attack. Returns {peak_bytes, log_bytes, died, end_s}; `end_s` is None if it had to be killed."""
        log_bytes = self.output.bytes
        died = how_it_died(self.process.poll())
        self.see_peak()
        begin, end_s = time.monotonic(), None
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(SHUTDOWN_S + SHUTDOWN_PATIENCE_S)
            end_s = time.monotonic() - begin
            if died is None and self.process.returncode != 0:
                died = f"{how_it_died(self.process.returncode)}, after SIGTERM"
        self.kill()
        return {"peak_bytes": self.peak_bytes, "log_bytes": log_bytes, "died": died, "end_s": end_s}

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.sampler.join()
        self.output.join()
        self.process.stdout.close()


def how_it_died(status):
    """Returns a description of how the process ended; None while it runs."""
    if status is None:
        return None
    return signal.Signals(-status).name if status < 0 else f"status {status}"


def config_text(node, flooder):
    lines = [f"server: {{ httpPort: 0, threads: 1, shutdownTimeout: {SHUTDOWN_S}s }}", "projects:"]
    for name, chain, scheme, of in (("attacked", 2, "ws", flooder), ("honest", 1, "http", node)):
        if of:
            lines += [f"  - id: {name}",
                      f"    networks: [{{ architecture: evm, evm: {{ chainId: {chain}, pollIntervalMax: 200ms }} }}]",
                      f"    upstreams: [{{ id: {name}, endpoint: \"{scheme}://127.0.0.1:{of.port}\" }}]"]
    return "\n".join(lines) + "\n"

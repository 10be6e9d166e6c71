"""`fanfare serve` as a process on a core, for the benches of its features."""

import os
import pathlib
import re
import subprocess
import time

from bench_attacks_run import DIRECTLY, READY_S, SHUTDOWN_PATIENCE_S, Output
from bench_contestants import ROOT, Failed

PROGRAM = ROOT / "build/release/apps/fanfare/fanfare"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class ServeProcess:
    """`banner` finds the port in what the program prints; the page at `path` is answered 200 once it is ready."""

    def __init__(self, arguments, core, banner, path):
        self.process = subprocess.Popen(["taskset", "-c", core, str(PROGRAM), "serve", *arguments],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output = Output(self.process.stdout)
        self.port = self.wait_ready(banner, path)

    def wait_ready(self, banner, path):
        end = time.monotonic() + READY_S
        while time.monotonic() < end and self.process.poll() is None:
            if found := re.search(banner, self.output.head):
                try:
                    if DIRECTLY.open(f"http://127.0.0.1:{int(found[1])}{path}", timeout=5).status == 200:
                        return int(found[1])
                except OSError:
                    pass  # not yet
            time.sleep(0.02)  # style: polls a program that is starting
        raise Failed("the server did not start: " + self.output.head.decode(errors="replace")[-400:])

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)[1]) << 10

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def kill(self):
        self.process.terminate()
        try:
            self.process.wait(SHUTDOWN_PATIENCE_S + 1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

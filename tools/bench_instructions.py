"""Counts the instructions that the server spends on a message outside the kernel, by step: ./dev bench --instructions.

Runs our echo server under callgrind, loads it with `fanfare bench`, and divides what was executed within the loop's turns by
the messages. The handshakes of the few connections are in it, a fraction of an instruction each message.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

from bench_contestants import LOAD, PROGRAMS

CONNECTIONS = 20
ROWS = ((20, 1), (20, 16), (512, 16), (1024, 1))
# The first pattern that matches a function's name counts. Inlined code counts for the function it was inlined into.
STEPS = (
    ("the message: header, mask, UTF-8", r"Session::(consume|hand_out)|on_receive|unmask|utf8|Connection::next"),
    ("the answer: handler, header, copy",
     r"on_message|(Session|SessionOutput|Connection)::send|extend|Outbox::add|Stream::outbox|Arena::|memcpy|memmove|mark_dirty|take_outbox"),
    ("handing it to the kernel", r"::flush|io_uring_|liburing"),
    ("the turn: what came, which sends are over", r""),
)
PATIENCE_SECONDS = 15
ATTEMPTS = 3


def instructions_by_step(annotated):
    """Returns {step: instructions} from callgrind_annotate's list of functions, "1,234 (5.6%)  file:function [object]"."""
    found = dict.fromkeys((step for step, _ in STEPS), 0)
    for line in annotated.splitlines():
        match = re.match(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+(\S.*)$", line)
        if not match or match.group(2) == "PROGRAM TOTALS":
            continue
        function = match.group(2).split(" [")[0]
        step = next(step for step, pattern in STEPS if re.search(pattern, function))
        found[step] += int(match.group(1).replace(",", ""))
    return found


def run(command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS).stdout


def wait_for(path):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {path}")
        time.sleep(0.05)


def measure(loop, size, in_flight):
    """Returns ({step: instructions per message}, messages)."""
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/callgrind"
        server = subprocess.Popen(
            ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}",
             "--toggle-collect=fanfare::net::Loop::turn*",
             "--dump-before=fanfare::session::Session::~Session()", str(PROGRAMS / "fanfare_echo"), "0", loop],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        patience = threading.Timer(PATIENCE_SECONDS, server.kill)
        patience.start()
        try:
            line = server.stdout.readline().split()
            if len(line) != 2:
                raise TimeoutError("before it listened")
            address = line[1]
            load = run([str(LOAD), "bench", f"ws://{address}", "-c", str(CONNECTIONS), "-n", str(in_flight), "-s", str(size),
                        "-d", "3s", "--json", "-q"])
            messages = json.loads(load)["messages"]
            # Each closed connection makes a file. The first covers everything before it, and is complete once the next one exists.
            wait_for(pathlib.Path(f"{out}.2"))
        finally:
            patience.cancel()
            server.kill()  # it blocks in the kernel, where valgrind cannot deliver signals
            server.wait()
        annotated = run(["callgrind_annotate", "--threshold=100", "--auto=no", f"{out}.1"])
    return {step: count / messages for step, count in instructions_by_step(annotated).items()}, messages


def measure_patiently(column):
    """Retries, because a program under valgrind occasionally hangs in the kernel."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return measure(*column)
        except (TimeoutError, subprocess.TimeoutExpired) as stuck:
            print(f"bench: stuck ({stuck}), attempt {attempt} of {ATTEMPTS}", file=sys.stderr)
    raise SystemExit("bench: no luck with valgrind")


def main():
    columns = [(loop, size, in_flight) for loop in ("uring", "epoll") for size, in_flight in ROWS]
    cells = {}
    for column in columns:
        cells[column], messages = measure_patiently(column)
        print(f"bench: {column[0]}, {column[1]} B, {column[2]} in flight: {messages:,} messages", file=sys.stderr)
    print("| instructions a message | " + " | ".join(f"{loop}, {size:,} B × {n}" for loop, size, n in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for step, _ in STEPS:
        print(f"| {step} | " + " | ".join(f"{cells[column][step]:,.0f}" for column in columns) + " |")
    print("| **together** | " + " | ".join(f"**{sum(cells[column].values()):,.0f}**" for column in columns) + " |")


if __name__ == "__main__":
    main()

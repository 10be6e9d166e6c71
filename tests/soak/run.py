#!/usr/bin/env python3
"""Opens, uses and closes connections repeatedly: run.py --server BIN --client BIN [--connections N] [--rounds N].

BIN are tests/programs/echo_server and soak_client, built with AddressSanitizer. Passes if every echo was correct, and
both processes ended without a sanitizer report (leaks included). There must not be more descriptors than after the first
round. From 20 rounds on, the minimum memory of the second half must match that of the quarter before. Prints the rounds and "N passed, N failed".
"""

import argparse
import os
import re
import resource
import subprocess
import sys

# ASan quarantines freed memory, 256 MiB by default; that would look like growth for many rounds.
SANITIZER = {"ASAN_OPTIONS": "quarantine_size_mb=8:allocator_release_to_os_interval_ms=100:detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1"}
# Between rounds, memory varies by a factor of three, depending on how much the allocator has returned to the
# system. The minimum shows the memory really in use; finding it takes some rounds.
LOWER_BOUND_ROUNDS = 20
SLACK = 1.10
SLACK_KIB = 8 * 1024
ROUND = re.compile(r"round (\d+): client (\d+) KiB (\d+) fds, server (\d+) KiB (\d+) fds")


def judge(rounds):
    """Returns a description of the failure, if any."""
    wrong = []
    first, last = rounds[0], rounds[-1]
    # During the first quarter, caches and pools reach their full size.
    quarter = len(rounds) // 4
    early, late = rounds[quarter : 2 * quarter], rounds[2 * quarter :]
    for who, memory, fds in (("client", 1, 2), ("server", 3, 4)):
        if last[fds] > first[fds]:
            wrong.append(f"the {who} has {last[fds]} descriptors, after the first round it had {first[fds]}")
        if len(rounds) < LOWER_BOUND_ROUNDS:
            continue
        before, now = min(one[memory] for one in early), min(one[memory] for one in late)
        if now > before * SLACK + SLACK_KIB:
            wrong.append(f"in the second half the {who} held at least {now} KiB, before {before} KiB")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--client", required=True)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    environment = {**os.environ, **SANITIZER}
    server = subprocess.Popen([options.server, "close_ms=300000", "handshake_ms=300000", "ping_ms=0"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, env=environment)
    url = server.stdout.readline().strip() + "/"
    client = subprocess.Popen([options.client, url, str(options.connections), str(options.rounds), str(server.pid)],
                              stdout=subprocess.PIPE, text=True, env=environment)
    rounds = []
    for line in client.stdout:
        print(line, end="", flush=True)
        rounds.append([int(number) for number in ROUND.match(line).groups()])
    wrong = []
    if client.wait() != 0:
        wrong.append(f"the client ended with status {client.returncode}")
    server.stdin.close()
    if server.wait(60) != 0:
        wrong.append(f"the server ended with status {server.returncode}")
    if len(rounds) == options.rounds:
        wrong += judge(rounds)
    else:
        wrong.append(f"only {len(rounds)} rounds of {options.rounds}")
    for text in wrong:
        print(f"FAIL {text}")
    print(f"soak: {options.connections} connections, {len(rounds)} rounds")
    print(f"{0 if wrong else 1} passed, {1 if wrong else 0} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

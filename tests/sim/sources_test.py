#!/usr/bin/env python3
"""Tests the simulation of the sources: each fault that is put in on purpose is found within 20 seeds, and again with its seed.

  tests/sim/sources_test.py build/asan/tests/sim/sources_sim
"""

import re
import subprocess
import sys

FAULTS = ["head-lost", "head-twice", "removal-lost", "logs-lost", "removed-logs-lost", "filters-deaf"]
SEEDS = 20


def run(*arguments):
    done = subprocess.run([sys.argv[1], *arguments], capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, done.stdout + done.stderr


def test_fault(name):
    status, output = run("--fault", name, "--seeds", str(SEEDS))
    found = re.search(r"^seed (\d+): .+", output, re.MULTILINE)
    assert status == 1 and found, f"{name} is not found within {SEEDS} seeds"
    status, again = run("--seed", found[1], "--fault", name)
    assert status == 1 and found[0] in again, f"{name} is not found again with its seed"
    assert f"fault: {name}" in again, again[-2000:]
    print(f"{name}: {found[0][:160]}")


def main():
    for name in FAULTS:
        test_fault(name)
    status, output = run("--fault", "none-such")
    assert status == 2 and "head-lost" in output, output
    print("ok")


if __name__ == "__main__":
    main()

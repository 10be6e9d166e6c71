#!/usr/bin/env python3
"""Tests the simulation itself: one seed gives the same trace twice, alone and behind other seeds, and each fault that is put in on
purpose is found within 50 seeds.

  tests/sim/fleet_test.py build/asan/tests/sim/fleet_sim
"""

import re
import subprocess
import sys

FAULTS = ["resume-skips-one", "lease-unchecked", "relay-forgets", "silent-gap", "no-deduplication", "times-alike", "cursor-skips"]
SEEDS = 50


def run(*arguments):
    done = subprocess.run([sys.argv[1], *arguments], capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, done.stdout


def checksum_of(output):
    return re.search(r"checksum ([0-9a-f]{16})", output).group(1)


def test_replay():
    first = run("--seed", "7")
    assert len(first[1].splitlines()) > 1000, "a trace of some length"
    assert first == run("--seed", "7"), "seed 7 has two traces"
    _, alone = run("--first", "3", "--seeds", "1")
    _, traced = run("--seed", "3")
    assert checksum_of(alone) == checksum_of(traced), "seed 3 depends on whether it is traced"
    assert checksum_of(alone) != checksum_of(first[1]), "all seeds are alike"


def test_seeds_do_not_depend_on_each_other():
    # Of several seeds, the checksum is folded: ((0 * 31 + a) * 31 + b).
    parts = [int(checksum_of(run("--first", str(seed), "--seeds", "1")[1]), 16) for seed in (1, 2, 3)]
    folded = 0
    for part in parts:
        folded = (folded * 31 + part) % 2**64
    assert folded == int(checksum_of(run("--seeds", "3")[1]), 16), "a seed depends on those before it"


def test_fault(name):
    status, output = run("--fault", name, "--seeds", str(SEEDS))
    found = re.search(r"^seed (\d+): .+", output, re.MULTILINE)
    assert status == 1 and found, f"{name} is not found within {SEEDS} seeds"
    assert f"again: ./dev sim fleet --seed {found.group(1)} --fault {name}" in output, output[-2000:]
    status, again = run("--seed", found.group(1), "--fault", name)
    assert status == 1 and found.group(0) in again, f"{name} is not found again with its seed"
    print(found.group(0)[:160])


def main():
    test_replay()
    test_seeds_do_not_depend_on_each_other()
    for name in FAULTS:
        test_fault(name)
    print("ok")


if __name__ == "__main__":
    main()

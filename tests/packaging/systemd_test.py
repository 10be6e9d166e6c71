#!/usr/bin/env python3
"""The package of the server on a machine that systemd runs: started, watched, reloaded, upgraded and restarted as its units say.

Usage: systemd_test.py BUILD_FOLDER --root FOLDER     needs root, and port 4000

FOLDER is a Debian 12 made by debootstrap that includes systemd. It is booted in a container (systemd-nspawn) under an overlay, so that
nothing in it changes; its network is this machine's."""

import argparse
import contextlib
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from package_test import PATIENCE, get, make_packages

CONFIG = "/etc/fanfare/fanfare.yaml"


def wait_until(what, condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"never: {what}")
        time.sleep(0.05)


class Booted:
    """A container whose first process is systemd."""

    def __init__(self, root, debs):
        self.debs = pathlib.Path(debs)
        self.log = tempfile.TemporaryFile("w+")
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--volatile=overlay", f"--bind-ro={debs}:/mnt",
             "--directory", root, "--boot"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        self.init = None
        wait_until("systemd has started", self.has_started)

    def has_started(self):
        if self.nspawn.poll() is not None:
            self.log.seek(0)
            raise AssertionError(f"systemd-nspawn ended with status {self.nspawn.returncode}: {self.log.read()}")
        self.init = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().strip()
        return bool(self.init) and self.try_to("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

    def try_to(self, *command):
        return subprocess.run(["nsenter", "--target", self.init, "--all", "env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                               "DEBIAN_FRONTEND=noninteractive", *command],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE * 5, check=False)

    def do(self, *command):
        done = self.try_to(*command)
        if done.returncode != 0:
            raise AssertionError(f"{command}: status {done.returncode}\n{done.stdout}{done.stderr}\n{self.journal()}")
        return done.stdout

    def journal(self):
        return self.try_to("journalctl", "--unit", "fanfare", "--lines", "30", "--no-pager", "--output", "cat").stdout

    # A minimal system has neither kill nor pgrep.
    def signal(self, name, process):
        return self.try_to("sh", "-c", f"kill -{name} {process}").returncode == 0

    def processes(self):
        return self.try_to("sh", "-c", "grep -lx fanfare /proc/[0-9]*/comm").stdout.split()

    def install(self, version):
        # As an administrator does; the configuration that was changed is kept.
        self.do("apt-get", "install", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", f"/mnt/fanfare_{version}_amd64.deb")

    def state(self, name):
        return self.do("systemctl", "show", "--property", name, "--value", "fanfare.service").strip()

    def write_config(self, text):
        path = self.debs / "fanfare.yaml"
        path.write_text(text)
        self.do("cp", "--no-preserve=all", "/mnt/fanfare.yaml", CONFIG)
        self.do("chown", "root:fanfare", CONFIG)

    def end(self):
        # SIGTERM: systemd-nspawn asks the init to power off.
        self.nspawn.terminate()
        self.nspawn.wait(PATIENCE)
        self.log.close()


class Units(unittest.TestCase):
    """One machine and one order: each step begins where the one before has left the service."""

    def setUp(self):
        with contextlib.ExitStack() as stack:
            self.machine = Booted(ARGUMENTS.root, DEBS)
            stack.callback(self.machine.end)
            self.addCleanup(stack.pop_all().close)

    def running(self, *, other_than=None):
        """The service's main process, once it is active and another one than that."""
        wait_until(f"active, not as {other_than}", lambda: self.machine.state("ActiveState") == "active"
                   and self.machine.state("MainPID") != other_than)
        return self.machine.state("MainPID")

    def test_the_life_of_the_service(self):
        self.machine.install("0.1.0")
        first = self.running()
        self.assertEqual(get("/healthz"), 200)
        self.reload(first)
        second = self.upgrade(first)
        third = self.restart_after_a_crash(second)
        self.restart_when_it_hangs(third)
        self.stay_down_with_a_wrong_configuration()
        self.replace_by_a_package()
        self.inherit_the_socket()
        self.purge()

    def reload(self, before):
        self.machine.do("systemctl", "reload", "fanfare")
        good = self.machine.do("cat", CONFIG)
        self.machine.write_config(good + "serverr: {}\n")
        refused = self.machine.try_to("systemctl", "reload", "fanfare")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("unknown key \"serverr\"", self.machine.journal())
        self.machine.write_config(good)
        self.assertEqual(self.running(), before)
        self.assertEqual(get("/healthz"), 200)

    def upgrade(self, before):
        self.assertIn("has taken over", self.machine.do("fanfare", "upgrade"))
        after = self.running(other_than=before)
        wait_until("the process before has ended", lambda: not self.machine.signal("0", before))
        self.assertEqual(self.running(), after)
        self.assertEqual(self.machine.state("NRestarts"), "0")
        return after

    def restart_after_a_crash(self, before):
        """Also of a process that systemd did not start itself."""
        self.assertTrue(self.machine.signal("KILL", before))
        after = self.running(other_than=before)
        self.assertEqual(self.machine.state("NRestarts"), "1")
        return after

    def restart_when_it_hangs(self, before):
        """The process of an upgrade feeds the watchdog."""
        replaced = self.upgrade(before)
        fed = self.machine.state("WatchdogTimestampMonotonic")
        wait_until("the watchdog is fed", lambda: self.machine.state("WatchdogTimestampMonotonic") != fed)
        self.assertTrue(self.machine.signal("STOP", replaced))
        self.running(other_than=replaced)
        self.assertEqual(self.machine.state("NRestarts"), "2")

    def upgrade(self, before):
        self.machine.do("fanfare", "upgrade")
        return self.running(other_than=before)

    def stay_down_with_a_wrong_configuration(self):
        good = self.machine.do("cat", CONFIG)
        self.machine.write_config(good + "serverr: {}\n")
        self.assertNotEqual(self.machine.try_to("systemctl", "restart", "fanfare").returncode, 0)
        self.assertEqual((self.machine.state("ActiveState"), self.machine.state("NRestarts")), ("failed", "0"))
        self.machine.write_config(good)
        self.machine.do("systemctl", "reset-failed", "fanfare")
        self.machine.do("systemctl", "start", "fanfare")
        self.running()

    def replace_by_a_package(self):
        """A newer package brings its process in place of the running one."""
        before = self.running()
        with ever_asking() as asked:
            self.machine.install("0.1.1")
            self.running(other_than=before)
        self.assertEqual(set(asked), {200})

    def inherit_the_socket(self):
        """No client is refused while the service restarts."""
        self.machine.do("systemctl", "stop", "fanfare")
        self.machine.do("systemctl", "start", "fanfare.socket")
        self.assertEqual(get("/healthz"), 200)  # it starts the service
        before = self.running()
        self.assertIn("inherited=true", self.machine.journal())
        with ever_asking() as asked:
            self.machine.do("systemctl", "restart", "fanfare")
            self.running(other_than=before)
        self.assertEqual(set(asked), {200})
        self.machine.do("systemctl", "stop", "fanfare.socket", "fanfare.service")

    def purge(self):
        self.machine.do("systemctl", "start", "fanfare")
        self.assertEqual(len(self.machine.processes()), 1)
        self.machine.do("apt-get", "purge", "-y", "fanfare")
        self.assertEqual(self.machine.processes(), [])
        self.assertEqual(self.machine.try_to("systemctl", "cat", "fanfare").returncode, 1)
        self.assertEqual(self.machine.try_to("test", "-e", "/run/fanfare").returncode, 1)


@contextlib.contextmanager
def ever_asking():
    """Asks /healthz one time after the other. Gives the list of answers, or of what went wrong in their place."""
    answers, ended = [], threading.Event()

    def ask():
        while not ended.is_set():
            try:
                answers.append(get("/healthz"))
            except OSError as error:
                answers.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        ended.set()
        thread.join(PATIENCE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--root", required=True, help="a Debian 12 with systemd, made by debootstrap")
    ARGUMENTS = parser.parse_args()
    if not shutil.which("systemd-nspawn"):
        sys.exit("systemd_test: needs systemd-nspawn (the package systemd-container)")
    # So that the container is powered off before this process ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as DEBS:
        make_packages(ARGUMENTS.build, DEBS)
        done = unittest.main(argv=sys.argv[:1], verbosity=2, exit=False)
    sys.exit(0 if done.result.wasSuccessful() else 1)

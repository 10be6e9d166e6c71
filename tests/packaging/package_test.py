#!/usr/bin/env python3
"""The package of the server, on a machine of its own: installed, started as its unit does, upgraded, purged.

Usage: package_test.py BUILD_FOLDER [--root FOLDER]     needs root

The machine is this one's file system under an overlay, in namespaces of its own; nothing of it is left. With --root it is the
system in FOLDER (made by debootstrap), where apt also installs what the package depends on."""

import argparse
import http.client
import os
import pathlib
import queue
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

PATIENCE = 120
UNIT = "/lib/systemd/system/fanfare.service"
INSIDE = "FANFARE_INSIDE_NAMESPACES"


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE * 5, **more)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Machine:
    """A root file system whose changes can be listed."""

    def __init__(self, work, lower):
        self.work = pathlib.Path(work)
        run("mount", "-t", "tmpfs", "tmpfs", work)
        self.changed, self.root = self.work / "changed", self.work / "root"
        for folder in (self.changed, self.work / "scratch", self.root):
            folder.mkdir()
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={lower},upperdir={self.changed},workdir={self.work / 'scratch'}", self.root)
        run("mount", "-t", "proc", "proc", self.root / "proc")
        run("mount", "--bind", "/dev", self.root / "dev")
        run("mount", "-t", "tmpfs", "tmpfs", self.root / "run")
        run("mount", "-t", "tmpfs", "tmpfs", self.root / "tmp")

    def do(self, *command):
        return run("chroot", self.root, "env", "DEBIAN_FRONTEND=noninteractive", *command)

    def path(self, inside):
        return self.root / inside.lstrip("/")

    def left(self):
        """Files that are there since the beginning, but for the records of the package system."""
        ignored = re.compile(r"^(var/(lib/(dpkg|apt|systemd)|log|cache)/|etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|etc/\.pwd)")
        found = []
        for folder, _, files in os.walk(self.changed):
            for name in files:
                path = os.path.relpath(os.path.join(folder, name), self.changed)
                if not ignored.match(path):
                    found.append(path)
        return found


class Service:
    """Runs ExecStart of the unit as its user, and is its service manager."""

    def __init__(self, machine):
        unit = machine.path(UNIT).read_text()
        self.settings = dict(re.findall(r"^(User|Group|WorkingDirectory|RuntimeDirectory|ExecStart|Environment)=(.*)$", unit, re.M))
        machine.do("install", "-d", "-o", self.settings["User"], "-g", self.settings["Group"], f"/run/{self.settings['RuntimeDirectory']}")
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(machine.path("/run/notify")))
        os.chmod(machine.path("/run/notify"), 0o777)
        # Read all the time, as a service manager does: what does not fit into the socket's queue is lost.
        self.messages = queue.Queue()
        threading.Thread(target=self.read_messages, daemon=True).start()
        command = [word for word in shlex.split(self.settings["ExecStart"]) if word != "$FANFARE_OPTIONS"]
        self.process = subprocess.Popen(
            ["chroot", machine.root, "setpriv", "--reuid", self.settings["User"], "--regid", self.settings["Group"], "--clear-groups",
             "--no-new-privs", "--bounding-set=-all", "env", "-i", "-C", self.settings["WorkingDirectory"], "NOTIFY_SOCKET=/run/notify",
             "WATCHDOG_USEC=400000", self.settings["Environment"], *command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def stop(self):
        """What is left of it, if a test has failed."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def read_messages(self):
        while True:
            self.messages.put(self.manager.recv(4096).decode())

    def message(self, kind):
        """The next message of this kind to the service manager."""
        while True:
            try:
                text = self.messages.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"no {kind}; the program says: {self.end()}") from None
            if text.startswith(kind):
                return text

    def end(self):
        self.process.terminate()
        return self.process.communicate(timeout=PATIENCE)[0]


def get(path):
    connection = http.client.HTTPConnection("127.0.0.1", 4000, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


class Package(unittest.TestCase):
    def setUp(self):
        self.machine = Machine(WORK, ARGUMENTS.root or "/")
        for package in DEBS:
            shutil.copy(package, self.machine.path("/tmp"))

    def install(self, version):
        file = f"/tmp/fanfare_{version}_amd64.deb"
        if ARGUMENTS.root:
            return self.machine.do("apt-get", "install", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confdef",
                                   "-o", "Dpkg::Options::=--force-confold", file)
        return self.machine.do("dpkg", "--force-confdef", "--force-confold", "-i", file)

    def test_from_installation_to_purge(self):
        machine = self.machine
        self.install("0.1.0")
        self.assertIn("0.1.0", machine.do("fanfare", "--version"))
        # Secrets may stand in both.
        for path in ("/etc/fanfare/fanfare.yaml", "/etc/default/fanfare"):
            self.assertEqual(machine.path(path).stat().st_mode & 0o777, 0o640, path)
            self.assertEqual(machine.do("stat", "-c", "%U:%G", path).strip(), "root:fanfare")
        self.assertEqual(machine.do("stat", "-c", "%U:%a", "/var/lib/fanfare").strip(), "fanfare:750")
        machine.do("fanfare", "check", "/etc/fanfare/fanfare.yaml")
        for path in ("/usr/share/man/man1/fanfare-serve.1", "/usr/share/bash-completion/completions/fanfare",
                     "/usr/share/zsh/vendor-completions/_fanfare", "/usr/share/doc/fanfare/copyright", "/lib/systemd/system/fanfare.socket",
                     "/usr/share/fanfare/monitoring/fanfare-alerts.yaml", "/usr/share/fanfare/monitoring/fanfare-dashboard.json"):
            # A minimal system leaves manual pages out.
            self.assertTrue(machine.path(path).exists() or (ARGUMENTS.root and "/man/" in path), path)

        service = Service(machine)
        self.addCleanup(service.stop)
        self.assertIn("127.0.0.1:4000", service.message("READY=1"))
        service.message("WATCHDOG=1")
        service.message("WATCHDOG=1")
        self.assertEqual(get("/healthz"), 200)
        self.assertEqual(get("/readyz"), 503)  # there is no node
        self.assertEqual(get("/"), 200)        # the dashboard
        self.assertIn("uptime_s", machine.do("fanfare", "admin", "status"))
        service.process.send_signal(1)
        service.message("RELOADING=1")
        service.message("READY=1")

        # Changed by its operator, so an upgrade keeps it.
        config = machine.path("/etc/fanfare/fanfare.yaml")
        changed = config.read_text().replace("id: local", "id: mine")
        config.write_text(changed)
        self.install("0.1.1")
        self.assertEqual(config.read_text(), changed)
        self.assertEqual(get("/healthz"), 200)  # a package never ends what it did not start
        self.assertIn("has taken over", machine.do("fanfare", "upgrade"))
        successor = int(service.message("MAINPID=").removeprefix("MAINPID="))
        self.assertIn("127.0.0.1:4000", service.message("READY=1"))
        self.assertEqual(service.process.wait(PATIENCE), 0)
        service.message("WATCHDOG=1")
        self.assertEqual(get("/healthz"), 200)
        os.kill(successor, 15)
        self.assertEqual(os.waitpid(successor, 0)[1], 0)  # its parent has ended, so it is ours
        output = service.end()
        self.assertIn("stopping", output)
        self.assertEqual(service.process.returncode, 0, output)
        service.message("STOPPING=1")

        machine.path("/var/lib/fanfare/main.canvas").write_text("a room")
        machine.do("dpkg", "--remove", "fanfare")
        self.assertEqual(config.read_text(), changed)
        self.assertTrue(machine.path("/var/lib/fanfare/main.canvas").exists())
        self.assertFalse(machine.path("/usr/bin/fanfare").exists())
        machine.do("dpkg", "--purge", "fanfare")
        self.assertNotIn("fanfare", machine.path("/etc/passwd").read_text() + machine.path("/etc/group").read_text())
        self.assertEqual([path for path in machine.left() if "fanfare" in path], [])
        if not ARGUMENTS.root:
            self.assertEqual(machine.left(), [])


class Unit(unittest.TestCase):
    def test_the_sandbox_is_tight(self):
        """Only where systemd's tools are."""
        unit = SOURCE / "packaging/fanfare.service"
        level = run("systemd-analyze", "security", "--offline=true", unit).strip().splitlines()[-1]
        self.assertLessEqual(float(re.search(r"fanfare.service: ([\d.]+)", level).group(1)), 2.0, level)


def make_packages(build, folder):
    """Two versions of the server's package, of the same program."""
    for version in ("0.1.0", "0.1.1"):
        run("cpack", "--config", f"{build}/CPackConfig.cmake", "-B", folder, "-R", version,
            "-D", "CPACK_COMPONENTS_ALL=program;service", "-D", "CPACK_DEBIAN_COMPRESSION_TYPE=gzip")
    return sorted(pathlib.Path(folder).glob("fanfare_*.deb"))


if __name__ == "__main__":
    SOURCE = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--root", help="a Debian 12 made by debootstrap, in place of this machine's files")
    ARGUMENTS = parser.parse_args()
    if INSIDE not in os.environ:
        # The network is its own, too: the sample configuration has a fixed port.
        again = ["unshare", "--mount", "--net", "--pid", "--fork", "--propagation", "private", sys.executable, *sys.argv]
        if ARGUMENTS.root:
            again.remove("--net")
        sys.exit(subprocess.run(again, env=os.environ | {INSIDE: "1"}, check=False).returncode)
    if not ARGUMENTS.root:
        run("ip", "link", "set", "lo", "up")
    with tempfile.TemporaryDirectory() as packages, tempfile.TemporaryDirectory() as WORK:
        DEBS = make_packages(ARGUMENTS.build, packages)
        done = unittest.main(argv=sys.argv[:1], verbosity=2, exit=False)
        # The namespaces end with this process; the folders of the mounts can only be removed without them.
        run("umount", "--lazy", "--recursive", WORK)
    sys.exit(0 if done.result.wasSuccessful() else 1)

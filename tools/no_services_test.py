"""no_services.sh forbids services while its command runs, and leaves the machine's own policy as it was."""

import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).with_name("no_services.sh")
SYSTEMCTL = """#!/bin/sh
echo "$@" >>"$CALLS"
case $1 in list-unit-files) cat "$UNITS" ;; esac
"""


class NoServices(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.policy = self.folder / "policy-rc.d"
        self.environment = os.environ | {"POLICY_RC_D": str(self.policy), "SYSTEMD_RUNS": str(self.folder / "systemd")}

    def run_with(self, command, **more):
        return subprocess.run(["bash", SCRIPT, "sh", "-c", command], env=self.environment | more, capture_output=True, text=True, check=False)

    def files(self):
        return sorted(path.name for path in self.folder.iterdir())

    def test_services_are_forbidden_while_the_command_runs(self):
        done = self.run_with('"$POLICY_RC_D" nginx start; echo $?')
        self.assertEqual((done.returncode, done.stdout), (0, "101\n"), done.stderr)
        self.assertEqual(self.files(), [])

    def test_the_status_is_that_of_the_command(self):
        self.assertEqual(self.run_with("exit 7").returncode, 7)
        self.assertEqual(self.files(), [])

    def test_a_policy_of_the_machine_comes_back(self):
        self.policy.write_text("#!/bin/sh\nexit 0\n")
        self.policy.chmod(0o750)
        done = self.run_with('"$POLICY_RC_D" nginx start; echo $?')
        self.assertEqual(done.stdout, "101\n", done.stderr)
        self.assertEqual((self.policy.read_text(), self.policy.stat().st_mode & 0o777), ("#!/bin/sh\nexit 0\n", 0o750))
        self.assertEqual(self.files(), ["policy-rc.d"])

    def test_a_link_comes_back_as_a_link(self):
        self.policy.symlink_to("elsewhere")
        self.run_with("true")
        self.assertEqual(os.readlink(self.policy), "elsewhere")

    def test_a_policy_that_the_command_installs_stays(self):
        self.run_with('rm "$POLICY_RC_D"; echo theirs >"$POLICY_RC_D"')
        self.assertEqual(self.policy.read_text(), "theirs\n")

    def test_it_repairs_what_a_killed_run_has_left(self):
        self.policy.write_text("before\n")
        killed = subprocess.Popen(["bash", SCRIPT, "sh", "-c", "echo runs; exec cat"], env=self.environment, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        self.assertEqual(killed.stdout.readline(), "runs\n")
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        self.assertEqual(self.files(), ["policy-rc.d", "policy-rc.d.before-fanfare"])
        self.run_with("true")
        self.assertEqual((self.files(), self.policy.read_text()), (["policy-rc.d"], "before\n"))

    def test_a_signal_restores_it(self):
        self.policy.write_text("before\n")
        ended = subprocess.Popen(["bash", SCRIPT, "sh", "-c", "echo runs; read -r _"], env=self.environment, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        self.assertEqual(ended.stdout.readline(), "runs\n")
        ended.send_signal(signal.SIGTERM)
        ended.communicate("\n")  # bash handles it when its command ends
        self.assertEqual((ended.returncode, self.policy.read_text()), (143, "before\n"))

    def test_new_services_do_not_start_at_the_next_boot(self):
        (self.folder / "systemd").mkdir()
        (self.folder / "bin").mkdir()
        systemctl, units, calls = (self.folder / name for name in ("bin/systemctl", "units", "calls"))
        systemctl.write_text(SYSTEMCTL)
        systemctl.chmod(0o755)
        units.write_text("ssh.service enabled enabled\n")
        done = self.run_with('printf "nginx.service enabled enabled\\nssh.service enabled enabled\\n" >"$UNITS"',
                             PATH=f"{self.folder / 'bin'}:{os.environ['PATH']}", UNITS=str(units), CALLS=str(calls))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(calls.read_text().splitlines()[-1], "disable --quiet nginx.service")


if __name__ == "__main__":
    unittest.main()

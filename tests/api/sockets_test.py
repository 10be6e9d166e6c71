#!/usr/bin/env python3
"""Listening sockets of a program that uses the public API. Usage: sockets_test.py ECHO-SERVER (tests/programs)"""

import asyncio
import contextlib
import os
import pathlib
import socket
import stat
import subprocess
import sys
import tempfile
import unittest

import websockets

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "build/asan/tests/programs/echo_server"
PATIENCE = 60


@contextlib.contextmanager
def serving(*arguments, **options):
    """Runs the program and yields its first line. It must exit with success when its input ends."""
    with subprocess.Popen([PROGRAM, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          **options) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()
        if process.wait(PATIENCE) != 0:
            raise AssertionError(f"status {process.returncode}")


def round_trip(connect):
    async def main():
        async with asyncio.timeout(PATIENCE), connect() as connection:
            await connection.send("there?")
            return await connection.recv()
    return asyncio.run(main())


class UnixSocket(unittest.TestCase):
    def test_has_its_mode_replaces_a_stale_file_and_goes_at_the_end(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "echo.sock"
            with socket.socket(socket.AF_UNIX) as stale:
                stale.bind(str(path))
            with serving(f"unix={path}", "unix_mode=384"):  # 0600
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
                self.assertEqual(round_trip(lambda: websockets.unix_connect(str(path), "ws://here/")), "there?")
            self.assertFalse(path.exists())


class InheritedSocket(unittest.TestCase):
    def serving_on(self, listening, name):
        """Starts it like a service manager: the second of two sockets, descriptor 4, is named "echo"."""
        other = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(other.close)

        def become_the_service():
            os.dup2(os.dup(other.fileno()), 100)
            os.dup2(os.dup(listening.fileno()), 101)
            os.dup2(100, 3, inheritable=True)
            os.dup2(101, 4, inheritable=True)

        # A shell knows its own process id, and keeps it when it executes the program.
        return subprocess.Popen(["sh", "-c", 'LISTEN_PID=$$ exec "$0" "$1"', PROGRAM, f"inherited={name}"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                close_fds=False, preexec_fn=become_the_service,
                                env={**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "other:echo"})

    def test_is_served_and_left_listening(self):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            url = "ws://127.0.0.1:%d/" % listening.getsockname()[1]
            for _ in range(2):
                with self.serving_on(listening, "echo") as process:
                    self.assertEqual(process.stdout.readline().strip() + "/", url)
                    self.assertEqual(round_trip(lambda: websockets.connect(url)), "there?")
                    process.stdin.close()
                    self.assertEqual(process.wait(PATIENCE), 0)

    def test_a_name_that_was_not_passed_is_an_error(self):
        with socket.create_server(("127.0.0.1", 0)) as listening, self.serving_on(listening, "nobody") as process:
            self.assertEqual(process.wait(PATIENCE), 1)
            self.assertIn('no socket named "nobody"', process.stderr.read())


if __name__ == "__main__":
    unittest.main()

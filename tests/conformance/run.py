#!/usr/bin/env python3
"""The conformance run: every case as a client against our server and as a server against our client.

run.py --server BIN --client BIN [--cases '6.*'] [--write docs/conformance.md]

BIN is examples/echo for the server and tests/conformance/echo_client for the client. Either may be omitted,
except with --write. A case passes if every byte is as expected, in order, and the connection ends cleanly:
Close in both directions, FIN from the server first, no reset. The exit status is 1 if a case failed.
"""

import argparse
import fnmatch
import pathlib
import shlex
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from cases import DEFAULT_OFFER, FRAMEWISE, SECTIONS, Closing, code, sample  # noqa: E402
from peer import BINARY, CLOSE, Peer, Violation  # noqa: E402

TIMEOUT_S = 30  # for one read; generous, because a busy machine is slow


def payloads(rounds):
    if not rounds.sample:
        for _ in range(rounds.count):
            yield (b"\xfe" if rounds.opcode == BINARY else b"*") * rounds.size
        return
    data = sample(rounds.sample)
    for number in range(rounds.count):
        start = number * rounds.size % (len(data) - rounds.size)
        yield data[start : start + rounds.size]


def play_rounds(peer, case):
    rounds, deflated = case.rounds, peer.deflate is not None
    for payload in payloads(rounds):
        message = peer.message(rounds.opcode, payload, rounds.fragment, deflated, rounds.ending)
        peer.send(message, max(case.chop, 0))
        peer.expect(rounds.opcode, payload)
    # The engine does not compress messages that are tiny or do not shrink; all others must arrive compressed.
    if deflated and rounds.size >= 256 and rounds.sample != "random" and not peer.compressed_messages:
        raise Violation("nothing came back compressed")


def play(peer, case):
    """Plays one case on an open connection. `peer` is our end of it."""
    frames = [peer.frame(*frame) for frame in case.send]
    closing = case.end if isinstance(case.end, Closing) else None
    if case.chop == FRAMEWISE:
        for frame in frames:
            peer.send(frame)
    else:
        data = b"".join(frames)
        peer.send(data[: len(data) - case.held_back], case.chop)
    if case.rounds:
        play_rounds(peer, case)
    for opcode, payload in case.expect:
        peer.expect(opcode, payload)
    if isinstance(case.end, int):
        peer.expect_close((case.end,))
        peer.send(peer.frame(CLOSE, code(case.end)))
    else:
        closing = closing or Closing(code(1000), (1000,))
        after = [peer.frame(*frame) for frame in closing.after]
        peer.send(peer.frame(CLOSE, closing.body) + b"".join(after))
        peer.expect_close(closing.codes)
    # RFC 6455 section 7.1.1: the server ends the TCP connection first.
    if not peer.masking:
        peer.socket.shutdown(socket.SHUT_WR)
        peer.expect_end()
    else:
        peer.expect_end()


class ServerUnderTest:
    def __init__(self, command):
        # Some servers end when their input ends.
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        address = self.process.stdout.readline().strip().removeprefix("ws://")
        host, _, port = address.rpartition(":")
        self.address, self.name = (host, int(port)), address

    def try_case(self, case):
        with socket.create_connection(self.address, TIMEOUT_S) as connection:
            peer = Peer(connection, masking=True)
            peer.handshake_as_client(self.name, case.offer)
            play(peer, case)

    def stop(self):
        if self.process.poll() is not None:
            raise Violation(f"the server ended by itself: {self.process.returncode}")
        self.process.terminate()
        self.process.wait(TIMEOUT_S)


class ClientUnderTest:
    def __init__(self, program):
        self.program = program
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(TIMEOUT_S)
        self.url = "ws://127.0.0.1:%d/" % self.listener.getsockname()[1]

    def try_case(self, case):
        process = subprocess.Popen([self.program, self.url], stdout=subprocess.PIPE, text=True)
        try:
            connection, _ = self.listener.accept()
            with connection:
                connection.settimeout(TIMEOUT_S)
                peer = Peer(connection, masking=False)
                peer.handshake_as_server(case.answer, DEFAULT_OFFER)
                play(peer, case)
            output, _ = process.communicate(timeout=TIMEOUT_S)
            if process.returncode != 0 or not output.startswith("closed "):
                raise Violation(f"the client ended {process.returncode}: {output.strip()}")
        except TimeoutError as error:
            raise Violation("the client did not connect") from error
        finally:
            process.kill()
            process.communicate()

    def stop(self):
        self.listener.close()


def attempt(subject, case):
    """Returns None, or the reason why the case failed."""
    try:
        subject.try_case(case)
    except (Violation, OSError, UnicodeDecodeError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        return str(error) or type(error).__name__
    return None


def table(results, sections):
    lines = [
        "# Conformance", "",
        "How the engine behaves in the cases of a well-known conformance suite. The peer is an independent implementation",
        "of RFC 6455 and RFC 7692 in Python ([tests/conformance](../tests/conformance)). The case numbers follow that",
        "suite as far as we know them. They were not compared with its list one by one, and sections 12 and 13 send",
        "fewer messages. This page is generated by", "",
        "```",
        "tests/conformance/run.py --server build/release/examples/echo \\",
        "    --client build/release/tests/conformance/echo_client --write docs/conformance.md",
        "```", "",
        "*Server*: the library's server with its defaults; the suite is the client. *Client*: the library's client with",
        "its defaults; the suite is the server. A pass is strict. Every byte is as expected and in order. A failure is",
        "detected at the earliest possible byte, with the right code. Both sides send Close, the server's FIN comes first,",
        "and there is no reset. Compressed data refers to no byte outside the negotiated window.",
        "`./dev test` also runs the server's cases on epoll.",
        "*Comes back*: the echo is identical. *Fails*: the connection is closed with the code that RFC 6455 names.", "",
    ]
    passed = sum(error is None for result in results.values() for error in result.values())
    failed = sum(len(result) for result in results.values()) - passed
    lines += [f"**{passed} passed, {failed} failed** ({len(results)} cases, each as server and as client).", ""]
    for number, title, cases in sections:
        lines += [f"## {number} {title}", "", "| case | behaviour | server | client |", "|---|---|---|---|"]
        for case in cases:
            verdicts = ["pass" if results[case.id][role] is None else "FAIL" for role in ("server", "client")]
            lines.append(f"| {case.id} | {case.behaviour} | {' | '.join(verdicts)} |")
        lines.append("")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", help="the echo server's program, called with 127.0.0.1:0 or what follows it here")
    parser.add_argument("--client", help="the echo client's program")
    parser.add_argument("--cases", default="*", help="only these, as in '6.*'")
    parser.add_argument("--write", type=pathlib.Path, help="the table, as Markdown")
    options = parser.parse_args()
    if options.write and not (options.server and options.client and options.cases == "*"):
        parser.error("--write needs both programs and all cases")

    sections = [(number, title, [case for case in make() if fnmatch.fnmatch(case.id, options.cases)])
                for number, title, make in SECTIONS]
    subjects = {}
    if options.server:
        program, *arguments = shlex.split(options.server)
        subjects["server"] = ServerUnderTest([program, *(arguments or ["127.0.0.1:0"])])
    if options.client:
        subjects["client"] = ClientUnderTest(options.client)
    results = {}
    for number, title, cases in sections:
        if not cases:
            continue
        began, failures = time.monotonic(), 0
        for case in cases:
            results[case.id] = {role: attempt(subject, case) for role, subject in subjects.items()}
            for role, error in results[case.id].items():
                if error is not None:
                    failures += 1
                    print(f"FAIL {case.id} as {role}: {case.behaviour}: {error}", flush=True)
        print(f"{'FAIL' if failures else 'ok':4} {number:7} {title:20} {len(cases):4} cases "
              f"{time.monotonic() - began:6.1f} s", flush=True)
    failed = sum(error is not None for result in results.values() for error in result.values())
    passed = sum(len(result) for result in results.values()) - failed
    for subject in subjects.values():
        try:
            subject.stop()
        except Violation as error:
            print(f"FAIL {error}")
            failed += 1
    if options.write:
        options.write.write_text(table(results, sections))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

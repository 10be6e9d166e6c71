#!/usr/bin/env python3
"""Third-party clients against our server, and our client against third-party servers.

run.py --server BIN --client BIN --fanfare BIN [--node_modules DIR] [--only WORD]

BIN are tests/programs/echo_server, tests/conformance/echo_client and apps/fanfare/fanfare. Each pair runs in plain text
and under TLS, with and without compression. Prints one line for each, and "N passed, N failed".
"""

import argparse
import asyncio
import json
import os
import pathlib
import re
import ssl
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MESSAGES = ["", "Hello", "κόσμε" * 1000, "a" * 300_000, b"\0\xff" * 100_000]
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PATIENCE_S = 60


def started(arguments, **options):
    return subprocess.Popen([str(argument) for argument in arguments], stdout=subprocess.PIPE, text=True, **options)


def run(arguments, **options):
    """Returns the standard output of a program, which must succeed."""
    done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, timeout=PATIENCE_S,
                          **options)
    assert done.returncode == 0, f"status {done.returncode}: {(done.stderr or done.stdout).strip()[:300]}"
    return done.stdout


class Ground:
    """The state shared by all pairs: the binaries, a certificate, our servers."""

    def __init__(self, options, folder):
        self.options = options
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", self.key, "-out",
             self.certificate])
        self.environment = {**os.environ, "NODE_EXTRA_CA_CERTS": str(self.certificate)}
        self.servers = {}

    def tls_files(self, tls):
        return [self.certificate, self.key] if tls else []

    def trusting(self, tls):
        return ssl.create_default_context(cafile=str(self.certificate)) if tls else None

    def url(self, tls, deflate):
        """Returns the URL of our echo server with these properties."""
        if (tls, deflate) not in self.servers:
            settings = [f"deflate={int(deflate)}", "threads=1"]
            if tls:
                settings += [f"tls_certificate={self.certificate}", f"tls_key={self.key}"]
            self.servers[tls, deflate] = started([self.options.server, *settings], stdin=subprocess.PIPE)
            self.servers[tls, deflate].url = self.servers[tls, deflate].stdout.readline().strip() + "/"
        return self.servers[tls, deflate].url

    def stop(self):
        for server in self.servers.values():
            server.stdin.close()
            server.wait(PATIENCE_S)


# ---- clients against our server ----


def python_client(ground, tls, deflate):
    import websockets  # the Debian package

    async def exercise():
        async with websockets.connect(ground.url(tls, True), compression="deflate" if deflate else None, max_size=None,
                                      ssl=ground.trusting(tls)) as connection:
            for message in MESSAGES:
                await connection.send(message)
                assert await connection.recv() == message
            # Fragments of 64 bytes and an empty frame at the end: as many fragments as the limit allows.
            if not deflate:
                await connection.send(b"x" * 64 for _ in range(65_536))
                assert await connection.recv() == b"x" * (64 * 65_536)
            await (await connection.ping(b"there?"))
        assert connection.close_code == 1000, connection.close_code

    asyncio.run(exercise())


def ws_client(ground, tls, deflate):
    run(["node", HERE / "ws_client.cjs", ground.url(tls, True), str(deflate).lower(), ground.options.node_modules],
        env=ground.environment)


def node_client(ground, tls, deflate):
    run(["node", "--experimental-websocket", HERE / "standard_client.cjs", ground.url(tls, deflate), str(deflate).lower()],
        env=ground.environment)


def wscat(ground, tls, deflate):
    trust = ["--ca", ground.certificate] if tls else []
    keyboard, hand = os.pipe()  # it exits when its input ends
    with os.fdopen(keyboard), os.fdopen(hand):
        came = run(["node", pathlib.Path(ground.options.node_modules) / "wscat/bin/wscat", *trust, "-x", "Hello, wscat",
                    "-w", "1", "-c", ground.url(tls, deflate)], env=ground.environment, stdin=keyboard)
    assert "Hello, wscat" in came, came


def curl(ground, tls, deflate):
    """curl supports only the handshake, so the head of the answer is checked."""
    offer = ["-H", "Sec-WebSocket-Extensions: permessage-deflate"] if deflate else []
    url = ground.url(tls, True).replace("ws", "http", 1)
    arguments = ["curl", "-sS", "-i", "-N", "--http1.1", "--max-time", "2", "--cacert", ground.certificate, "-H",
                 "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13", "-H",
                 f"Sec-WebSocket-Key: {KEY}", *offer, url]
    answer = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE_S).stdout
    assert answer.startswith("HTTP/1.1 101 "), answer
    assert "s3pplmbitxaq9kygzzhzrbk+xoo=" in answer.lower(), answer
    assert ("permessage-deflate" in answer) == deflate, answer


def chromium(ground):
    """Runs all four at once, because a browser starts slowly. Yields (name, None or the failure)."""
    pairs = [(tls, deflate) for tls in (False, True) for deflate in (False, True)]
    targets = [f"{ground.url(tls, deflate)},{str(deflate).lower()}" for tls, deflate in pairs]
    said = run(["node", HERE / "chromium.mjs", ground.options.node_modules, *targets])
    for (tls, deflate), line in zip(pairs, said.splitlines(), strict=True):
        yield name_of("Chromium", tls, deflate), None if line.startswith("ok ") else line


# ---- our client against other servers ----


def echo_with(ground, url, tls, deflate):
    """Our client, which echoes every message and exits when the server closes."""
    said = run([ground.options.client, url, "default" if deflate else "none", *([ground.certificate] if tls else [])])
    assert said == "closed 1000\n", said


def ws_server(ground, tls, deflate):
    echo_with_ws(ground, tls, deflate, deflate)


def ws_server_windows(ground, tls, deflate):
    """A server that requests its own window sizes, with every size that it supports."""
    for bits in range(9, 16):
        wanted = {"clientMaxWindowBits": bits, "serverMaxWindowBits": bits} if deflate else False
        echo_with_ws(ground, tls, deflate, wanted)


def echo_with_ws(ground, tls, deflate, how):
    server = started(["node", HERE / "ws_server.cjs", json.dumps(how), ground.options.node_modules,
                      *ground.tls_files(tls)])
    try:
        echo_with(ground, server.stdout.readline().strip(), tls, deflate)
        assert server.wait(PATIENCE_S) == 0, f"status {server.returncode}"
    finally:
        server.kill()


def python_server(ground, tls, deflate):
    import websockets

    async def serve():
        verdict = asyncio.get_running_loop().create_future()

        async def converse(connection, _path=None):
            try:
                agreed = connection.response_headers.get("Sec-WebSocket-Extensions", "")
                assert ("permessage-deflate" in agreed) == deflate, agreed
                for message in MESSAGES:
                    await connection.send(message)
                    assert await connection.recv() == message
                await (await connection.ping(b"there?"))
                await connection.close()
                verdict.set_result(connection.close_code)
            except Exception as error:
                verdict.set_exception(error)

        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(ground.certificate, ground.key)
        async with websockets.serve(converse, "127.0.0.1", 0, compression="deflate" if deflate else None, max_size=None,
                                    ssl=context) as server:
            url = f"{'wss' if tls else 'ws'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            await asyncio.to_thread(echo_with, ground, url, tls, deflate)
            assert await asyncio.wait_for(verdict, PATIENCE_S) == 1000

    asyncio.run(serve())


def nats_server(ground, tls, deflate):
    """NATS uses its own protocol inside WebSocket: our subscription receives what we publish."""
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "nats.conf"
        security = f'tls {{ cert_file: "{ground.certificate}", key_file: "{ground.key}" }}' if tls else "no_tls: true"
        config.write_text(f'listen: "127.0.0.1:-1"\nwebsocket {{ listen: "127.0.0.1:-1"\n{security}\n'
                          f"compression: {str(deflate).lower()} }}\n")
        server = started(["nats-server", "-c", config], stderr=subprocess.STDOUT)
        try:
            port = next(found[1] for line in server.stdout
                        if (found := re.search(r"Listening for websocket clients on wss?://[^:]+:(\d+)", line)))
            trust = ["--ca-file", ground.certificate] if tls else []
            off = [] if deflate else ["--no-deflate"]
            hello = 'CONNECT {"verbose":false}\r\nSUB news 1\r\nPUB news 2000\r\n' + "n" * 2000 + "\r\nPING\r\n"
            said = run([ground.options.fanfare, "connect", "-v", "-n", "2", *trust, *off, "-x", hello,
                        f"{'wss' if tls else 'ws'}://127.0.0.1:{port}"])
            heard = said + bytes.fromhex("".join(re.findall(r"\b(?:[0-9a-f]{2}){4,}\b", said))).decode("latin-1")
            assert "MSG news 1 2000" in heard and "n" * 2000 in heard, said[:300]
        finally:
            server.terminate()
            server.wait(PATIENCE_S)


PAIRS = {
    "Python websockets": python_client,
    "npm ws": ws_client,
    "Node's WebSocket": node_client,
    "wscat": wscat,
    "curl's handshake": curl,
    "our client, npm ws": ws_server,
    "our client, npm ws with windows": ws_server_windows,
    "our client, Python websockets": python_server,
    "our client, nats-server": nats_server,
}


def name_of(who, tls, deflate):
    return who + (", TLS" if tls else "") + (", compressed" if deflate else "")


def attempts(ground):
    """Yields (name, None or the failure) for every pair."""
    for who, attempt in PAIRS.items():
        if ground.options.only not in who:
            continue
        for tls in (False, True):
            for deflate in (False, True):
                try:
                    attempt(ground, tls, deflate)
                    yield name_of(who, tls, deflate), None
                except Exception as error:  # any exception of a third-party library is a failure
                    yield name_of(who, tls, deflate), f"{type(error).__name__}: {error}"
    if ground.options.only in "Chromium":
        try:
            yield from chromium(ground)
        except Exception as error:
            yield "Chromium", f"{type(error).__name__}: {error}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--client", required=True)
    parser.add_argument("--fanfare", required=True)
    parser.add_argument("--node_modules", default=str(HERE.parent / "e2e" / "node_modules"))
    parser.add_argument("--only", default="", help="the pairs whose name contains this")
    failed = passed = 0
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(parser.parse_args(), pathlib.Path(folder))
        for name, problem in attempts(ground):
            passed, failed = passed + (problem is None), failed + (problem is not None)
            print(f"ok   {name}" if problem is None else f"FAIL {name}: {problem}", flush=True)
        ground.stop()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

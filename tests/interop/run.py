#!/usr/bin/env python3
"""Other people's clients against the echo server: run.py --server BIN [--node_modules DIR].

Each client says what it can do plain and compressed. Prints one line a client and "N passed, N failed".
"""

import argparse
import asyncio
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MESSAGES = ["", "Hello", "κόσμε" * 1000, "a" * 300_000, b"\0\xff" * 100_000]
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


async def websockets(url, compression):
    import websockets as library  # Debian's, or the one of PyPI

    async with library.connect(url, compression=compression, max_size=None) as connection:
        for message in MESSAGES:
            await connection.send(message)
            assert await connection.recv() == message
        await (await connection.ping(b"there?"))
    assert connection.close_code == 1000, connection.close_code


def node(url, compressed, modules):
    subprocess.run(["node", HERE / "ws_client.cjs", url, str(compressed).lower(), modules], check=True, timeout=60)


def curl(url):
    """curl knows the handshake only: the answer's head is what counts."""
    answer = subprocess.run(
        ["curl", "-sS", "-i", "-N", "--http1.1", "--max-time", "2", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket",
         "-H", "Sec-WebSocket-Version: 13", "-H", f"Sec-WebSocket-Key: {KEY}", url.replace("ws:", "http:")],
        capture_output=True, text=True, timeout=30).stdout
    assert answer.startswith("HTTP/1.1 101 "), answer
    assert "s3pplmbitxaq9kygzzhzrbk+xoo=" in answer.lower(), answer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--node_modules", default=str(HERE.parent / "e2e" / "node_modules"))
    options = parser.parse_args()
    server = subprocess.Popen([options.server, "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().strip() + "/"
    clients = {
        "Python websockets": lambda: asyncio.run(websockets(url, None)),
        "Python websockets, compressed": lambda: asyncio.run(websockets(url, "deflate")),
        "npm ws": lambda: node(url, False, options.node_modules),
        "npm ws, compressed": lambda: node(url, True, options.node_modules),
        "curl's handshake": lambda: curl(url),
    }
    failed = 0
    for name, attempt in clients.items():
        try:
            attempt()
            print(f"ok   {name}", flush=True)
        except Exception as error:  # whatever a foreign library raises is the finding
            failed += 1
            print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)
    server.terminate()
    server.wait()
    print(f"{len(clients) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

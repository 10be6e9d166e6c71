#!/usr/bin/env python3
"""Runs a command while our default ports are in use, so that a test that forgot port 0 fails everywhere and always.

Usage: hold_ports.py COMMAND [ARGUMENTS...]. A port that another program uses already is left as it is.
"""

import contextlib
import socket
import subprocess
import sys

# Of the library, the chain server and the gateway's configuration.
PORTS = (4000, 8545, 8546, 9001)
ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def hold(stack, family, address, port):
    try:
        held = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        held.bind((address, port))
        held.listen()
    except OSError as error:
        print(f"hold_ports: {address} port {port}: {error.strerror}", file=sys.stderr)


def main(arguments):
    if not arguments:
        print(__doc__)
        return 2
    with contextlib.ExitStack() as stack:
        for family, address in ADDRESSES:
            for port in PORTS:
                hold(stack, family, address, port)
        return subprocess.run(arguments, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

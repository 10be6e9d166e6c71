#!/usr/bin/env python3
"""Each example does what its first lines promise. Usage: examples_test.py FOLDER-OF-THE-PROGRAMS"""

import asyncio
import base64
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

import websockets

PROGRAMS = pathlib.Path(sys.argv.pop(1)) if len(sys.argv) > 1 else pathlib.Path("build/asan/examples")
PATIENCE = 60


@contextlib.contextmanager
def serving(name, *arguments, ends=False):
    """Runs an example and yields the URL that it prints. With `ends` it must end by itself, with success."""
    with subprocess.Popen([PROGRAMS / name, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
            if ends and process.wait(PATIENCE) != 0:
                raise AssertionError(f"status {process.returncode}")
        finally:
            process.terminate()


def together(test):
    async def bounded():
        async with asyncio.timeout(PATIENCE):
            await test()
    asyncio.run(bounded())


class Port(unittest.TestCase):
    def test_what_is_no_port_is_told(self):
        for name in ("chat", "broadcast", "events", "hub", "lobby", "chain"):
            for wrong in ("99999999", "65536", "-1", "80a", ""):
                with self.subTest(name=name, wrong=wrong):
                    ended = subprocess.run([PROGRAMS / name, wrong], capture_output=True, text=True, timeout=PATIENCE)
                    self.assertEqual(ended.returncode, 2)
                    self.assertIn(f'from 0 to 65535, not "{wrong}"', ended.stderr)


class Echo(unittest.TestCase):
    def test_sends_back_what_default_limits_allow(self):
        async def main():
            async with websockets.connect(url, max_size=None) as socket:
                self.assertIn("permessage-deflate", socket.response_headers["Sec-WebSocket-Extensions"])
                for message in ["hi", "", "grüße", b"\0\1", "x" * 70_000, b"a" * (16 << 20)]:
                    await socket.send(message)
                    self.assertEqual(await socket.recv(), message)

        with serving("echo", "127.0.0.1:0") as url:
            together(main)

    def test_sends_back_65536_fragments(self):
        async def main():
            async with websockets.connect(url, max_size=None, compression=None) as socket:
                await socket.ensure_open()
                for number in range(65_536):
                    last = number == 65_535
                    await socket.write_frame(last, 2 if number == 0 else 0, b"b" * 64)
                self.assertEqual(await socket.recv(), b"b" * (4 << 20))

        with serving("echo", "127.0.0.1:0") as url:
            together(main)

    def test_says_what_is_wrong(self):
        for arguments in (["nonsense"], ["127.0.0.1:99999"], ["1", "2"]):
            done = subprocess.run([PROGRAMS / "echo", *arguments], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual((done.returncode, done.stderr), (2, "usage: echo [HOST:]PORT\n"))


class Stream(unittest.TestCase):
    def test_takes_and_gives_messages_of_any_size(self):
        async def main():
            async with websockets.connect(url + "/upload") as socket:
                await socket.send("")
                self.assertEqual(await socket.recv(), "0 14695981039346656037")
                await socket.send("a")
                self.assertEqual(await socket.recv(), "1 12638187200555641996")
                await socket.send(b"x" * 65_536 for _ in range(400))
                size, _ = (await socket.recv()).split()
                self.assertEqual(size, str(400 * 65_536))
            async with websockets.connect(url + "/download", max_size=None) as socket:
                for size in (0, 1, 20 << 20):
                    await socket.send(str(size))
                    self.assertEqual(await socket.recv(), b"x" * size)
                await socket.send("many")
                with self.assertRaises(websockets.ConnectionClosed) as closed:
                    await socket.recv()
                self.assertEqual(closed.exception.code, 1008)

        with serving("stream", "0") as url:
            together(main)
            with urllib.request.urlopen(url.replace("ws:", "http:") + "/stats", timeout=PATIENCE) as answer:
                self.assertIn("0 sessions", answer.read().decode())


class Chat(unittest.TestCase):
    def test_a_room_hears_its_members_and_no_others(self):
        async def main():
            room = url + "/chat/tea"
            async with websockets.connect(room + "?name=Ada") as ada:
                self.assertEqual(await ada.recv(), "Ada is here")
                async with websockets.connect(room + "?name=Bob") as bob, \
                        websockets.connect(url + "/chat/coffee?name=Eve") as eve:
                    self.assertEqual(await eve.recv(), "Eve is here")
                    self.assertEqual(await bob.recv(), "Bob is here")
                    self.assertEqual(await ada.recv(), "Bob is here")
                    await bob.send("hello")
                    self.assertEqual(await ada.recv(), "Bob: hello")
                    self.assertEqual(await bob.recv(), "Bob: hello")
                    await eve.send("alone")
                    self.assertEqual(await eve.recv(), "Eve: alone")
                self.assertEqual(await ada.recv(), "Bob has left")

        with serving("chat", "0") as url:
            together(main)

    def test_refuses_who_has_no_name(self):
        async def main():
            with self.assertRaises(websockets.InvalidStatusCode) as refused:
                await websockets.connect(url + "/chat/tea")
            self.assertEqual(refused.exception.status_code, 400)

        with serving("chat", "0") as url:
            together(main)


class Broadcast(unittest.TestCase):
    def test_everyone_hears_the_same_numbers(self):
        async def main():
            async with websockets.connect(url) as one, websockets.connect(url) as two:
                ones = [int(await one.recv()) for _ in range(5)]
                twos = [int(await two.recv()) for _ in range(5)]
            self.assertEqual(ones, list(range(ones[0], ones[0] + 5)))
            self.assertEqual(twos, list(range(twos[0], twos[0] + 5)))
            with urllib.request.urlopen(url.replace("ws:", "http:") + "/now", timeout=PATIENCE) as answer:
                self.assertGreaterEqual(int(answer.read()), ones[-1])

        with serving("broadcast", "0") as url:
            together(main)


class Events(unittest.TestCase):
    def test_events_come_one_by_one(self):
        with serving("events", "0") as url:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                self.assertEqual(answer.headers["Content-Type"], "text/event-stream")
                lines = [answer.readline() for _ in range(4)]
            first = int(lines[0].removeprefix(b"data: "))
            self.assertEqual(lines, [b"data: %d\n" % first, b"\n", b"data: %d\n" % (first + 1), b"\n"])

    def test_a_token_is_looked_up_before_the_upgrade(self):
        async def main():
            async with websockets.connect(url + "?token=secret") as socket:
                self.assertEqual(socket.response_headers["X-User"], "friend")
                self.assertEqual(await socket.recv(), "hello, friend")
            with self.assertRaises(websockets.InvalidStatusCode) as refused:
                await websockets.connect(url + "?token=wrong")
            self.assertEqual(refused.exception.status_code, 401)

        with serving("events", "0") as events:
            url = events.replace("http:", "ws:").replace("/events", "/ws")
            together(main)

    def test_a_page_from_a_directory(self):
        with tempfile.TemporaryDirectory() as directory:
            pathlib.Path(directory, "index.html").write_text("<p>hi</p>")
            with serving("events", "0", directory) as url:
                with urllib.request.urlopen(url.replace("/events", "/"), timeout=PATIENCE) as answer:
                    self.assertEqual(answer.read(), b"<p>hi</p>")


class HubFeed(unittest.TestCase):
    def test_who_comes_back_goes_on_where_it_stopped(self):
        async def main():
            async with websockets.connect(url + "/feed") as socket:
                self.assertIn("begins_after", json.loads(await socket.recv()))
                first = json.loads(await socket.recv())
            async with websockets.connect(url + "/feed") as other:  # until there is something to catch up with
                for _ in range(4):
                    await other.recv()
            async with websockets.connect(f"{url}/feed?since={first['at']}") as socket:
                self.assertEqual(json.loads(await socket.recv()), {"begins_after": first["at"]})
                events = [json.loads(await socket.recv())["event"] for _ in range(6)]
            self.assertEqual(events, list(range(first["event"] + 1, first["event"] + 7)))
            async with websockets.connect(url + "/feed?since=7-7") as socket:  # an epoch that never was
                await socket.recv()
                self.assertEqual(json.loads(await socket.recv())["missed_after"], "7-7")
            with self.assertRaises(websockets.exceptions.InvalidStatusCode) as refused:
                await websockets.connect(url + "/feed?since=nonsense")
            self.assertEqual(refused.exception.status_code, 400)
            with urllib.request.urlopen(url.replace("ws:", "http:") + "/metrics", timeout=PATIENCE) as answer:
                self.assertRegex(answer.read().decode(), r"published \d+\nsubscribers \d+\nhistory \d+\n")

        with serving("hub", "0") as url:
            together(main)


class Lobby(unittest.TestCase):
    def setUp(self):
        os.environ["LOBBY_TOKEN"] = "t0ken"
        self.addCleanup(os.environ.pop, "LOBBY_TOKEN")

    def ask(self, url, method, target, token="t0ken"):
        request = urllib.request.Request(url.replace("ws:", "http:") + target, method=method,
                                         headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def join(self, url, name=None, **options):
        headers = {"Cookie": f"name={name}"} if name else {}
        return websockets.connect(url + "/lobby", extra_headers=headers, **options)

    def test_a_message_goes_to_all_but_its_sender(self):
        async def main():
            async with self.join(url, "Ada") as ada, self.join(url, "Bob") as bob:
                await ada.send("hello")
                self.assertEqual(await bob.recv(), "Ada: hello")
                await bob.send("hi")
                self.assertEqual(await ada.recv(), "Bob: hi")  # not her own message

        with serving("lobby", "0") as url:
            together(main)

    def test_the_account_decides_about_the_answer(self):
        async def main():
            offers = ["lobby.v1", "lobby.v2"]
            async with self.join(url, "Ada", subprotocols=offers) as ada, self.join(url, subprotocols=offers) as guest:
                self.assertEqual(ada.subprotocol, "lobby.v2")
                self.assertNotIn("Set-Cookie", ada.response_headers)
                self.assertEqual(guest.subprotocol, "lobby.v1")
                self.assertIn("name=guest1;", guest.response_headers["Set-Cookie"])

        with serving("lobby", "0") as url:
            together(main)

    def test_an_exception_ends_one_session(self):
        async def main():
            async with self.join(url, "Ada") as ada, self.join(url, "Bob") as bob:
                await bob.send("/roll 1")
                self.assertEqual(await bob.recv(), "1")
                await bob.send("/roll many")
                with self.assertRaises(websockets.ConnectionClosed) as closed:
                    await bob.recv()
                self.assertEqual(closed.exception.code, 1011)
                await ada.send("/roll 1")
                self.assertEqual(await ada.recv(), "1")

        with serving("lobby", "0") as url:
            together(main)

    def test_operators_reach_members(self):
        async def main():
            async with self.join(url, "Ada") as ada, self.join(url, "Bob") as bob:
                await asyncio.to_thread(self.ask, url, "POST", "/whisper?to=Ada&text=psst")
                self.assertEqual(await ada.recv(), "psst")
                await asyncio.to_thread(self.ask, url, "POST", "/remove?name=Bob")
                with self.assertRaises(websockets.ConnectionClosed) as closed:
                    await bob.recv()
                self.assertEqual((closed.exception.code, closed.exception.reason), (1008, "removed"))
                self.assertIn("Authorization: Bearer t0ken\n", await asyncio.to_thread(self.ask, url, "GET", "/request"))

        with serving("lobby", "0") as url:
            together(main)
            for target, token, status in (("/whisper?to=Nobody", "t0ken", 404), ("/stop", "guess", 401)):
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    self.ask(url, "POST", target, token)
                self.assertEqual(refused.exception.code, status)

    def test_a_spread_stop_closes_all_and_ends(self):
        async def main():
            members = [await self.join(url, str(number)) for number in range(4)]
            await asyncio.to_thread(self.ask, url, "POST", "/stop?seconds=1")
            await asyncio.gather(*(member.wait_closed() for member in members))
            self.assertEqual([member.close_code for member in members], [1012] * 4)

        with serving("lobby", "0", ends=True) as url:
            together(main)

    def test_a_second_listener_serves_the_same(self):
        async def main():
            async with websockets.unix_connect(path, "ws://localhost/lobby") as socket:
                await socket.send("/roll 1")
                self.assertEqual(await socket.recv(), "1")

        with tempfile.TemporaryDirectory() as folder:
            path = str(pathlib.Path(folder) / "lobby.sock")
            with serving("lobby", "0", path):
                together(main)


class Courier(unittest.TestCase):
    def test_each_attempt_has_the_token_of_the_moment(self):
        tokens, lines = [], []

        async def serve(socket):
            tokens.append(socket.request_headers["Authorization"])
            if len(tokens) == 1:
                token_file.write_text("second\n")
                return await socket.close(1012)
            async for line in socket:
                lines.append(line)

        async def main():
            async with websockets.serve(serve, "127.0.0.1", 0) as server:
                port = server.sockets[0].getsockname()[1]
                courier = await asyncio.create_subprocess_exec(
                    PROGRAMS / "courier", f"ws://127.0.0.1:{port}/", token_file, stdin=subprocess.PIPE)
                while len(tokens) < 2:  # its input stays open until then, so nothing is sent to the first
                    await asyncio.sleep(0.01)
                await courier.communicate("".join(f"line {number}\n" for number in range(1000)).encode())
                self.assertEqual(courier.returncode, 0)

        with tempfile.TemporaryDirectory() as folder:
            token_file = pathlib.Path(folder) / "token"
            token_file.write_text("first\n")
            together(main)
        self.assertEqual(tokens, ["Bearer first", "Bearer second"])
        self.assertEqual(lines, [f"line {number}" for number in range(1000)])

    def test_says_why_it_cannot(self):
        with serving("echo", "127.0.0.1:0") as url, tempfile.NamedTemporaryFile("w") as token:
            token.write("any\n")
            token.flush()
            done = subprocess.run([PROGRAMS / "courier", url + "/nowhere", token.name], input="line\n",
                                  capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("404", done.stderr)
        self.assertIn("not everything was sent", done.stderr)


class Client(unittest.TestCase):
    def run_client(self, *arguments):
        return subprocess.run([PROGRAMS / "client", *arguments], capture_output=True, text=True, timeout=PATIENCE)

    def test_prints_what_comes_back(self):
        with serving("echo", "127.0.0.1:0") as url:
            done = self.run_client(url, "one", "zwei")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "one\nzwei\n", ""))

    def test_says_why_it_cannot(self):
        with serving("echo", "127.0.0.1:0") as url:
            done = self.run_client(url + "/nowhere", "text")
        self.assertEqual(done.returncode, 1)
        self.assertIn("404", done.stderr)
        self.assertEqual(self.run_client().returncode, 2)


class ChainNode(unittest.TestCase):
    def test_its_hooks_feed_subscriptions_through_reorgs(self):
        async def main():
            async with websockets.connect(url.split()[1]) as socket:
                names = {}
                for number, params in enumerate((["newHeads"], ["logs", {}])):
                    await socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": "eth_subscribe", "params": params}))
                    message = json.loads(await socket.recv())
                    while "id" not in message:  # from the previous subscription
                        message = json.loads(await socket.recv())
                    names[message["result"]] = params[0]
                heads, logs, removed = [], [], 0
                while removed < 4:
                    told = json.loads(await socket.recv())["params"]
                    result = told["result"]
                    if names[told["subscription"]] == "logs":
                        if result["removed"]:
                            removed += 1
                            if logs:  # ignore a block from before the subscription
                                self.assertEqual(logs.pop()["blockHash"], result["blockHash"])
                        else:
                            logs.append(result)
                        continue
                    while heads and heads[-1]["hash"] != result["parentHash"]:
                        heads.pop()
                    heads.append(result)
                for before, after in zip(logs, logs[1:]):
                    self.assertEqual(int(after["blockNumber"], 16), int(before["blockNumber"], 16) + 1)

        with serving("chain", "0", "0") as url:
            together(main)

    def test_answers_over_http(self):
        with serving("chain", "0", "0") as url:
            request = urllib.request.Request(url.split()[0], b'{"jsonrpc":"2.0","id":"x","method":"eth_chainId"}')
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                self.assertEqual(json.loads(answer.read()), {"jsonrpc": "2.0", "id": "x", "result": "0x7"})


class Node(unittest.TestCase):
    """The same calls over HTTP, WebSocket and the Unix socket, and a client that was away."""

    @contextlib.contextmanager
    def node(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "node.conf")
            file.write_text(f"rpcport=0\nrpcwebsocketport=0\nrpcuser=alice\nrpcpassword=secret\nrpcunixsocket={folder}/s\n")
            with serving("node", file) as address:
                yield address, f"{folder}/s"

    HEADERS = {"Authorization": "Basic " + base64.b64encode(b"alice:secret").decode()}

    @staticmethod
    def request(method, params=(), number=1):
        return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})

    def test_answers_the_same_on_every_transport(self):
        texts = [self.request("getblockcount"), self.request("getblockhash", {"height": 0}, "x"), self.request("getpeerinfo"),
                 self.request("getbalance", ["alice"]), self.request("nothing"),
                 "[" + self.request("getmininginfo") + "," + self.request("getblockhash", [9], 2) + "]"]

        async def main():
            async with (websockets.connect(f"ws://{address}/", extra_headers=self.HEADERS) as socket,
                        websockets.unix_connect(unix, "ws://localhost/", extra_headers=self.HEADERS) as local):
                for text, wanted in zip(texts, answers):
                    for one in (socket, local):
                        await one.send(text)
                        self.assertEqual(await one.recv(), wanted)

        with self.node() as (address, unix):
            answers = []
            for text in texts:
                post = urllib.request.Request(f"http://{address}/", text.encode(), self.HEADERS)
                with urllib.request.urlopen(post, timeout=PATIENCE) as answer:
                    answers.append(answer.read().decode())
            together(main)
            self.assertEqual(json.loads(answers[0]), {"jsonrpc": "2.0", "id": 1, "result": 0})
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"http://{address}/", texts[0].encode(), timeout=PATIENCE)
            self.assertEqual(refused.exception.code, 401)

    def test_a_client_that_returns_gets_what_it_missed(self):
        async def main():
            async def call(socket, method, params=()):
                await socket.send(self.request(method, params))
                return json.loads(await socket.recv())["result"]

            def connect():
                return websockets.connect(f"ws://{address}/", extra_headers=self.HEADERS)

            async with connect() as socket:
                since = (await call(socket, "subscribe", ["newblock"]))["position"]
            async with connect() as socket:
                hashes = await call(socket, "generate", [3])
            async with connect() as socket:
                self.assertTrue((await call(socket, "subscribe", ["newblock", since]))["recovered"])
                told = [json.loads(await socket.recv()) for _ in hashes]
            self.assertEqual([one["params"]["value"]["hash"] for one in told], hashes)
            self.assertEqual([one["params"]["position"]["offset"] for one in told], [1, 2, 3])

        with self.node() as (address, _):
            together(main)


if __name__ == "__main__":
    unittest.main()

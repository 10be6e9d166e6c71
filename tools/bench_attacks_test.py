import asyncio
import json
import pathlib
import stat
import tempfile
import threading
import time
import types
import unittest
from unittest import mock

import bench_attacks
import bench_attacks_clients as clients
import bench_attacks_node as nodes
import bench_attacks_report as report
import bench_attacks_run as run
import bench_attacks_wire as wire

MS = 1_000_000


class FramesTest(unittest.TestCase):
    def test_lengths_as_rfc6455_5_2_writes_them(self):
        self.assertEqual(wire.frame(wire.TEXT, b"Hello"), b"\x81\x05Hello")
        self.assertEqual(wire.frame(wire.TEXT, b"Hello", masked=True), b"\x81\x85\0\0\0\0Hello")
        for size, head in ((125, b"\x81\x7d"), (126, b"\x81\x7e\0\x7e"), (65535, b"\x81\x7e\xff\xff"),
                           (65536, b"\x81\x7f\0\0\0\0\0\1\0\0")):
            self.assertEqual(wire.frame(wire.TEXT, b"x" * size), head + b"x" * size)

    def test_any_split_gives_the_same_messages(self):
        # RFC6455§5.7: unmasked, masked, in two fragments with a Ping between them; then a length of 16 bits.
        data = b"\x81\x05Hello" b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" b"\x01\x03Hel\x89\x02hi\x80\x02lo" \
               + b"\x81\x7e\1\0" + b"y" * 256
        expected = [(1, b"Hello"), (1, b"Hello"), (9, b"hi"), (1, b"Hello"), (1, b"y" * 256)]
        for step in (1, 2, 3, 7, len(data)):
            frames, found = wire.Frames(), []
            for at in range(0, len(data), step):
                found += frames.feed(data[at:at + step])
            self.assertEqual(found, expected, step)


class FakeNode(unittest.IsolatedAsyncioTestCase):
    """A node on a real socket."""

    async def start(self, **options):
        self.node = nodes.Node(options)
        server = await asyncio.get_running_loop().create_server(lambda: wire.NodeConnection(self.node), "127.0.0.1", 0)
        self.addCleanup(server.close)
        self.port = server.sockets[0].getsockname()[1]
        self.texts = asyncio.Queue()

    async def socket(self, **options):
        made = await wire.ClientSocket.open(f"ws://127.0.0.1:{self.port}/x", self.texts.put_nowait, **options)
        self.addCleanup(made.abort)
        return made

    async def next(self):
        return json.loads(await asyncio.wait_for(self.texts.get(), 30))

    async def post(self, body):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.addCleanup(writer.close)
        text = bytearray()
        await wire.post(reader, writer, "/", json.dumps(body).encode(), text.extend)
        return json.loads(text)

    @staticmethod
    def call(method, *params, call_id=1):
        return {"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}


class NodeTest(FakeNode):
    """The node as seen by its clients."""

    async def test_heads_are_told_and_grow_from_each_other(self):
        await self.start()
        made = await self.socket()
        made.send(json.dumps(self.call("eth_subscribe", "newHeads")))
        subscription = (await self.next())["result"]
        for _ in range(2):
            self.node.make_block()
        first, second = [(await self.next())["params"] for _ in range(2)]
        self.assertEqual(first["subscription"], subscription)
        self.assertEqual(second["result"]["parentHash"], first["result"]["hash"])
        block = (await self.post(self.call("eth_getBlockByNumber", "latest", False)))["result"]
        self.assertEqual(block["hash"], second["result"]["hash"])

    async def test_logs_come_only_once_it_misbehaves_and_by_block_only_where_that_is_not_refused(self):
        for refuses in (False, True):
            await self.start(logs=3, refuses_block_hash=refuses)
            self.node.make_block()
            self.node.go()
            self.node.make_block()
            quiet, busy = self.node.blocks[-2:]
            by_number = await self.post(self.call("eth_getLogs", {"fromBlock": hex(quiet.number), "toBlock": "latest"}))
            self.assertEqual([log["logIndex"] for log in by_number["result"]], ["0x0", "0x1", "0x2"])
            self.assertEqual({log["blockHash"] for log in by_number["result"]}, {busy.hash})
            by_hash = await self.post(self.call("eth_getLogs", {"blockHash": busy.hash}))
            self.assertEqual(by_hash.get("error", {}).get("code"), -32602 if refuses else None)
            self.assertEqual(self.node.tally["logs refused by the node"], int(refuses))
            others = await self.post(self.call("eth_getLogs", {"fromBlock": "0x0", "address": "0x" + "11" * 20}))
            self.assertEqual(others["result"], [])

    async def test_a_batch_multiplies_the_large_answer(self):
        await self.start(raw_bytes=100_000)
        answers = await self.post([self.call("debug_getRawBlock", "0x1", call_id=each) for each in range(3)])
        self.assertEqual([(one["id"], len(one["result"])) for one in answers], [(each, 100_002) for each in range(3)])

    async def test_a_slow_read_takes_its_time(self):
        await self.start(slow_seconds=0.05)
        begin = asyncio.get_running_loop().time()
        answer = await self.post(self.call("eth_getLogs", {"fromBlock": "0x1", "address": nodes.SLOW_ADDRESS + "0" * 34}))
        self.assertEqual(answer["result"], [])
        self.assertGreaterEqual(asyncio.get_running_loop().time() - begin, 0.05)

    async def test_floods_go_to_connections_that_are_there_and_to_new_ones(self):
        await self.start(flood="answers")
        await self.socket()
        await self.post(self.call("eth_chainId"))  # the node has seen the upgrade
        self.node.go()
        await self.next()
        await self.socket()
        while self.node.tally["connections to flood"] < 2:
            await self.next()

    async def test_what_is_refused_has_a_name(self):
        await self.start()
        with self.assertRaisesRegex(wire.Refused, "connections refused"):
            await wire.ClientSocket.open("ws://127.0.0.1:1/", self.texts.put_nowait)

        async def refuse(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")

        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        self.addCleanup(server.close)
        self.port = server.sockets[0].getsockname()[1]
        with self.assertRaisesRegex(wire.Refused, r"upgrades refused \(503\)"):
            await self.socket()
        with self.assertRaisesRegex(wire.Refused, "HTTP 503"):
            await self.post(self.call("eth_chainId"))

    async def test_a_paced_reader_reads_no_faster(self):
        await self.start(raw_bytes=1_000_000)
        made = await self.socket(bytes_per_second=4_000_000)
        begin = asyncio.get_running_loop().time()
        made.send(json.dumps(self.call("debug_getRawBlock", "0x1")))
        self.assertEqual(len((await self.next())["result"]), 1_000_002)
        # The reader does not pause after the last part.
        self.assertGreaterEqual(asyncio.get_running_loop().time() - begin, 0.15)


class HonestTest(FakeNode):
    """The honest client against the node itself, which serves as the gateway here."""

    async def test_calls_are_timed_and_lost_ones_too(self):
        await self.start()
        honest = clients.Honest({"url": f"ws://127.0.0.1:{self.port}/", "calls_per_second": 100, "seconds": 1})
        honest.call()  # there is no connection yet
        connection = asyncio.create_task(honest.stay_connected())
        self.addCleanup(connection.cancel)
        while not self.node.subscribers:
            await asyncio.sleep(0.001)
        self.node.make_block()
        await honest.warm.wait()
        self.assertEqual(list(honest.heads), [self.node.blocks[-1].hash])
        honest.call()
        while not honest.latencies:
            await asyncio.sleep(0.001)
        honest.call()
        honest.socket.abort()
        while len(honest.lost) < 2:
            await asyncio.sleep(0.001)
        self.assertEqual(honest.tally, {"calls without a connection": 1, "calls lost with their connection": 1, "closed with 1006": 1})
        self.assertEqual((len(honest.latencies), len(honest.waiting)), (1, 0))


class AttackersTest(FakeNode):
    """The attackers against the node itself: their counts appear in the table."""

    def begin(self, role, **options):
        client = clients.ROLES[role]({"url": f"ws://127.0.0.1:{self.port}/", **options})
        task = asyncio.create_task(client.attack())
        self.addCleanup(task.cancel)
        return client

    async def until(self, condition):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end)
            await asyncio.sleep(0.001)

    async def test_slow_reads_are_always_so_many(self):
        for over in ("websocket", "http"):
            await self.start(slow_seconds=0.01)
            client = self.begin("slow-reads", parallel=5, over=over)
            await self.until(lambda: client.tally["answers"] >= 20)
            self.assertLessEqual(client.tally["calls"] - client.tally["answers"], 5)
            self.assertLessEqual(self.node.tally["slow reads at the node"], client.tally["calls"])

    async def test_batches_count_answers_and_errors(self):
        await self.start(raw_bytes=1000)
        client = self.begin("batches", items=3)
        await self.until(lambda: client.tally["batches answered"] >= 2)
        self.assertEqual(client.tally["errors in answers"], 0)
        self.node.options["raw_bytes"] = 0  # now the method is unknown
        await self.until(lambda: client.tally["errors in answers"] >= 3)

    async def test_a_reader_asks_again_when_all_came(self):
        await self.start(raw_bytes=1000)
        client = self.begin("reader", answers=4, every_s=0.01)
        await self.until(lambda: client.tally["answers read"] >= 12)
        self.assertLessEqual(client.tally["answers asked for"] - client.tally["answers read"], 4)

    async def test_a_reader_tells_what_was_refused_and_how_it_was_closed(self):
        await self.start()
        client = self.begin("reader", logs=True)
        await self.until(lambda: client.tally["subscriptions refused (-32602)"] == 1)  # the node has heads only
        connection = next(iter(self.node.subscribers))
        connection.transport.write(wire.frame(wire.CLOSE, (1013).to_bytes(2, "big")))
        await self.until(lambda: client.tally["closed with 1013"] == 1)
        await self.until(lambda: client.tally["subscriptions refused (-32602)"] == 2)

    async def test_filters_that_are_refused_are_told(self):
        await self.start()
        client = clients.Filters({"url": f"ws://127.0.0.1:{self.port}/", "filters": 6, "filters_per_connection": 3})
        await client.prepare()
        self.assertEqual((client.tally, len(client.sockets)), ({"filters refused (-32602)": 6}, 2))
        for made in client.sockets:
            made.abort()


class FloodTest(unittest.TestCase):
    def test_every_kind_is_whole_frames(self):
        tip = nodes.Block(7, "0x" + "0" * 64, 0)
        for kind in ("junk", "notifications", "heads", "answers"):
            for chunk in nodes.flood_chunks(kind, tip, "0x1000"):
                frames = wire.Frames()
                self.assertEqual(len(frames.feed(chunk)), nodes.FLOOD_BATCH, kind)
                self.assertEqual(frames.waiting, b"")

    def test_heads_are_branches_from_the_tip(self):
        tip = nodes.Block(7, "0x" + "0" * 64, 0)
        firsts = set()
        for chunk in nodes.flood_chunks("heads", tip, "0x1000"):
            headers = [json.loads(text)["params"]["result"] for _, text in wire.Frames().feed(chunk)]
            for parent, child in zip([tip.header, *headers], headers):
                self.assertEqual(child["parentHash"], parent["hash"])
            firsts.add(headers[0]["hash"])
        self.assertEqual(len(firsts), 8)


def seen(**changes):
    return {"calls": 4, "latencies_ns": [1 * MS, 2 * MS], "waiting_ns": [900 * MS], "heads": {"0xa": 160 * MS, "0xd": 220 * MS},
            "window_ns": [100 * MS, 1000 * MS], "now_ns": 2000 * MS, "tally": {"error -32005": 1}, **changes}


def result(attack=types.SimpleNamespace(name="an attack", needs=None), reports=(), **ending):
    node = {"tally": {}, "blocks": [["0x9", 50 * MS, 1], ["0xa", 150 * MS, 2], ["0xd", 200 * MS, 0], ["0xb", 500 * MS, 3], ["0xc", 1500 * MS, 4]]}
    return report.Result.of(attack, seen(), node, list(reports),
                            {"peak_bytes": 5 << 20, "log_bytes": 1 << 19, "died": None, "end_s": 0.1, **ending})


class ReportTest(unittest.TestCase):
    def cells(self, *results, attack=types.SimpleNamespace(name="an attack")):
        return [cell.strip() for cell in report.row_of(attack, "now", list(results)).strip("|").split("|")]

    def test_percentiles_are_values_that_were_there(self):
        self.assertEqual([report.percentile(range(1, 101), share) for share in (50, 99, 100)], [50, 99, 100])
        self.assertEqual(report.percentile([3, 1], 50), 1)
        self.assertEqual(report.percentile([7], 99), 7)
        self.assertIsNone(report.percentile([], 99))

    def test_what_is_waited_for_counts_and_what_is_missing_is_told(self):
        one = result()
        self.assertEqual((one.p50, one.p99), (2, 900))
        self.assertEqual((one.failed, one.calls), (2, 4))
        # The blocks before and after the time of the calls do not count; 0xb is missing for 1.5 s.
        self.assertEqual((one.delays, one.missing, one.blocks), ([10, 20, 1500], 1, 3))
        self.assertEqual(self.cells(one), ["an attack", "now", "2.0", "900", "2 of 4 (1 error -32005)", "20.0", "1,500", "1 of 3",
                                           "5", "0.5", "0.1", "-"])

    def test_rounds_are_a_median_with_its_range_sums_and_maxima(self):
        other = result(peak_bytes=9 << 20, end_s=0.3)
        other.p50 = 4
        cells = self.cells(result(), other)
        self.assertEqual(cells[2], "3.0 (2.0 to 4.0)")
        self.assertEqual((cells[4], cells[7]), ("4 of 8 (2 error -32005)", "2 of 6"))
        self.assertEqual((cells[8], cells[10]), ("9", "0.3"))

    def test_a_gateway_that_died_or_did_not_end_is_told(self):
        cells = self.cells(result(), result(died="SIGABRT", end_s=0.0), result(end_s=None))
        self.assertEqual(cells[10], "0.1, **died (SIGABRT)** 1 of 3, **killed** 1 of 3")
        self.assertEqual(self.cells(result(died="SIGSEGV", end_s=0.0))[10], "**died (SIGSEGV)**")

    def test_an_attack_that_did_not_come_about_is_told(self):
        attack = types.SimpleNamespace(name="an attack", needs="filters")
        refused = [{"tally": {"upgrades refused (503)": 12, "bytes of answers": 3 << 20}}]
        self.assertEqual(self.cells(result(attack, refused))[11],
                         "**no attack in 1 of 1** 3 MiB of answers, 12 upgrades refused (503)")
        self.assertEqual(self.cells(result(attack, [{"tally": {"filters": 1}}]))[11], "1 filters")

    def test_logs_read_are_those_of_the_blocks_that_count(self):
        reader = [{"tally": {"closed with 1013": 1}, "logs": {"0x9": 1, "0xa": 2, "0xb": 1}}]
        self.assertEqual(self.cells(result(reports=reader))[11], "1 closed with 1013, 5 logs made, 3 logs read")

    def test_without_a_run_there_are_no_figures(self):
        self.assertEqual(self.cells()[2:], ["-"] * 10)
        self.assertEqual(len(self.cells()), report.HEAD[1].count("---"))


class LateOutput(run.Output):
    """Reads nothing until somebody waits for it, as a busy machine may have it."""

    def __init__(self, pipe):
        self.is_awaited = threading.Event()
        super().__init__(pipe)

    def run(self):
        self.is_awaited.wait()
        super().run()

    def join(self, timeout=None):
        self.is_awaited.set()
        super().join(timeout)


class GatewayTest(unittest.TestCase):
    """With programs that stand in for `fanfare serve`."""

    def gateway(self, script):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        program = pathlib.Path(folder.name) / "program"
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        made = run.Gateway(program, folder.name, types.SimpleNamespace(port=1), None)
        self.addCleanup(made.kill)
        return made

    def wait(self, made):
        made.process.wait(60)

    def wait_for_words(self, made):
        end = time.monotonic() + 60
        while b"here" not in made.output.head:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.001)

    def test_one_that_died_says_of_what(self):
        made = self.gateway("kill -ABRT $$\n")
        self.wait(made)
        self.assertEqual(made.end()["died"], "SIGABRT")

    def test_one_that_ends_by_itself_died_too(self):
        made = self.gateway("exit 3\n")
        self.wait(made)
        self.assertEqual(made.end()["died"], "status 3")

    def test_one_that_ends_when_asked_did_not(self):
        made = self.gateway("trap 'exit 0' TERM; echo here; while :; do :; done\n")
        self.wait_for_words(made)
        ending = made.end()
        self.assertIsNone(ending["died"])
        self.assertIsNotNone(ending["end_s"])
        self.assertGreater(ending["peak_bytes"], 0)
        self.assertEqual(ending["log_bytes"], len("here\n"))

    def test_one_that_dies_while_it_ends_did_not_end_well(self):
        made = self.gateway("trap 'kill -ABRT $$' TERM; echo here; while :; do :; done\n")
        self.wait_for_words(made)
        self.assertEqual(made.end()["died"], "SIGABRT, after SIGTERM")

    def test_one_that_does_not_end_is_killed(self):
        made = self.gateway("trap '' TERM; echo here; while :; do :; done\n")
        self.wait_for_words(made)
        with mock.patch.object(run, "SHUTDOWN_S", 0), mock.patch.object(run, "SHUTDOWN_PATIENCE_S", 0.1):
            ending = made.end()
        self.assertEqual((ending["died"], ending["end_s"]), (None, None))

    def test_one_that_never_gets_ready_is_a_failure_with_its_last_words(self):
        with mock.patch.object(run, "Output", LateOutput):
            made = self.gateway("echo no such node; exit 2\n")
        with self.assertRaisesRegex(run.Failed, "no such node"):
            made.wait_ready()

    def test_memory_is_bounded(self):
        made = self.gateway("ulimit -v\n")
        self.wait(made)
        made.output.join()
        self.assertEqual(int(made.output.head), run.ADDRESS_SPACE_BYTES >> 10)


class AttacksTest(unittest.TestCase):
    def test_each_attack_is_one_that_programs_and_nodes_know(self):
        for attack in bench_attacks.ATTACKS:
            self.assertLessEqual(attack.node.keys(), nodes.DEFAULTS.keys())
            if attack.client:
                self.assertIn(attack.client[0], clients.ROLES)
            if attack.flood:
                self.assertTrue(nodes.flood_chunks(attack.flood, nodes.Block(7, "0x" + "0" * 64, 0), "0x1"))
            self.assertEqual(attack.needs is None, attack.client is None and attack.flood is None)

    def test_a_round_alone_is_quick(self):
        quick, whole, own = (bench_attacks.options_of(flags) for flags in (["--attacks", "--quick"], ["--attacks"], ["--rounds", "2"]))
        self.assertEqual((quick.rounds, whole.rounds, own.rounds), (1, 3, 2))

    def test_filters_name_the_busy_address_and_nobody_elses_topics(self):
        filters = [json.loads(clients.Filters({"url": ""}).filter(index))["params"][1] for index in (0, 59_999)]
        for one in filters:
            self.assertEqual((len(one["address"]), one["address"][0]), (6, nodes.BUSY))
            self.assertEqual({len(address) for address in one["address"]}, {42})
            self.assertEqual([len(topic) for topic in one["topics"][0]], [66] * 12)
            self.assertNotIn(nodes.TOPIC, one["topics"][0])
        self.assertEqual(len({topic for one in filters for topic in one["topics"][0]}), 24)

    def test_an_error_is_found_wherever_it_is(self):
        self.assertEqual(clients.error_code(b'{"id":1,"error":{"code":-32005,"message":"x"}}'), "-32005")
        self.assertIsNone(clients.error_code(b'{"id":1,"result":"0x1"}'))

import asyncio
import json
import types
import unittest

import bench_access as bench
import bench_access_clients as clients


class RowsTest(unittest.TestCase):
    def test_overhead_is_the_ratio_within_a_round(self):
        plain, guarded = bench.overhead_rows({False: [1000, 2000, 4000], True: [1100, 2400, 4000]})
        self.assertEqual(plain, "| CPU for a call without access control, µs | 2.00 | |")
        self.assertEqual(guarded, "| the same with it | 2.40 | 1.10 times (1.00 to 1.20) |")

    def test_a_crowd_shows_what_went_wrong(self):
        seen = {"latencies_ns": [2_000_000] * 99 + [50_000_000], "closed": 1, "growth": 3 << 20,
                "tally": {"results": 70, "error -32601": 20, "error -32005": 10, "lost": 2, "newHeads events": 5, "gaps": 1}}
        row = bench.crowd_row(100, 1, seen)[0]
        for part in ("p50 2.0 ms", "100 calls, 2 lost, 1 closed, 20 denied", "'error -32005': 10", "5 newHeads events, 1 gaps", "3.0 MiB"):
            self.assertIn(part, row)

    def test_an_abuser_is_compared_with_the_time_alone(self):
        row = bench.abuser_row(1000, [2.0, 3.0], {"batches sent": 4})[0]
        self.assertIn("batches of 100,000 calls, with batchItemsMax 1,000 | 2.0 ms alone, 3.0 ms beside | 1.5 times", row)
        self.assertIn("4 batches sent", row)


class OptionsTest(unittest.TestCase):
    def test_it_takes_the_flags_of_dev_bench(self):
        self.assertTrue(bench.options_of(["--access", "--abuser"]).abuser)
        self.assertEqual(bench.options_of(["--access"]).minutes, 5)
        tsan = bench.options_of(["--access", "--crowd", "--tsan"])
        self.assertEqual((tsan.minutes, "/tsan/" in tsan.program), (1, True))


class ConfigTest(unittest.TestCase):
    def test_keys_are_there_only_with_access_control(self):
        node = types.SimpleNamespace(port=7)
        self.assertNotIn("access:", bench.config(node, False, 5))
        text = bench.config(node, True, 5)
        self.assertIn("batchItemsMax: 5", text)
        self.assertEqual(text.count("keyHash:"), bench.KEYS)
        self.assertNotIn(bench.key(0), text)


class CallerTest(unittest.IsolatedAsyncioTestCase):
    async def test_answers_find_their_calls_and_the_rest_is_counted(self):
        tally = clients.new_tally()
        caller = clients.Caller(tally)
        sent = []
        caller.socket = types.SimpleNamespace(send=sent.append)
        first, second = caller.start("a", []), caller.start("b", [])
        self.assertIn(b'"method": "a"', sent[0])
        caller.received(b'{"jsonrpc":"2.0","id":2,"error":{"code":-32601}}')
        self.assertEqual((first.done(), second.done()), (False, True))
        caller.received(b'[{"id":1,"error": {"code":-32005}}]')
        caller.received(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600}}')
        caller.received(b'{"jsonrpc":"2.0","id":1,"result":"0x1"}')
        await asyncio.wait_for(first, 1)
        self.assertEqual(tally, {"error -32601": 1, "batches answered": 1, "batches with error -32005": 1,
                                 "batches refused with -32600": 1, "results": 1})
        self.assertEqual(len(caller.latencies), 2)

    async def test_events_that_do_not_follow_each_other_are_gaps(self):
        tally = clients.new_tally()
        caller = clients.Caller(tally)

        def answer(text):
            call = json.loads(text)
            caller.received(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": call["params"][0]}).encode())

        def event(kind, **result):
            caller.received(json.dumps({"jsonrpc": "2.0", "method": "eth_subscription",
                                        "params": {"subscription": kind, "result": result}}).encode())

        caller.socket = types.SimpleNamespace(send=answer)
        for kind in clients.TOPICS:
            await caller.subscribe(kind)
        for number in ("0x7", "0x8", "0xa"):
            event("newHeads", number=number)
        for block, index in (("0x7", "0x1"), ("0x7", "0x2"), ("0x8", "0x0"), ("0x8", "0x2"), ("0xa", "0x0")):
            event("logs", blockNumber=block, logIndex=index)
        event("newFinalizedHeads", number="0x3")
        event("newFinalizedHeads", number="0x3")
        event("syncing")
        self.assertEqual(tally["gaps"], 4)
        self.assertEqual(tally["logs events"], 5)


if __name__ == "__main__":
    unittest.main()

"""Tests of bench_heads.py: what is counted, and the node that knows when it made a block."""

import asyncio
import collections
import contextlib
import unittest

import bench_attacks_node
import bench_heads as bench
from bench_attacks_run import Node, Stage

SECOND_NS = 1_000_000_000


class CountTest(unittest.TestCase):
    def test_blocks_before_the_begin_and_those_under_way_do_not_count(self):
        made = {"early": 0, "first": 10 * SECOND_NS, "second": 11 * SECOND_NS, "under way": 19 * SECOND_NS}
        got = {hash_: at + 5_000_000 for hash_, at in made.items()}
        got["second"] += 2_000_000
        self.assertEqual(bench.delays_of(made, got, 10 * SECOND_NS, 20 * SECOND_NS), ([5.0, 7.0], 0))

    def test_a_block_that_nobody_heard_of_is_told(self):
        made = {"first": 10 * SECOND_NS, "second": 11 * SECOND_NS}
        delays, missed = bench.delays_of(made, {"first": 10 * SECOND_NS}, 0, 20 * SECOND_NS)
        self.assertEqual((delays, missed), ([0.0], 1))
        self.assertIn("1 missed", bench.text_of(delays, missed, 0))

    def test_calls_are_those_of_whole_seconds_within_the_measurement(self):
        calls = collections.Counter({9: 100, 10: 7, 11: 3, 12: 3, 13: 100})
        self.assertEqual(bench.calls_a_minute(calls, 10 * SECOND_NS + 1, 13 * SECOND_NS + 5), 3 * 60)

    def test_the_median_and_the_longest_are_in_the_cell(self):
        self.assertEqual(bench.text_of([3.0, 1.0, 2.0], 0, 60.4), "2.0 / 3.0 / 3.0, 60 calls, 3 blocks")


class NodeTest(unittest.TestCase):
    """A subscriber of the node itself: the times of the node's report and of the listener are of one clock."""

    def test_the_node_tells_when_each_block_was_made_and_counts_calls(self):
        with Stage() as stage:
            node = stage.add(Node({"chain_id": bench.CHAIN, "block_ms": 20, "block_jitter": 0.5}))
            node.go()
            listener = bench.Listener()
            asyncio.run(self.hear(listener, f"ws://127.0.0.1:{node.port}/", 5))
            report = node.ask_report()
        made = {hash_: made_ns for hash_, made_ns, _ in report["blocks"]}
        self.assertLessEqual(set(listener.got), set(made))
        for hash_, at in listener.got.items():
            self.assertGreaterEqual(at, made[hash_])
        self.assertEqual(sum(report["calls"].values()), 1)  # eth_subscribe
        gaps = [later - earlier for earlier, later in zip(list(made.values()), list(made.values())[1:])]
        self.assertGreater(max(gaps) - min(gaps), 1_000_000, "with jitter, blocks are not evenly spaced")

    def test_timestamps_follow_the_block_time(self):
        """A gateway polls at intervals that follow from them."""
        node = bench_attacks_node.Node({"block_ms": 12_000})
        first, second = (int(node.blocks[at].header["timestamp"], 16) for at in (1, 2))
        self.assertEqual(second - first, 12)

    @staticmethod
    async def hear(listener, url, blocks):
        await listener.subscribe(url)
        with contextlib.suppress(asyncio.TimeoutError):
            async with asyncio.timeout(30):
                while len(listener.got) < blocks:
                    await asyncio.sleep(0.01)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""Tests of bench_fleet.py and its parts."""

import pathlib
import unittest

import bench_fleet
import bench_fleet_rolling as rolling
import bench_fleet_run as run
from bench_contestants import Failed
from bench_fleet_rolling import Calls, Step


def plan(*flags):
    return bench_fleet.plan_of(bench_fleet.options_of(["--fleet", *flags]), 3)


def step(times, spread_s):
    return Step("i1", spread_s, times, times, {}, [1.0], [1.0])


class Faults(unittest.TestCase):
    def test_every_seed_has_every_kind(self):
        for seed in range(200):
            for count in (3, 4, 10):
                kinds = {kind for kind, _, _ in plan("--seed", str(seed), "--faults", str(count))}
                self.assertEqual(kinds, set(bench_fleet.FAULTS), (seed, count))

    def test_every_seed_has_every_kind_beside_those_of_brokers(self):
        for seed in range(200):
            faults = plan("--seed", str(seed), "--faults", "4", "--brokers", "3")
            self.assertEqual({kind for kind, what, _ in faults if what == "instance"}, set(bench_fleet.FAULTS), seed)

    def test_every_third_is_a_broker_s_and_each_broker_is_lost(self):
        faults = plan("--faults", "300", "--brokers", "3")
        self.assertEqual([number for number, (_, what, _) in enumerate(faults) if what == "broker"], list(range(2, 300, 3)))
        self.assertEqual({which for kind, what, which in faults if (kind, what) == ("kill", "broker")}, {0, 1, 2})
        self.assertEqual({which for _, what, which in plan("--faults", "9", "--broker-restart") if what == "broker"}, {0})
        self.assertNotIn("broker", {what for _, what, _ in plan("--faults", "9")})

    def test_the_seed_decides(self):
        self.assertEqual(plan("--seed", "7"), plan("--seed", "7"))
        self.assertGreater(len({str(plan("--seed", str(seed))) for seed in range(20)}), 15)

    def test_as_many_as_asked(self):
        self.assertEqual([len(plan("--faults", str(count))) for count in range(12)], list(range(12)))


class Handshakes(unittest.TestCase):
    def test_an_even_rate(self):
        self.assertEqual(rolling.peak_rate([number / 8 for number in range(100)]), 8)

    def test_a_burst_across_the_second_is_seen_whole(self):
        times = [0.875 + number / 128 for number in range(20)]
        self.assertEqual(rolling.peak_rate([5.0, *reversed(times), 0.0]), 20)

    def test_none(self):
        self.assertEqual(rolling.peak_rate([]), 0)

    def test_at_most_one_and_a_half_of_the_even_rate(self):
        even = [number / 10 for number in range(100)]
        self.assertTrue(rolling.is_even(step(even, 10.0)))
        bursts = [number // 16 + number % 16 / 1000 for number in range(160)]
        self.assertFalse(rolling.is_even(step(bursts, 16.0)))

    def test_a_cut_of_all_at_once_is_not_even(self):
        self.assertFalse(rolling.is_even(step([number / 1000 for number in range(100)], 17.0)))

    def test_a_spread_shorter_than_the_window_is_not_even(self):
        self.assertFalse(rolling.is_even(step([number / 100 for number in range(10)], 0.1)))

    def test_the_spread_is_that_of_the_log(self):
        log = "2026-11-29T01:00:00Z info listening address=1\n2026-11-29T01:00:00Z info  stopping                signal=TERM replaced=false spread_ms=16670 deadline_s=30\n"
        self.assertEqual(rolling.spread_of(log), 16.67)


class Times(unittest.TestCase):
    def test_p99(self):
        self.assertEqual(rolling.p99(list(range(1, 201))), 198)
        self.assertEqual(rolling.p99([7]), 7)

    def test_twice_as_slow_or_a_little_more(self):
        self.assertTrue(rolling.is_as_fast([10.0], [20.0]))
        self.assertFalse(rolling.is_as_fast([10.0], [20.1]))
        self.assertTrue(rolling.is_as_fast([1.0], [6.0]))
        self.assertFalse(rolling.is_as_fast([1.0], [6.1]))

    def test_no_answers_are_not_fast(self):
        self.assertFalse(rolling.is_as_fast([1.0], []))


class NodeCalls(unittest.TestCase):
    CALM = Calls(10.0, {"heads": 100, "fleet_entries": 20})
    ALONE = (Calls(10.0, {}), Calls(5.0, {"eth_chainId": 3}))

    def verdict(self, counts):
        return not rolling.beyond(self.ALONE, (self.CALM, Calls(30.0, counts)), 3, 0.0)

    def test_what_a_deploy_adds(self):
        self.assertEqual(rolling.caused(self.CALM, Calls(30.0, {"heads": 305, "new": 2})), {"fleet_entries": -60.0, "heads": 5.0, "new": 2.0})

    def test_as_many_as_without_clients(self):
        self.assertTrue(self.verdict({"heads": 300, "fleet_entries": 60, "eth_chainId": 3}))

    def test_within_the_error_of_the_windows(self):
        self.assertTrue(self.verdict({"heads": 307}))
        self.assertFalse(self.verdict({"heads": 308}))

    def test_one_call_a_handover_of_a_stream(self):
        self.assertTrue(self.verdict({"fleet_entries": 67}))
        self.assertFalse(self.verdict({"fleet_entries": 68}))

    def test_a_method_that_only_clients_cause(self):
        self.assertTrue(self.verdict({"eth_chainId": 6, "eth_getLogs": 6}))
        self.assertFalse(self.verdict({"eth_chainId": 7}))
        self.assertFalse(self.verdict({"eth_getLogs": 7}))

    def test_logs_that_a_new_instance_reads_without_clients_are_no_excuse(self):
        alone = (Calls(10.0, {}), Calls(5.0, {"eth_getLogs": 90}))
        self.assertEqual(rolling.beyond(alone, (Calls(10.0, {"eth_getLogs": 30}), Calls(30.0, {"eth_getLogs": 100})), 3, 0.0), {})
        self.assertEqual(rolling.beyond(alone, (Calls(10.0, {"eth_getLogs": 30}), Calls(30.0, {"eth_getLogs": 101})), 3, 0.0), {"eth_getLogs": 11.0})

    def test_blocks_that_clients_have_before_the_instance(self):
        self.assertTrue(self.verdict({"eth_getBlockByNumber": 6}))
        self.assertFalse(self.verdict({"eth_getBlockByNumber": 7}))

    def test_a_block_that_came_while_an_instance_was_away_is_read_once(self):
        def more(away):
            alone = (Calls(10.0, {}), Calls(5.0, {"eth_getBlockByNumber": 60}, away=50))
            return rolling.beyond(alone, (self.CALM, Calls(30.0, {"eth_getBlockByNumber": 70}, away=away)), 3, 0.0)
        self.assertEqual(more(54), {})
        self.assertEqual(more(53), {"eth_getBlockByNumber": 7.0})

    def test_polls_are_as_many_as_in_a_calm_time(self):
        def more(polls):
            alone = (Calls(10.0, {}), Calls(5.0, {rolling.POLLS: 999}))
            return rolling.beyond(alone, (Calls(10.0, {rolling.POLLS: 100}), Calls(30.0, {rolling.POLLS: polls})), 3, 15.0)
        self.assertEqual(more(318), {})
        self.assertEqual(more(320), {rolling.POLLS: 20.0})

    def test_polls_vary_as_in_the_parts_of_calm_times(self):
        calm, deploy = Calls(20.0, {}, polls=(44, 46)), Calls(20.0, {})
        # The parts 44, 46, 44, 46 deviate by 1.155; a deploy and a calm time of four parts each: by the root of eight times that.
        self.assertAlmostEqual(rolling.polls_error([(calm, deploy), (calm, deploy)], calm, deploy), 3 * 1.1547 * 8 ** 0.5, places=3)
        self.assertEqual(rolling.polls_error([(Calls(20.0, {}, polls=(45, 45)), deploy)], calm, deploy), 0)

    def test_one_part_says_nothing_of_how_polls_vary(self):
        with self.assertRaises(Failed):
            rolling.polls_error([(Calls(5.0, {}, polls=(45,)), Calls(5.0, {}))], Calls(5.0, {}), Calls(5.0, {}))

    def test_what_clients_that_stay_call_does_not_count(self):
        self.assertTrue(self.verdict({rolling.STEADY_METHOD: 1000}))

    def test_a_window_with_too_few_polls_is_disturbed(self):
        self.assertTrue(rolling.is_undisturbed(Calls(100.0, {"fleet_ticks": 380})))
        self.assertFalse(rolling.is_undisturbed(Calls(100.0, {"fleet_ticks": 379})))
        self.assertFalse(rolling.is_undisturbed(Calls(100.0, {})))

    def test_what_is_more_is_named(self):
        self.assertEqual(rolling.named(rolling.beyond(self.ALONE, (self.CALM, Calls(30.0, {"eth_getLogs": 7})), 3, 0.0)), " (eth_getLogs 7 more)")
        self.assertEqual(rolling.named({}), "")

    def test_the_table_has_as_many_cells_in_every_row(self):
        lines = rolling.calls_table((self.ALONE, self.ALONE, (self.CALM, Calls(30.0, {"heads": 300, rolling.STEADY_METHOD: 9}))), 0.0)
        self.assertEqual(len({line.count("|") for line in lines}), 1)
        self.assertEqual(len(lines), 4)


class Brokers(unittest.TestCase):
    def test_a_single_one_has_no_cluster(self):
        self.assertNotIn("--routes", run.broker_command(pathlib.Path("/f"), 0, 0, [0]))

    def test_each_of_three_has_a_folder_and_the_ports_of_all(self):
        commands = [run.broker_command(pathlib.Path("/f"), number, 0, [1, 2, 3]) for number in range(3)]
        self.assertEqual([command[command.index("--cluster") + 1] for command in commands], [f"nats://127.0.0.1:{port}" for port in (1, 2, 3)])
        self.assertEqual({command[command.index("--routes") + 1] for command in commands}, {"nats://127.0.0.1:1,nats://127.0.0.1:2,nats://127.0.0.1:3"})
        self.assertEqual(len({command[command.index("-sd") + 1] for command in commands}), 3)

    def test_the_instances_know_all_and_keep_as_many_copies(self):
        text = run.instance_config(1, 2, [11, 12, 13], "shutdownSpread: 16s")
        self.assertIn('servers: ["nats://127.0.0.1:11", "nats://127.0.0.1:12", "nats://127.0.0.1:13"], replicas: 3', text)


if __name__ == "__main__":
    unittest.main()

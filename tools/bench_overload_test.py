import unittest

import bench_overload as bench


def seen(p99_ms=10.0, **more):
    fresh = {"open": 0, "refused": 5, "without_hint": 0}
    heads = {"subscribers": 1, "closed": 0, "gaps": 0, "missing": 0, "received": 9}
    times = {"http": [p99_ms] * 100, "websocket": [p99_ms / 2] * 50, "long": [p99_ms] * 20}
    refused = dict.fromkeys(bench.KINDS, 50)
    return {"admitted_ms": times, "refused": refused, "without_hint": 0, "lost": 0, "unsent": 0, "late_ms": [1.0], "connections": fresh,
            "heads": heads, "peak_bytes": 64 << 20, "recovered_s": 1.0, **more}


CALM = seen(refused=dict.fromkeys(bench.KINDS, 0))


class VerdictTest(unittest.TestCase):
    def test_all_goals(self):
        self.assertTrue(bench.verdict(CALM, seen(30.0))[1])

    def test_each_goal_can_fail(self):
        heads, fresh = CALM["heads"], CALM["connections"]
        slow_kind = {**CALM["admitted_ms"], "long": [31.0]}
        for bad in (seen(30.1), seen(lost=1), seen(without_hint=1), seen(peak_bytes=256 << 20), seen(recovered_s=5.1), seen(recovered_s=None),
                    seen(admitted_ms=slow_kind), seen(admitted_ms=dict.fromkeys(bench.KINDS, [])), seen(refused=dict.fromkeys(bench.KINDS, 0)),
                    seen(heads={**heads, "gaps": 1}), seen(connections={**fresh, "without_hint": 1})):
            lines, met = bench.verdict(CALM, bad)
            self.assertFalse(met, lines)
            self.assertEqual(sum(line.startswith("- NOT MET") for line in lines), 1, lines)

    def test_a_load_that_is_refused_is_not_sustained(self):
        self.assertFalse(bench.verdict(seen(), seen())[1])


class RowTest(unittest.TestCase):
    def test_a_row_has_a_cell_for_each_column(self):
        self.assertEqual(bench.row("x", 100.0, 10, seen()).count("|"), bench.HEADER[0].count("|"))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""Tests of bench_canvas.py."""

import unittest

import bench_canvas


class Report(unittest.TestCase):
    SEEN = {"seconds": 10.0, "viewers": 100, "accepted": 80_000, "pixels": 8_000_000, "frames": 60_000, "tick_bytes": 16_000_000, "bytes": 20_000_000,
            "cursors": 1000, "p50_ms": 12.3, "p99_ms": 20.0, "max_ms": 30.0, "cpu": 5.0, "server_cpu": 0.5, "client_memory": 4096, "client_memory_after": 8192,
            "returned": 7, **{name: 0 for name in bench_canvas.FAULTS}}

    def test_a_row(self):
        self.assertEqual(bench_canvas.line_of("row", self.SEEN),
                         "| row | 8,000 | 12.3 / 20.0 / 30.0 | 0.80 | 6,000 | 2.00 | 20.0 | 100 | 50% | 50% | 4.0 | 8.0 | 7 | none |")

    def test_faults_and_a_busy_load_are_shown(self):
        line = bench_canvas.line_of("row", {**self.SEEN, "gap": 1, "behind": 2000, "cpu": 9.9})
        self.assertIn("| gap 1, behind 2,000 |", line)
        self.assertIn("99% (saturated)", line)

    def test_a_row_without_pixels(self):
        self.assertIn("| row | 0 | - | 0.00 |", bench_canvas.line_of("row", {**self.SEEN, "accepted": 0, "pixels": 0}))

    def test_the_table_has_as_many_columns_as_a_row(self):
        lines = bench_canvas.report(bench_canvas.options_of([]), bench_canvas.Watch(), [bench_canvas.line_of("row", self.SEEN)])
        self.assertEqual(len({line.count("|") for line in lines if line.startswith("|")}), 1)


class Rows(unittest.TestCase):
    def test_quick_is_a_fifth_and_shorter(self):
        quick, whole = (bench_canvas.options_of(flags) for flags in (["--canvas", "--quick"], ["--canvas"]))
        self.assertEqual((quick.seconds, whole.seconds), (10, 60))
        self.assertEqual(bench_canvas.rows_of(whole), bench_canvas.ROWS)
        row = bench_canvas.rows_of(quick)[1][1]
        self.assertEqual((row["viewers"], row["drawers"], row["returns"], row["rate"]), (2000, 200, 200, 8000))

    def test_rows_by_name(self):
        self.assertEqual(len(bench_canvas.rows_of(bench_canvas.options_of(["cursors"]))), 2)

    def test_the_rows_that_must_be_shown(self):
        self.assertTrue(any(row["viewers"] >= 10_000 and row["rate"] >= 8_000 and row.get("returns", 0) >= 1_000 for _, row in bench_canvas.ROWS))
        self.assertTrue(any(row.get("batch", 1) > 1 for _, row in bench_canvas.ROWS))
        self.assertTrue(any(row.get("cursors", 0) >= 1_000 for _, row in bench_canvas.ROWS))


if __name__ == "__main__":
    unittest.main()

import contextlib
import io
import pathlib
import tempfile
import unittest
from unittest import mock

import bench
import bench_instructions
import bench_report
import bench_rows


class Sample:
    """A fake contestant: a name, its kinds of rows, and its figures, with None for a failure."""

    def __init__(self, name, figures, can=("echo",)):
        self.name, self.figures, self.can = name, list(figures), can


def measured(sample):
    figure = sample.figures.pop(0)
    if figure is None:
        raise bench.Failed("it fell over")
    return {"speed": figure}


class ResultTest(unittest.TestCase):
    def test_no_result_takes_the_place_of_another(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(bench_report, "RESULTS", pathlib.Path(folder)), \
                mock.patch.object(bench_report, "commit", lambda: "abc"), contextlib.redirect_stdout(io.StringIO()):
            paths = [bench_report.save("Title", kinds, [text])
                     for kinds, text in (([], "whole"), (["crowd"], "crowd"), ([], "again"))]
            texts = [path.read_text().splitlines() for path in paths]
        self.assertEqual([path.stem.split("abc")[1] for path in paths], ["", "-crowd", "-2"])
        self.assertEqual([text[2] for text in texts], ["whole", "crowd", "again"])
        self.assertTrue(texts[0][0].startswith("# Title, ") and texts[0][0].endswith(", commit abc"))


class InstructionsTest(unittest.TestCase):
    def test_each_function_belongs_to_one_step_and_none_is_left_out(self):
        steps = bench_instructions.instructions_by_step(
            "Ir\n"
            "1,500 (100.0%)  PROGRAM TOTALS\n"
            "1,000 (66.67%)  src/session/session.cc:fanfare::session::Session::consume(std::span<unsigned char>) [echo]\n"
            "  300 (20.00%)  src/ws/connection_send.cc:fanfare::ws::Connection::send(fanfare::ws::Opcode) [echo]\n"
            "  150 (10.00%)  src/net/uring_loop.cc:fanfare::net::UringLoop::flush(fanfare::net::Stream&) [echo]\n"
            "   50 ( 3.33%)  ???:something nobody knows [libc.so]\n"
        )
        self.assertEqual(list(steps.values()), [1000, 300, 150, 50])


class RowTest(unittest.TestCase):
    def bench_of(self, *samples):
        made = bench.Bench(list(samples), quick=True, certificate=None)
        made.rounds = 3
        return made

    def row(self, made, base="base"):
        speeds = bench_rows.pick(made.alternate("row", "echo", measured), "speed")
        made.add_ratios("row", "1.00", speeds, base)
        return made.table.lines[-1]

    def test_the_median_of_the_rounds_ratios_and_half_their_spread(self):
        made = self.bench_of(Sample("base", [10, 20, 40]), Sample("other", [11, 20, 36]))
        self.assertEqual(self.row(made), "| row | 1.00 | 1.00 ±0% | 1.00 ±10% |")

    def test_who_fails_once_has_no_cell_and_the_others_go_on(self):
        made = self.bench_of(Sample("base", [10, 10, 10]), Sample("other", [5, None]))
        self.assertEqual(self.row(made), "| row | 1.00 | 1.00 ±0% | - |")
        self.assertEqual(made.complaints, ["row, other: it fell over"])

    def test_who_does_not_take_part_has_no_cell(self):
        made = self.bench_of(Sample("base", [10, 10, 10]), Sample("other", [], can=()))
        self.assertEqual(self.row(made), "| row | 1.00 | 1.00 ±0% | - |")

    def test_without_its_base_a_row_has_no_ratios(self):
        made = self.bench_of(Sample("base", [None]), Sample("other", [5, 5, 5]))
        before = len(made.table.lines)
        self.row(made)
        self.assertEqual(len(made.table.lines), before)


class RowsTest(unittest.TestCase):
    def test_a_pace_follows_a_row_that_is_there_before_it(self):
        before = set()
        for row in bench.ROWS:
            if isinstance(row, bench.Pace):
                self.assertIn(row.of_row, before)
            before.add(row.name)


if __name__ == "__main__":
    unittest.main()

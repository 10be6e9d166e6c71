"""The figures of a small tree."""

import pathlib
import tempfile
import unittest

import stats


class Figures(unittest.TestCase):
    def test_each_figure(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "src/ws").mkdir(parents=True)
            block = "".join(f"  step({number});\n" for number in range(stats.BLOCK_LINES))
            (root / "src/ws/a.h").write_text("#pragma once\nclass A {\n  int to_wire();\n};\n")
            (root / "src/ws/a.cc").write_text(f"int A::to_wire() {{\n{block}}}\nvoid g() {{\n{block}}}\nint h() {{ return 1; }}\n")
            (root / "src/ws/a_test.cc").write_text("int not_counted() { return 1; }\n")
            figures = dict(stats.figures(root))
        self.assertEqual(figures["functions"], "3, median 10 lines, longest 10 (src/ws/a.cc:A::to_wire), 0 over 60")
        self.assertEqual(figures["files"], "2, median 12.5 lines, longest 21 (src/ws/a.cc), 0 over 400")
        self.assertEqual(figures["classes"], "1, median 13 lines, longest 13 (src/ws/A), 0 over 400")
        self.assertEqual(figures["lines"], "25")
        self.assertEqual(figures["repeated lines"], str(2 * stats.BLOCK_LINES))
        self.assertEqual(figures["converters"], "1")


if __name__ == "__main__":
    unittest.main()

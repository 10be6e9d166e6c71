"""What rfc.py accepts, and each kind of input that it rejects."""

import pathlib
import tempfile
import unittest

import rfc

RULES = '  RULE(frame_not_masked, 1002, "RFC6455§5.1", "a client masks every frame") \\\n'
CODE = "// RFC6455§5.1: closed.\nreturn Rule::frame_not_masked;\n"
TEST = "TEST(Header, Unmasked_RFC6455_5_1) {\n  expect(Rule::frame_not_masked);\n}\n"


class Rfc(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("src/ws/rules.h", RULES)
        self.write("src/ws/header.cc", CODE)
        self.write("src/ws/header_test.cc", TEST)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def missing(self):
        return rfc.missing(rfc.read_rules(self.root), rfc.collect(self.root))

    def test_all_held(self):
        self.assertEqual(self.missing(), [])

    def test_a_clause_without_a_test(self):
        self.write("src/ws/header_test.cc", TEST.replace("_RFC6455_5_1", ""))
        self.assertEqual(self.missing(), ["RFC6455§5.1: no test carries the tag"])

    def test_a_tag_of_another_clause_is_not_this_one(self):
        self.write("src/ws/header_test.cc", TEST.replace("_5_1", "_5_1_2"))
        self.assertEqual(self.missing(), ["RFC6455§5.1: no test carries the tag"])

    def test_a_rule_without_a_test(self):
        self.write("src/ws/header_test.cc", TEST.replace("Rule::frame_not_masked", "1"))
        self.assertEqual(self.missing(), ["RFC6455§5.1 frame_not_masked: no test names it"])

    def test_a_rule_that_nothing_answers_with(self):
        self.write("src/ws/header.cc", "// RFC6455§5.1: closed.\n")
        self.assertEqual(self.missing(), ["RFC6455§5.1 frame_not_masked: no code answers with it"])

    def test_a_clause_that_no_code_carries(self):
        self.write("src/ws/header.cc", "return Rule::frame_not_masked;\n")
        self.assertEqual(self.missing(), ["RFC6455§5.1: no code carries the tag"])

    def test_a_transcript_is_a_test(self):
        self.write("src/ws/header_test.cc", "")
        text = "# Frames\n\n## Unmasked RFC6455§5.1\n\n```transcript\nevent failed frame_not_masked\n```\n"
        self.write("tests/transcripts/frames.md", text)
        self.assertEqual(self.missing(), [])

    def test_a_rule_that_cannot_be_read(self):
        self.write("src/ws/rules.h", RULES.replace("1002", "close"))
        with self.assertRaises(SystemExit):
            rfc.read_rules(self.root)


if __name__ == "__main__":
    unittest.main()

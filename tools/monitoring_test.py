"""The alert rules, the dashboard and the runbook agree with each other and with docs/metrics.md; the alerts' unit tests pass."""

import json
import pathlib
import re
import shutil
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
RULES = ROOT / "packaging/monitoring/fanfare-alerts.yaml"
DASHBOARD = ROOT / "packaging/monitoring/fanfare-dashboard.json"
RUNBOOK = ROOT / "docs/operations.md"
UNIT_TESTS = ROOT / "tests/monitoring/alerts.yaml"

# Labels that Prometheus adds, and that of histograms' buckets.
OF_PROMETHEUS = {"instance", "job", "le"}
METRIC = r"\b(?:fanfare|process)_[a-z0-9_]+\b"


def documented():
    """{series name: its labels}, from the table in docs/metrics.md."""
    series = {}
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", (ROOT / "docs/metrics.md").read_text(), re.M)
    for name, kind, labels in rows:
        known = set(filter(None, re.split(r"[,\s]+", labels))) | OF_PROMETHEUS
        for suffix in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
            series[name + suffix] = known
    return series


def problems(expression, series):
    """What is wrong with the names and labels of one expression."""
    found = []
    names = re.findall(METRIC, expression)
    labels = [set()]
    for name in names:
        if name in series:
            labels.append(series[name])
        else:
            found.append(f"there is no series {name}")
    for name, selector in re.findall(rf"({METRIC})\{{([^}}]*)\}}", expression):
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', selector)):
            if name in series and label not in series[name]:
                found.append(f"{name} has no label {label}")
    for group in re.findall(r"\bby \(([^)]*)\)", expression):
        for label in re.split(r"[,\s]+", group.strip()):
            if names and label not in set.union(*labels):
                found.append(f"by ({label}): no series of the expression has it")
    return found


def rules():
    """[(alert, severity, expression, annotations)]. The file has one shape, so no YAML reader is needed."""
    found = []
    for text in re.split(r"^ {6}- alert: ", RULES.read_text(), flags=re.M)[1:]:
        alert = text.split("\n", 1)[0].strip()
        expression = re.search(r"^ {8}expr: (.*?)\n {8}(?=\w)", text, re.M | re.S)[1]
        severity = re.search(r"labels: \{severity: (\w+)\}", text)[1]
        found.append((alert, severity, expression, text[text.index("annotations:"):]))
    return found


def dashboard_expressions():
    dashboard = json.loads(DASHBOARD.read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return found + [one["query"]["query"] for one in dashboard["templating"]["list"] if one["type"] == "query"]


class Names(unittest.TestCase):
    def test_the_check_finds_what_is_wrong(self):
        series = {"fanfare_a_total": {"reason", "job"}, "fanfare_b": {"job"}}
        self.assertEqual(problems('sum by (reason) (rate(fanfare_a_total{reason!="x=y"}[5m]))', series), [])
        self.assertEqual(problems("fanfare_c > 0", series), ["there is no series fanfare_c"])
        self.assertEqual(problems('fanfare_b{reason="x"}', series), ["fanfare_b has no label reason"])
        self.assertEqual(problems("sum by (room) (fanfare_b)", series), ["by (room): no series of the expression has it"])

    def test_the_rules_name_series_and_labels_that_exist(self):
        series = documented()
        self.assertGreater(len(series), 80)
        self.assertGreater(len(rules()), 15)
        for alert, _, expression, annotations in rules():
            self.assertEqual(problems(expression, series), [], alert)
            known = set.union(OF_PROMETHEUS, *(series[name] for name in re.findall(METRIC, expression)))
            for label in re.findall(r"\$labels\.(\w+)", annotations):
                self.assertIn(label, known, alert)

    def test_the_dashboard_names_series_and_labels_that_exist(self):
        expressions = dashboard_expressions()
        self.assertGreater(len(expressions), 25)
        for expression in expressions:
            self.assertTrue(re.search(METRIC, expression), expression)
            self.assertEqual(problems(expression.replace("label_values", "sum"), documented()), [], expression)

    def test_the_runbook_names_series_and_labels_that_exist(self):
        codes = [code for code in re.findall(r"`([^`\n]+)`", RUNBOOK.read_text()) if re.search(METRIC, code)]
        self.assertGreater(len(codes), 15)
        for code in codes:
            self.assertEqual(problems(code, documented()), [], code)


class Runbook(unittest.TestCase):
    def test_every_alert_has_a_section_and_links_to_it(self):
        sections = re.findall(r"^### (Fanfare\w+)$", RUNBOOK.read_text(), re.M)
        self.assertEqual(sections, [alert for alert, *_ in rules()])
        for alert, _, _, annotations in rules():
            self.assertIn(f"/usr/share/doc/fanfare/operations.md#{alert.lower()}\"", annotations)
            self.assertIn("summary:", annotations)

    def test_the_events_that_it_names_exist(self):
        table = RUNBOOK.read_text().split("| event | what to do |")[1].split("\n\n")[0]
        events = [event for row in re.findall(r"^\| (`[^|]*) \|", table, re.M) for event in re.findall(r"`(\w+)`", row)]
        self.assertGreater(len(events), 15)
        source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.cc") if not path.name.endswith("_test.cc"))
        for event in events:
            self.assertIn(f'"{event}"', source)


class Alerts(unittest.TestCase):
    def test_each_has_a_unit_test_that_sees_it_quiet_and_firing(self):
        text = UNIT_TESTS.read_text()
        for alert, severity, *_ in rules():
            self.assertRegex(text, rf'alertname="{alert}"\}}\', eval_time: \w+, exp_samples: \[\]\}}')
            self.assertIn(f'ALERTS{{alertname="{alert}",alertstate="firing",severity="{severity}"', text)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed (./dev deps)")
    def test_promtool(self):
        for command in (["check", "rules", RULES], ["test", "rules", UNIT_TESTS]):
            done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()

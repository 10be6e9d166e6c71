import { expect, test } from "vitest";
import { parseMetrics, sumOf, sumsBy } from "../src/data/metrics";

const kText = `# HELP f_subscriptions Live subscriptions.
# TYPE f_subscriptions gauge
f_subscriptions{project="main",type="newHeads"} 3
f_subscriptions{project="main",type="logs"} 0
f_subscriptions{project="other \\"x\\", y",type="newHeads"} 4
# TYPE f_seconds histogram
f_seconds_count{project="main"} 6
f_seconds_bucket{le="+Inf"} 6
f_memory 2.5e+06
`;

test("values are summed over the series that carry the labels", () => {
  const metrics = parseMetrics(kText);
  expect(sumOf(metrics, "f_subscriptions")).toBe(7);
  expect(sumOf(metrics, "f_subscriptions", { project: "main" })).toBe(3);
  expect(sumOf(metrics, "f_subscriptions", { project: 'other "x", y' })).toBe(4);
  expect(sumOf(metrics, "f_memory")).toBe(2_500_000);
  expect(sumOf(metrics, "f_none")).toBeNull();
});

test("sums by a label are ordered and without zeros", () => {
  expect(sumsBy(parseMetrics(`${kText}f_subscriptions{type="syncing"} 9\n`), "f_subscriptions", "type")).toEqual(
    [{ key: "syncing", value: 9 }, { key: "newHeads", value: 7 }]);
});

test("a histogram is one metric with its meaning", () => {
  expect(parseMetrics(kText).map(({ name, type, help }) => [name, type, help])).toEqual(
    [["f_subscriptions", "gauge", "Live subscriptions."], ["f_seconds", "histogram", ""], ["f_memory", "untyped", ""]]);
});

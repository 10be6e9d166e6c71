// The text format of Prometheus, read far enough for our own /metrics.

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Metric {
  name: string;
  type: string;
  help: string;
  samples: Sample[];
}

const kSample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const kLabel = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export function parseMetrics(text: string): Metric[] {
  const metrics = new Map<string, Metric>();
  const metricOf = (name: string): Metric => {
    let metric = metrics.get(name);
    if (!metric) metrics.set(name, (metric = { name, type: "untyped", help: "", samples: [] }));
    return metric;
  };
  let current = ""; // the samples of a histogram follow its TYPE line under longer names
  for (const line of text.split("\n")) {
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (comment) {
      current = comment[2]!;
      if (comment[1] === "HELP") metricOf(current).help = comment[3]!;
      else metricOf(current).type = comment[3]!;
      continue;
    }
    const found = kSample.exec(line);
    if (!found) continue;
    const labels: Record<string, string> = {};
    for (const [, key, value] of (found[2] ?? "").matchAll(kLabel)) labels[key!] = value!.replace(/\\(.)/g, "$1");
    const owner = current && found[1]!.startsWith(current) ? current : found[1]!;
    metricOf(owner).samples.push({ name: found[1]!, labels, value: Number(found[3]) });
  }
  return [...metrics.values()];
}

// Sum of the samples that carry all the labels. Null: there is no such metric.
export function sumOf(metrics: Metric[], name: string, labels: Record<string, string> = {}): number | null {
  const metric = metrics.find((one) => one.name === name);
  if (!metric) return null;
  const fits = (sample: Sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value);
  return metric.samples.filter((sample) => sample.name === name && fits(sample)).reduce((sum, sample) => sum + sample.value, 0);
}

// Sums by the value of one label, the largest first. Zeros are left out.
export function sumsBy(metrics: Metric[], name: string, label: string): { key: string; value: number }[] {
  const sums = new Map<string, number>();
  for (const sample of metrics.find((one) => one.name === name)?.samples ?? []) {
    const key = sample.labels[label];
    if (key !== undefined) sums.set(key, (sums.get(key) ?? 0) + sample.value);
  }
  return [...sums]
    .filter(([, value]) => value !== 0)
    .map(([key, value]) => ({ key, value }))
    .sort((a, b) => b.value - a.value);
}

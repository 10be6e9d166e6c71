// A real Prometheus with the shipped alert rules, which have short times, and what it says of gateways.

import { spawnSync } from "node:child_process";
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { temporaryFolder } from "./fanfare.js";
import { ROOT, startFor } from "./processes.js";
import { until } from "./waiting.js";

const hasPrometheus = ["prometheus", "promtool"].every((name) => spawnSync(name, ["--version"]).status === 0);
export const needsPrometheus = { skip: hasPrometheus ? false : "prometheus is not installed (./dev deps)" };

// It scrapes these gateways, {program, health}. `window`: the time over which rates are taken.
export async function startPrometheus(t, gateways, window = "4s") {
  const folder = temporaryFolder(t);
  const shipped = readFileSync(path.join(ROOT, "packaging/monitoring/fanfare-alerts.yaml"), "utf8");
  const short = shipped
    .replace(/for: \d+m/g, "for: 500ms")
    .replace(/\[(5|15)m\]/g, `[${window}]`)
    .replace("fanfare_head_age_seconds > 120", "fanfare_head_age_seconds > 4");
  assert.ok(!/for: \d+m\n|\[\d+m\]|> 120/.test(short));
  writeFileSync(path.join(folder, "rules.yaml"), short);
  const targets = gateways.map(({ health }) => JSON.stringify(new URL(health).host)).join();
  writeFileSync(path.join(folder, "prometheus.yml"), `
global: { scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 250ms }
rule_files: [rules.yaml]
scrape_configs: [{ job_name: fanfare, static_configs: [{ targets: [${targets}] }] }]
`);
  const program = startFor(t, "prometheus", "prometheus", [
    `--config.file=${path.join(folder, "prometheus.yml")}`, `--storage.tsdb.path=${path.join(folder, "data")}`, "--web.listen-address=127.0.0.1:0"]);
  const [, address] = await program.line(/msg="Listening on" address=(\S+)/);
  await program.line(/Server is ready/);
  const get = async (target) => {
    const answer = await (await fetch(`http://${address}/api/v1/${target}`)).json();
    assert.equal(answer.status, "success", JSON.stringify(answer));
    return answer.data;
  };
  return {
    rules: async () => (await get("rules")).groups.flatMap(({ rules }) => rules),
    firing: async () => (await get("alerts")).alerts.filter(({ state }) => state === "firing"),
    names: async () => new Set(await get("label/__name__/values")),
    query: async (text) => (await get(`query?query=${encodeURIComponent(text)}`)).result,
  };
}

export const namesOf = (alerts) => [...new Set(alerts.map(({ labels }) => labels.alertname))].sort();

export async function untilFiring(prometheus, alert, labels = {}) {
  const found = await until(`${alert} fires`, async () =>
    (await prometheus.firing()).find((one) => one.labels.alertname === alert && Object.entries(labels).every(([key, value]) => one.labels[key] === value)));
  assert.ok(!/<error|no value/.test(found.annotations.summary), found.annotations.summary);
  return found;
}

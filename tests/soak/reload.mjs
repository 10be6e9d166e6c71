// Run by ./dev soak --reload: the storm of tests/e2e/reload.test.js at its full size.
//
//   node tests/soak/reload.mjs [SUBSCRIBERS] [RELOADS] [SECONDS]      2000 100 60

import { test } from "node:test";
import { reloadStorm } from "../e2e/support/reload_storm.js";

const [subscribers = 2000, reloads = 100, seconds = 60] = process.argv.slice(2).map(Number);

test(`${reloads} reloads in ${seconds} s under ${subscribers} subscribers`, async (t) => {
  const counted = await reloadStorm(t, { subscribers, reloads, seconds, blockTime: "500ms" });
  console.log(JSON.stringify(counted));
});

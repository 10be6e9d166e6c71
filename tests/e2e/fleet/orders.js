// Orders come as lines "NAME JSON", and each is answered with one line of JSON.

import readline from "node:readline";

export const say = (answer) => process.stdout.write(`${typeof answer === "string" ? answer : JSON.stringify(answer)}\n`);

export function obey(orders) {
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", async (line) => {
    const [, name, rest] = /^(\w+) ?(.*)$/.exec(line);
    say((await orders[name](rest ? JSON.parse(rest) : {})) ?? {});
  });
  lines.on("close", () => process.exit(0)); // whoever gave the orders has ended
}

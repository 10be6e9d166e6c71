// The programs that a test starts. Each is ended through its own handle. Its output is kept, and written to
// build/logs if the test fails.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { atEnd } from "./cleanup.js";
import { Inbox, within } from "./waiting.js";

export const E2E = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
export const ROOT = path.resolve(E2E, "../..");
const LOGS = path.join(ROOT, "build/logs/e2e");

let started = 0;
const running = new Set();
// When this process exits, the programs that it started end with it.
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class Program {
  constructor(name, file, parameters, { env } = {}) {
    this.name = `${name}-${process.pid}-${++started}`;
    this.lines = new Inbox(this.name); // both streams, in order of arrival
    this.child = spawn(file, parameters, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    running.add(this.child);
    this.exit = new Promise((resolve) => {
      this.child.once("error", (error) => resolve({ code: null, signal: null, error }));
      this.child.once("close", (code, signal) => resolve({ code, signal }));
    });
    this.exit.then(({ code, signal, error }) => {
      this.ended = true;
      this.howItEnded = `${error?.message ?? signal ?? code}, ${this.asked ? `after ${this.asked}` : "by itself"}`;
      running.delete(this.child);
      this.lines.end(error ? error.message : `ended with ${signal ?? code}`);
    });
    for (const stream of [this.child.stdout, this.child.stderr]) this.#read(stream);
  }

  #read(stream) {
    let rest = "";
    stream.setEncoding("utf8");
    stream.on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      for (const line of lines) this.lines.push(line);
    });
    stream.once("close", () => rest && this.lines.push(rest));
  }

  // Returns the match of the first line that matches.
  line(pattern, deadlineMs) {
    return this.lines.when(
      `a line like ${pattern}`,
      (lines) => {
        for (const line of lines) {
          const match = pattern.exec(line);
          if (match) return match;
        }
        return null;
      },
      deadlineMs,
    );
  }

  signal(name) {
    this.asked = name;
    return this.child.kill(name);
  }

  // Ends the program and returns {code, signal}.
  async stop(name = "SIGTERM", deadlineMs = 20_000) {
    if (!this.ended) this.signal(name);
    try {
      return await within(`${this.name} ends after ${name}`, this.exit, deadlineMs);
    } catch (error) {
      this.child.kill("SIGKILL");
      await this.exit;
      throw error;
    }
  }

  get text() {
    return this.lines.items.join("\n");
  }

  save() {
    mkdirSync(LOGS, { recursive: true });
    const file = path.join(LOGS, `${this.name}.log`);
    writeFileSync(file, `${this.text}\n# ${this.ended ? `ended: ${this.howItEnded}` : "still runs"}\n`);
    return path.relative(ROOT, file);
  }
}

// A program for one test. It is always stopped at the end of the test, and its output is saved if the test failed.
// `t` is the context of the test or of its suite.
export function startFor(t, ...parameters) {
  const program = new Program(...parameters);
  atEnd(t, async () => {
    try {
      await program.stop();
    } finally {
      // Since Node 20.12, contexts report whether they passed. In older versions the log is always kept.
      if (t.passed !== true) t.diagnostic(`log of ${program.name}: ${program.save()}`);
    }
  });
  return program;
}

// Runs a program to its end; returns {code, signal, stdout, stderr}.
export async function run(file, parameters, { env, input = "" } = {}) {
  const child = spawn(file, parameters, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...env } });
  const out = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].setEncoding("utf8").on("data", (text) => (out[name] += text));
  child.stdin.on("error", () => {}); // a program may end without reading it
  child.stdin.end(input);
  const [code, signal] = await within(`${path.basename(file)} ends`, once(child, "close")).catch((error) => {
    child.kill("SIGKILL");
    throw error;
  });
  return { code, signal, ...out };
}

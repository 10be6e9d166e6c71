// The wall clock of programs, which a test moves while they run (clock_shift.c).

import { openSync, writeSync } from "node:fs";
import path from "node:path";
import { temporaryFolder } from "./fanfare.js";
import { E2E, run } from "./processes.js";

export class ShiftedClock {
  static async start(t) {
    const clock = new ShiftedClock();
    const folder = temporaryFolder(t);
    const library = path.join(folder, "clock_shift.so");
    const { code, stderr } = await run(process.env.CC ?? "cc", ["-shared", "-fPIC", "-O1", "-o", library, path.join(E2E, "support/clock_shift.c"), "-ldl"]);
    if (code !== 0) throw new Error(`clock_shift.c: ${stderr}`);
    const file = path.join(folder, "shift");
    clock.fd = openSync(file, "w");
    clock.set(0);
    // Of the programs.
    clock.env = { LD_PRELOAD: library, CLOCK_SHIFT_FILE: file };
    return clock;
  }
  set(seconds) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(seconds));
    writeSync(this.fd, bytes, 0, 8, 0);
  }
}

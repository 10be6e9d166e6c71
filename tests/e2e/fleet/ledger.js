// What one client counts. `lost` and `twice` are events; `told` are notices of a gap, `toldEvents` the events that they name, as far as
// they say how many. A fault that is neither has its text in `faults`.

const FAULTS_KEPT = 5;

export class Ledger {
  events = 0;
  lost = 0;
  twice = 0;
  told = {}; // by kind
  toldEvents = 0;
  faults = [];
  faultCount = 0;

  constructor(name) {
    this.name = name;
  }

  lose(count, why) {
    this.lost += count;
    this.fault(`lost ${count}: ${why}`);
  }
  repeat(why) {
    ++this.twice;
    this.fault(`twice: ${why}`);
  }
  tell(kind, events = 0) {
    this.told[kind] = (this.told[kind] ?? 0) + 1;
    this.toldEvents += events;
  }
  fault(why) {
    ++this.faultCount;
    if (this.faults.length < FAULTS_KEPT) this.faults.push(`${new Date().toISOString()} ${this.name}: ${why}`);
  }

  // The next number of a sequence: one more than the last one. `gapTold`: a notice has said that something is missing.
  follow(last, number, what, gapTold = false) {
    if (last !== null && number <= last) this.repeat(`${what} ${number} after ${last}`);
    else if (last !== null && number > last + 1 && !gapTold) this.lose(number - last - 1, `${what} ${number} after ${last}`);
    else {
      ++this.events;
      if (last !== null) this.toldEvents += number - last - 1;
    }
    return Math.max(last ?? number, number);
  }
}

// What was published under a name must be the same at every client of this process.
export class Published {
  #seen = new Map();

  check(ledger, key, content) {
    const before = this.#seen.get(key);
    if (before === undefined) this.#seen.set(key, content);
    else if (before !== content) ledger.fault(`${key} is ${content.slice(0, 200)}, and was ${before.slice(0, 200)}`);
  }
}

// What the subscription to heads has shown of the chain: the blocks that are part of it, those that a reorg replaced, and the holes.

export interface Head {
  number: number;
  hash: string;
  parentHash: string;
  timestamp: number; // seconds since 1970
  gasUsed: number;
  gasLimit: number;
  baseFee: number | null; // wei
  miner: string;
}

export type Row =
  | { kind: "block"; head: Head; gone: boolean; fork: boolean }
  | { kind: "reorg"; ancestor: number; depth: number; at: number; fork: boolean }
  | { kind: "hole"; from: number; to: number; fork: boolean };

interface Mark {
  kind: "reorg" | "hole";
  below: number; // the number of the block directly under it
  from: number;
  to: number;
  at: number; // milliseconds since 1970
}

export interface Chain {
  rows: Row[]; // newest first
  tip: Head | undefined;
  reorgs: number;
  replaced: number;
  blockTimeS: number | null; // the average of the blocks in `rows`
}

export const emptyChain: Chain = { rows: [], tip: undefined, reorgs: 0, replaced: 0, blockTimeS: null };

export class ChainModel {
  private main: Head[] = []; // oldest first, numbers without a hole except where a mark says so
  private gone: Head[] = [];
  private marks: Mark[] = [];
  private reorgs = 0;
  private replaced = 0;

  constructor(private readonly blocksMax = 48) {}

  get isEmpty(): boolean {
    return this.main.length === 0;
  }

  apply(head: Head, now: number): void {
    const tip = this.main.at(-1);
    if (tip?.hash === head.hash) return;
    const kept = this.main.filter((one) => one.number < head.number);
    const dropped = this.main.slice(kept.length);
    const parent = kept.at(-1);
    if (dropped.length > 0) {
      this.reorgs += 1;
      this.replaced += dropped.length;
      this.gone.push(...dropped);
      this.marks.push({ kind: "reorg", below: head.number - 1, from: head.number, to: dropped.length, at: now });
    } else if (parent && parent.number + 1 < head.number) {
      this.marks.push({ kind: "hole", below: parent.number, from: parent.number + 1, to: head.number - 1, at: now });
    }
    this.gone = this.gone.filter((one) => one.hash !== head.hash);
    this.main = [...kept, head];
    this.forget();
  }

  chain(): Chain {
    const rows: Row[] = [];
    const heights = [...new Set([...this.main, ...this.gone].map((head) => head.number))].sort((a, b) => b - a);
    let fork = false; // whether the line of replaced blocks passes this row
    for (const height of heights) {
      for (const mark of this.marks.filter((one) => one.below === height)) {
        if (mark.kind === "reorg") rows.push({ kind: "reorg", ancestor: mark.below, depth: mark.to, at: mark.at, fork });
        else rows.push({ kind: "hole", from: mark.from, to: mark.to, fork });
        if (mark.kind === "reorg") fork = false;
      }
      const head = this.main.find((one) => one.number === height);
      if (head) rows.push({ kind: "block", head, gone: false, fork });
      for (const replaced of this.gone.filter((one) => one.number === height)) {
        rows.push({ kind: "block", head: replaced, gone: true, fork });
        fork = true;
      }
    }
    // A fork below all blocks that are known here.
    const lowest = heights.at(-1);
    for (const mark of this.marks.filter((one) => one.kind === "reorg" && one.below + 1 === lowest)) {
      rows.push({ kind: "reorg", ancestor: mark.below, depth: mark.to, at: mark.at, fork });
    }
    const tip = this.main.at(-1);
    const oldest = this.main[0];
    const span = tip && oldest ? tip.number - oldest.number : 0;
    return {
      rows,
      tip,
      reorgs: this.reorgs,
      replaced: this.replaced,
      blockTimeS: span > 0 ? (tip!.timestamp - oldest!.timestamp) / span : null,
    };
  }

  private forget(): void {
    if (this.main.length > this.blocksMax) this.main.splice(0, this.main.length - this.blocksMax);
    const first = this.main[0]!.number;
    this.gone = this.gone.filter((one) => one.number >= first);
    this.marks = this.marks.filter((mark) => mark.below + 1 >= first);
  }
}

const quantity = (value: unknown): number => (typeof value === "string" ? Number(value) : 0);

// A header as nodes send it.
export function readHead(header: Record<string, unknown>): Head {
  return {
    number: quantity(header["number"]),
    hash: String(header["hash"]),
    parentHash: String(header["parentHash"]),
    timestamp: quantity(header["timestamp"]),
    gasUsed: quantity(header["gasUsed"]),
    gasLimit: quantity(header["gasLimit"]),
    baseFee: typeof header["baseFeePerGas"] === "string" ? quantity(header["baseFeePerGas"]) : null,
    miner: String(header["miner"] ?? ""),
  };
}

import { expect, test } from "vitest";
import { ChainModel, readHead, type Head, type Row } from "../src/data/chain";

// Block `number` of branch `branch`; its parent is on the same branch, or on `parent`.
const block = (number: number, branch = "a", parent = branch): Head => ({
  number, hash: `${branch}${number}`, parentHash: `${parent}${number - 1}`, timestamp: 1000 + number * 2, gasUsed: 1, gasLimit: 2, baseFee: 7, miner: "m",
});
const shown = (rows: Row[]): string[] =>
  rows.map((row) => row.kind === "block" ? `${row.gone ? "-" : ""}${row.head.hash}` : row.kind === "reorg" ? `reorg ${row.depth} after ${row.ancestor}` : `hole ${row.from}-${row.to}`);
function rowsOf(heads: Head[], model = new ChainModel()): string[] {
  for (const head of heads) model.apply(head, 0);
  return shown(model.chain().rows);
}

test("heads in order are a chain, the newest first", () => {
  const model = new ChainModel();
  expect(rowsOf([block(1), block(2), block(3), block(3)], model)).toEqual(["a3", "a2", "a1"]);
  expect(model.chain()).toMatchObject({ tip: block(3), reorgs: 0, blockTimeS: 2 });
});

test("replaced blocks stay beside those that took their place", () => {
  const model = new ChainModel();
  expect(rowsOf([block(1), block(2), block(3), block(2, "b", "a"), block(3, "b"), block(4, "b")], model)).toEqual(
    ["b4", "b3", "-a3", "b2", "-a2", "reorg 2 after 1", "a1"]);
  expect(model.chain()).toMatchObject({ reorgs: 1, replaced: 2 });
});

test("a shorter branch leaves the replaced blocks above the tip", () => {
  expect(rowsOf([block(1), block(2), block(3), block(2, "b", "a")])).toEqual(["-a3", "b2", "-a2", "reorg 2 after 1", "a1"]);
});

test("a fork below the first known block is marked, too", () => {
  expect(rowsOf([block(5), block(6), block(5, "b", "a"), block(6, "b")])).toEqual(["b6", "-a6", "b5", "-a5", "reorg 2 after 4"]);
});

test("a chain that goes back to its former branch shows that branch as its own again", () => {
  expect(rowsOf([block(1), block(2), block(2, "b", "a"), block(2), block(3)])).toEqual(["a3", "a2", "-b2", "reorg 1 after 1", "reorg 1 after 1", "a1"]);
});

test("the line of replaced blocks passes the rows between its first block and its fork", () => {
  const model = new ChainModel();
  rowsOf([block(1), block(2), block(3), block(2, "b", "a"), block(3, "b"), block(4, "b")], model);
  expect(model.chain().rows.map((row) => row.fork)).toEqual([false, false, false, true, true, true, false]);
});

test("blocks that never came are a hole", () => {
  expect(rowsOf([block(1), block(4)])).toEqual(["a4", "hole 2-3", "a1"]);
});

test("old blocks are forgotten with what belongs to them", () => {
  const model = new ChainModel(3);
  expect(rowsOf([block(1), block(2), block(2, "b", "a"), ...[3, 4, 5].map((number) => block(number, "b"))], model)).toEqual(["b5", "b4", "b3"]);
});

test("a header is read as nodes write it", () => {
  expect(readHead({ number: "0x10", hash: "0xa", parentHash: "0xb", timestamp: "0x5", gasUsed: "0x1", gasLimit: "0x2", miner: "0xc" })).toEqual(
    { number: 16, hash: "0xa", parentHash: "0xb", timestamp: 5, gasUsed: 1, gasLimit: 2, baseFee: null, miner: "0xc" });
});

import { expect, test } from "vitest";
import { Series, growth } from "../src/data/series";

test("samples at their interval are one curve", () => {
  const series = new Series(2, 2);
  for (const time of [10, 12, 14.9]) series.push(time, [time, null]);
  expect(series.curve()).toEqual({ times: [10, 12, 14.9], columns: [[10, 12, 14.9], [null, null, null]], holes: [] });
});

test("a time without samples is a hole, at 2.5 intervals and a second", () => {
  const series = new Series(1, 2);
  series.push(10, [1]);
  series.push(16, [2]); // at the limit
  series.push(22.1, [3]);
  expect(series.curve()).toEqual({ times: [10, 16, 19.05, 22.1], columns: [[1, 2, null, 3]], holes: [{ from: 16, to: 22.1 }] });
});

test("what was lost is a hole, however short", () => {
  const series = new Series(1, 2);
  series.push(10, [1]);
  series.break();
  series.push(12, [2]);
  series.push(14, [3]);
  expect(series.curve().holes).toEqual([{ from: 10, to: 12 }]);
});

test("without a change the last sample holds: silence is no hole, and a change is a step", () => {
  const series = new Series(1, 2);
  series.setPace(2, true);
  series.push(10, [1]);
  series.hold(60);
  expect(series.curve()).toEqual({ times: [10, 60], columns: [[1, 1]], holes: [] });
  series.push(100, [2]);
  expect(series.curve()).toEqual({ times: [10, 98, 100], columns: [[1, 1, 2]], holes: [] });
  series.push(101, [3]); // sooner than the interval
  expect(series.curve().times).toEqual([10, 98, 100, 101]);
});

test("a break ends what holds: at its time, or where it was last known", () => {
  for (const [at, from] of [[40, 40], [undefined, 30]] as const) {
    const series = new Series(1, 2);
    series.setPace(2, true);
    series.push(10, [1]);
    series.hold(30);
    series.break(at);
    series.hold(80); // nothing is known any more
    expect(series.curve()).toEqual({ times: [10, from], columns: [[1, 1]], holes: [] });
    series.break(90);
    series.push(100, [2]);
    expect(series.curve()).toEqual({ times: [10, from, (from + 100) / 2, 100], columns: [[1, 1, null, 2]], holes: [{ from, to: 100 }] });
    series.hold(110);
    expect(series.curve().times.at(-1)).toBe(110);
  }
});

test("a pause began before its break was heard of: the curve goes back to that time", () => {
  const series = new Series(1, 2);
  series.setPace(2, true);
  series.push(10, [1]);
  series.hold(30);
  series.break(20);
  series.push(32, [1]);
  expect(series.curve().holes).toEqual([{ from: 20, to: 32 }]);
});

test("where every sample comes, nothing holds", () => {
  const series = new Series(1, 2);
  series.push(10, [1]);
  series.hold(12);
  expect(series.curve().times).toEqual([10]);
});

test("a repeated sample is ignored", () => {
  const series = new Series(1, 2);
  for (const time of [10, 10, 9, 12]) series.push(time, [time]);
  expect(series.curve().times).toEqual([10, 12]);
});

test("old samples are forgotten with their holes", () => {
  const series = new Series(1, 1, 3);
  for (const time of [1, 10, 11, 12, 13]) series.push(time, [time]);
  expect(series.curve()).toEqual({ times: [11, 12, 13], columns: [[11, 12, 13]], holes: [] });
});

test("growth counts from the first value of the last seconds, holes apart", () => {
  const series = new Series(1, 2);
  expect(growth(series.curve(), 0, 60)).toBeNull();
  series.push(100, [7]);
  expect(growth(series.curve(), 0, 60)).toBeNull();
  series.push(150, [20]);
  series.push(152, [null]);
  expect(growth(series.curve(), 0, 60)).toEqual([13, 50]);
  series.push(161, [25]);
  expect(growth(series.curve(), 0, 60)).toEqual([5, 11]);
  expect(growth(series.curve(), 0, 61)).toEqual([18, 61]);
});

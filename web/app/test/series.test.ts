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

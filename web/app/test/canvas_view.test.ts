// Where the canvas lies on the screen.
import { expect, test } from "vitest";
import { centredOn, clamp, edges, fit, kScaleMax, line, pan, pinch, placeAt, reveal, scaleMin, zoomAt } from "../src/canvas/view";

const canvas = { width: 1000, height: 500 };
const box = { width: 800, height: 600 };

test("the whole canvas fits, at whole multiples if it is smaller than the stage", () => {
  expect(fit(canvas, box)).toEqual({ scale: 0.8, x: 0, y: -125 });
  expect(fit({ width: 100, height: 100 }, box)).toMatchObject({ scale: 6 });
  expect(fit({ width: 1, height: 1 }, box).scale).toBe(kScaleMax);
});

test("zooming keeps the place under the pointer", () => {
  const view = { x: 100, y: 50, scale: 2 };
  const zoomed = zoomAt(view, 1.7, 300, 200, canvas, box);
  expect(zoomed.scale).toBeCloseTo(3.4);
  expect(zoomed.x + 300 / zoomed.scale).toBeCloseTo(100 + 150);
  expect(zoomed.y + 200 / zoomed.scale).toBeCloseTo(50 + 100);
  expect(zoomAt(view, 1e9, 0, 0, canvas, box).scale).toBe(kScaleMax);
  expect(zoomAt(view, 1e-9, 0, 0, canvas, box).scale).toBe(scaleMin(canvas, box));
});

test("two fingers move and zoom", () => {
  const view = { x: 100, y: 50, scale: 2 };
  const moved = pinch(view, [{ x: 100, y: 100 }, { x: 200, y: 100 }], [{ x: 140, y: 150 }, { x: 240, y: 150 }], canvas, box);
  expect(moved).toEqual({ x: 80, y: 25, scale: 2 });
  const zoomed = pinch(view, [{ x: 100, y: 100 }, { x: 200, y: 100 }], [{ x: 50, y: 100 }, { x: 250, y: 100 }], canvas, box);
  expect(zoomed.scale).toBe(4);
  expect(placeAt(zoomed, 150, 100)).toEqual(placeAt(view, 150, 100));
});

test("the canvas cannot be lost", () => {
  const far = pan({ x: 0, y: 0, scale: 1 }, 1e6, -1e6, canvas, box);
  expect(far).toEqual({ x: -400, y: 200, scale: 1 });
  expect(clamp({ x: 1e6, y: -1e6, scale: 2 }, canvas, box)).toEqual({ x: 800, y: -150, scale: 2 });
});

test("a place is shown with as little movement as possible", () => {
  const view = { x: 100, y: 100, scale: 10 };
  expect(reveal(view, { x: 120, y: 120 }, canvas, box)).toEqual(view);
  expect(reveal(view, { x: 180, y: 99 }, canvas, box)).toEqual({ x: 102, y: 98, scale: 10 });
  expect(placeAt(centredOn(view, { x: 500, y: 250 }, canvas, box), 400, 300)).toEqual({ x: 500, y: 250 });
});

test("a stroke has every pixel from one place to the next, once", () => {
  expect(line({ x: 0, y: 0 }, { x: 0, y: 0 })).toEqual([]);
  expect(line({ x: 2, y: 1 }, { x: -1, y: 1 })).toEqual([{ x: 1, y: 1 }, { x: 0, y: 1 }, { x: -1, y: 1 }]);
  const steep = line({ x: 0, y: 0 }, { x: 3, y: -7 });
  expect(steep.length).toBe(7);
  expect(steep.at(-1)).toEqual({ x: 3, y: -7 });
  for (const [i, one] of steep.entries()) {
    const before = steep[i - 1] ?? { x: 0, y: 0 };
    expect(Math.max(Math.abs(one.x - before.x), Math.abs(one.y - before.y))).toBe(1);
  }
});

test("neighbours meet on whole pixels of the screen, wherever the view is", () => {
  for (const scale of [0.37, 0.7, 1, 1.37, 2, 12.5]) {
    for (const y of [0, -7.5, 3.25, -100.1]) {
      const view = { x: 0, y, scale };
      const [above, below] = [edges({ left: 0, top: 0, right: 256, bottom: 256 }, view, scale), edges({ left: 0, top: 256, right: 256, bottom: 300 }, view, scale)];
      expect(above.bottom).toBe(below.top);
      for (const edge of [above.top, above.bottom, below.bottom]) expect(Number.isInteger(edge)).toBe(true);
      expect(Math.abs(above.bottom - (256 - y) * scale)).toBeLessThanOrEqual(0.5);
    }
  }
});

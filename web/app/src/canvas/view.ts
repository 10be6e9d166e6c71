// Where the canvas lies on the screen: pure arithmetic. Places of the canvas are in its pixels, those of the screen in CSS pixels from the
// left upper corner of the stage.
export interface View {
  x: number; // the place of the canvas at the left upper corner
  y: number;
  scale: number; // CSS pixels for each pixel of the canvas
}
export interface Size {
  width: number;
  height: number;
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const kScaleMax = 64;
export const kGridScale = 12; // from here on there are lines between pixels

export const scaleMin = (canvas: Size, box: Size): number => Math.min(1, 0.8 * Math.min(box.width / canvas.width, box.height / canvas.height));

// The canvas stays on the stage: its middle half, at least.
export function clamp({ x, y, scale }: View, canvas: Size, box: Size): View {
  const one = Math.min(Math.max(scale, scaleMin(canvas, box)), kScaleMax);
  const axis = (at: number, side: number, room: number) => {
    const half = room / one / 2;
    return Math.min(Math.max(at, -half), side - half);
  };
  return { x: axis(x, canvas.width, box.width), y: axis(y, canvas.height, box.height), scale: one };
}

// Whole multiples from 1 on, so that all pixels have the same size.
export function fit(canvas: Size, box: Size): View {
  const largest = Math.min(box.width / canvas.width, box.height / canvas.height);
  const scale = largest >= 1 ? Math.min(Math.floor(largest), kScaleMax) : largest;
  return { scale, x: (canvas.width - box.width / scale) / 2, y: (canvas.height - box.height / scale) / 2 };
}

// The place under (px, py) stays there.
export function zoomAt(view: View, factor: number, px: number, py: number, canvas: Size, box: Size): View {
  const scale = Math.min(Math.max(view.scale * factor, scaleMin(canvas, box)), kScaleMax);
  return clamp({ scale, x: view.x + px / view.scale - px / scale, y: view.y + py / view.scale - py / scale }, canvas, box);
}

export const pan = (view: View, dx: number, dy: number, canvas: Size, box: Size): View =>
  clamp({ ...view, x: view.x - dx / view.scale, y: view.y - dy / view.scale }, canvas, box);

export const placeAt = (view: View, px: number, py: number): { x: number; y: number } => ({ x: Math.floor(view.x + px / view.scale), y: Math.floor(view.y + py / view.scale) });

// Two fingers: what was between them stays between them.
export function pinch(view: View, before: readonly [Point, Point], now: readonly [Point, Point], canvas: Size, box: Size): View {
  const [from, to] = [middle(before), middle(now)];
  const moved = pan(view, to.x - from.x, to.y - from.y, canvas, box);
  return zoomAt(moved, distance(now) / Math.max(distance(before), 1), to.x, to.y, canvas, box);
}

export interface Point {
  x: number;
  y: number;
}
const middle = ([a, b]: readonly [Point, Point]): Point => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
const distance = ([a, b]: readonly [Point, Point]): number => Math.hypot(a.x - b.x, a.y - b.y);

// Moves the view just as far that the place is on the stage.
export function reveal(view: View, { x, y }: Point, canvas: Size, box: Size): View {
  const axis = (at: number, place: number, room: number) => Math.min(Math.max(at, place + 2 - room / view.scale), place - 1);
  return clamp({ ...view, x: axis(view.x, x, box.width), y: axis(view.y, y, box.height) }, canvas, box);
}

export const centredOn = (view: View, { x, y }: Point, canvas: Size, box: Size): View =>
  clamp({ ...view, x: x - box.width / view.scale / 2, y: y - box.height / view.scale / 2 }, canvas, box);

export const visible = (view: View, box: Size): { x: number; y: number; width: number; height: number } =>
  ({ x: view.x, y: view.y, width: box.width / view.scale, height: box.height / view.scale });

// Every pixel between two places, without the first, so that a fast stroke has no holes (Bresenham).
export function line(from: Point, to: Point): Point[] {
  const [dx, dy] = [Math.abs(to.x - from.x), -Math.abs(to.y - from.y)];
  const points: Point[] = [];
  let { x, y } = from;
  let error = dx + dy;
  while (x !== to.x || y !== to.y) {
    const twice = 2 * error;
    if (twice >= dy) {
      error += dy;
      x += Math.sign(to.x - from.x);
    }
    if (twice <= dx) {
      error += dx;
      y += Math.sign(to.y - from.y);
    }
    points.push({ x, y });
  }
  return points;
}

// A part of the canvas in pixels of the screen, of which `scale` are one of the canvas: on whole ones, so that neighbours meet without a seam.
export const edges = (part: Box, view: View, scale: number): Box => ({
  left: Math.round((part.left - view.x) * scale),
  top: Math.round((part.top - view.y) * scale),
  right: Math.round((part.right - view.x) * scale),
  bottom: Math.round((part.bottom - view.y) * scale),
});

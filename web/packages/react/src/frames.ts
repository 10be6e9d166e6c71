// Collects changes until the next animation frame, so that React commits once a frame for all hooks of a page.

const waiting = new Set<() => void>();
let scheduled = false;

/** Calls `flush` in the next frame, once however often it is asked. A hidden page has no frames: it waits. */
export function inNextFrame(flush: () => void): void {
  waiting.add(flush);
  if (scheduled) return;
  scheduled = true;
  if (typeof requestAnimationFrame === "function") requestAnimationFrame(run);
  else setTimeout(run, 16);
}

export function cancelFrame(flush: () => void): void { waiting.delete(flush); }

function run(): void {
  scheduled = false;
  const now = [...waiting];
  waiting.clear();
  for (const flush of now) flush();
}

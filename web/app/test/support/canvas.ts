// The page of the canvas as a test uses it: where a pixel is on the screen, and what is shown there.
import type { Page } from "playwright-core";

export interface Place { readonly x: number; readonly y: number }

export const stage = (page: Page) => page.locator(".stage");

/** The place on the screen of the middle of a pixel. */
export async function screenOf(page: Page, { x, y }: Place): Promise<Place> {
  return page.evaluate(([x, y]) => {
    const stage = document.querySelector<HTMLElement>(".stage")!;
    const [left, top, scale] = stage.dataset["view"]!.split(",").map(Number) as [number, number, number];
    const box = stage.getBoundingClientRect();
    return { x: box.left + (x + 0.5 - left) * scale, y: box.top + (y + 0.5 - top) * scale };
  }, [x, y] as const);
}

/** What the stage shows at a pixel, as 0xRRGGBB. */
export async function shownAt(page: Page, { x, y }: Place): Promise<number> {
  return page.evaluate(([x, y]) => {
    const stage = document.querySelector<HTMLElement>(".stage")!;
    const [left, top, scale] = stage.dataset["view"]!.split(",").map(Number) as [number, number, number];
    const canvas = stage.querySelector("canvas")!;
    const ratio = canvas.width / stage.clientWidth;
    const [r, g, b] = canvas.getContext("2d")!.getImageData(Math.floor((x + 0.5 - left) * scale * ratio), Math.floor((y + 0.5 - top) * scale * ratio), 1, 1).data;
    return r! << 16 | g! << 8 | b!;
  }, [x, y] as const);
}

/** Every pixel that the stage shows, row by row. The whole canvas must be on the stage, each pixel at least as large as one of the screen. */
export async function shownAll(page: Page, width: number, height: number): Promise<number[]> {
  return page.evaluate(([width, height]) => {
    const stage = document.querySelector<HTMLElement>(".stage")!;
    const [left, top, scale] = stage.dataset["view"]!.split(",").map(Number) as [number, number, number];
    const canvas = stage.querySelector("canvas")!;
    const ratio = canvas.width / stage.clientWidth;
    const all = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    const out: number[] = [];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const at = (Math.floor((y + 0.5 - top) * scale * ratio) * all.width + Math.floor((x + 0.5 - left) * scale * ratio)) * 4;
        out.push(all.data[at]! << 16 | all.data[at + 1]! << 8 | all.data[at + 2]!);
      }
    }
    return out;
  }, [width, height] as const);
}

export const isVerified = (page: Page): Promise<boolean> => page.locator('[data-proof="verified"][data-pending="0"]').count().then((count) => count === 1);
export const note = (page: Page): Promise<string | null> => page.locator("[data-note]").textContent();

/** Draws with the mouse from one pixel to others. */
export async function stroke(page: Page, ...places: Place[]): Promise<void> {
  for (const [i, place] of places.entries()) {
    const { x, y } = await screenOf(page, place);
    await page.mouse.move(x, y);
    if (i === 0) await page.mouse.down();
  }
  await page.mouse.up();
}

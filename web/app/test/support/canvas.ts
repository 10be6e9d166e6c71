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
    const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height }).getContext("2d", { willReadFrequently: true })!;
    copy.drawImage(canvas, 0, 0);
    const [r, g, b] = copy.getImageData(Math.floor((x + 0.5 - left) * scale * ratio), Math.floor((y + 0.5 - top) * scale * ratio), 1, 1).data;
    return r! << 16 | g! << 8 | b!;
  }, [x, y] as const);
}

/** A number for each row that the stage shows, from the colours of all its pixels. The whole canvas must be on the stage, each pixel at least as large as one of the screen. */
export async function shownRows(page: Page, width: number, height: number): Promise<number[]> {
  return page.evaluate(([width, height]) => {
    const stage = document.querySelector<HTMLElement>(".stage")!;
    const [left, top, scale] = stage.dataset["view"]!.split(",").map(Number) as [number, number, number];
    const canvas = stage.querySelector("canvas")!;
    const ratio = canvas.width / stage.clientWidth;
    const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height }).getContext("2d", { willReadFrequently: true })!;
    copy.drawImage(canvas, 0, 0);
    const { data, width: wide } = copy.getImageData(0, 0, canvas.width, canvas.height);
    return Array.from({ length: height }, (_, y) => {
      let row = 0;
      for (let x = 0; x < width; x++) {
        const at = (Math.floor((y + 0.5 - top) * scale * ratio) * wide + Math.floor((x + 0.5 - left) * scale * ratio)) * 4;
        row = Math.imul(row ^ (data[at]! << 16 | data[at + 1]! << 8 | data[at + 2]!), 0x01000193);
      }
      return row;
    });
  }, [width, height] as const);
}

/** The same of what should be shown. */
export const rowsOf = (width: number, height: number, rgbAt: (x: number, y: number) => number): number[] => Array.from({ length: height }, (_, y) => {
  let row = 0;
  for (let x = 0; x < width; x++) row = Math.imul(row ^ rgbAt(x, y), 0x01000193);
  return row;
});

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

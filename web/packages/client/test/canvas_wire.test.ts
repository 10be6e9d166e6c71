// Bytes of fanfare.canvas.v1, as docs/canvas.md draws them, the hash, and deflate.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { constants, deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  CanvasFormatError, ChunkHash, decodeCanvasMessage, encodeCursor, encodeFetch, encodePixels, encodeUndo, encodeWatch, inflate, inflateHere,
} from "../src/canvas.js";
import { hashOf } from "../../../testing/canvas_bytes.js";

const bytes = (hex: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(hex.replace(/\s/g, ""), "hex"));
const hex = (data: Uint8Array): string => Buffer.from(data).toString("hex");
const decode = (text: string, hasPalette = false) => decodeCanvasMessage(bytes(text), hasPalette);

describe("client to server", () => {
  test("PIXELS in a room with 24-bit colours, and with a palette", () => {
    expect(hex(encodePixels(300, [{ x: 1, y: 258, colour: 0xa1b2c3 }, { x: 65535, y: 0, colour: 0 }], false))).toBe("01" + "ac02" + "02" + "0100" + "0201" + "a1b2c3" + "ffff" + "0000" + "000000");
    expect(hex(encodePixels(1, [{ x: 1, y: 2, colour: 7 }], true))).toBe("01" + "01" + "01" + "0100" + "0200" + "07");
  });
  test("WATCH with versions of more than 32 bits, FETCH, CURSOR and UNDO", () => {
    expect(hex(encodeWatch({ x0: 0, y0: 1, x1: 2, y1: 3 }, 0x0102030405060708n, [{ cx: 2, cy: 3, version: 2 ** 35 }])))
      .toBe("02" + "00010203" + "0807060504030201" + "01" + "0203" + "808080808001");
    expect(hex(encodeFetch(4, 5))).toBe("030405");
    expect(hex(encodeCursor({ x: 0xffff, y: 0xffff }))).toBe("04ffffffff");
    expect(hex(encodeCursor(null))).toBe("04");
    expect(hex(encodeUndo(1, 130))).toBe("05" + "01" + "8201");
  });
});

describe("server to client", () => {
  const welcome = "81" + "01" + "0807060504030201" + "e803000000000000" + "e807" + "8002" + "10" + "0a0b0c" + "02" + "0a0b0c" + "ff0000" + "02" + "7531" + "01" + "64" + "c801" + "00" + "03";
  test("WELCOME", () => {
    expect(decode(welcome)).toEqual({
      type: "welcome", epoch: 0x0102030405060708n, nowMs: 1000, width: 1000, height: 256, tickMs: 16, background: 0x0a0b0c, palette: [0x0a0b0c, 0xff0000],
      userId: "u1", userNumber: 1, pixelsPerSecond: 100, pixelsBurst: 200, cooldownMs: 0, mayDraw: true, mayModerate: true,
    });
  });
  test("CHUNK and CURRENT", () => {
    expect(decode("82" + "0102" + "ac02" + "0100000002000000" + "0300")).toEqual({ type: "chunk", cx: 1, cy: 2, version: 300, hash: { high: 2, low: 1 }, deflated: bytes("0300") });
    expect(decode("83" + "01" + "0102" + "808080808001" + "ffffffff00000080")).toEqual({ type: "current", chunks: [{ cx: 1, cy: 2, version: 2 ** 35, hash: { high: 0x80000000, low: 0xffffffff } }] });
  });
  test("TICK: groups by colour, indices as differences", () => {
    const section = "0001" + "05" + "0100000002000000" + "02" + ("0000ff" + "03" + "00" + "01" + "8002") + ("00ff00" + "01" + "ffff03");
    expect(decode("84" + "8080808010" + section)).toEqual({
      type: "tick", tick: 2 ** 32, sections: [{ cx: 0, cy: 1, version: 5, hash: { high: 2, low: 1 }, indices: [0, 1, 257, 65535], colours: [0xff, 0xff, 0xff, 0xff00] }],
    });
    expect(decode("84" + "01" + "0001" + "05" + "0100000002000000" + "01" + ("07" + "01" + "09"), true)).toMatchObject({ sections: [{ indices: [9], colours: [7] }] });
  });
  test("ACK, CURSORS, PRESENCE and ERROR", () => {
    expect(decode("85" + "ac02" + "01" + "03" + "e807")).toEqual({ type: "ack", request: 300, accepted: 1, status: "too_many_pixels", retryAfterMs: 1000 });
    expect(decode("85" + "01" + "00" + "63" + "00")).toMatchObject({ status: "unknown" });
    expect(decode("86" + "01" + "05" + "0a000b00" + "02" + "07" + "ac02")).toEqual({ type: "cursors", cursors: [{ user: 5, x: 10, y: 11 }], left: [7, 300] });
    expect(decode("87" + "03" + "01" + "05" + "027535" + "03c3a978" + "010203" + "01" + "07"))
      .toEqual({ type: "presence", total: 3, joined: [{ number: 5, userId: "u5", name: "éx", colour: 0x010203 }], left: [7] });
    expect(decode("88" + "01" + "026f6b")).toEqual({ type: "error", status: "bad_message", text: "ok" });
  });
  test("an op-code of the future is nothing; every message that is cut or too long is an error", () => {
    expect(decode("99aabb")).toBeNull();
    const messages = [
      welcome, "83" + "01" + "0102" + "01" + "ffffffff00000080", "84" + "01" + "0001" + "05" + "0100000002000000" + "01" + "0000ff" + "02" + "01" + "01",
      "85" + "01" + "01" + "03" + "00", "86" + "01" + "05" + "0a000b00" + "01" + "07", "87" + "03" + "01" + "05" + "027535" + "0178" + "010203" + "01" + "07", "88" + "01" + "026f6b",
    ];
    for (const message of messages) {
      for (let length = 1; length < message.length / 2; length++) {
        // A TICK without sections is complete.
        if (message.startsWith("84") && length === 2) continue;
        expect(() => decode(message.slice(0, length * 2)), `${message} cut to ${length}`).toThrow(CanvasFormatError);
      }
      expect(() => decode(message + "00"), `${message} with a byte more`).toThrow(CanvasFormatError);
    }
  });
  test.each([
    ["a varint of 6 bytes", "85" + "808080808001" + "01" + "00" + "00"],
    ["a varint above 32 bits", "85" + "ffffffff7f" + "01" + "00" + "00"],
    ["a version above 2^53", "83" + "01" + "0000" + "ffffffffffffffff7f" + "0000000000000000"],
    ["an index twice", "84" + "01" + "0001" + "05" + "0100000002000000" + "01" + "0000ff" + "02" + "01" + "00"],
    ["an index of 65,536", "84" + "01" + "0001" + "05" + "0100000002000000" + "01" + "0000ff" + "01" + "808004"],
    ["a count that the message does not hold", "86" + "ffffffff0f" + "05" + "0a000b00"],
    ["a text longer than the message", "88" + "01" + "ffffffff0f" + "6f"],
    ["a text that is not UTF-8", "88" + "01" + "01ff"],
    ["a protocol that is not 1", welcome.replace(/^8101/, "8102")],
    ["a canvas of no width", welcome.replace("e8078002", "00" + "8002")],
    ["a canvas of 65,537", welcome.replace("e8078002", "818004" + "8002")],
  ])("%s is an error", (_, message) => { expect(() => decode(message)).toThrow(CanvasFormatError); });
  test("random bytes are a message or an error, at once", () => {
    for (let i = 0; i < 20_000; i++) {
      const data = new Uint8Array(randomBytes(1 + i % 60));
      data[0] = 0x81 + i % 8;
      try {
        decodeCanvasMessage(data, i % 2 === 0);
      } catch (error) {
        expect(error).toBeInstanceOf(CanvasFormatError);
      }
    }
  });
});

interface Vector { name: string; background: number; pixels: [number, number][]; hash: string }
const vectors: Vector[] = JSON.parse(readFileSync(new URL("../../../../tests/canvas/hash.json", import.meta.url), "utf8"));

describe("the hash", () => {
  test.each(vectors)("$name", ({ background, pixels, hash }) => {
    const sum = new ChunkHash(background);
    for (const [index, colour] of pixels) sum.change(index, background, colour);
    expect(sum.high.toString(16).padStart(8, "0") + sum.low.toString(16).padStart(8, "0")).toBe(hash);
    expect(hashOf(pixels.filter(([, colour]) => colour !== background)).toString(16).padStart(16, "0")).toBe(hash);
  });
  test("changes add up to the sum of the whole, in a chunk that is narrower than 256", () => {
    const [columns, rows] = [200, 90];
    const colours = new Uint32Array(columns * rows).fill(0xffffff);
    const hash = new ChunkHash(0xffffff);
    for (let i = 0; i < 50_000; i++) {
      const [x, y] = [i * 7919 % columns, i * 104729 % rows];
      const colour = i % 5 ? i * 2654435761 % 0x1000000 : 0xffffff;
      hash.change(y * 256 + x, colours[y * columns + x]!, colour);
      colours[y * columns + x] = colour;
    }
    const whole = new ChunkHash(0xffffff);
    whole.sum(colours, columns);
    expect(hash.equals(whole)).toBe(true);
    whole.reset();
    expect([whole.high, whole.low]).toEqual([0, 0]);
  });
});

describe.each([["the browser's decoder", inflate], ["the one for Node", async (data: Uint8Array<ArrayBuffer>, size: number) => inflateHere(data, size)]] as const)("deflate: %s", (_, decoder) => {
  const contents: [string, Uint8Array][] = [
    ["zeros", new Uint8Array(65_536)], ["one byte", new Uint8Array([7])], ["noise", new Uint8Array(randomBytes(30_000))],
    ["a drawing", Uint8Array.from({ length: 196_608 }, (__, i) => (i * i >> 9) % 7 * 31)],
  ];
  test.each(contents)("%s, at every level and strategy", async (__, content) => {
    for (const level of [0, 1, 6, 9]) {
      for (const strategy of [constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY, constants.Z_RLE]) {
        const result = await decoder(new Uint8Array(deflateRawSync(content, { level, strategy })), content.length);
        expect(Buffer.compare(result, content)).toBe(0);
      }
    }
  });
  test("what is too short, too long, cut or spoiled is refused", async () => {
    const data = new Uint8Array(deflateRawSync(new Uint8Array(1000).fill(3)));
    await expect(decoder(data, 999)).rejects.toThrow();
    await expect(decoder(data, 1001)).rejects.toThrow();
    await expect(decoder(data.slice(0, -2), 1000)).rejects.toThrow();
    await expect(decoder(new Uint8Array([6]), 1000)).rejects.toThrow();
    await expect(decoder(new Uint8Array(0), 1000)).rejects.toThrow();
    // 64 MB of zeros in 64 kB: no more than the chunk is kept.
    await expect(decoder(new Uint8Array(deflateRawSync(new Uint8Array(64 << 20))), 65_536)).rejects.toThrow("too long");
  });
});

test("spoiled deflate ends, in an error or in other bytes", () => {
  const good = deflateRawSync(Uint8Array.from({ length: 4000 }, (_, i) => (i * i >> 5) % 11));
  for (let i = 0; i < 3000; i++) {
    const bad = new Uint8Array(good);
    bad[i % bad.length]! ^= 1 << i % 8;
    try {
      expect(inflateHere(bad, 4000).length).toBe(4000);
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
    }
  }
});

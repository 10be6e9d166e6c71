// JSON merge patches (RFC 7386), and the checksum that proves that client and server have the same value.
import type { Json } from "./types.js";

/**
 * Returns `target` with `patch` merged into it. Neither is changed: unchanged members are shared with the result, so
 * that a view can compare them by reference.
 */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: Record<string, Json> = isObject(target) ? { ...target } : {};
  for (const name of Object.keys(patch)) {
    const change = patch[name] as Json;
    if (change === null) delete result[name];
    else setMember(result, name, mergePatch(Object.hasOwn(result, name) ? result[name] : undefined, change));
  }
  return result;
}

// A member named __proto__ is data like any other.
function setMember(object: Record<string, Json>, name: string, value: Json): void {
  if (name !== "__proto__") object[name] = value;
  else Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

function isObject(value: Json | undefined): value is { [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The canonical text of RFC 8785: members sorted by UTF-16 code units, no white space. */
export function canonicalText(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonicalText(value[name] as Json)}`);
  return `{${members.join(",")}}`;
}

/** CRC-32 of the canonical text in UTF-8, as 8 hexadecimal digits in lower case. */
export function checksum(value: Json): string {
  return crc32(new TextEncoder().encode(canonicalText(value))).toString(16).padStart(8, "0");
}

let table: Uint32Array | undefined;

function crcTable(): Uint32Array {
  const made = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
    made[byte] = rest;
  }
  return made;
}

function crc32(bytes: Uint8Array): number {
  const steps = (table ??= crcTable());
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (steps[(crc ^ byte) & 0xff] as number);
  return (crc ^ 0xffffffff) >>> 0;
}

import { expect, test } from "vitest";
import { canonicalText, checksum, mergePatch } from "../src/merge.js";

// The table of RFC 7386, appendix A: original, patch, result.
const RFC7386_A: [any, any, any][] = [
  [{ a: "b" }, { a: "c" }, { a: "c" }], [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }], [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }], [{ a: ["b"] }, { a: "c" }, { a: "c" }], [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }], [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [["a", "b"], ["c", "d"], ["c", "d"]], [{ a: "b" }, ["c"], ["c"]], [{ a: "foo" }, null, null], [{ a: "foo" }, "bar", "bar"],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }], [[1, 2], { a: "b", c: null }, { a: "b" }], [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];
test.each(RFC7386_A)("RFC 7386 A: %j with %j is %j", (target, patch, result) => {
  const before = structuredClone(target);
  expect(mergePatch(target, patch)).toEqual(result);
  expect(target).toEqual(before);
});

test("members that did not change are shared with the value before", () => {
  const before = { kept: { deep: [1] }, changed: { a: 1 } };
  const after = mergePatch(before, { changed: { a: 2 } }) as typeof before;
  expect(after.kept).toBe(before.kept);
  expect(before.changed.a).toBe(1);
});

test("a member named __proto__ is data, not the prototype", () => {
  const merged = mergePatch({}, JSON.parse('{"__proto__":{"polluted":true},"constructor":1}')) as any;
  expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
  expect(({} as any).polluted).toBeUndefined();
  expect(JSON.stringify(merged)).toBe('{"__proto__":{"polluted":true},"constructor":1}');
});

test("the canonical text of RFC 8785 3.2.3: members by UTF-16 code units", () => {
  const value = JSON.parse('{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew","1":"One","\\ud83d\\ude00":"Emoji","\\u0080":"Control","\\u00f6":"o"}');
  expect(canonicalText(value)).toBe('{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"o","€":"Euro Sign","😀":"Emoji","\ufb33":"Hebrew"}');
  expect(canonicalText({ b: [1.5, -0, 1e21, true, null], a: "\u001f\"\\" })).toBe('{"a":"\\u001f\\"\\\\","b":[1.5,0,1e+21,true,null]}');
});

test("the checksum is CRC-32 with all its digits", () => {
  // Computed with Python's zlib.crc32.
  expect(checksum({ peer_count: 8, block_height: 813 })).toBe("1d9f9eee");
  expect(checksum("é😀")).toBe("ad63ee3a");
  expect(checksum({ n: 8 })).toBe("05898037");
});

// The client of the canvas: the users of a room and their cursors.
import { expect, test } from "vitest";
import { CanvasSocket } from "../../../testing/canvas_socket.js";
import { core, open, serve, settle } from "./canvas_fixture.js";

test("users and their cursors", async () => {
  const ada = open({ name: "Ada", color: "ff0000", session: "session-of-ada" });
  await settle();
  const bob = open({ name: "Bob" });
  await settle();
  expect([...ada.users.values()].map(({ name, colour }) => [name, colour])).toEqual([["Ada", 0xff0000], ["Bob", 0xcc8800]]);
  expect([ada.usersTotal, bob.usersTotal]).toEqual([2, 2]);
  for (let x = 0; x < 100; x++) bob.moveCursor({ x, y: 7 });
  await settle(50);
  expect([...ada.cursors.values()]).toEqual([{ x: 99, y: 7 }]);
  expect(core.counts[0x04]).toBe(2);
  bob.moveCursor(null);
  await settle(50);
  expect(ada.cursors.size).toBe(0);
  bob.moveCursor({ x: 1, y: 1 });
  await settle(50);
  // Another tab of Ada is the same user.
  const tab = open({ session: "session-of-ada" });
  await settle();
  expect([ada.usersTotal, tab.welcome?.userNumber]).toEqual([2, ada.welcome?.userNumber]);
  bob.close();
  await settle();
  expect([ada.usersTotal, ada.users.size, ada.cursors.size]).toEqual([1, 1, 0]);
});

test("a cursor may be at the last place of the largest canvas, and only one that leaves is gone", async () => {
  serve({ width: 65_536, height: 65_536 });
  const [ada, bob] = [open(), open()];
  for (const one of [ada, bob]) one.watch({ x: 65_000, y: 65_000, width: 536, height: 536 });
  await settle();
  bob.moveCursor({ x: 65_535, y: 65_535 });
  await settle(50);
  expect([...ada.cursors.values()]).toEqual([{ x: 65_535, y: 65_535 }]);
  bob.moveCursor(null);
  await settle(50);
  expect(ada.cursors.size).toBe(0);
});

test("all of five hundred users are learned, those who come and go meanwhile too", async () => {
  for (let i = 0; i < 500; i++) core.accept({ send: () => {}, close: () => {} });
  const client = open();
  await settle();
  expect([client.usersTotal, client.users.size]).toEqual([501, 200]);
  const [first] = core.sessions;
  const loading = client.loadUsers();
  core.accept({ send: () => {}, close: () => {} }, new URLSearchParams({ name: "late" }));
  first!.gone();
  await settle();
  await loading;
  expect([client.usersTotal, client.users.size]).toEqual([501, 501]);
  expect([...client.users.values()].filter(({ name }) => name === "late").length).toBe(1);
  expect(client.users.has(first!.user.number)).toBe(false);
  expect(core.asked.map(({ type, after }) => [type, after])).toEqual([["users", undefined], ["users", "u201"], ["users", "u401"]]);
  // Who is lost in the middle is not left waiting.
  const again = client.loadUsers();
  CanvasSocket.last.end();
  await expect(again).rejects.toThrow("the connection was lost");
});

// EthClient against the real daemon in front of a real node. The daemon is killed, and another instance takes over.
import { WebSocket } from "ws";
import { expect, test, vi } from "vitest";
import { EthClient, type EthMissed, type SocketConstructor } from "../../src/index.js";
import { hasDaemon, startAnvil, startFanfare, t } from "./fixture.js";

const until = (check: () => void | Promise<void>): Promise<void> => vi.waitFor(check, { timeout: 20_000, interval: 20 });

test.skipIf(!hasDaemon)("heads across a kill of the daemon: all of them, once, in order", async () => {
  const anvil = await startAnvil(["--no-mining"]);
  const flags = ["--upstream", anvil.url];
  const first = await startFanfare(flags);
  let url = first.ws;
  const client = new EthClient({ url: () => url, WebSocket: WebSocket as unknown as SocketConstructor, backoff: { maxMs: 200 } });
  t.after(async () => client.close());
  const heads: number[] = [];
  const missed: EthMissed[] = [];
  const live: string[] = [];
  const listener = { missed: (one: EthMissed) => missed.push(one), live: (block: string) => live.push(block) };
  const subscription = client.subscribe("newHeads", [], { event: (head: { number: string }) => heads.push(Number(head.number)), ...listener });
  await until(() => expect(live.length).toBe(1));
  const mine = (count: number): Promise<unknown> => anvil.ask("anvil_mine", [`0x${count.toString(16)}`]);
  await mine(3);
  await until(() => expect(heads).toEqual([1, 2, 3]));
  expect(await client.request("eth_chainId")).toBe("0x7a69");

  first.program.child.kill("SIGKILL");
  await mine(4);
  await until(() => expect(client.state).toBe("waiting"));
  url = (await startFanfare(flags)).ws;
  await until(() => expect(heads).toEqual([1, 2, 3, 4, 5, 6, 7]));
  await mine(2);
  await until(() => expect(heads).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]));
  expect(missed).toEqual([]);
  expect(subscription.cursor).toMatch(/^[\w-]+$/);
  await expect(client.request("eth_nonsense")).rejects.toMatchObject({ name: "RpcError", code: -32601 });
});

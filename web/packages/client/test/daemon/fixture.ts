// The helpers of tests/e2e, for tests that end what they started.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach } from "vitest";

const ROOT = fileURLToPath(new URL("../../../../../", import.meta.url));
const SUPPORT = `${ROOT}tests/e2e/support/`;

/** False where there is no daemon to test: `./dev test` names it in FANFARE_BIN. */
export const hasDaemon = existsSync(process.env["FANFARE_BIN"] ?? "") && existsSync(`${ROOT}tests/e2e/node_modules/@foundry-rs`);

let endings: (() => Promise<void>)[] = [];
const context = () => ({ after: (end: () => Promise<void>) => { endings.push(end); }, passed: true });
/** Another one for each test: the helpers remember those that they know. */
export let t = context();
afterEach(async () => {
  const ends = endings.reverse();
  endings = [];
  t = context();
  // One that hangs, as after a test that took too long, does not keep the others running.
  await Promise.allSettled(ends.map((end) => end()));
});

export interface Daemon { readonly ws: string; readonly http: string; readonly program: { readonly child: { kill(signal: string): boolean } } }
export interface Anvil { readonly url: string; ask(method: string, params?: readonly unknown[]): Promise<unknown> }

export async function startAnvil(flags: readonly string[]): Promise<Anvil> { return (await import(`${SUPPORT}anvil.js`)).startAnvil(t, flags); }
/** The sum of a metric of the daemon, over all its labels. */
export async function metric(daemon: Daemon, name: string): Promise<number> { return (await import(`${SUPPORT}fanfare.js`)).metric(daemon, name); }
export async function startFanfare(flags: readonly string[]): Promise<Daemon> { return (await import(`${SUPPORT}fanfare.js`)).startFanfare(t, flags); }

/** A daemon with access control by JWTs, and what signs one. The role `all` may read the stream `heights` and call everything. */
export async function startGuarded(): Promise<{ daemon: Daemon; token: (claims: object) => string }> {
  const { JWT_SECRET, token } = await import(`${SUPPORT}access.js`);
  const { writeConfig } = await import(`${SUPPORT}fanfare.js`);
  const { url } = await startAnvil([]);
  const config = `
server: { httpPort: 0 }
metrics: { port: 0 }
access:
  roles: [{ id: all, projects: ["*"], methods: ["*"], streams: ["*"] }]
  jwt: { secret: "${JWT_SECRET}", leeway: 0s }
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 31337 } }]
    upstreams: [{ id: anvil, endpoint: "${url}" }]
streams:
  definitions:
    - { name: heights, interval: 200ms, network: main/31337, calls: { h: eth_blockNumber }, fields: { height: /h } }
`;
  return { daemon: await startFanfare(["--config", writeConfig(t, config)]), token };
}

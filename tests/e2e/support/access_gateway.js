// A gateway with access control in front of Anvil, and its credentials.

import { writeFileSync } from "node:fs";
import path from "node:path";
import { JWT_SECRET, hmac, inSeconds, key, rpc, sha256, token } from "./access.js";
import { startAnvil } from "./anvil.js";
import { startFanfare, temporaryFolder, writeConfig } from "./fanfare.js";

export * from "./access.js";

export const READER = "reader-key-0123456789";
export const ADMIN = "admin-key-0123456789";
export const POOR = "poor-key-0123456789";
export const TOKEN = "0x00000000000000000000000000000000000000aa";
export const VAULT = "0x00000000000000000000000000000000000000bb";
export const PASSWORD = "wonder";
const SALT = "0123456789abcdef";

export const configFor = (anvil, { more = "", folder } = {}) => `
logLevel: info
server: { httpPort: 0, unixSocket: { path: ${path.join(folder, "sock")} } }
access:
  firstMessageWithin: 60s
  cookieFile: ${path.join(folder, "cookie")}
  cookieRoles: [admin]
  roles:
    - id: reader
      projects: [main]
      networks: ["31337"]
      methods: ["*"]
      topics: [newHeads, logs]
      contracts: { deny: ["${VAULT}"] }
    - id: admin
      projects: ["*"]
      methods: ["*", "anvil_*", "debug_*", "admin_*", fanfare_metrics]
      topics: ["*"]
    - id: poor
      projects: [main]
      methods: ["*"]
      topics: ["*"]
      limits: { requestsPerSecond: 1, requestsBurst: 20, connectionsMax: 1, subscriptionsMax: 1 }
    - id: thin
      projects: [main]
      methods: ["*"]
      limits: { bytesPerSecond: 1000, bytesBurst: 2000 }
  keys:
    - { id: pipe, roles: [thin], key: thin-key-0123456789 }
    - { id: shop, roles: [reader], keyHash: ${sha256(READER)} }
    - { id: office, roles: [admin], key: "\${ADMIN_KEY}" }
    - { id: beggar, roles: [poor], keyFile: ${path.join(folder, "poor")} }
    - { id: elsewhere, roles: [admin], key: elsewhere-key-0123456789, allowedAddresses: [192.0.2.0/24] }
  users:
    - { id: alice, roles: [admin], passwordHash: "${SALT}$${hmac(SALT, PASSWORD)}" }
  jwt:
    secretFile: ${path.join(folder, "jwt")}
    issuer: issuer.example
    defaultRoles: [reader]
    leeway: 0s
  costs: { eth_getLogs: 10 }
${more}
projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 31337 } }]
    upstreams: [{ id: anvil, endpoint: "${anvil.url}" }]
  - id: internal
    networks: [{ architecture: evm, evm: { chainId: 31337 } }]
    upstreams: [{ id: anvil, endpoint: "${anvil.url}" }]
`;

export async function start(t, options = {}) {
  const anvil = await startAnvil(t);
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, "poor"), `${POOR}\n`);
  writeFileSync(path.join(folder, "jwt"), `${JWT_SECRET}\n`);
  const env = { ADMIN_KEY: ADMIN };
  const fanfare = await startFanfare(t, ["--config", writeConfig(t, configFor(anvil, { ...options, folder }))], { env });
  return { ...fanfare, anvil, folder };
}

export const good = (more = {}) => token({ iss: "issuer.example", sub: "carol", exp: inSeconds(600), ...more });

export const chainId = rpc("eth_chainId");

export async function scrape(fanfare) {
  return (await fetch(`${fanfare.health}/metrics`, { headers: key(ADMIN) })).text();
}

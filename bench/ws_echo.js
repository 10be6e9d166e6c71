// npm's ws as a contestant: ws_echo.js [HOST:]PORT [--broadcast] [--deflate] [--tls CERTIFICATE KEY].
const fs = require("node:fs");
const https = require("node:https");
const { createRequire } = require("node:module");
const path = require("node:path");
const load = createRequire(path.join(__dirname, "../tests/e2e/package.json"));
const { WebSocketServer } = load("ws");

const flags = process.argv.slice(3);
const where = process.argv[2].split(":");
const port = Number(where.pop());
const host = where.pop() ?? "127.0.0.1";
const perMessageDeflate = flags.includes("--deflate") && {
  threshold: 64,
  zlibDeflateOptions: { level: 1 },
};
const say = (server) => console.log(`listening ${host}:${server.address().port}`);

let server;
const tls = flags.indexOf("--tls");
if (tls >= 0) {
  const web = https.createServer({ cert: fs.readFileSync(flags[tls + 1]), key: fs.readFileSync(flags[tls + 2]) });
  server = new WebSocketServer({ server: web, perMessageDeflate });
  web.listen({ host, port, backlog: 4096 }, () => say(web));
} else {
  server = new WebSocketServer({ host, port, backlog: 4096, perMessageDeflate }, () => say(server));
}
const toAll = flags.includes("--broadcast");
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => {
    if (!toAll) return socket.send(data, { binary: isBinary });
    for (const each of server.clients) each.send(data, { binary: isBinary });
  });
  socket.on("error", () => socket.terminate());
});

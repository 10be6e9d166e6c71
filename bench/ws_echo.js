// npm's ws as a contestant: ws_echo.js [HOST:]PORT, compression off, which is its default.
const { createRequire } = require("node:module");
const path = require("node:path");
const load = createRequire(path.join(__dirname, "../tests/e2e/package.json"));
const { WebSocketServer } = load("ws");

const where = process.argv[2].split(":");
const port = Number(where.pop());
const host = where.pop() ?? "127.0.0.1";
const server = new WebSocketServer({ host, port, backlog: 4096 }, () => {
  console.log(`listening ${host}:${server.address().port}`);
});
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on("error", () => socket.terminate());
});

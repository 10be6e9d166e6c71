// One instance of a socket.io server with an adapter on Redis: socketio.js BROKER_URL redis-adapter|redis-streams-adapter.
// Prints "listening HOST:PORT". A connection to ?publish=1 publishes with "p"; all others get the events, as "m". The adapter over
// streams has connection state recovery; the one over pub/sub does not support it.
const http = require("node:http");
const { Server } = require("socket.io");
const { createClient } = require("redis");

const HISTORY_MESSAGES = 1000; // the same for all contestants
const RECOVERY_MS = 120_000;

async function adapterOptions(url, name) {
  const client = createClient({ url });
  await client.connect();
  if (name === "redis-adapter") {
    const subscriber = client.duplicate();
    await subscriber.connect();
    return { adapter: require("@socket.io/redis-adapter").createAdapter(client, subscriber) };
  }
  return {
    adapter: require("@socket.io/redis-streams-adapter").createAdapter(client, { maxLen: HISTORY_MESSAGES }),
    connectionStateRecovery: { maxDisconnectionDuration: RECOVERY_MS },
  };
}

async function main([url, name]) {
  const web = http.createServer();
  const io = new Server(web, { transports: ["websocket"], serveClient: false, ...(await adapterOptions(url, name)) });
  io.on("connection", (socket) => {
    if (!socket.handshake.query.publish) return socket.join("events");
    socket.on("p", (payload) => io.to("events").emit("m", payload));
  });
  web.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => console.log(`listening 127.0.0.1:${web.address().port}`));
}

main(process.argv.slice(2)).catch((error) => {
  console.error(String(error));
  process.exit(1);
});

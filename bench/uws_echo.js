// uWebSockets inside Node as a contestant: uws_echo.js [HOST:]PORT [--broadcast] [--deflate [--no-takeover]] [--tls CERTIFICATE KEY] [--message-bytes N].
// The package falls back to a server in JavaScript where its native library does not load; that would not be a measurement.
const path = require("node:path");
const { createRequire } = require("node:module");
const load = createRequire(path.join(__dirname, "uws/package.json"));

const PACKAGE = "@trufflesuite/uws-js-unofficial";
const SILENT_CLOSE_S = 120;
const KIB = 1024;
const OUTBOX_MESSAGES = 16; // of the largest size: nothing is dropped while the load reads

function nativeLibrary() {
  const uws = load(PACKAGE);
  const loaded = Object.keys(require.cache).filter((file) => file.includes(PACKAGE));
  const native = loaded.filter((file) => file.endsWith(".node") && require.cache[file].exports === uws);
  const others = loaded.filter((file) => file.includes(path.join(PACKAGE, "dist")) || file.includes("fallback"));
  if (native.length === 1 && others.length === 0) return uws;
  console.error(`the native library of ${PACKAGE} was not loaded, but ${loaded.join(", ") || "nothing"}`);
  process.exit(1);
}

const uws = nativeLibrary();
const flags = process.argv.slice(3);
const valuesOf = (flag, count) => flags.slice(flags.indexOf(flag) + 1, flags.indexOf(flag) + 1 + count);
const where = process.argv[2].split(":");
const port = Number(where.pop());
const host = where.pop() ?? "127.0.0.1";
const toAll = flags.includes("--broadcast");
const deflate = flags.includes("--deflate");
// Its own choice, not the client's: a window for each connection, kept between messages, or one for all of them.
const windows = flags.includes("--no-takeover") ? uws.SHARED_COMPRESSOR : uws.DEDICATED_COMPRESSOR_256KB | uws.DEDICATED_DECOMPRESSOR_32KB;
const messageBytes = flags.includes("--message-bytes") ? Number(valuesOf("--message-bytes", 1)[0]) : KIB * KIB;

let app;
if (flags.includes("--tls")) {
  const [certificate, key] = valuesOf("--tls", 2);
  app = uws.SSLApp({ cert_file_name: certificate, key_file_name: key });
} else {
  app = uws.App();
}
app.ws("/*", {
  maxPayloadLength: messageBytes,
  maxBackpressure: OUTBOX_MESSAGES * messageBytes,
  idleTimeout: SILENT_CLOSE_S,
  compression: deflate ? windows : uws.DISABLED,
  open: (socket) => toAll && socket.subscribe("all"),
  message: (socket, data, isBinary) => {
    if (toAll) app.publish("all", data, isBinary);
    else socket.send(data, isBinary, deflate);
  },
});
app.listen(host, port, (listening) => {
  if (!listening) {
    console.error(`cannot listen on ${host}:${port}`);
    process.exit(1);
  }
  console.log(`listening ${host}:${uws.us_socket_local_port(listening)}`);
});

// npm's ws as the server of our echoing client: ws_server.cjs COMPRESSED NODE_MODULES [CERTIFICATE KEY]. COMPRESSED is
// true, false, or the parameters of permessage-deflate as JSON: {"clientMaxWindowBits":13}. Prints its URL; exit status 0
// if every message was echoed and the connection ended with 1000.
const { readFileSync } = require('node:fs');
const path = require('node:path');
const [how, modules, cert, key] = process.argv.slice(2);
const perMessageDeflate = JSON.parse(how);
const { WebSocketServer } = require(path.resolve(modules, 'ws'));
const messages = ['', 'Hello', 'κόσμε'.repeat(1000), 'a'.repeat(300000), Buffer.alloc(200000, 0xfe)].map((m) => Buffer.from(m));
const texts = 4;
const fail = (why) => {
  console.error(why);
  process.exit(1);
};
const server = cert
  ? require('node:https').createServer({ cert: readFileSync(cert), key: readFileSync(key) })
  : require('node:http').createServer();
new WebSocketServer({ server, perMessageDeflate }).on('connection', (socket) => {
  if (socket.extensions.includes('permessage-deflate') !== Boolean(perMessageDeflate)) fail(`extensions "${socket.extensions}"`);
  let received = 0;
  const send = () => socket.send(messages[received], { binary: received >= texts });
  socket.on('message', (data, isBinary) => {
    if (!data.equals(messages[received]) || isBinary !== received >= texts) fail(`message ${received} came back different`);
    if (++received < messages.length) send();
    else socket.close(1000);
  });
  socket.on('close', (code) => process.exit(code === 1000 && received === messages.length ? 0 : 1));
  send();
});
server.listen(0, '127.0.0.1', () => console.log(`${cert ? 'wss' : 'ws'}://127.0.0.1:${server.address().port}`));

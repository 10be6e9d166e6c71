// npm's ws against the echo server: ws_client.cjs URL COMPRESSED NODE_MODULES. Exit status 0 if every
// message was echoed and the connection ended with 1000.
const [url, compressed, modules] = process.argv.slice(2);
const WebSocket = require(require('node:path').resolve(modules, 'ws'));
const messages = ['', 'Hello', 'κόσμε'.repeat(1000), 'a'.repeat(300000), Buffer.alloc(200000, 0xfe)].map((m) => Buffer.from(m));
const texts = 4;
const socket = new WebSocket(url, { perMessageDeflate: compressed === 'true' });
let received = 0;
const send = () => socket.send(messages[received], { binary: received >= texts });
const fail = (why) => {
  console.error(why);
  process.exit(1);
};
socket.on('open', () => {
  if (socket.extensions.includes('permessage-deflate') !== (compressed === 'true')) fail(`extensions "${socket.extensions}"`);
  send();
});
socket.on('message', (data, isBinary) => {
  if (!data.equals(messages[received]) || isBinary !== received >= texts) fail(`message ${received} came back different`);
  if (++received < messages.length) send();
  else socket.close(1000);
});
socket.on('error', (error) => fail(String(error)));
socket.on('close', (code) => process.exit(code === 1000 && received === messages.length ? 0 : 1));

// The browsers' WebSocket API in Node: standard_client.cjs URL COMPRESSED. The same function runs in a page
// (chromium.mjs). Exit status 0 if every message was echoed and the connection ended with 1000.

// Must not refer to outer variables, because its text is sent to the browser.
function exercise({ url, compressed }) {
  const messages = ['', 'Hello', 'κόσμε'.repeat(1000), 'a'.repeat(300000), new Uint8Array(200000).fill(0xfe)];
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    let received = 0;
    const same = (data, sent) => {
      if (typeof sent === 'string') return data === sent;
      const bytes = new Uint8Array(data);
      return bytes.length === sent.length && bytes.every((byte, i) => byte === sent[i]);
    };
    socket.onopen = () => {
      if (socket.extensions.includes('permessage-deflate') !== compressed) reject(new Error(`extensions "${socket.extensions}"`));
      socket.send(messages[0]);
    };
    socket.onmessage = ({ data }) => {
      if (!same(data, messages[received])) return reject(new Error(`message ${received} came back different`));
      if (++received < messages.length) socket.send(messages[received]);
      else socket.close(1000);
    };
    socket.onerror = () => reject(new Error(`an error after ${received} messages`));
    socket.onclose = ({ code, wasClean }) => {
      if (code === 1000 && wasClean && received === messages.length) resolve('fine');
      else reject(new Error(`closed with ${code} after ${received} messages`));
    };
  });
}

module.exports = { exercise };
if (require.main === module) {
  const [url, compressed] = process.argv.slice(2);
  exercise({ url, compressed: compressed === 'true' }).then(
    () => process.exit(0),
    (error) => {
      console.error(error.message);
      process.exit(1);
    },
  );
}

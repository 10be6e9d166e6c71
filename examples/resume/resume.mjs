// An eth_subscribe that loses nothing: after every reconnect it resumes from its last cursor.
//   follow("ws://127.0.0.1:8546", ["logs", {}], ({ result, notice }) => ...)      in a browser
//   node resume.mjs URL ["newHeads"]                                              with npm's ws installed
export function follow(url, params, tell, { cursor = true, WebSocket = globalThis.WebSocket } = {}) {
  let socket;
  let stopped = false;
  const connect = () => {
    socket = new WebSocket(url);
    const request = { jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: [...params, { cursor }] };
    socket.onopen = () => socket.send(JSON.stringify(request));
    socket.onmessage = ({ data }) => {
      const { params: told, error } = JSON.parse(data);
      if (error) throw new Error(error.message);
      if (!told) return;
      tell(told);
      // Store the cursor only after the message was handled.
      cursor = told.cursor ?? cursor;
    };
    socket.onerror = () => {};
    socket.onclose = () => stopped || setTimeout(connect, 250);
  };
  const stop = () => (stopped = true) && socket.close();
  connect();
  return { stop, cursor: () => cursor };
}

if (globalThis.process?.argv[1]?.endsWith("resume.mjs")) {
  const { default: WebSocket } = await import("ws");
  const [url, params = '["newHeads"]'] = process.argv.slice(2);
  follow(url, JSON.parse(params), (told) => console.log(JSON.stringify(told)), { WebSocket });
}

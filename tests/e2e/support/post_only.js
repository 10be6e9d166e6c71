// For nodes that serve JSON-RPC over HTTP alone: everything but a POST, such as a WebSocket's upgrade, is answered 405.

export const postOnly = (handler) => (request, response) => {
  if (request.method === "POST") return handler(request, response);
  response.writeHead(405, { allow: "POST" }).end();
};

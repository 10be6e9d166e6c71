// Credentials and requests for the tests of access control.

import { createHash, createHmac } from "node:crypto";
import http from "node:http";
import https from "node:https";
import { RawSocket } from "./raw_socket.js";

export const JWT_SECRET = "a secret of tokens that is long enough";

export const sha256 = (text) => createHash("sha256").update(text).digest("hex");
export const hmac = (key, text) => createHmac("sha256", key).update(text).digest("hex");
export const key = (value) => ({ "x-api-key": value });
export const bearer = (value) => ({ authorization: `Bearer ${value}` });
export const basic = (user, password) => ({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` });
export const rpc = (method, params = [], id = 1) => ({ jsonrpc: "2.0", id, method, params });

export const b64 = (text) => Buffer.from(text).toString("base64url");
export const inSeconds = (seconds) => Math.floor(Date.now() / 1000) + seconds;
// A token, signed with HS256 unless `signature` says otherwise.
export function token(claims, { header = { alg: "HS256" }, secret = JWT_SECRET, signature } = {}) {
  const text = `${b64(JSON.stringify(header))}.${b64(JSON.stringify(claims))}`;
  return `${text}.${signature ?? createHmac("sha256", secret).update(text).digest("base64url")}`;
}

// Resolves with {status, headers, text, json}. `body`: an object, or the text itself.
export function post(url, body, headers = {}, options = {}) {
  return new Promise((resolve, reject) => {
    const { request: make } = url.startsWith("https:") ? https : http;
    const request = make(url, { method: "POST", headers, agent: false, ...options }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => (text += part));
      response.once("error", reject);
      response.once("end", () => {
        resolve({ status: response.statusCode, headers: response.headers, text, json: /^[[{]/.test(text) ? JSON.parse(text) : null });
      });
    });
    request.once("error", reject);
    request.end(typeof body === "string" ? body : JSON.stringify(body));
  });
}

// The status of an upgrade: 101, or that of the refusal.
export async function upgradeStatus(url, headers) {
  return RawSocket.open(url, { headers }).then(
    (raw) => {
      raw.destroy();
      return 101;
    },
    (error) => error.status,
  );
}

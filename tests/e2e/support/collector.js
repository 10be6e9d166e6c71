// A collector of traces: accepts OTLP/HTTP with JSON, checks every request against the shapes of OTLP 1, and keeps the spans.

import assert from "node:assert/strict";
import http from "node:http";
import { once } from "node:events";
import { atEnd } from "./cleanup.js";

const KINDS = { 2: "server", 3: "client" };

function valueOf(value) {
  const kinds = Object.keys(value);
  assert.equal(kinds.length, 1, "a value has one kind");
  const [kind] = kinds;
  if (kind === "stringValue") assert.equal(typeof value[kind], "string");
  if (kind === "intValue") assert.match(value[kind], /^-?\d+$/);
  if (kind === "boolValue") assert.equal(typeof value[kind], "boolean");
  assert.ok(["stringValue", "intValue", "boolValue"].includes(kind), kind);
  return kind === "intValue" ? Number(value[kind]) : value[kind];
}

function attributesOf(list) {
  const attributes = {};
  for (const { key, value, ...more } of list) {
    assert.deepEqual(more, {});
    assert.ok(!(key in attributes), `${key} is there once`);
    attributes[key] = valueOf(value);
  }
  return attributes;
}

function spanOf(span, resource) {
  const known = ["traceId", "spanId", "traceState", "parentSpanId", "flags", "name", "kind", "startTimeUnixNano",
    "endTimeUnixNano", "attributes", "links", "status"];
  for (const key of Object.keys(span)) assert.ok(known.includes(key), `${key} is a field of a span`);
  assert.match(span.traceId, /^[0-9a-f]{32}$/);
  assert.match(span.spanId, /^[0-9a-f]{16}$/);
  if (span.parentSpanId !== undefined) assert.match(span.parentSpanId, /^[0-9a-f]{16}$/);
  assert.match(span.startTimeUnixNano, /^\d+$/);
  assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano));
  assert.ok(span.kind in KINDS);
  for (const link of span.links ?? []) assert.match(link.spanId, /^[0-9a-f]{16}$/);
  return { trace: span.traceId, id: span.spanId, parent: span.parentSpanId, name: span.name, kind: KINDS[span.kind],
    attributes: attributesOf(span.attributes), links: (span.links ?? []).map((link) => link.spanId),
    error: span.status.code === 2, resource };
}

export class Collector {
  // `refusals`: so many exports are answered 503 first.
  static async start(t, { refusals = 0 } = {}) {
    const collector = new Collector(refusals);
    collector.server.listen(0, "127.0.0.1");
    await once(collector.server, "listening");
    collector.url = `http://127.0.0.1:${collector.server.address().port}`;
    atEnd(t, () => {
      collector.server.closeAllConnections();
      collector.server.close();
    });
    return collector;
  }

  constructor(refusals) {
    this.spans = [];
    this.problems = [];
    this.headers = [];
    this.server = http.createServer((request, response) => {
      const parts = [];
      request.on("data", (part) => parts.push(part));
      request.once("end", () => {
        this.headers.push(request.headers);
        if (refusals-- > 0) return response.writeHead(503, { "retry-after": "0" }).end();
        try {
          this.#take(request, JSON.parse(Buffer.concat(parts)));
          response.writeHead(200, { "content-type": "application/json" }).end("{}");
        } catch (problem) {
          this.problems.push(problem);
          response.writeHead(400).end();
        }
      });
    });
  }

  #take(request, body) {
    assert.equal(request.method, "POST");
    assert.equal(request.url, "/v1/traces");
    assert.equal(request.headers["content-type"], "application/json");
    for (const { resource, scopeSpans } of body.resourceSpans) {
      const from = attributesOf(resource.attributes);
      for (const { scope, spans } of scopeSpans) {
        assert.equal(scope.name, "fanfare");
        for (const span of spans) this.spans.push(spanOf(span, from));
      }
    }
  }

  of(trace) {
    assert.deepEqual(this.problems, []);
    return this.spans.filter((span) => span.trace === trace);
  }
}

// The messages of the stream protocol (docs/streams.md), as far as the client uses them. The server may send more.
import type { ReconnectHint } from "./backoff.js";
import type { Json, Missing, Position } from "./types.js";

export interface SubscribeRequest {
  readonly type: "subscribe";
  readonly stream: string;
  readonly id?: number;
  readonly position?: true;
  readonly since?: Position;
  readonly history?: number;
  readonly delta?: "merge";
}
export interface UnsubscribeRequest {
  readonly type: "unsubscribe";
  readonly stream: string;
  readonly id?: number;
}
export type StreamRequest = SubscribeRequest | UnsubscribeRequest;

export interface SubscribedAnswer {
  readonly stream: string;
  readonly position?: Position;
  readonly recovered?: boolean;
  readonly missing?: Missing;
  readonly history?: readonly { readonly data: Json; readonly timestamp: number; readonly offset: number }[];
}

export interface UnsubscribedAnswer {
  readonly stream: string;
  /** Why the server ended the stream. */
  readonly reason?: string;
}

/** A value of a stream: whole, or as a patch of the one before. */
export interface ValueMessage {
  readonly data?: Json;
  readonly patch?: Json;
  readonly timestamp: number;
  readonly offset?: number;
  readonly checksum?: string;
}

export interface NoticeMessage {
  readonly stream: string;
  readonly state: string;
  readonly reason?: string;
  readonly missing?: Missing;
  readonly from?: number;
  readonly timestamp: number;
  readonly offset?: number;
}

export interface ErrorMessage {
  readonly message: string;
  readonly code?: string;
  readonly stream?: string;
  readonly id?: number | string;
}

export interface HelloAnswer {
  readonly reconnect?: ReconnectHint;
  readonly limits?: { readonly messages_per_second?: number; readonly message_bytes?: number };
  readonly streams?: readonly { readonly name: string; readonly interval_ms?: number; readonly on_change?: boolean; readonly history: number }[];
}

export type ServerMessage = { readonly type: string } & { readonly [member: string]: Json | undefined };

// What the members of each message must be. A message that is otherwise must not be used: a subscription would hang, or wrong
// positions would hide a gap. Other members may be anything: servers of the short
// protocol write timestamps in their own way.
type Check = (value: Json | undefined) => boolean;
type Shape = Readonly<Record<string, Check>>;

const isObject = (value: unknown): value is { readonly [member: string]: Json | undefined } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText: Check = (value) => typeof value === "string";
const isNumber: Check = (value) => typeof value === "number";
const isBoolean: Check = (value) => typeof value === "boolean";
const isOffset: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const optional = (check: Check): Check => (value) => value === undefined || check(value);
const has = (shape: Shape): Check => (value) => isObject(value) && Object.entries(shape).every(([name, check]) => check(value[name]));
const listOf = (check: Check): Check => (value) => Array.isArray(value) && value.every(check);

const isPosition = has({ epoch: isOffset, offset: isOffset });
const isMissing = has({ after: isPosition, until: isPosition, count: optional(isNumber) });
const isValue = has({ data: (value) => value !== undefined, offset: isOffset });
const VALUE: Shape = { offset: optional(isOffset), checksum: optional(isText) };
const SHAPES: Readonly<Record<string, Shape>> = {
  subscribed: {
    stream: isText, position: optional(isPosition), recovered: optional(isBoolean), missing: optional(isMissing), history: optional(listOf(isValue)),
  },
  unsubscribed: { stream: isText, reason: optional(isText) },
  notice: {
    stream: isText, state: isText, reason: optional(isText), missing: optional(isMissing), from: optional(isNumber),
    offset: optional(isOffset),
  },
  error: { message: isText, code: optional(isText), stream: optional(isText) },
  hello: {
    // `reconnect` is a hint: one that cannot be used is ignored.
    limits: optional(has({ messages_per_second: optional(isNumber), message_bytes: optional(isNumber) })),
    streams: optional(listOf(has({ name: isText, interval_ms: optional(isNumber), on_change: optional(isBoolean), history: isNumber }))),
  },
};

/** Whether the members that the client uses are what the protocol says. `isStream`: the type is the name of a stream. */
export function isWellFormed(message: ServerMessage, isStream: boolean): boolean {
  const shape = isStream ? VALUE : Object.hasOwn(SHAPES, message.type) ? SHAPES[message.type] : undefined;
  return shape === undefined || has(shape)(message as Json);
}

/** Returns null for a text that is no message of the protocol. */
export function parseMessage(text: string): ServerMessage | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string"
      ? (value as ServerMessage)
      : null;
  } catch {
    return null;
  }
}

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
  readonly limits?: { readonly messages_per_second?: number };
}

export type ServerMessage = { readonly type: string } & { readonly [member: string]: Json | undefined };

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

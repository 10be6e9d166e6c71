// What tabs and the hub that holds their connection say to each other. Everything can be cloned by postMessage.
import type { TokenReason, Token } from "./token.js";
import type { ConnectionState, StreamEvent, Welcome } from "./types.js";
import type { Want, WireClientOptions } from "./wire_client.js";

/** The options that can be passed to another tab; the first tab's options count. */
export interface HubOptions extends Pick<WireClientOptions, "protocols" | "delta" | "backoff" | "heartbeat" | "connectTimeoutMs"> {
  readonly url: string;
  readonly tokenAs?: "subprotocol" | { readonly query: string };
}

/** From a tab to the hub. */
export type TabMessage =
  | { readonly t: "attach"; readonly options: HubOptions; readonly hasToken: boolean }
  | { readonly t: "subscribe"; readonly stream: string; readonly want: Want }
  | { readonly t: "unsubscribe"; readonly stream: string }
  | { readonly t: "token"; readonly id: number; readonly token?: string | Token; readonly error?: string }
  | { readonly t: "alive" }
  | { readonly t: "wake" }
  | { readonly t: "bye" };

/** From the hub to tabs. `unknown`: the hub does not know this tab, which has to attach again. */
export type HubMessage =
  | { readonly t: "state"; readonly state: ConnectionState; readonly error: { readonly message: string; readonly code?: number } | null; readonly welcome: Welcome | null }
  | { readonly t: "event"; readonly stream: string; readonly event: StreamEvent }
  | { readonly t: "token?"; readonly id: number; readonly reason: TokenReason }
  | { readonly t: "alive" }
  | { readonly t: "unknown" };

/** How a tab reaches the hub. */
export interface TabLink {
  send(message: TabMessage): void;
  /** The hub does not answer: find or make another. */
  replace(): void;
  close(): void;
}
export interface TabLinkEvents {
  /** There is a hub that does not know this tab yet. Also called for each hub that takes the place of another. */
  ready(): void;
  received(message: HubMessage): void;
}

/** A tab says this often that it lives, and expects an answer. */
export const ALIVE_MS = 20_000;
/** Without an answer for this time the tab looks for another hub. */
export const ANSWER_MS = 10_000;
/** A tab that was silent for this time is forgotten. If it was only frozen, it attaches again and resumes. */
export const FORGET_MS = 180_000;

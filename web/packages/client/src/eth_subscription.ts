// One eth_subscribe over many connections. The cursor of the last notification is where the next connection begins.
import { RpcError, type EthNotification } from "./eth_client.js";
import { ConnectionError, callSafely, type Json } from "./types.js";

export type EthType = "newHeads" | "logs" | "newPendingTransactions" | "transactionReceipts" | "newFinalizedHeads" | "syncing" | (string & {});

/**
 * Events of these blocks were not delivered and will not be: fetch them, for example with eth_getLogs. The blocks are
 * absent if they are unknown. `reason`: one of the server's (docs/subscriptions.md); `reconnected`: this type or this
 * server cannot resume; `cursorRefused`: the server did not accept the cursor.
 */
export interface EthMissed {
  readonly fromBlock?: string;
  readonly toBlock?: string;
  readonly reason: string;
}

export interface EthListener<T = any> {
  /** `cursor` resumes after this event, on any instance of the gateway. Null if the server has none. */
  event(result: T, cursor: string | null): void;
  missed?(missed: EthMissed): void;
  /** Everything up to and including this block was delivered. */
  live?(block: string): void;
  /** Events delivered for these blocks are no longer part of the chain. Those that take their place follow. */
  reorged?(fromBlock: string, toBlock: string): void;
  /** The server refused the subscription for good, or the connection ended for good. */
  error?(error: Error): void;
}

export interface EthSubscribeOptions {
  /** Resume after this cursor, for example from a previous run. */
  readonly cursor?: string;
  /** For `newHeads`: if this client reads too slowly, keep only the latest head instead of closing. */
  readonly slow?: "latest" | "close";
}

export interface EthTransport {
  request(method: string, params: readonly Json[]): Promise<Json>;
  /** Returns the notifications that arrived before the reply. */
  claimEarly(id: string): EthNotification[];
  ended(subscription: EthSubscription): void;
}

const RESUMABLE = new Set(["newHeads", "logs", "transactionReceipts", "newFinalizedHeads"]);
const INVALID_PARAMS = -32602;
/** A subscription that the server ended, or refused for now, is requested again after this time. */
export const AGAIN_MS = 1_000;

export class EthSubscription {
  /** The server's id on the present connection. */
  id: string | null = null;
  /** The position of the last event; keep it to resume later. */
  cursor: string | null;
  private round = 0;
  private waiting = false;
  private closed = false;
  private wasLive = false;
  private hasCursors: boolean;
  private againTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    readonly type: EthType,
    private readonly params: readonly Json[],
    private readonly listener: EthListener,
    private readonly options: EthSubscribeOptions,
    private readonly transport: EthTransport,
  ) {
    this.cursor = options.cursor ?? null;
    this.hasCursors = type !== "syncing";
  }

  /** True between the request and its reply. */
  get isWaiting(): boolean { return this.waiting; }

  begin(): void {
    if (this.closed || this.waiting || this.id) return;
    void this.ask(++this.round);
  }

  lost(): void {
    this.round++;
    this.id = null;
    this.waiting = false;
    this.cancelAgain();
  }

  notified({ result, notice, cursor }: EthNotification): void {
    if (this.closed) return;
    if (cursor !== undefined) this.cursor = cursor;
    if (notice !== undefined) this.noticed(notice as { type?: string; [member: string]: Json | undefined });
    else callSafely(() => this.listener.event(result, cursor ?? null));
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    const id = this.id;
    this.lost();
    this.transport.ended(this);
    if (id) this.transport.request("eth_unsubscribe", [id]).catch(() => {});
  }

  private async ask(round: number): Promise<void> {
    this.waiting = true;
    const resumes = this.cursor !== null && RESUMABLE.has(this.type);
    try {
      const id = await this.transport.request("eth_subscribe", [this.type, ...this.params, ...this.extra(resumes)]);
      if (round !== this.round) {
        // Closed meanwhile, on the same connection: the reply of a lost one never comes.
        this.transport.request("eth_unsubscribe", [id]).catch(() => {});
        return;
      }
      this.waiting = false;
      this.accepted(String(id), resumes);
    } catch (error) {
      if (round !== this.round) return;
      this.waiting = false;
      this.refused(error, resumes);
    }
  }

  private extra(resumes: boolean): Json[] {
    const options: { [name: string]: Json } = {};
    if (this.hasCursors) options["cursor"] = resumes ? (this.cursor as string) : true;
    if (this.options.slow) options["slow"] = this.options.slow;
    return Object.keys(options).length ? [options] : [];
  }

  private accepted(id: string, resumed: boolean): void {
    this.id = id;
    if (this.wasLive && !resumed && this.type !== "syncing") this.missed({ reason: "reconnected" });
    this.wasLive = true;
    for (const notification of this.transport.claimEarly(id)) this.notified(notification);
  }

  private refused(error: unknown, resumed: boolean): void {
    if (error instanceof ConnectionError) return this.again();
    const isParams = error instanceof RpcError && error.code === INVALID_PARAMS;
    if (isParams && resumed) {
      this.cursor = null;
      this.wasLive = false;
      this.missed({ reason: "cursorRefused" });
      return this.begin();
    }
    // A node of others does not know the option. Its subscriptions work, but cannot resume.
    if (isParams && this.hasCursors && !this.options.slow) {
      this.hasCursors = false;
      return this.begin();
    }
    callSafely(() => this.listener.error?.(error instanceof Error ? error : new Error(String(error))));
    if (!isParams) this.again();
  }

  private noticed(notice: { type?: string; [member: string]: Json | undefined }): void {
    const text = (name: string): string => String(notice[name] ?? "");
    if (notice.type === "live") callSafely(() => this.listener.live?.(text("block")));
    else if (notice.type === "missed") this.missed({ fromBlock: text("fromBlock"), toBlock: text("toBlock"), reason: text("reason") });
    else if (notice.type === "reorged") callSafely(() => this.listener.reorged?.(text("fromBlock"), text("toBlock")));
    else if (notice.type === "ended") {
      this.missed({ reason: text("message") || text("reason") });
      this.id = null;
      this.wasLive = false;
      this.again();
    }
  }

  private missed(missed: EthMissed): void { callSafely(() => this.listener.missed?.(missed)); }

  private again(): void {
    this.cancelAgain();
    if (!this.closed) this.againTimer = setTimeout(() => this.begin(), AGAIN_MS);
  }

  private cancelAgain(): void {
    if (this.againTimer) clearTimeout(this.againTimer);
    this.againTimer = null;
  }
}

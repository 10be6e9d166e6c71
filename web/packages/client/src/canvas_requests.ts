// Requests of the canvas that have an answer: undo in binary, everything else as JSON.
import type { AckMessage, Bytes, CanvasStatus, CanvasUser, ErrorMessage } from "./canvas_wire.js";
import { ConnectionError, type Json } from "./types.js";

/** An error that the server reported, with its `code`. */
export class CanvasError extends Error {
  override readonly name = "CanvasError";
  constructor(
    message: string,
    readonly code: string,
    /** When it can be asked again, in milliseconds from now; 0: that is not the reason. */
    readonly retryAfterMs = 0,
    /** What the server says of it: `field`, `value` and `limit`, as far as they apply. */
    readonly details: Readonly<Record<string, Json>> = {},
  ) {
    super(message);
  }
}

export interface UndoAnswer { readonly changed: number; readonly status: CanvasStatus; readonly retryAfterMs: number }

export interface RequestEvents {
  authenticated(isAccepted: boolean): void;
  /** An error that belongs to no request. */
  error(error: CanvasError): void;
}

interface Asked { resolve(value: any): void; reject(error: Error): void }

const AUTHENTICATE = "authenticate";

export class CanvasRequests {
  private lastId = 0;
  private readonly asked = new Map<number, Asked>();

  constructor(private readonly send: (data: string | Bytes) => boolean, private readonly events: RequestEvents) {}

  /** A number that no other request of this client has. */
  next(): number { return this.lastId = this.lastId % 0x7fff_ffff + 1; }

  ask(encode: (request: number) => Bytes): Promise<UndoAnswer> { return this.expect((id) => encode(id)); }
  askText(message: Readonly<Record<string, Json>>): Promise<Json> { return this.expect((id) => JSON.stringify({ ...message, id })); }
  /** Those with a greater number, in order. */
  async users(after: number): Promise<{ users: CanvasUser[]; isComplete: boolean }> {
    const answer = await this.askText({ type: "users", ...(after > 0 && { after: `u${after}` }) }) as any;
    const users = answer.users.map((user: any): CanvasUser => ({ number: Number(user.user_id.slice(1)), userId: user.user_id, name: user.name, colour: parseInt(user.color.slice(1), 16) }));
    return { users, isComplete: answer.complete === true };
  }
  authentication(token: string): string { return JSON.stringify({ type: AUTHENTICATE, token, id: AUTHENTICATE }); }

  acknowledged({ request, accepted, status, retryAfterMs }: AckMessage): void {
    this.take(request)?.resolve({ changed: accepted, status, retryAfterMs } satisfies UndoAnswer);
  }

  /** Returns false if the message belongs to the JSON protocol, which this client has not asked for. */
  receivedText(text: string): boolean {
    const message = parse(text);
    if (message?.["type"] === "welcome") return false;
    if (message?.["id"] === AUTHENTICATE) this.events.authenticated(message["type"] !== "error");
    else if (message) this.answered(message);
    return true;
  }

  failed({ status, text }: ErrorMessage): void { this.events.error(new CanvasError(text, status)); }

  lost(): void {
    const all = [...this.asked.values()];
    this.asked.clear();
    for (const { reject } of all) reject(new ConnectionError("the connection was lost before the answer"));
  }

  private answered(message: Record<string, Json>): void {
    const { type, id, code, message: text, retry_after_ms: wait, ...details } = message;
    const asked = typeof id === "number" ? this.take(id) : undefined;
    if (type !== "error") return asked?.resolve(message);
    const error = new CanvasError(String(text ?? code ?? "an error"), String(code ?? "unknown"), typeof wait === "number" ? wait : 0, details);
    if (asked) asked.reject(error);
    else this.events.error(error);
  }

  private expect<T>(encode: (id: number) => string | Bytes): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = this.next();
      if (!this.send(encode(id))) return reject(new ConnectionError("there is no connection"));
      this.asked.set(id, { resolve, reject });
    });
  }

  private take(id: number): Asked | undefined {
    const asked = this.asked.get(id);
    this.asked.delete(id);
    return asked;
  }
}

function parse(text: string): Record<string, Json> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Record<string, Json> : null;
  } catch {
    return null;
  }
}

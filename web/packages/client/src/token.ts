// The token of a connection: asked for when it is needed, kept until it expires.

export interface Token {
  readonly value: string;
  /** Unix time in milliseconds. Without it a token is kept until the server refuses it. */
  readonly expiresAtMs?: number;
}

/** `first`: there is none yet. `expired`: its time has passed. `refused`: the server did not accept it. */
export type TokenReason = "first" | "expired" | "refused";

/** Returns a token that is valid now. The expiry of a JWT given as a string is read from its `exp`. */
export type TokenProvider = (reason: TokenReason) => string | Token | Promise<string | Token>;

/** A token is replaced this long before it expires, because the request takes time too. */
export const TOKEN_MARGIN_MS = 5_000;
/** No token is replaced because of its time sooner than this after it arrived. */
export const TOKEN_KEPT_MS_MIN = 5_000;
/**
 * A token that arrives with less than the margin to live shows a wrong clock or a very short lifetime. It is used all the same, because the
 * server may accept it. Each further one in a row is kept twice as long, up to this time, or until the server refuses it.
 */
export const TOKEN_KEPT_MS_MAX = 300_000;

interface HeldToken {
  readonly value: string;
  /** Infinity if it is unknown. */
  readonly expiresAtMs: number;
  /** Infinity if the expiry is unknown. */
  readonly renewAtMs: number;
}

export class TokenKeeper {
  private token: HeldToken | null = null;
  private reason: TokenReason = "first";
  private asked: Promise<HeldToken> | null = null;
  // Tokens in a row that arrived with less than the margin to live.
  private staleInRow = 0;

  constructor(private readonly provider: TokenProvider) {}

  /** When the held token is to be replaced, in Unix milliseconds; Infinity if that is unknown, or if there is no token. */
  get renewAtMs(): number { return this.token?.renewAtMs ?? Infinity; }

  /** What is wrong with the last token that was received, for people; null if nothing. */
  get problem(): string | null {
    return this.staleInRow ? "the token had expired, or was about to, when it arrived: check this device's clock and the token's lifetime" : null;
  }

  /** True if a token is held that is to be replaced. */
  isExpired(nowMs: number): boolean { return nowMs >= this.renewAtMs; }

  /** True if a token is held that the server does not accept any more, by this device's clock. */
  hasEnded(nowMs: number): boolean { return nowMs >= (this.token?.expiresAtMs ?? Infinity); }

  /** Forgets the token, because the server refused it. */
  refuse(): void { this.forget("refused"); }

  /** Resolves with the token to use now. Calls in parallel ask once. */
  async get(): Promise<string> {
    if (this.isExpired(Date.now())) this.forget("expired");
    if (this.token) return this.token.value;
    const asked = (this.asked ??= this.ask());
    try {
      return (await asked).value;
    } finally {
      if (this.asked === asked) this.asked = null;
    }
  }

  private async ask(): Promise<HeldToken> {
    const askedAtMs = Date.now();
    let token = asToken(await this.provider(this.reason));
    // The page slept while it waited for the token.
    if (Date.now() >= dueAtMs(token) && askedAtMs < dueAtMs(token)) token = asToken(await this.provider("expired"));
    return (this.token = { value: token.value, expiresAtMs: token.expiresAtMs ?? Infinity, renewAtMs: this.renewal(dueAtMs(token), Date.now()) });
  }

  private renewal(dueMs: number, nowMs: number): number {
    if (nowMs < dueMs) {
      this.staleInRow = 0;
      return Math.max(dueMs, nowMs + TOKEN_KEPT_MS_MIN);
    }
    this.staleInRow++;
    return nowMs + Math.min(TOKEN_KEPT_MS_MIN * 2 ** this.staleInRow, TOKEN_KEPT_MS_MAX);
  }

  private forget(reason: TokenReason): void {
    if (!this.token) return;
    this.token = null;
    this.reason = reason;
  }
}

function dueAtMs({ expiresAtMs }: Token): number { return (expiresAtMs ?? Infinity) - TOKEN_MARGIN_MS; }

// The provider is code of the program, possibly without types.
function asToken(answer: unknown): Token {
  if (typeof answer === "string") return { value: answer, expiresAtMs: jwtExpiryMs(answer) };
  const { value, expiresAtMs } = (answer ?? {}) as { value?: unknown; expiresAtMs?: unknown };
  if (typeof value !== "string") throw new TypeError("the token provider must return a text, or an object with `value`");
  if (expiresAtMs === undefined || expiresAtMs === null) return { value };
  if (typeof expiresAtMs !== "number" || Number.isNaN(expiresAtMs)) throw new TypeError("`expiresAtMs` of the token must be a number: Unix time in milliseconds");
  return { value, expiresAtMs };
}

/** Reads `exp` of a JWT without checking anything else. Returns undefined for any other text. */
export function jwtExpiryMs(text: string): number | undefined {
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(text)?.[1];
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(atob(payload.replace(/-/g, "+").replace(/_/g, "/")));
    const exp = (claims as { exp?: unknown } | null)?.exp;
    return typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

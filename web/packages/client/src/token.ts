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

/** A token counts as expired this long before its time, because the request takes time too. */
export const TOKEN_MARGIN_MS = 5_000;

export class TokenKeeper {
  private token: Token | null = null;
  private reason: TokenReason = "first";
  private asked: Promise<Token> | null = null;

  constructor(private readonly provider: TokenProvider) {}

  /** When the held token expires, in Unix milliseconds; undefined if unknown. */
  get expiresAtMs(): number | undefined { return this.token?.expiresAtMs; }

  /** True if a token is held whose time has passed. */
  isExpired(nowMs: number): boolean {
    return this.token !== null && hasExpired(this.token, nowMs);
  }

  /** Forgets the token, because the server refused it. */
  refuse(): void { this.forget("refused"); }

  /** Resolves with a token that is valid now. Calls in parallel ask once. */
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

  private async ask(): Promise<Token> {
    const askedAtMs = Date.now();
    let token = asToken(await this.provider(this.reason));
    // The page slept while it waited for the token.
    if (hasExpired(token, Date.now()) && !hasExpired(token, askedAtMs)) token = asToken(await this.provider("expired"));
    return (this.token = token);
  }

  private forget(reason: TokenReason): void {
    if (!this.token) return;
    this.token = null;
    this.reason = reason;
  }
}

function hasExpired(token: Token, nowMs: number): boolean {
  return token.expiresAtMs !== undefined && nowMs >= token.expiresAtMs - TOKEN_MARGIN_MS;
}

function asToken(answer: string | Token): Token {
  return typeof answer === "string" ? { value: answer, expiresAtMs: jwtExpiryMs(answer) } : answer;
}

/** Reads `exp` of a JWT without checking anything else. Returns undefined for any other text. */
export function jwtExpiryMs(text: string): number | undefined {
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(text)?.[1];
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(atob(payload.replace(/-/g, "+").replace(/_/g, "/")));
    const exp = (claims as { exp?: unknown } | null)?.exp;
    return typeof exp === "number" ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

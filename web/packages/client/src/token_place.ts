// Where an attempt to connect carries its token.

/** What one attempt to connect uses. */
export interface Attempt {
  readonly url: string;
  readonly protocols: readonly string[];
}

/** A subprotocol, or a parameter of the address. Addresses appear in logs of proxies, so prefer the first. */
export type TokenPlace = "subprotocol" | { readonly query: string };

export function withToken(attempt: Attempt, token: string, place: TokenPlace): Attempt {
  if (place === "subprotocol") return { ...attempt, protocols: ["fanfare", ...attempt.protocols, `fanfare.bearer.${token}`] };
  const url = new URL(attempt.url);
  url.searchParams.set(place.query, token);
  return { ...attempt, url: url.href };
}

import { beforeEach, expect, test, vi } from "vitest";
import { TOKEN_KEPT_MS_MAX, TOKEN_KEPT_MS_MIN, TOKEN_MARGIN_MS, TokenKeeper, jwtExpiryMs, type TokenReason } from "../src/token.js";

beforeEach(() => { vi.useFakeTimers({ now: 1_000_000 }); });

function keeper(lifeMs: number | undefined) {
  const reasons: TokenReason[] = [];
  const tokens = new TokenKeeper((reason) => {
    reasons.push(reason);
    return { value: `token${reasons.length}`, expiresAtMs: lifeMs === undefined ? undefined : Date.now() + lifeMs };
  });
  return { tokens, reasons };
}

test("a token is kept until its margin, and replaced at it", async () => {
  const { tokens, reasons } = keeper(60_000);
  expect(await tokens.get()).toBe("token1");
  vi.setSystemTime(1_000_000 + 60_000 - TOKEN_MARGIN_MS - 1);
  expect(await tokens.get()).toBe("token1");
  vi.setSystemTime(1_000_000 + 60_000 - TOKEN_MARGIN_MS);
  expect(await tokens.get()).toBe("token2");
  expect(reasons).toEqual(["first", "expired"]);
});

test("calls in parallel ask once; a refusal asks again; a failure is not kept", async () => {
  const { tokens, reasons } = keeper(undefined);
  expect(await Promise.all([tokens.get(), tokens.get()])).toEqual(["token1", "token1"]);
  tokens.refuse();
  expect(await tokens.get()).toBe("token2");
  expect(reasons).toEqual(["first", "refused"]);
  let fails = true;
  const failing = new TokenKeeper(() => { if (fails) throw new Error("no network"); return "good"; });
  await expect(failing.get()).rejects.toThrow("no network");
  fails = false;
  expect(await failing.get()).toBe("good");
});

test("a token that expired while the page slept in the middle of the request is not used", async () => {
  let answer: (token: { value: string; expiresAtMs: number }) => void = () => {};
  const provider = vi.fn()
    .mockImplementationOnce(() => new Promise((resolve) => { answer = resolve; }))
    .mockImplementationOnce(() => ({ value: "fresh", expiresAtMs: Date.now() + 60_000 }));
  const tokens = new TokenKeeper(provider);
  const asked = tokens.get();
  const stale = { value: "stale", expiresAtMs: Date.now() + 60_000 };
  vi.setSystemTime(Date.now() + 3_600_000);
  answer(stale);
  expect(await asked).toBe("fresh");
});

test("the expiry of a JWT is read from it, that of another text is unknown", () => {
  const jwt = (payload: object): string => `e30.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.c2ln`;
  expect(jwtExpiryMs(jwt({ exp: 1_764_181_800, sub: "ÿ>?" }))).toBe(1_764_181_800_000);
  for (const text of ["opaque", "a.b.c", jwt({}), jwt({ exp: "soon" }), "", "e30..c"]) expect(jwtExpiryMs(text)).toBeUndefined();
});

test("tokens that arrive expired are kept twice as long each, up to the maximum; a good one ends that", async () => {
  let lifeMs = 0;
  const tokens = new TokenKeeper(() => ({ value: "t", expiresAtMs: Date.now() + lifeMs }));
  expect(tokens.renewAtMs).toBe(Infinity);
  for (const keptMs of [2, 4, 8, 16, 32, 60, 60].map((times) => times * TOKEN_KEPT_MS_MIN)) {
    await tokens.get();
    expect(tokens.problem).toContain("clock");
    expect(tokens.renewAtMs - Date.now()).toBe(keptMs);
    expect(keptMs).toBeLessThanOrEqual(TOKEN_KEPT_MS_MAX);
    vi.setSystemTime(tokens.renewAtMs);
  }
  lifeMs = 60_000;
  await tokens.get();
  expect(tokens.problem).toBeNull();
  expect(tokens.renewAtMs - Date.now()).toBe(60_000 - TOKEN_MARGIN_MS);
  // A refusal asks at once, whatever the clock says.
  tokens.refuse();
  expect(tokens.renewAtMs).toBe(Infinity);
});

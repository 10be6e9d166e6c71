// The key or token for a server with access control. It stays in this tab's session storage, and goes to the server in a header or a
// WebSocket's subprotocol, never in an address.
import { Store } from "./store";

const kKey = "fanfare-key";

function remembered(): string {
  try {
    return sessionStorage.getItem(kKey) ?? "";
  } catch {
    return ""; // storage may be forbidden
  }
}

let current = remembered();

// open: calls may be made. closed: the server wants a key, and there is none. refused: it does not accept this one.
export type Gate = "checking" | "open" | "closed" | "refused";
export const gate = new Store<Gate>("checking");

export const hasKey = (): boolean => current !== "";
export const keyHeaders = (): Record<string, string> => (current ? { authorization: `Bearer ${current}` } : {});
export const keyProtocols = (): string[] => (current ? ["fanfare", `fanfare.bearer.${current}`] : []);
// Options of the clients of @fanfare/client.
export const keyOptions = (): { token?: () => string } => (current ? { token: () => current } : {});

// RFC9110§5.6.2: what a subprotocol may consist of.
export function problemOfKey(key: string): string {
  if (key === "") return "";
  return /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/.test(key) ? "" : "A browser cannot send a key with these characters: only letters, digits and - . _ ~ ! # $ % & ' * + ^ ` |";
}

// Every connection begins again with it. Empty: without a key.
export function useKeyFromNowOn(key: string): void {
  try {
    if (key) sessionStorage.setItem(kKey, key);
    else sessionStorage.removeItem(kKey);
    location.reload();
  } catch {
    current = key; // this page only
  }
}

// Sets the gate. `probe` makes a call, and resolves with its status.
export async function checkKey(access: { anonymous: boolean } | null | undefined, probe: () => Promise<number>): Promise<void> {
  if (!access) return gate.set("open");
  if (!current) return gate.set(access.anonymous ? "open" : "closed");
  // A server that cannot be reached has not refused anything.
  const status = await probe().catch(() => 0);
  gate.set(status === 401 ? "refused" : "open");
}

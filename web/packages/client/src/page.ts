// What the browser tells about the page and the network. Elsewhere (Node, workers) some or all of it is missing.
import type { Unsubscribe } from "./types.js";

export interface PageEvents {
  /** The page may have slept: it became visible, was restored, or resumed. */
  woke(): void;
  online(): void;
  offline(): void;
}

type Target = Pick<EventTarget, "addEventListener" | "removeEventListener">;

export function watchPage(events: PageEvents): Unsubscribe {
  const page = globalThis as unknown as Partial<Target> & { document?: Document };
  const undo: Unsubscribe[] = [];
  const listen = (target: Partial<Target> | undefined, name: string, call: (event: Event) => void): void => {
    if (!target?.addEventListener || !target.removeEventListener) return;
    target.addEventListener(name, call);
    undo.push(() => target.removeEventListener?.(name, call));
  };
  listen(page, "online", () => events.online());
  listen(page, "offline", () => events.offline());
  listen(page, "pageshow", (event) => { if ((event as PageTransitionEvent).persisted) events.woke(); });
  listen(page.document, "resume", () => events.woke());
  listen(page.document, "visibilitychange", () => { if (page.document?.visibilityState === "visible") events.woke(); });
  return () => { for (const one of undo) one(); };
}

/** False only if the browser is sure that there is no network. A server on this machine needs none. */
export function isOnline(url: string): boolean {
  const navigator = (globalThis as { navigator?: { onLine?: boolean } }).navigator;
  return navigator?.onLine !== false || isLoopback(url);
}

function isLoopback(url: string): boolean {
  return /^wss?:\/\/(localhost|[^/:]+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])([:/?]|$)/i.test(url);
}

// The hub as a SharedWorker: `new SharedWorker(new URL("@fanfare/client/shared_worker", import.meta.url), { type: "module" })`.
import { TabHub } from "./tab_hub.js";
import { tabLock } from "./tab_links.js";
import { locksOf, whenFree } from "./tab_locks.js";
import type { TabMessage } from "./tab_messages.js";

const ports = new Map<string, MessagePort>();
const hub = new TabHub({ send: (tabs, message) => { for (const tab of tabs) ports.get(tab)?.postMessage(message); } });

function serve(port: MessagePort): void {
  port.onmessage = (event: MessageEvent<{ from: string; message: TabMessage }>) => {
    const { from, message } = event.data;
    if (message.t === "attach") watch(from, port);
    hub.receive(from, message);
    if (message.t === "bye") ports.delete(from);
  };
  port.start();
}

function watch(tab: string, port: MessagePort): void {
  const isNew = !ports.has(tab);
  ports.set(tab, port);
  const locks = locksOf();
  if (!isNew || !locks) return;
  whenFree(locks, tabLock(tab), () => {
    ports.delete(tab);
    hub.drop(tab);
  });
}

(globalThis as unknown as { onconnect: (event: MessageEvent) => void }).onconnect = (event) => serve(event.ports[0] as MessagePort);

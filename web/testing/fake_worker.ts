// A SharedWorker of the same process: the hub, and a port for each tab. Messages are copied, as postMessage does.
import { TabHub } from "../packages/client/src/tab_hub.js";
import type { TabMessage } from "../packages/client/src/tab_messages.js";

interface Port { onmessage: ((event: any) => void) | null; postMessage(message: unknown): void; start(): void; close(): void }

export class FakeWorker {
  hub: TabHub;
  /** Ports of every tab, by its id. */
  readonly ports = new Map<string, Port>();
  made = 0;
  /** Nobody answers any more. */
  isDead = false;

  constructor() { this.hub = this.makeHub(); }

  private makeHub(): TabHub {
    return new TabHub({
      send: (tabs, message) => {
        for (const tab of tabs) {
          const port = this.ports.get(tab);
          const data = structuredClone(message);
          queueMicrotask(() => port?.onmessage?.({ data }));
        }
      },
    });
  }

  /** The worker is terminated; whoever connects next finds a new one. */
  crash(): void {
    this.hub.close();
    this.ports.clear();
    this.isDead = true;
  }

  readonly connect = (): SharedWorker => {
    this.made++;
    if (this.isDead) this.hub = this.makeHub();
    this.isDead = false;
    const hub = this.hub;
    const port: Port = {
      onmessage: null,
      start: () => {},
      close: () => {},
      postMessage: (message) => {
        const { from, message: content } = structuredClone(message) as { from: string; message: TabMessage };
        queueMicrotask(() => {
          if (this.isDead || hub !== this.hub) return;
          this.ports.set(from, port);
          hub.receive(from, content);
        });
      },
    };
    return { port } as unknown as SharedWorker;
  };
}

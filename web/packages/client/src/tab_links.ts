// The three ways from a tab to the hub.
import type { SocketConstructor } from "./connection.js";
import { TabHub } from "./tab_hub.js";
import { hold, locksOf, whenFree } from "./tab_locks.js";
import type { HubMessage, TabLink, TabLinkEvents, TabMessage } from "./tab_messages.js";

/** The lock that a tab holds while it lives. */
export const tabLock = (id: string): string => `fanfare:tab:${id}`;

/** The hub is a SharedWorker. */
export function workerLink(tab: string, make: () => SharedWorker, events: TabLinkEvents): TabLink {
  let port: MessagePort | null = null;
  const open = (): void => {
    port?.close();
    const mine = (port = make().port);
    mine.onmessage = (event: MessageEvent<HubMessage>) => { if (mine === port) events.received(event.data); };
    mine.start();
    events.ready();
  };
  queueMicrotask(open);
  return {
    send: (message) => port?.postMessage({ from: tab, message }),
    replace: open,
    close: () => {
      port?.postMessage({ from: tab, message: { t: "bye" } satisfies TabMessage });
      port?.close();
    },
  };
}

/** The hub is in this page, which shares nothing. */
export function localLink(tab: string, events: TabLinkEvents, WebSocket?: SocketConstructor): TabLink {
  let isOpen = true;
  const hub = new TabHub({ send: (_, message) => queueMicrotask(() => { if (isOpen) events.received(message); }) }, WebSocket);
  queueMicrotask(() => events.ready());
  return {
    send: (message) => hub.receive(tab, message),
    replace: () => events.ready(),
    close: () => {
      isOpen = false;
      hub.close();
    },
  };
}

type ChannelMessage =
  | { readonly to: "hub"; readonly from: string; readonly message: TabMessage }
  | { readonly to: readonly string[]; readonly hub: string; readonly message: HubMessage }
  /** A tab looks for the hub. */
  | { readonly to: "who" }
  /** The hub names itself: as an answer, and when it begins. */
  | { readonly to: "all"; readonly hub: string };

/**
 * The hub is in one of the tabs, the one that holds the lock `fanfare:hub:<name>`. When that tab ends, however it
 * ends, the browser gives the lock to another tab, which makes a hub of its own. All tabs then attach to it, each with
 * the positions that it has reached.
 */
export class LeaderLink implements TabLink {
  private readonly channel: BroadcastChannel;
  private hub: TabHub | null = null;
  private hubId = "";
  private release: () => void = () => {};

  constructor(
    private readonly tab: string, private readonly name: string, private readonly locks: LockManager, private readonly events: TabLinkEvents,
    private readonly WebSocket?: SocketConstructor,
  ) {
    this.channel = new BroadcastChannel(`fanfare:${name}`);
    this.channel.onmessage = (event: MessageEvent<ChannelMessage>) => this.received(event.data);
    this.post({ to: "who" });
    this.candidate(false);
  }

  get isLeader(): boolean { return this.hub !== null; }

  send(message: TabMessage): void {
    const hub = this.hub;
    if (hub) queueMicrotask(() => { if (hub === this.hub) hub.receive(this.tab, message); });
    else this.post({ to: "hub", from: this.tab, message });
  }

  /** The leading tab holds the lock but does not answer: take the lock away from it. */
  replace(): void {
    if (this.hub) return;
    this.release();
    this.candidate(true);
  }

  close(): void {
    if (this.hub) this.resign();
    else this.post({ to: "hub", from: this.tab, message: { t: "bye" } });
    this.release();
    this.channel.close();
  }

  private candidate(steal: boolean): void {
    this.release = hold(this.locks, `fanfare:hub:${this.name}`, () => this.lead(), () => {
      // Another tab took the lock away, because this one did not answer it.
      this.resign();
      this.candidate(false);
      this.post({ to: "who" });
    }, steal);
  }

  private lead(): void {
    this.hub = new TabHub({ send: (tabs, message) => this.deliver(tabs, message) }, this.WebSocket);
    this.post({ to: "all", hub: this.tab });
    this.hubId = this.tab;
    this.events.ready();
  }

  private resign(): void {
    this.hub?.close();
    this.hub = null;
  }

  private deliver(tabs: readonly string[], message: HubMessage): void {
    // One message for all tabs: the channel has no addresses, each tab picks its own.
    const others = tabs.filter((tab) => tab !== this.tab);
    if (others.length) this.post({ to: others, hub: this.tab, message });
    if (others.length < tabs.length) {
      const hub = this.hub;
      queueMicrotask(() => { if (hub === this.hub) this.events.received(message); });
    }
  }

  private received(envelope: ChannelMessage): void {
    if (envelope.to === "who") {
      if (this.hub) this.post({ to: "all", hub: this.tab });
    } else if (envelope.to === "all") this.follow(envelope.hub);
    else if (envelope.to === "hub") this.fromTab(envelope.from, envelope.message);
    else if (envelope.hub === this.hubId && envelope.to.includes(this.tab)) this.events.received(envelope.message);
  }

  private fromTab(from: string, message: TabMessage): void {
    const hub = this.hub;
    if (!hub) return;
    hub.receive(from, message);
    if (message.t === "attach") whenFree(this.locks, tabLock(from), () => hub.drop(from));
  }

  // A tab that leads learns from its lock, not from others, that it leads no more.
  private follow(hub: string): void {
    if (this.hub || hub === this.hubId) return;
    this.hubId = hub;
    this.events.ready();
  }

  private post(envelope: ChannelMessage): void { this.channel.postMessage(envelope); }
}

/** True where tabs can agree on a leader: locks exist on HTTPS and localhost only. */
export function canLead(): boolean { return typeof BroadcastChannel !== "undefined" && locksOf() !== null; }

// The connection to /streams, as the feeds see it.

export interface Link {
  state: "opening" | "live" | "lost";
  since: number; // milliseconds since 1970
  attempt: number;
}

export interface StreamEvents {
  onValue: (value: unknown, timestamp: number) => void;
  onNotice: (state: string, reason: string | undefined) => void;
  onLost: () => void; // values were missed for good
  onUnavailable: (reason: string) => void;
}

interface Entry {
  history: number;
  events: StreamEvents;
  position?: { epoch: unknown; offset: number };
}

export function connectStreams(onLink: (link: Link) => void) {
  const entries = new Map<string, Entry>();
  let socket: WebSocket | undefined;
  let attempt = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const send = (message: object): void => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  };
  const ask = (stream: string, entry: Entry): void =>
    send({ type: "subscribe", stream, ...(entry.position ? { since: entry.position } : { history: entry.history }) });

  const receive = (text: string): void => {
    const message = JSON.parse(text);
    const entry = entries.get(message.stream ?? message.type);
    if (!entry) return;
    if (message.type === "subscribed") {
      if (message.recovered === false) entry.events.onLost();
      if (message.position) entry.position = message.position;
      for (const one of message.history ?? []) entry.events.onValue(one.data, one.timestamp);
    } else if (message.type === "notice") {
      entry.events.onNotice(message.state, message.reason);
    } else if (message.type === "error") {
      entry.events.onUnavailable(message.message);
    } else if (message.data) {
      entry.events.onValue(message.data, message.timestamp);
    }
    if (entry.position && typeof message.offset === "number") entry.position = { ...entry.position, offset: message.offset };
  };

  const open = (): void => {
    clearTimeout(timer);
    onLink({ state: attempt ? "lost" : "opening", since: Date.now(), attempt });
    const mine = (socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/streams`));
    mine.onopen = () => {
      attempt = 0;
      onLink({ state: "live", since: Date.now(), attempt });
      for (const [stream, entry] of entries) ask(stream, entry);
    };
    mine.onmessage = (event) => receive(event.data);
    mine.onclose = () => {
      if (mine !== socket) return;
      attempt += 1;
      onLink({ state: "lost", since: Date.now(), attempt });
      timer = setTimeout(open, Math.min(500 * 2 ** (attempt - 1), 10_000) * (0.5 + Math.random() / 2));
    };
  };
  open();

  return {
    subscribe(stream: string, history: number, events: StreamEvents): void {
      const entry = { history, events };
      entries.set(stream, entry);
      ask(stream, entry);
    },
    reconnectNow(): void {
      socket?.close();
      open();
    },
  };
}

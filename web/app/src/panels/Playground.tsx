import { useState, type KeyboardEvent } from "react";
import { Icon } from "../parts/Icon";
import { Json } from "../parts/Json";
import { clearFrames, connect, disconnect, kFramesMax, play, send, type Frame } from "../data/playground";
import type { NetworkInfo, ServerInfo } from "../data/server";
import { useStore } from "../data/store";
import { bytesText, number } from "../format";

interface Preset {
  name: string;
  message: unknown;
}
const rpc = (method: string, params: unknown[] = []) => ({ jsonrpc: "2.0", id: 1, method, params });
const kRpcPresets: Preset[] = [
  { name: "New heads", message: rpc("eth_subscribe", ["newHeads"]) },
  { name: "Heads with a cursor", message: rpc("eth_subscribe", ["newHeads", { cursor: true }]) },
  { name: "Logs", message: rpc("eth_subscribe", ["logs", {}]) },
  { name: "Pending", message: rpc("eth_subscribe", ["newPendingTransactions"]) },
  { name: "Block number", message: rpc("eth_blockNumber") },
  { name: "Latest block", message: rpc("eth_getBlockByNumber", ["latest", false]) },
  { name: "A batch", message: [rpc("eth_chainId"), { ...rpc("net_version"), id: 2 }] },
];
const kStreamPresets: Preset[] = [
  { name: "Subscribe", message: { type: "subscribe", stream: "network_metrics" } },
  { name: "With history", message: { type: "subscribe", stream: "network_metrics", history: 5 } },
  { name: "As patches", message: { type: "subscribe", stream: "network_metrics", delta: "merge" } },
  { name: "Unsubscribe", message: { type: "unsubscribe", stream: "network_metrics" } },
  { name: "Limits", message: { type: "hello" } },
  { name: "Ping", message: { type: "ping" } },
];

const pretty = (message: unknown): string => JSON.stringify(message, null, 2);

function problemOf(text: string): string {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return `Not JSON: ${(error as Error).message}`;
  }
}

export function Playground({ info, network }: { info: ServerInfo | undefined; network: NetworkInfo | undefined }) {
  const state = useStore(play);
  const targets = [...(network ? [{ path: network.path, name: `JSON-RPC ${network.path}` }] : []), ...(info?.streams ? [{ path: info.streams, name: `Streams ${info.streams}` }] : [])];
  const [chosen, setChosen] = useState("");
  const path = chosen || targets[0]?.path || "/";
  const presets = path === info?.streams ? kStreamPresets : kRpcPresets;
  const [written, setText] = useState<string | null>(null);
  const text = written ?? pretty(presets[0]!.message);
  const problem = problemOf(text);
  const go = () => send(path, JSON.stringify(JSON.parse(text)));
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !problem) {
      event.preventDefault();
      go();
    }
  };
  return (
    <div className="grid play" data-face={state.frames.length ? "live" : "empty"}>
      <section className="card ask" aria-label="Message">
        <div className="row">
          <label className="sr" htmlFor="target">
            Send to
          </label>
          <select id="target" className="field grow" value={path} onChange={(event) => {
            setChosen(event.target.value);
            setText(pretty((event.target.value === info?.streams ? kStreamPresets : kRpcPresets)[0]!.message));
          }}>
            {targets.map((target) => (
              <option key={target.path} value={target.path}>
                {target.name}
              </option>
            ))}
          </select>
          {state.state === "closed" ? (
            <button type="button" className="button" onClick={() => connect(path)}>
              Connect
            </button>
          ) : (
            <button type="button" className="button" onClick={disconnect}>
              Disconnect
            </button>
          )}
        </div>
        <div className="presets" role="group" aria-label="Examples">
          {presets.map((preset) => (
            <button key={preset.name} type="button" onClick={() => setText(pretty(preset.message))}>
              {preset.name}
            </button>
          ))}
        </div>
        <label className="sr" htmlFor="message">
          Message as JSON
        </label>
        <textarea id="message" value={text} spellCheck={false} autoCapitalize="off" autoComplete="off" aria-invalid={problem !== ""} aria-describedby="message-problem"
          onChange={(event) => setText(event.target.value)} onKeyDown={onKey} />
        <p id="message-problem" className="problem" role="status">
          {problem}
        </p>
        <div className="row">
          <button type="button" className="button primary" disabled={problem !== ""} onClick={go}>
            <Icon name="play" size={14} />
            Send
          </button>
          <span className="muted small">or Ctrl+Enter</span>
        </div>
      </section>
      <section className="card flush" aria-label="Frames, the newest first">
        <div className="panel-tools toolbar">
          <span className={`chip ${state.state === "open" ? "good" : ""}`} role="status">
            {state.state === "open" ? "Connected" : state.state === "opening" ? "Connecting" : "Not connected"}
          </span>
          <span className="muted num count">
            {number(state.frames.length)} {state.frames.length === 1 ? "frame" : "frames"}
            {state.frames.length === kFramesMax ? " kept" : ""}
          </span>
          <button type="button" className="button quiet" disabled={state.frames.length === 0} onClick={clearFrames}>
            Clear
          </button>
        </div>
        {state.frames.length ? (
          <div className="frames" tabIndex={0} role="region" aria-label="List of frames">
            {state.frames.map((frame) => (
              <FrameRow key={frame.id} frame={frame} />
            ))}
          </div>
        ) : (
          <div className="face plain">
            <Icon name="playground" size={36} />
            <h2>No frames yet</h2>
            <p>Choose an example, press Send, and watch every frame in both directions.</p>
          </div>
        )}
      </section>
    </div>
  );
}

// What differs between frames, in one line. Opening it shows the frame as it was sent.
const preview = (frame: string): string => frame.replace('"jsonrpc":"2.0",', "").slice(0, 300);

const kWays = { out: "sent", in: "received", note: "connection", bad: "connection" } as const;

function FrameRow({ frame }: { frame: Frame }) {
  const [open, setOpen] = useState(false);
  const time = new Date(frame.at).toISOString().slice(11, 23);
  return (
    <details className="frame" data-way={frame.way} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span className={`way ${frame.way}`}>
          <Icon name={frame.way === "out" ? "out" : frame.way === "in" ? "in" : frame.way === "bad" ? "warning" : "dot"} size={13} />
          <span className="sr">{kWays[frame.way]}</span>
        </span>
        <span className="time num">{time}</span>
        <span className="text">{preview(frame.text)}</span>
        <span className="size num">{frame.size ? bytesText(frame.size) : ""}</span>
      </summary>
      {open && <Json text={frame.text} />}
    </details>
  );
}

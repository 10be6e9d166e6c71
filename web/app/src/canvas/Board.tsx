// The stage with its tools. The stage draws past React; React draws the tools, five times a second at most.
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Icon, type IconName } from "../parts/Icon";
import { Stale } from "../parts/Face";
import { useStore } from "../data/store";
import { shownTheme } from "../data/theme";
import { number } from "../format";
import { Colours, hexOf } from "./Colours";
import { History, when } from "./History";
import { MiniMap } from "./MiniMap";
import { Moderation } from "./Moderation";
import { People } from "./People";
import { wait, type Room } from "./room";
import { Stage, type Tool } from "./stage";
import type { Past } from "./painter";

const kTools: { tool: Tool; label: string; icon: IconName; key: string }[] = [
  { tool: "draw", label: "Draw", icon: "brush", key: "d" },
  { tool: "move", label: "Move", icon: "hand", key: "m" },
  { tool: "pick", label: "Pick a colour", icon: "dropper", key: "c" },
];

const kHelp = "Arrow keys choose a pixel, with Shift ten at a time. Enter or Space draws it. Plus and minus zoom, 0 shows the whole canvas, Z takes back, C picks the colour.";

export function Board({ room, name, rooms, roomName, rename }: { room: Room; name: string; rooms: string[]; roomName: string; rename: (name: string) => void }) {
  const state = useStore(room.state);
  const welcome = state.welcome!;
  const [tool, setTool] = useState<Tool>("draw");
  const [colour, setColour] = useState<number>(() => (welcome.palette.length ? Math.min(welcome.palette.length - 1, 5) : 0xc9302c));
  const [past, setPast] = useState<{ past: Past; atMs: number } | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const [stage, setStage] = useState<Stage | null>(null);
  const theme = useStore(shownTheme);
  const isConnected = state.connection === "connected";
  const mayDraw = welcome.mayDraw && isConnected && past === null;

  useEffect(() => {
    const made = new Stage(room, box.current!);
    setStage(made);
    return () => {
      made.close();
      setStage(null);
    };
  }, [room]);
  useEffect(() => stage?.painter.setColours(stage.colours()), [stage, theme]);
  useEffect(() => stage?.painter.showPast(past?.past ?? null), [stage, past]);
  if (stage) Object.assign(stage.options, { tool, colour, mayDraw, onPick: setColour, onTool: setTool });

  return (
    <div className="grid canvas" data-face={isConnected ? "live" : "stale"}>
      <section className="card flush board" aria-label="Canvas">
        <div className="board-bar">
          <div className="segments" role="group" aria-label="Tool">
            {kTools.map(({ tool: one, label, icon, key }) => (
              <button key={one} type="button" aria-pressed={tool === one} aria-label={label} aria-keyshortcuts={key} title={`${label} (${key.toUpperCase()})`} onClick={() => setTool(one)}>
                <Icon name={icon} size={16} />
                <span className="wide">{label}</span>
              </button>
            ))}
          </div>
          <button type="button" className="button quiet" disabled={!mayDraw} onClick={() => void room.undo()} title="Take back your last stroke (Z)" aria-keyshortcuts="z">
            <Icon name="undo" size={16} />
            Undo
          </button>
          <div className="segments zoom" role="group" aria-label="Zoom">
            <button type="button" aria-label="Zoom out" title="Zoom out (−)" onClick={() => stage?.zoom(1 / 1.5)}>
              <Icon name="minus" size={16} />
            </button>
            <button type="button" aria-label="Show the whole canvas" title="Show the whole canvas (0)" onClick={() => stage?.fit()}>
              <Icon name="fit" size={16} />
            </button>
            <button type="button" aria-label="Zoom in" title="Zoom in (+)" onClick={() => stage?.zoom(1.5)}>
              <Icon name="plus" size={16} />
            </button>
          </div>
          <Proof room={room} />
        </div>
        {isConnected && past && <Stale>The canvas as it was on {when.format(past.atMs)}.</Stale>}
        {!isConnected && <Stale bad>{state.connection === "closed" ? `The connection ended: ${state.problem}.` : "Connection lost. Reconnecting…"} The canvas shows what came before.</Stale>}
        <div className="stage" ref={box} data-tool={mayDraw || tool !== "draw" ? tool : "move"} role="application" aria-label={`Canvas, ${number(welcome.width)} by ${number(welcome.height)} pixels`} aria-describedby="canvas-help" tabIndex={0} />
        <p id="canvas-help" className="sr">
          {kHelp}
        </p>
        <div className="board-foot">
          {stage && <Place stage={stage} />}
          <Wait room={room} />
          <p className="note" role="status" data-note>
            {state.note || (!welcome.mayDraw ? "You may watch here, and not draw." : !state.drawn ? "Nobody has drawn here yet. Be the first." : "")}
          </p>
        </div>
      </section>
      <aside className="side" aria-label="Tools of the canvas">
        <Colours welcome={welcome} colour={colour} choose={setColour} />
        <section className="card" aria-label="Overview">
          {stage && <MiniMap stage={stage} />}
          <History room={room} stage={stage} show={setPast} shown={past?.atMs ?? null} />
        </section>
        <People state={state} name={name} rename={rename} rooms={rooms} roomName={roomName} />
        {welcome.mayModerate && stage && <Moderation room={room} stage={stage} atMs={past?.atMs ?? null} />}
      </aside>
    </div>
  );
}

function Proof({ room }: { room: Room }) {
  const { proof, connection, pending } = useStore(room.state);
  const detail = `${number(proof.checks)} hashes compared, ${number(proof.repairs)} chunks fetched again`;
  const word = proof.isVerified ? "Verified" : connection === "connected" ? `Checking ${number(proof.good)} of ${number(proof.watched)}` : "Not connected";
  return (
    <span className={`chip ${proof.isVerified ? "good" : connection === "connected" ? "warn" : "bad"}`} role="status" data-proof={proof.isVerified ? "verified" : "open"} data-checks={proof.checks}
      data-repairs={proof.repairs} data-pending={pending} title={detail}>
      <Icon name={proof.isVerified ? "check" : "warning"} size={13} />
      {word}
    </span>
  );
}

function Place({ stage }: { stage: Stage }) {
  const place = useSyncExternalStore(stage.onPlace, () => stage.place);
  const colour = place && stage.room.client.colourAt(place.x, place.y);
  const rgb = colour === undefined || colour === null ? null : stage.room.client.rgbOf(colour);
  const swatch = useRef<HTMLElement>(null);
  useEffect(() => {
    if (swatch.current && rgb !== null) swatch.current.style.background = hexOf(rgb);
  }, [rgb]);
  if (!place) return <p className="place muted num">No pixel chosen</p>;
  return (
    <p className="place num" role="status" data-place={`${place.x},${place.y}`}>
      {rgb !== null && <i className="swatch-box" ref={swatch} aria-hidden="true" />}
      <span>
        {place.x}, {place.y}
      </span>
      <span className="mono">{rgb === null ? "–" : hexOf(rgb)}</span>
    </p>
  );
}

// The exact wait, to a tenth of a second, for as long as there is one.
function Wait({ room }: { room: Room }) {
  const [, tick] = useState(0);
  const state = useStore(room.state);
  // The time of this drawing: one kept from the last tick would add what has passed since then.
  const left = room.client.nextAtMs - Date.now();
  const isWaiting = left > 0;
  useEffect(() => {
    if (room.client.nextAtMs <= Date.now()) return undefined;
    const timer = setInterval(() => tick((count) => count + 1), 100);
    return () => clearInterval(timer);
  }, [room, state, isWaiting]);
  if (!isWaiting) return state.welcome?.cooldownMs ? <p className="chip good">You can draw</p> : null;
  return (
    <p className="chip warn num" data-wait={left}>
      <Icon name="clock" size={13} />
      Next pixel in {wait(left)}
    </p>
  );
}

// For moderators: who drew the chosen pixel, taking back what a user drew or a part of the canvas, and bans. Each needs a second press.
import { useEffect, useState, useSyncExternalStore } from "react";
import type { Room } from "./room";
import { sentenceOf } from "./room";
import type { Stage } from "./stage";
import { visible } from "./view";
import { clock } from "../format";

interface Drawn {
  user_id: string | null; // null: it was taken back
  name?: string;
  color: string;
  timestamp: number;
}
const kBanS = 3600;

export function Moderation({ room, stage, atMs }: { room: Room; stage: Stage; atMs: number | null }) {
  const place = useSyncExternalStore(stage.onPlace, () => stage.place);
  const [history, setHistory] = useState<{ at: string; pixels: Drawn[] } | null>(null);
  const [note, setNote] = useState("");
  const key = place ? `${place.x},${place.y}` : "";

  const ask = async (message: { type: string; [field: string]: string | number }, done: (answer: any) => string) => {
    try {
      setNote(done(await room.client.request(message)));
    } catch (error) {
      setNote(sentenceOf(error as Error));
    }
  };
  const changed = ({ count }: { count?: number }): string => (count === undefined ? "Done." : `${count} ${count === 1 ? "pixel" : "pixels"} changed.`);
  const who = () => ask({ type: "who", x: place!.x, y: place!.y }, ({ pixels }) => {
    setHistory({ at: key, pixels });
    return pixels.length ? "" : "Nobody has drawn this pixel.";
  });
  const seen = () => {
    const { width, height } = room.client.welcome!;
    const { x, y, width: wide, height: high } = visible(stage.painter.view, stage.painter.box);
    const [left, top] = [Math.max(0, Math.floor(x)), Math.max(0, Math.floor(y))];
    return { x: left, y: top, width: Math.min(width, Math.ceil(x + wide)) - left, height: Math.min(height, Math.ceil(y + high)) - top };
  };
  const drawers = history?.at === key ? [...new Map(history.pixels.flatMap((one) => (one.user_id === null ? [] : [[one.user_id, { ...one, user_id: one.user_id }]]))).values()] : [];
  return (
    <section className="card moderation" aria-label="Moderation">
      <div className="card-head">
        <h2>Moderation</h2>
      </div>
      <button type="button" className="button" disabled={!place} onClick={() => void who()}>
        Who drew this pixel?
      </button>
      {drawers.map(({ user_id, name, color, timestamp }) => (
        <div className="drawer" key={user_id} data-drawer={user_id}>
          <p className="small">
            <b>{name || user_id}</b> <span className="mono">{color}</span> <span className="muted num">{clock(timestamp / 1000)}</span>
          </p>
          <div className="row">
            <Twice label="Undo all of it" sure="Really undo all" act={() => void ask({ type: "undo_user", user_id }, changed)} />
            <Twice label="Ban for an hour" sure="Really ban" act={() => void ask({ type: "ban", user_id, seconds: kBanS }, () => `${name || user_id} cannot draw for an hour.`)} />
          </div>
        </div>
      ))}
      {atMs === null ? <p className="small muted">Choose a moment under History to take the canvas back to it.</p> : (
        <div className="row">
          <Twice label="Restore what is seen" sure="Really restore this part" act={() => void ask({ type: "undo_area", ...seen(), since_ms: Math.round(atMs) }, changed)} />
          <Twice label="Roll back everything" sure="Really roll back all" act={() => void ask({ type: "rollback", at_ms: Math.round(atMs) }, changed)} />
        </div>
      )}
      <p className="small" role="status" data-moderation>
        {note}
      </p>
    </section>
  );
}

// The first press asks, the second acts. It forgets the first one after a while.
function Twice({ label, sure, act }: { label: string; sure: string; act: () => void }) {
  const [asks, setAsks] = useState(false);
  useEffect(() => {
    if (!asks) return undefined;
    const timer = setTimeout(() => setAsks(false), 5000);
    return () => clearTimeout(timer);
  }, [asks]);
  return (
    <button type="button" className={asks ? "button danger" : "button"} onClick={() => {
      setAsks(!asks);
      if (asks) act();
    }}>
      {asks ? sure : label}
    </button>
  );
}

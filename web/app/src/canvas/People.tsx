// Who is here, the own name, and the other rooms.
import { useEffect, useRef, useState, type FormEvent } from "react";
import { number } from "../format";
import { hexOf } from "./Colours";
import type { RoomState } from "./room";

const kNameMax = 32;

export function People({ state, name, rename, rooms, roomName }: { state: RoomState; name: string; rename: (name: string) => void; rooms: string[]; roomName: string }) {
  const [text, setText] = useState(name);
  const own = state.welcome!.userNumber;
  const more = state.usersTotal - state.users.length;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    rename(text.trim());
  };
  return (
    <section className="card people" aria-label="People">
      <div className="card-head">
        <h2>Here now</h2>
        <span className="num muted" data-users={state.usersTotal}>
          {number(state.usersTotal)}
        </span>
      </div>
      <ul tabIndex={0} aria-label="Who is here">
        {state.users.map((user) => (
          <li key={user.number}>
            <Dot rgb={user.colour} />
            <span className="who">{user.name || user.userId}</span>
            {user.number === own && <span className="muted">you</span>}
          </li>
        ))}
        {more > 0 && <li className="muted">and {number(more)} more</li>}
      </ul>
      <form onSubmit={submit}>
        <label htmlFor="canvas-name">Your name</label>
        <div className="row">
          <input id="canvas-name" className="field" value={text} maxLength={kNameMax} autoComplete="nickname" onChange={(event) => setText(event.target.value)} />
          <button type="submit" className="button" disabled={text.trim() === name}>
            Save
          </button>
        </div>
      </form>
      {rooms.length > 1 && (
        <>
          <label htmlFor="canvas-room">Room</label>
          <select id="canvas-room" className="field" value={roomName} onChange={(event) => {
            location.hash = `#/canvas/${encodeURIComponent(event.target.value)}`;
          }}>
            {rooms.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </>
      )}
    </section>
  );
}

function Dot({ rgb }: { rgb: number }) {
  const dot = useRef<HTMLElement>(null);
  useEffect(() => {
    dot.current!.style.background = hexOf(rgb);
  }, [rgb]);
  return <i className="dot" ref={dot} aria-hidden="true" />;
}

// The shared canvas: chooses the room and the face. What is drawn on it is in canvas/.
import { useEffect, useState, useSyncExternalStore } from "react";
import { Room, saveName, savedName } from "../canvas/room";
import { Board } from "../canvas/Board";
import { gate, hasKey, keyHeaders } from "../data/key";
import { info, loadInfo } from "../data/server";
import { Store, useStore } from "../data/store";
import { Bones, Empty, Failed } from "../parts/Face";

const kPanel = "#/canvas";
const inAddress = (): string => {
  try {
    return location.hash.startsWith(`${kPanel}/`) ? decodeURIComponent(location.hash.slice(kPanel.length + 1)) : "";
  } catch {
    return ""; // a percent sign that belongs to nothing
  }
};
const onHash = (listener: () => void) => {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
};

const none = new Store<null>(null);

export function Canvas() {
  const { value, error } = useStore(info);
  const offered = value?.canvas;
  const chosen = useSyncExternalStore(onHash, inAddress);
  const [name, setName] = useState(savedName);
  const [room, setRoom] = useState<Room | null>(null);
  const access = useStore(gate);
  const roomName = chosen || offered?.rooms[0] || "main";
  const path = offered ? `${offered.path}/${encodeURIComponent(roomName)}` : null;
  const isOpen = access === "open";

  useEffect(() => {
    if (!path || !isOpen) return undefined;
    const made = new Room(path, name);
    setRoom(made);
    return () => {
      made.close();
      setRoom(null);
    };
  }, [path, name, isOpen]);

  const state = useStore<{ welcome: unknown; connection: string; problem: string } | null>(room?.state ?? none);
  // A browser does not say why a connection was refused. A plain request does: this room is not there for this caller.
  const [isMissing, setIsMissing] = useState(false);
  const isUnreached = state !== null && !state.welcome && state.problem !== "";
  useEffect(() => {
    setIsMissing(false);
    if (!isUnreached || !path) return undefined;
    const ended = new AbortController();
    fetch(`${path}/info`, { headers: keyHeaders(), signal: ended.signal }).then(({ status }) => setIsMissing(status === 404 || status === 403), () => undefined);
    return () => ended.abort();
  }, [isUnreached, path]);
  if (!value) {
    return error ? (
      <Failed title="The server cannot be reached" retry={() => void loadInfo()}>
        <p>The page keeps trying and continues by itself as soon as the server answers.</p>
      </Failed>
    ) : <Bones shape="canvas" label="Loading the canvas" />;
  }
  if (!offered) {
    return (
      <Empty title="This server does not offer a canvas" icon="canvas">
        <p>
          A canvas is configured under <code>canvas:</code>, see docs/canvas.md.
        </p>
      </Empty>
    );
  }
  if (!room || !state?.welcome) {
    if (state?.problem) {
      return (
        <Failed title={`The room ${roomName} cannot be reached`} retry={state.connection === "closed" ? undefined : () => room?.client.wake()}>
          <p>{isMissing ? `There is no such room${hasKey() ? ", or your key does not open it" : ""}.` : state.connection === "closed" ? "The server refuses the connection." : "The page keeps trying and continues by itself as soon as the server answers."}</p>
        </Failed>
      );
    }
    return <Bones shape="canvas" label="Loading the canvas" />;
  }
  return (
    <Board room={room} name={name} rooms={offered.rooms} roomName={roomName} rename={(next) => {
      saveName(next);
      setName(next);
    }} />
  );
}

// The faces of a panel without values: loading, empty, error. And the strip above values that are no longer fresh.
import type { ReactNode } from "react";
import { link, reconnectNow, type StreamState } from "../data/streams";
import { useNow, useStore } from "../data/store";
import { sentence, span } from "../format";
import { Icon, type IconName } from "./Icon";

// What will be there: grids with the height of each card, or a grid in its place.
type Grid = readonly [name: string, ...cards: (number | Grid)[]];
const kShapes = {
  network: [["network-top", 276, ["tiles", 130, 130, 130, 130, 130, 130]], ["two", 246, 246, 246, 246]],
  markets: [["", 96], ["markets", 196, 196, 196, 196]],
  receipts: [["", 560]],
  peers: [["tiles", 86, 86, 86, 86], ["", 440]],
  blocks: [["", 110], ["", 560]],
  canvas: [["canvas", 560, 560]],
  server: [["six", 104, 104, 104, 104, 104, 104], ["three", 260, 260, 260]],
} as const satisfies Record<string, readonly Grid[]>;
export type Shape = keyof typeof kShapes;

export function Bones({ shape, label }: { shape: Shape; label: string }) {
  return (
    <div role="status" aria-label={label} data-face="loading">
      {kShapes[shape].map((grid, row) => (
        <BoneGrid key={row} grid={grid} />
      ))}
    </div>
  );
}

function BoneGrid({ grid: [name, ...cards] }: { grid: Grid }) {
  return (
    <div className={`grid ${name}`} aria-hidden="true">
      {cards.map((card, index) => (typeof card === "number" ? <div key={index} className="bone" style={{ height: card }} /> : <BoneGrid key={index} grid={card} />))}
    </div>
  );
}

export function Empty({ title, children, icon = "empty" }: { title: string; children: ReactNode; icon?: IconName }) {
  return (
    <section className="face" data-face="empty">
      <Icon name={icon} size={36} />
      <h2>{title}</h2>
      {children}
    </section>
  );
}

export function Failed({ title, children, retry }: { title: string; children: ReactNode; retry?: () => void }) {
  return (
    <section className="face error" role="alert" data-face="error">
      <Icon name="warning" size={36} />
      <h2>{title}</h2>
      {children}
      {retry && (
        <button type="button" className="button" onClick={retry}>
          Try again now
        </button>
      )}
    </section>
  );
}

// Shown above the last values while no new ones come.
export function Stale({ children, bad = false }: { children: ReactNode; bad?: boolean }) {
  return (
    <p className={bad ? "strip bad" : "strip"} role="status" data-face="stale">
      <Icon name={bad ? "plug" : "warning"} size={16} />
      <span>{children}</span>
    </p>
  );
}

// A panel of one stream: chooses the face by the stream's state. `isEmpty` says whether a value has nothing to show.
export function StreamPanel<T>({ state, title, isEmpty, empty, shape, children }: {
  state: StreamState<T>;
  title: string;
  isEmpty?: (value: T) => boolean;
  empty?: ReactNode;
  shape: Shape;
  children: (value: T) => ReactNode;
}) {
  const connection = useStore(link);
  const now = useNow();
  const { value } = state;
  if (value === undefined) {
    if (state.phase === "unavailable") {
      return (
        <Empty title={`This server does not offer ${title}`}>
          <p>{sentence(state.reason)}</p>
          <p>
            Streams are configured under <code>streams:</code>, see docs/streams.md.
          </p>
        </Empty>
      );
    }
    if (connection.state === "lost") {
      return (
        <Failed title="The server cannot be reached" retry={reconnectNow}>
          <p>The page keeps trying and continues by itself as soon as the server answers.</p>
        </Failed>
      );
    }
    if (state.phase === "interrupted") {
      return (
        <Failed title={`The node does not answer for ${title}`}>
          <p>{sentence(state.reason)}</p>
          <p>The server keeps asking. Values appear here as soon as the node answers.</p>
        </Failed>
      );
    }
    return <Bones shape={shape} label={`Loading ${title}`} />;
  }
  const since = state.timestamp ? `, last value ${span(now / 1000 - state.timestamp)} ago` : "";
  return (
    <div data-face={isEmpty?.(value) ? undefined : "live"}>
      {connection.state === "lost" && <Stale bad>Connection lost{since}. Reconnecting…</Stale>}
      {connection.state === "live" && state.phase === "interrupted" && (
        <Stale>
          No new values{since}. {sentence(state.reason)}
        </Stale>
      )}
      {isEmpty?.(value) ? empty : children(value)}
    </div>
  );
}

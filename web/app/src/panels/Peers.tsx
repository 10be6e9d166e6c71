import { useEffect, useState } from "react";
import { Empty, StreamPanel } from "../parts/Face";
import { Icon } from "../parts/Icon";
import type { Grade } from "../parts/Status";
import { Tile } from "../parts/Tile";
import type { Peer } from "@fanfare/client";
import { peers } from "../data/streams";
import { useStore } from "../data/store";
import { number, shortHash } from "../format";

export function Peers() {
  const state = useStore(peers.state);
  useEffect(() => peers.start(), []);
  return (
    <StreamPanel state={state} title="peers" shape="peers" isEmpty={(value) => (value.peers ?? []).length === 0}
      empty={
        <Empty title="No peers" icon="peers">
          <p>The node is connected to nobody at present.</p>
        </Empty>
      }>
      {(value) => <PeerTable peers={value.peers ?? []} total={value.total} />}
    </StreamPanel>
  );
}

type Key = "id" | "address" | "latency_ms" | "is_validator";
const kColumns: { key: Key; name: string; right?: boolean; wide?: boolean }[] = [
  { key: "id", name: "Peer" },
  { key: "address", name: "Address", wide: true },
  { key: "is_validator", name: "Role" },
  { key: "latency_ms", name: "Latency", right: true },
];

const compare = (a: Peer, b: Peer, key: Key): number => {
  const [left, right] = [a[key] ?? "", b[key] ?? ""];
  return typeof left === "number" && typeof right === "number" ? left - right : String(left).localeCompare(String(right));
};

function median(values: number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return null;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function PeerTable({ peers: all, total }: { peers: Peer[]; total: number | undefined }) {
  const [order, setOrder] = useState<{ key: Key; down: boolean }>({ key: "latency_ms", down: false });
  const rows = all.toSorted((a, b) => compare(a, b, order.key) * (order.down ? -1 : 1));
  const latencies = all.map((peer) => peer.latency_ms).filter((value) => value !== undefined);
  return (
    <>
      <div className="grid tiles">
        <Tile name="Peers" value={number(total ?? all.length)} />
        <Tile name="Validators" value={number(all.filter((peer) => peer.is_validator).length)} />
        <Tile name="Median latency" value={number(median(latencies), 1)} unit="ms" />
        <Tile name="Slowest" value={latencies.length ? number(Math.max(...latencies), 1) : "–"} unit="ms" />
      </div>
      <section className="card flush" aria-label="Peers">
        <div className="table-box" tabIndex={0} role="region" aria-label="Table of peers">
          <table>
            <thead>
              <tr>
                {kColumns.map(({ key, name, right, wide }) => (
                  <th key={key} scope="col" className={`${right ? "right" : ""} ${wide ? "wide" : ""}`}
                    aria-sort={order.key === key ? (order.down ? "descending" : "ascending") : undefined}>
                    <button type="button" onClick={() => setOrder({ key, down: order.key === key && !order.down })}>
                      {name}
                      <Icon name={order.key !== key ? "sort" : order.down ? "down" : "up"} size={12} />
                    </button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((peer) => (
                <tr key={peer.id} data-peer={peer.id}>
                  <td className="mono" title={peer.id}>{shortHash(peer.id)}</td>
                  <td className="mono wide">{peer.address ?? "–"}</td>
                  <td>
                    {peer.is_validator ? (
                      <span className="chip accent">
                        <Icon name="shield" size={12} />
                        Validator
                      </span>
                    ) : (
                      <span className="muted">Node</span>
                    )}
                  </td>
                  <td className="right">
                    <Latency ms={peer.latency_ms} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
    </>
  );
}

const kSlowMs = 300;
const gradeOf = (ms: number): Grade => (ms < 80 ? "good" : ms < 200 ? "warn" : "bad");

function Latency({ ms }: { ms: number | undefined }) {
  if (ms === undefined) return <>–</>;
  return (
    <span className="latency num">
      <svg viewBox="0 0 72 6" aria-hidden="true">
        <rect width="72" height="6" rx="3" />
        <rect className={gradeOf(ms)} width={Math.max((Math.min(ms, kSlowMs) / kSlowMs) * 72, 3)} height="6" rx="3" />
      </svg>
      <span className="figure">{number(ms, 1)} ms</span>
    </span>
  );
}

import { useEffect, useState, type ReactNode } from "react";
import { Chart, HoleNote, type Line } from "../parts/Chart";
import { Bones, Empty, Failed, Stale } from "../parts/Face";
import { Tile } from "../parts/Tile";
import type { Metric } from "../data/metrics";
import { server, sumOf, sumsBy, watchServer } from "../data/server";
import { useNow, useStore } from "../data/store";
import { bytes, bytesText, number, sentence, short, span, words } from "../format";

const kTraffic: Line[] = [
  { column: 2, label: "Sent", colour: 1, format: bytesText },
  { column: 3, label: "Received", colour: 2, format: bytesText },
];
const kMessages: Line[] = [
  { column: 0, label: "Notifications", colour: 1, format: short },
  { column: 1, label: "Requests", colour: 2, format: short },
];
const kConnections: Line[] = [{ column: 4, label: "Open", colour: 3, format: short }];

export function Server() {
  const state = useStore(server);
  const now = useNow();
  useEffect(watchServer, []);
  const { metrics, rates, curve } = state;
  if (state.phase === "loading") return <Bones shape="server" label="Loading metrics" />;
  if (state.phase === "off") {
    return (
      <Empty title="No metrics here" icon="server">
        <p>
          This port does not offer <code>/metrics</code>. It may be turned off with <code>metrics.enabled: false</code>, or have its own port.
        </p>
      </Empty>
    );
  }
  if (state.phase === "error") {
    return (
      <Failed title="The metrics cannot be read">
        <p>{sentence(state.reason)} The page keeps trying.</p>
      </Failed>
    );
  }
  const started = sumOf(metrics, "process_start_time_seconds");
  const [memory, memoryUnit] = bytes(sumOf(metrics, "process_resident_memory_bytes"));
  const hasStreams = metrics.some((metric) => metric.name === "fanfare_stream_subscribers");
  const drops = sumOf(metrics, "fanfare_slow_subscriber_drops_total");
  const ofProcess = <Tile name="Memory" value={memory} unit={memoryUnit} note={started ? `up ${span(now / 1000 - started)}` : undefined} />;
  const stale = state.phase === "stale" && <Stale bad>No metrics for {span((now - (state.at ?? now)) / 1000)}. {sentence(state.reason)}</Stale>;
  // A server of streams alone counts nothing for networks.
  if (hasStreams && sumOf(metrics, "fanfare_websocket_connections") === null) {
    return (
      <div data-face="live">
        {stale}
        <StreamTiles metrics={metrics}>{ofProcess}</StreamTiles>
        <AllMetrics metrics={metrics} />
      </div>
    );
  }
  return (
    <div data-face="live">
      {stale}
      <div className="grid six">
        <Tile name="WebSocket connections" value={number(sumOf(metrics, "fanfare_websocket_connections"))} note={`${number(sumOf(metrics, "fanfare_connections"))} of all kinds`} />
        <Tile name="Subscriptions" value={number(sumOf(metrics, "fanfare_subscriptions"))} note={`${number(sumOf(metrics, "fanfare_filters"))} filters`} />
        <Tile name="Notifications" value={short(rates.notifications)} unit="/s" note={`${short(sumOf(metrics, "fanfare_notifications_total"))} in all`} />
        <Tile name="Requests" value={short(rates.requests)} unit="/s" note={`${short(sumOf(metrics, "fanfare_rpc_requests_total"))} in all`} />
        <Tile name="Dropped for slowness" value={number(drops)} note={drops ? "see docs/subscriptions.md" : "nobody was too slow"} />
        {ofProcess}
      </div>
      <div className="grid three">
        <Chart title="Messages a second" curve={curve} lines={kMessages} sync="server" />
        <Chart title="Frames, bytes a second" curve={curve} lines={kTraffic} sync="server" topMin={1000} />
        <Chart title="WebSocket connections" curve={curve} lines={kConnections} sync="server" topMin={4} />
      </div>
      <HoleNote curve={curve} />
      <div className={hasStreams ? "grid two" : "grid three"}>
        <section className="card">
          <div className="card-head">
            <h2>Subscriptions by type</h2>
          </div>
          <Bars sums={sumsBy(metrics, "fanfare_subscriptions", "type")} none="Nobody is subscribed." />
        </section>
        {hasStreams && <StreamSubscribers metrics={metrics} />}
        <section className="card">
          <div className="card-head">
            <h2>Connections closed, by reason</h2>
          </div>
          <Bars sums={sumsBy(metrics, "fanfare_websocket_connections_closed_total", "reason")} none="None so far." name={words} />
        </section>
        <section className="card">
          <div className="card-head">
            <h2>Calls to nodes, by method</h2>
          </div>
          <Bars sums={sumsBy(metrics, "fanfare_upstream_calls_total", "method").slice(0, 6)} none="None: the chain is built in, or nothing was asked." />
        </section>
      </div>
      <AllMetrics metrics={metrics} />
    </div>
  );
}

function StreamSubscribers({ metrics }: { metrics: Metric[] }) {
  return (
    <section className="card">
      <div className="card-head">
        <h2>Subscribers of streams</h2>
      </div>
      <Bars sums={sumsBy(metrics, "fanfare_stream_subscribers", "stream")} none="Nobody is subscribed." />
    </section>
  );
}

function StreamTiles({ metrics, children }: { metrics: Metric[]; children: ReactNode }) {
  const missed = sumOf(metrics, "fanfare_stream_values_missed_total");
  const polls = sumOf(metrics, "fanfare_stream_polls_total");
  const failed = sumOf(metrics, "fanfare_stream_polls_total", { outcome: "failed" });
  return (
    <>
      <div className="grid six">
        <Tile name="Connections to streams" value={number(sumOf(metrics, "fanfare_stream_connections"))} note={`${number(sumOf(metrics, "fanfare_connections"))} of all kinds`} />
        <Tile name="Subscribers" value={number(sumOf(metrics, "fanfare_stream_subscribers"))} />
        <Tile name="Values" value={short(sumOf(metrics, "fanfare_stream_values_total"))} note="published so far" />
        <Tile name="Polls" value={short(polls)} note={failed ? `${short(failed)} failed` : "none failed"} />
        <Tile name="Missed" value={number(missed)} note={missed ? "by slow readers" : "nobody was too slow"} />
        {children}
      </div>
      <StreamSubscribers metrics={metrics} />
    </>
  );
}

function Bars({ sums, none, name = (key) => key }: { sums: { key: string; value: number }[]; none: string; name?: (key: string) => string }) {
  const most = sums[0]?.value ?? 1;
  if (sums.length === 0) return <p className="muted small">{none}</p>;
  return (
    <div className="bars">
      {sums.map(({ key, value }) => (
        <div key={key} data-bar={key}>
          <span className="name">{name(key)}</span>
          <span className="num">{number(value)}</span>
          <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
            <rect width={(value / most) * 100} height="6" />
          </svg>
        </div>
      ))}
    </div>
  );
}

function AllMetrics({ metrics }: { metrics: Metric[] }) {
  const [open, setOpen] = useState(false);
  const [filter, setFilter] = useState("");
  return (
    <details className="card flush all-metrics" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>All {number(metrics.length)} metrics</summary>
      {open && (
        <>
          <label className="sr" htmlFor="metric-filter">
            Filter by name or meaning
          </label>
          <input id="metric-filter" className="field" type="search" placeholder="Filter by name or meaning" value={filter} onChange={(event) => setFilter(event.target.value)} />
          <div className="table-box" tabIndex={0} role="region" aria-label="All metrics">
            <table>
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col" className="right">Value</th>
                  <th scope="col" className="wide">Meaning</th>
                </tr>
              </thead>
              <tbody>
                {metrics
                  .filter((metric) => `${metric.name} ${metric.help}`.toLowerCase().includes(filter.toLowerCase()))
                  .map((metric) => (
                    <tr key={metric.name}>
                      <td className="mono">{metric.name}</td>
                      <td className="right num">{metric.type === "histogram" ? "–" : number(sumOf([metric], metric.name), 2)}</td>
                      <td className="wide muted">{metric.help}</td>
                    </tr>
                  ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </details>
  );
}

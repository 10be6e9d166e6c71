// What an operator sees and does through the admin API, below the metrics: connections, upstreams, drain, log level.
import { useEffect, useState } from "react";
import { Stale } from "../parts/Face";
import { admin, beginDrain, chooseConnections, closeConnection, endDrain, kSorts, setLogLevel, switchUpstream, watchAdmin, type Connection, type Drain, type Sort, type Upstream } from "../data/admin";
import { info } from "../data/server";
import { useStore } from "../data/store";
import { bytesText, number, sentence, span } from "../format";

const kLevels = ["trace", "debug", "info", "warn", "error", "off"];
const kSortNames: Record<Sort, string> = { behind: "Bytes behind", age: "Age", received: "Messages received", sent: "Messages sent", subscriptions: "Subscriptions" };

export function Operations() {
  const offered = useStore(info).value?.admin;
  if (!offered) return null;
  if (offered.path) return <Admin />;
  return (
    <section className="card operations-elsewhere" data-admin="elsewhere">
      <div className="card-head">
        <h2>Connections and upstreams</h2>
      </div>
      <p className="small">
        {offered.url ? (
          <>
            The admin API has a port of its own, which only the server's machine reaches: <a href={`${offered.url}#/server`}>{offered.url}</a>
          </>
        ) : (
          <>
            The admin API has a socket of its own on the server's machine: <code>fanfare top</code> and <code>fanfare admin</code> use it.
          </>
        )}
      </p>
    </section>
  );
}

function Admin() {
  const state = useStore(admin);
  const [problem, setProblem] = useState<string>();
  useEffect(watchAdmin, []);
  const run = (made: Promise<string | undefined>): void => void made.then(setProblem);
  if (state.phase === "loading") return null;
  if (state.phase === "forbidden") {
    return (
      <section className="card operations-elsewhere" data-admin="forbidden">
        <div className="card-head">
          <h2>Connections and upstreams</h2>
        </div>
        <p className="muted small">This key does not grant the admin API: its role needs the method fanfare_admin.</p>
      </section>
    );
  }
  return (
    <div data-admin="live" className="operations">
      {state.phase === "stale" && <Stale bad>No answer of the admin API. {sentence(state.reason)}</Stale>}
      {problem && (
        <p className="strip bad" role="alert">
          {sentence(problem)}
        </p>
      )}
      <Service drain={state.drain} level={state.logLevel} run={run} />
      {state.upstreams.length > 0 && <Upstreams upstreams={state.upstreams} run={run} />}
      <Connections connections={state.connections} matched={state.matched} sort={state.sort} search={state.search} run={run} />
    </div>
  );
}

type Run = (made: Promise<string | undefined>) => void;

function Service({ drain, level, run }: { drain?: Drain; level?: string; run: Run }) {
  return (
    <section className="card">
      <div className="card-head">
        <h2>Service</h2>
      </div>
      <div className="operations-line">
        <p className="small" data-drain={drain?.state}>
          {drain === undefined || drain.state === "off"
            ? "In service."
            : `Out of service for ${span(drain.since_s)}: ${number(drain.closed)} WebSockets closed, ${number(drain.open)} to close. New ones are refused.`}
        </p>
        {drain?.state === "off" ? (
          <Sure label="Drain" sure="Close all WebSockets" act={() => run(beginDrain())} />
        ) : (
          <button type="button" className="button" onClick={() => run(endDrain())}>
            Back into service
          </button>
        )}
        <label htmlFor="log-level">Log level</label>
        <select id="log-level" className="field" value={level} onChange={(event) => run(setLogLevel(event.target.value))}>
          {kLevels.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </div>
    </section>
  );
}

function Upstreams({ upstreams, run }: { upstreams: Upstream[]; run: Run }) {
  return (
    <section className="card flush">
      <div className="card-head">
        <h2>Upstreams</h2>
      </div>
      <div className="table-box" tabIndex={0} role="region" aria-label="Upstreams">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col" className="wide">Network</th>
              <th scope="col">Used</th>
              <th scope="col" className="right">Head</th>
              <th scope="col" className="right wide">Latency</th>
              <th scope="col" className="right wide">Calls</th>
              <th scope="col" className="right">Errors</th>
              <th scope="col" className="wide">Note</th>
              <th scope="col">
                <span className="sr">Change</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {upstreams.map((one) => (
              <tr key={`${one.network}/${one.name}`} data-upstream={one.name}>
                <td>{one.name}</td>
                <td className="wide">{one.network}</td>
                <td data-used={one.used}>{one.used ? "Yes" : "No"}</td>
                <td className="right num">{number(one.head)}</td>
                <td className="right num wide">{number(one.latency_s * 1000)} ms</td>
                <td className="right num wide">{number(one.calls)}</td>
                <td className="right num">{number(one.errors)}</td>
                <td className="wide muted">{sentence(one.reason)}</td>
                <td>
                  {one.can_be_disabled && (
                    <button type="button" className="button quiet" onClick={() => run(switchUpstream(one, !one.enabled))}>
                      {one.enabled ? "Disable" : "Enable"}
                      <span className="sr"> {one.name}</span>
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Connections({ connections, matched, sort, search, run }: { connections: Connection[]; matched: number; sort: Sort; search: string; run: Run }) {
  return (
    <section className="card flush">
      <div className="card-head">
        <h2>Connections</h2>
        <span className="muted small" data-matched={matched}>
          {matched > connections.length ? `the first ${number(connections.length)} of ${number(matched)}` : number(matched)}
        </span>
      </div>
      <div className="operations-line">
        <label className="sr" htmlFor="connection-search">
          Search address, program, identity or subscription
        </label>
        <input id="connection-search" className="field" type="search" placeholder="Address, program, identity or subscription" maxLength={200} value={search} onChange={(event) => chooseConnections({ search: event.target.value })} />
        <label htmlFor="connection-sort">Order</label>
        <select id="connection-sort" className="field" value={sort} onChange={(event) => chooseConnections({ sort: event.target.value as Sort })}>
          {kSorts.map((one) => (
            <option key={one} value={one}>
              {kSortNames[one]}
            </option>
          ))}
        </select>
      </div>
      {connections.length === 0 ? (
        <p className="muted small operations-line">{search ? "No connection fits." : "Nobody is connected."}</p>
      ) : (
        <div className="table-box long" tabIndex={0} role="region" aria-label="Connections">
          <table>
            <thead>
              <tr>
                <th scope="col">Address</th>
                <th scope="col" className="wide">Identity</th>
                <th scope="col" className="wide">Where</th>
                <th scope="col" className="right">Age</th>
                <th scope="col" className="right">Behind</th>
                <th scope="col" className="right wide">Subscriptions</th>
                <th scope="col" className="right wide">In</th>
                <th scope="col" className="right wide">Out</th>
                <th scope="col" className="wide">Program</th>
                <th scope="col">
                  <span className="sr">Close</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {connections.map((one) => (
                <tr key={one.id} data-connection={one.id}>
                  <td className="mono">{one.address}</td>
                  <td className="wide">{one.principal || "–"}</td>
                  <td className="wide">{one.network || one.room || one.service || "–"}</td>
                  <td className="right num">{span(one.age_s)}</td>
                  <td className="right num">{bytesText(one.bytes_behind)}</td>
                  <td className="right num wide" title={one.topics.join(", ")}>
                    {number(one.subscriptions)}
                  </td>
                  <td className="right num wide">{number(one.messages_received)}</td>
                  <td className="right num wide">{number(one.messages_sent)}</td>
                  <td className="wide muted operations-agent" title={one.user_agent}>
                    {one.user_agent || "–"}
                  </td>
                  <td>
                    <Sure label="Close" about={one.address} sure="Really close" act={() => run(closeConnection(one.id))} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

// A button that asks once more. It forgets the question when it loses the focus.
function Sure({ label, sure, about, act }: { label: string; sure: string; about?: string; act: () => void }) {
  const [asks, setAsks] = useState(false);
  return (
    <button
      type="button"
      className="button quiet"
      onBlur={() => setAsks(false)}
      onClick={() => {
        if (asks) act();
        setAsks(!asks);
      }}
    >
      {asks ? sure : label}
      {about && <span className="sr"> {about}</span>}
    </button>
  );
}

import { useEffect, useMemo } from "react";
import { Chart, HoleNote, type Line } from "../parts/Chart";
import { StreamPanel } from "../parts/Face";
import { Gauge } from "../parts/Gauge";
import { Tile } from "../parts/Tile";
import { kNetworkColumns, network, networkCurve } from "../data/streams";
import { growth } from "../data/series";
import { useStore } from "../data/store";
import { bytes, bytesText, number, short, span } from "../format";

const column = (name: (typeof kNetworkColumns)[number]) => kNetworkColumns.indexOf(name);
const seconds = (value: number | null | undefined) => (value == null ? "–" : `${number(value, 2)} s`);

const kStrength: Line[] = [{ column: column("network_strength"), label: "Strength", colour: 1, format: (value) => number(value, 1) }];
const kTps: Line[] = [{ column: column("tps"), label: "Transactions a second", colour: 1, format: short }];
const kBandwidth: Line[] = [
  { column: column("bandwidth_in"), label: "In", colour: 1, format: (value) => bytesText(value) },
  { column: column("bandwidth_out"), label: "Out", colour: 2, format: (value) => bytesText(value) },
];
const kFinality: Line[] = [{ column: column("finality_time"), label: "Finality", colour: 3, format: seconds }];

export function Network() {
  const state = useStore(network.state);
  const curve = useStore(networkCurve);
  useEffect(() => network.start(), []);
  const course = useMemo(() => (name: (typeof kNetworkColumns)[number]) => curve.columns[column(name)] ?? [], [curve]);
  const grown = useMemo(() => growth(curve, column("block_height"), 60), [curve]);
  return (
    <StreamPanel state={state} title="network metrics" shape="network">
      {(value) => {
        const [inside, inUnit] = bytes(value.bandwidth_in);
        const [outside, outUnit] = bytes(value.bandwidth_out);
        const inMinutes = value.finality_time >= 600;
        return (
          <>
            <div className="grid network-top">
              <section className="card gauge-card" aria-label="Network strength">
                <Gauge label="Network strength" value={value.network_strength} />
                <p className="beneath num" data-tile="Active connections">
                  <b data-value>{number(value.active_connections)}</b> active connections
                </p>
              </section>
              <div className="grid tiles">
                <Tile name="Block height" value={number(value.block_height)} note={grown && grown[0] >= 0 ? `${number(grown[0])} new in ${span(grown[1])}` : undefined} />
                <Tile name="Finality time" value={number(inMinutes ? value.finality_time / 60 : value.finality_time, 2)} unit={inMinutes ? "min" : "s"} course={course("finality_time")} />
                <Tile name="Transactions" value={number(value.tps, 1)} unit="/s" course={course("tps")} />
                <Tile name="Peers" value={number(value.peer_count)} course={course("peer_count")} />
                <Tile name="Bandwidth in" value={inside} unit={inUnit && `${inUnit}/s`} course={course("bandwidth_in")} />
                <Tile name="Bandwidth out" value={outside} unit={outUnit && `${outUnit}/s`} course={course("bandwidth_out")} />
              </div>
            </div>
            <div className="grid two">
              <Chart title="Strength" curve={curve} lines={kStrength} range={[0, 100]} />
              <Chart title="Transactions" curve={curve} lines={kTps} />
              <Chart title="Bandwidth, bytes a second" curve={curve} lines={kBandwidth} topMin={1000} />
              <Chart title="Finality time" curve={curve} lines={kFinality} />
            </div>
            <HoleNote curve={curve} />
          </>
        );
      }}
    </StreamPanel>
  );
}

import { useEffect, useState } from "react";
import { Empty, StreamPanel } from "../parts/Face";
import { kReceiptsMax, receiptList, receipts, type Receipts as List } from "../data/streams";
import { useNow, useStore } from "../data/store";
import { age, amount, number, shortHash, words } from "../format";

export function Receipts() {
  const state = useStore(receipts.state);
  const list = useStore(receiptList);
  useEffect(() => receipts.start(), []);
  return (
    <StreamPanel state={state} title="receipts" shape="receipts" isEmpty={() => list.rows.length === 0}
      empty={
        <Empty title="No receipts yet" icon="receipts">
          <p>New ones appear here the moment the node reports them.</p>
        </Empty>
      }>
      {() => <ReceiptTable list={list} />}
    </StreamPanel>
  );
}

function ReceiptTable({ list }: { list: List }) {
  const [market, setMarket] = useState("");
  const now = useNow();
  const names = [...new Set(list.rows.map((row) => row.market).filter((name) => name !== undefined))].toSorted();
  const rows = list.rows.filter((row) => !market || row.market === market);
  const isWhole = list.rows.every((row) => typeof row.amount !== "number" || Number.isInteger(row.amount)); // as gas is
  return (
    <section className="card flush" aria-label="Receipts, the newest first">
      <div className="panel-tools toolbar">
        <label className="sr" htmlFor="market">
          Market
        </label>
        <select id="market" className="field" value={market} onChange={(event) => setMarket(event.target.value)}>
          <option value="">All markets</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {words(name)}
            </option>
          ))}
        </select>
        <span className="muted num count">
          {number(list.seen)} received{list.seen > kReceiptsMax ? `, the last ${kReceiptsMax} kept` : ""}
        </span>
      </div>
      <div className="table-box long" tabIndex={0} role="region" aria-label="Table of receipts">
        <table>
          <thead>
            <tr>
              <th scope="col">Receipt</th>
              <th scope="col">Market</th>
              <th scope="col" className="right">Amount</th>
              <th scope="col" className="wide">Provider</th>
              <th scope="col" className="wide">Consumer</th>
              <th scope="col" className="wide right">Block</th>
              <th scope="col" className="right">Age</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.id} className={now - row.arrived < 2500 ? "new" : undefined}>
                <td className="mono" title={row.id}>{shortHash(row.id, 5)}</td>
                <td>{row.market ? <span className="chip">{words(row.market)}</span> : "–"}</td>
                <td className="right num" title={row.amount === undefined ? undefined : String(row.amount)}>{amount(row.amount, isWhole)}</td>
                <td className="wide mono" title={row.provider}>{shortHash(row.provider ?? "–")}</td>
                <td className="wide mono" title={row.consumer}>{shortHash(row.consumer ?? "–")}</td>
                <td className="wide right num">{number(row.block_height)}</td>
                <td className="right num muted">{row.timestamp ? age(now / 1000 - row.timestamp) : "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

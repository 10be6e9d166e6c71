import { useEffect } from "react";
import { Empty, StreamPanel } from "../parts/Face";
import { Icon, isIcon } from "../parts/Icon";
import { Status, gradeOf } from "../parts/Status";
import type { Market } from "@fanfare/client";
import { markets } from "../data/streams";
import { useStore } from "../data/store";
import { number, precise, words } from "../format";

const kHeadlines = { good: "All markets are well", warn: "Some markets need attention", bad: "Markets are down" } as const;

export function Markets() {
  const state = useStore(markets.state);
  useEffect(() => markets.start(), []);
  return (
    <StreamPanel state={state} title="market health" shape="markets"
      isEmpty={(value) => Object.keys(value.markets ?? {}).length === 0}
      empty={
        <Empty title="No markets" icon="markets">
          <p>The node answers, and has no markets at present.</p>
        </Empty>
      }>
      {(value) => {
        const all = Object.entries(value.markets ?? {});
        const healthy = value.healthy_markets ?? all.filter(([, market]) => gradeOf(market.status) === "good").length;
        return (
          <>
            <section className="card overall" aria-label="All markets">
              <div>
                <Status status={value.overall_status} />
                <p className="headline">{kHeadlines[gradeOf(value.overall_status)]}</p>
              </div>
              <div className="ratio">
                <span className="num">
                  <b data-value="healthy">{number(healthy)}</b> of <b data-value="total">{number(value.total_markets ?? all.length)}</b> healthy
                </span>
                <div className="bar" aria-hidden="true">
                  {all.map(([name, market]) => (
                    <i key={name} className={gradeOf(market.status)} />
                  ))}
                </div>
              </div>
            </section>
            <div className="grid markets">
              {all.map(([name, market]) => (
                <MarketCard key={name} name={name} market={market} />
              ))}
            </div>
          </>
        );
      }}
    </StreamPanel>
  );
}

function MarketCard({ name, market }: { name: string; market: Market }) {
  const { status, ...fields } = market;
  const shown = Object.entries(fields).filter(([, value]) => value !== null && typeof value !== "object");
  return (
    <article className="card market" data-market={name}>
      <header>
        <span className="icon">
          <Icon name={isIcon(name) ? name : "market"} size={20} />
        </span>
        <h2>{words(name)}</h2>
        <Status status={status} />
      </header>
      {shown.length > 0 && (
        <dl>
          {shown.map(([field, value]) => (
            <div key={field}>
              <dt>{words(field)}</dt>
              <dd className="num">{typeof value === "number" ? precise(value) : typeof value === "boolean" ? (value ? "yes" : "no") : String(value)}</dd>
            </div>
          ))}
        </dl>
      )}
    </article>
  );
}

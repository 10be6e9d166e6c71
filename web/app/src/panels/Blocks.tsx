import { useEffect, useState } from "react";
import { Bones, Empty, Failed, Stale } from "../parts/Face";
import type { Head, Row } from "../data/chain";
import { heads, watchHeads } from "../data/heads";
import { call, info, loadInfo, type NetworkInfo } from "../data/server";
import { useNow, useStore } from "../data/store";
import { age, clock, gwei, number, sentence, shortHash, span } from "../format";

export function Blocks({ network }: { network: NetworkInfo | undefined }) {
  const state = useStore(heads);
  useEffect(() => {
    if (network) watchHeads(network.path, network.development !== null);
  }, [network]);
  const { chain } = state;
  const server = useStore(info);
  if (!chain.tip) {
    if (!network && server.error) {
      return (
        <Failed title="The server cannot be reached" retry={() => void loadInfo()}>
          <p>The page keeps trying and continues by itself as soon as the server answers.</p>
        </Failed>
      );
    }
    if (!network && server.value) {
      return (
        <Empty title="This server follows no chain" icon="blocks">
          <p>
            Networks are configured under <code>projects:</code>, see docs/configuration.md.
          </p>
        </Empty>
      );
    }
    if (state.phase === "error") {
      return (
        <Failed title="New blocks cannot be followed">
          <p>{sentence(state.reason)}</p>
          <p>The page keeps trying and continues by itself.</p>
        </Failed>
      );
    }
    if (state.phase === "live") return <NoBlocks network={network} />;
    return <Bones shape="blocks" label="Waiting for the next block" />;
  }
  return (
    <div data-face="live">
      {state.phase === "lost" && <Stale bad>Connection lost. Missed blocks are fetched after the reconnect.</Stale>}
      {state.phase === "error" && <Stale>{sentence(state.reason)}</Stale>}
      <HeadNow network={network} />
      <section className="card flush ladder" aria-label="Blocks, the newest first">
        {chain.rows.map((row, index) => (
          <Rung key={keyOf(row)} row={row} above={chain.rows[index - 1]} below={chain.rows[index + 1]} tip={chain.tip!} network={network} />
        ))}
      </section>
    </div>
  );
}

function NoBlocks({ network }: { network: NetworkInfo | undefined }) {
  return (
    <Empty title="Subscribed, and no block since" icon="blocks">
      <p>The next block appears here by itself.</p>
      {network?.development && <DevelopmentTools network={network} />}
    </Empty>
  );
}

const keyOf = (row: Row): string =>
  row.kind === "block" ? row.head.hash : row.kind === "reorg" ? `reorg ${row.ancestor} ${row.at}` : `hole ${row.from}`;

function HeadNow({ network }: { network: NetworkInfo | undefined }) {
  const { chain } = useStore(heads);
  const now = useNow();
  const tip = chain.tip!;
  return (
    <section className="card head-now" aria-label="Newest block">
      <div>
        <div className="muted">Newest block</div>
        <div className="big num" data-head>{number(tip.number)}</div>
      </div>
      <dl className="num">
        <div>
          <dt>Age</dt>
          <dd>{span(now / 1000 - tip.timestamp)}</dd>
        </div>
        <div>
          <dt>Block time</dt>
          <dd>{chain.blockTimeS === null ? "–" : `${number(chain.blockTimeS, 2)} s`}</dd>
        </div>
        <div>
          <dt>Base fee</dt>
          <dd>{gwei(tip.baseFee)}</dd>
        </div>
        <div>
          <dt>Reorgs seen</dt>
          <dd data-reorgs>{chain.reorgs ? `${number(chain.reorgs)} (${number(chain.replaced)} ${chain.replaced === 1 ? "block" : "blocks"})` : "none"}</dd>
        </div>
      </dl>
      {network?.development && <DevelopmentTools network={network} />}
    </section>
  );
}

// Only a development chain makes blocks and reorgs on request.
function DevelopmentTools({ network }: { network: NetworkInfo }) {
  const [problem, setProblem] = useState("");
  const run = (method: string, params: unknown[]) =>
    call(network.path, method, params).then(
      () => setProblem(""),
      (error: Error) => setProblem(error.message),
    );
  return (
    <div className="panel-tools">
      <button type="button" className="button" onClick={() => void run("evm_mine", [])}>
        Mine a block
      </button>
      <button type="button" className="button" onClick={() => void run("anvil_reorg", [3, []])}>
        Replace 3 blocks
      </button>
      {problem && (
        <span className="problem" role="alert">
          {problem}
        </span>
      )}
    </div>
  );
}

interface RungProps {
  row: Row;
  above: Row | undefined;
  below: Row | undefined;
  tip: Head;
  network: NetworkInfo | undefined;
}

function Rung({ row, above, below, tip, network }: RungProps) {
  const [open, setOpen] = useState(false);
  const now = useNow();
  if (row.kind === "reorg") {
    return (
      <p className="fork-mark num" data-reorg={row.depth}>
        <svg className="lane" viewBox="0 0 64 44" preserveAspectRatio="xMinYMid slice" aria-hidden="true">
          <line className="main-line" x1="22" x2="22" y1="0" y2="44" />
          <path className="side-line" d="M41 0C41 26 23 20 22 44" />
        </svg>
        <span>
          {row.depth} {row.depth === 1 ? "block" : "blocks"} after {number(row.ancestor)} replaced by a reorg
        </span>
        <span className="age">{age((now - row.at) / 1000)}</span>
      </p>
    );
  }
  if (row.kind === "hole") {
    return (
      <p className="fork-mark hole num" data-missed>
        <svg className="lane" viewBox="0 0 64 44" preserveAspectRatio="xMinYMid slice" aria-hidden="true">
          <line className="main-line missing" x1="22" x2="22" y1="0" y2="44" />
          {row.fork && <path className="side-line" d="M41 0V44" />}
        </svg>
        <span>{row.from === row.to ? `Block ${number(row.from)} was not received` : `Blocks ${number(row.from)} to ${number(row.to)} were not received`}</span>
      </p>
    );
  }
  const { head, gone } = row;
  const share = head.gasLimit ? head.gasUsed / head.gasLimit : 0;
  return (
    <>
      <button type="button" className={`rung here ${gone ? "gone" : ""}`} aria-expanded={open} onClick={() => setOpen(!open)} data-block={head.number} data-hash={head.hash} data-gone={gone || undefined}>
        <Lane row={row} above={above} below={below} isTip={head.hash === tip.hash} />
        <span className="height num">
          {number(head.number)}
          {gone && <span className="sr"> (replaced by a reorg)</span>}
        </span>
        <span className="hash mono wide">{shortHash(head.hash, 10)}</span>
        <span className="gas num" title={`${number(head.gasUsed)} of ${number(head.gasLimit)} gas`}>
          <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
            <rect width={Math.min(share, 1) * 100} height="6" />
          </svg>
          <span>
            <span className="sr">gas used </span>
            {number(share * 100, share < 0.1 ? 1 : 0)}%
          </span>
        </span>
        <span className="fee num wide">{gone ? "replaced" : gwei(head.baseFee)}</span>
        <span className="age num">{age(now / 1000 - head.timestamp)}</span>
      </button>
      {open && <Detail head={head} network={network} />}
    </>
  );
}

// The chain as a line, and beside it the blocks that a reorg replaced.
function Lane({ row, above, below, isTip }: { row: Row & { kind: "block" }; above: Row | undefined; below: Row | undefined; isTip: boolean }) {
  const side = row.gone || row.fork;
  return (
    <svg className="lane" viewBox="0 0 64 44" preserveAspectRatio="xMinYMid slice" aria-hidden="true">
      <line className="main-line" x1="22" x2="22" y1={isTip && above?.kind !== "block" ? 22 : 0} y2={below ? 44 : 22} />
      {row.fork && <path className="side-line" d="M41 0V22" />}
      {side && <path className="side-line" d="M41 22V44" />}
      {row.gone ? <circle className="node gone" cx="41" cy="22" r="5" /> : <circle className={`node ${isTip ? "tip" : ""}`} cx="22" cy="22" r={isTip ? 7 : 5} />}
    </svg>
  );
}

interface Body {
  transactions: string[];
}

function Detail({ head, network }: { head: Head; network: NetworkInfo | undefined }) {
  const [transactions, setTransactions] = useState("…");
  useEffect(() => {
    if (!network) return;
    call<Body | null>(network.path, "eth_getBlockByHash", [head.hash, false]).then(
      (block) => setTransactions(block ? number(block.transactions.length) : "the node no longer has this block"),
      (error: Error) => setTransactions(error.message),
    );
  }, [head.hash, network]);
  const rows: [string, string][] = [
    ["Hash", head.hash],
    ["Parent", head.parentHash],
    ["Transactions", transactions],
    ["Gas", `${number(head.gasUsed)} of ${number(head.gasLimit)}`],
    ["Base fee", gwei(head.baseFee)],
    ["Made by", head.miner],
    ["Time", clock(head.timestamp)],
  ];
  return (
    <div className="block-detail">
      <dl>
        {rows.map(([name, value]) => (
          <div className="pair" key={name}>
            <dt>{name}</dt>
            <dd className={value.startsWith("0x") ? "mono" : "num"}>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

// The page of the browser tests. The tests call what is in `window.test`.
import { Profiler, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { SharedStreamClient, StreamClient, type SharedStreamClientOptions, type StreamClientOptions, type StreamSource } from "@fanfare/client";
import { useDataStream } from "../packages/react/src/index.js";

const log = { numbers: [] as number[], offsets: [] as number[], gaps: 0, answers: [] as (boolean | null)[], errors: [] as string[], commits: 0, frames: 0, longTasks: [] as number[], tokens: [] as string[] };
let source: StreamSource | null = null;

function listen(client: StreamSource, stream = "a"): void {
  source = client;
  client.subscribe(stream, {
    message: ({ data, position }) => {
      log.numbers.push((data as { n: number }).n);
      if (position) log.offsets.push(position.offset);
    },
    gap: () => { log.gaps++; },
    subscribed: ({ recovered }) => { log.answers.push(recovered ?? null); },
    error: ({ message }) => { log.errors.push(message); },
  });
}

/** Tokens that expire after `lifeMs`, numbered. */
function tokens(lifeMs: number) {
  return (reason: string) => {
    log.tokens.push(reason);
    return { value: `t${log.tokens.length}`, expiresAtMs: Date.now() + lifeMs };
  };
}

function Counter({ url }: { url: string }) {
  const { data } = useDataStream<{ n: number }>("a", url, { onMessage: ({ data }) => { log.numbers.push(data.n); } });
  return <p>{data?.n}</p>;
}

const test = {
  log,
  state: () => source?.state ?? "none",
  own: (options: StreamClientOptions & { tokenLifeMs?: number }) => listen(new StreamClient({ ...options, ...(options.tokenLifeMs ? { token: tokens(options.tokenLifeMs) } : {}) })),
  shared: ({ stream, ...options }: SharedStreamClientOptions & { stream?: string }) => listen(new SharedStreamClient(options), stream),
  // Private in the types: only tests ask.
  isLeader: () => Boolean((source as unknown as { link?: { isLeader?: boolean } } | null)?.link?.isLeader),
  react: (url: string) => {
    if (PerformanceObserver.supportedEntryTypes.includes("longtask")) {
      new PerformanceObserver((list) => { for (const entry of list.getEntries()) log.longTasks.push(Math.round(entry.duration)); }).observe({ entryTypes: ["longtask"] });
    }
    const frame = (): void => {
      log.frames++;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    createRoot(document.getElementById("root") as HTMLElement).render(
      <StrictMode><Profiler id="page" onRender={() => { log.commits++; }}><Counter url={url} /></Profiler></StrictMode>,
    );
  },
};
(window as unknown as { test: typeof test }).test = test;
export type PageTest = typeof test;

// Chromium through playwright-core, Firefox through WebDriver BiDi: as much of both as the tests need.
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Page } from "playwright-core";
import { WebSocket } from "ws";

export interface Tab {
  /** Runs the function in the page. Arguments and result are JSON. It must not use anything outside of itself. */
  run<A, R>(call: (argument: A) => R | Promise<R>, argument?: A): Promise<R>;
  /** Ends the tab without asking it. */
  kill(): Promise<void>;
  /** What the tab shows, as PNG. */
  picture(): Promise<Buffer>;
  /** Only in Chromium. */
  readonly page?: Page;
}
export interface Browser {
  open(url: string): Promise<Tab>;
  /** Errors and warnings of all consoles, and requests, as they come. */
  readonly console: string[];
  readonly requests: string[];
  /** Stops every process of the browser, as a machine that sleeps does. Until wake() no tab answers. */
  sleep(): void;
  wake(): void;
  close(): Promise<void>;
}

export const CHROMIUM = "/usr/bin/chromium";
export const FIREFOX = "/usr/bin/firefox-esr";
export const BROWSERS = ([["Chromium", CHROMIUM, openChromium], ["Firefox", FIREFOX, openFirefox]] as const)
  .filter(([, path]) => existsSync(path))
  .map(([name, , open]) => [name, open] as const);

export async function openChromium(): Promise<Browser> {
  const server = await chromium.launchServer({
    executablePath: CHROMIUM,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  const browser = await chromium.connect(server.wsEndpoint());
  const context = await browser.newContext();
  const console: string[] = [];
  const requests: string[] = [];
  context.on("console", (message) => { if (["error", "warning"].includes(message.type())) console.push(message.text()); });
  context.on("weberror", (error) => console.push(String(error.error())));
  context.on("request", (request) => requests.push(request.url()));
  return {
    console, requests,
    open: async (url) => {
      const page = await context.newPage();
      await page.goto(url);
      return { page, run: (call, argument) => page.evaluate(call as any, argument) as any, picture: () => page.screenshot(), kill: () => page.close() };
    },
    ...sleeper(server.process().pid),
    close: () => server.close(),
  };
}

/** The browser leads a process group of its own. */
function sleeper(pid: number | undefined): Pick<Browser, "sleep" | "wake"> {
  const signal = (name: "SIGSTOP" | "SIGCONT") => () => { if (pid !== undefined) process.kill(-pid, name); };
  return { sleep: signal("SIGSTOP"), wake: signal("SIGCONT") };
}

/** Any Firefox since 129 speaks WebDriver BiDi; playwright's own protocol needs a Firefox of its own. */
export async function openFirefox(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), "fanfare-firefox-"));
  writeFileSync(join(profile, "user.js"), [
    'user_pref("app.update.enabled", false);', 'user_pref("browser.shell.checkDefaultBrowser", false);', 'user_pref("datareporting.policy.dataSubmissionEnabled", false);',
    'user_pref("network.captive-portal-service.enabled", false);', 'user_pref("network.connectivity-service.enabled", false);', 'user_pref("dom.disable_open_during_load", false);',
  ].join("\n"));
  const child = spawn(FIREFOX, ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"], { detached: true, stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, HOME: profile, MOZ_CRASHREPORTER_DISABLE: "1" } });
  const bidi = await Bidi.connect(await addressOf(child));
  await bidi.call("session.new", { capabilities: {} });
  const console: string[] = [];
  const requests: string[] = [];
  await bidi.call("session.subscribe", { events: ["log.entryAdded", "network.beforeRequestSent"] });
  bidi.onEvent = (method, params) => {
    if (method === "log.entryAdded" && ["error", "warn"].includes(params.level)) console.push(params.text);
    if (method === "network.beforeRequestSent") requests.push(params.request.url);
  };
  return {
    console, requests,
    open: async (url) => {
      const { context } = await bidi.call("browsingContext.create", { type: "tab" });
      await bidi.call("browsingContext.navigate", { context, url, wait: "complete" });
      return {
        run: async (call, argument) => bidi.evaluate(context, `Promise.resolve((${call})(${JSON.stringify(argument) ?? ""})).then((value) => JSON.stringify(value))`),
        picture: async () => Buffer.from((await bidi.call("browsingContext.captureScreenshot", { context })).data, "base64"),
        kill: () => bidi.call("browsingContext.close", { context, promptUnload: false }),
      };
    },
    ...sleeper(child.pid),
    close: async () => {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stderr?.on("data", (part) => {
      text += part;
      const found = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(text)?.[1];
      if (found) resolve(`${found}/session`);
    });
    child.once("exit", () => reject(new Error(`Firefox ended: ${text.slice(-500)}`)));
  });
}

class Bidi {
  onEvent: (method: string, params: any) => void = () => undefined;
  private nextId = 1;
  private readonly pending = new Map<number, { resolve: (result: any) => void; reject: (error: Error) => void }>();

  private constructor(private readonly socket: WebSocket) {
    socket.on("message", (data) => {
      const message = JSON.parse(String(data));
      if (message.type === "event") return this.onEvent(message.method, message.params);
      const entry = this.pending.get(message.id);
      if (!entry) return;
      this.pending.delete(message.id);
      if (message.type === "error") entry.reject(new Error(`${message.error}: ${message.message}`));
      else entry.resolve(message.result);
    });
    socket.on("close", () => { for (const { reject } of this.pending.values()) reject(new Error("Firefox ended")); });
  }

  static connect(url: string): Promise<Bidi> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      socket.once("open", () => resolve(new Bidi(socket)));
      socket.once("error", reject);
    });
  }

  call(method: string, params: object): Promise<any> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }

  async evaluate(context: string, expression: string): Promise<any> {
    const answer = await this.call("script.evaluate", { expression, target: { context }, awaitPromise: true });
    if (answer.type === "exception") throw new Error(answer.exceptionDetails.text);
    return answer.result.value === undefined ? undefined : JSON.parse(answer.result.value);
  }
}

// The canvas as it was: a slider from the first pixel to now. The picture comes from the server, only of what is on the stage if the canvas is large.
import { useEffect, useRef, useState } from "react";
import { Icon } from "../parts/Icon";
import type { Past } from "./painter";
import { pastImage, roomInfo, type Room, type RoomInfo } from "./room";
import type { Stage } from "./stage";
import { visible } from "./view";

const kPixelsWhole = 4_194_304; // a larger canvas is asked for in part
const kSteps = 1000;
const kSettleMs = 120;
export const when = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function History({ room, stage, show, shown }: { room: Room; stage: Stage | null; show: (past: { past: Past; atMs: number } | null) => void; shown: number | null }) {
  const [range, setRange] = useState<RoomInfo | null>(null);
  const [step, setStep] = useState(kSteps);
  const [problem, setProblem] = useState("");
  const asked = useRef<AbortController | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);

  const stop = () => {
    clearTimeout(timer.current);
    asked.current?.abort();
    asked.current = null;
  };
  useEffect(() => stop, []);

  const open = async () => {
    setProblem("");
    try {
      const now = await roomInfo(room.path);
      setRange(now);
      setStep(kSteps);
      if (now.first_ms === null) setProblem("Nothing has been drawn yet.");
    } catch (error) {
      setProblem(`The history is not available: ${(error as Error).message}.`);
    }
  };
  const close = () => {
    stop();
    setRange(null);
    setStep(kSteps);
    show(null);
  };
  const atOf = (one: number): number => range!.first_ms! + ((range!.last_ms! - range!.first_ms!) * one) / kSteps;

  const go = (next: number) => {
    setStep(next);
    stop();
    if (next === kSteps) return show(null);
    timer.current = setTimeout(() => void load(atOf(next)), kSettleMs);
  };
  const load = async (atMs: number) => {
    if (!stage) return;
    const mine = (asked.current = new AbortController());
    const { width, height } = room.client.welcome!;
    const seen = visible(stage.painter.view, stage.painter.box);
    const [x, y] = [Math.max(0, Math.floor(seen.x)), Math.max(0, Math.floor(seen.y))];
    const part = width * height <= kPixelsWhole ? undefined : { x, y, width: Math.min(width, Math.ceil(seen.x + seen.width)) - x, height: Math.min(height, Math.ceil(seen.y + seen.height)) - y };
    try {
      const image = await pastImage(room.path, atMs, part, mine.signal);
      if (mine.signal.aborted) return;
      show({ past: { image, ...(part ?? { x: 0, y: 0, width, height }) }, atMs });
      setProblem("");
    } catch (error) {
      if (!mine.signal.aborted) setProblem(`That moment is not available: ${(error as Error).message}.`);
    }
  };

  const hasRange = range?.first_ms !== null && range !== null;
  return (
    <div className="history">
      {hasRange ? (
        <>
          <label htmlFor="history-at">{step === kSteps ? "Now" : when.format(atOf(step))}</label>
          <input id="history-at" type="range" min={0} max={kSteps} value={step} aria-valuetext={step === kSteps ? "now" : when.format(atOf(step))} onChange={(event) => go(Number(event.target.value))} />
          <button type="button" className="button" onClick={close} data-shown={shown ?? undefined}>
            Back to now
          </button>
        </>
      ) : (
        <button type="button" className="button" onClick={() => void open()}>
          <Icon name="clock" size={15} />
          History
        </button>
      )}
      {problem && (
        <p className="small muted" role="status">
          {problem}
        </p>
      )}
    </div>
  );
}

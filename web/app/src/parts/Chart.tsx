// A live chart over time. uPlot draws; holes are hatched, and named once for all charts of a panel (HoleNote).
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Curve, Hole } from "../data/series";
import { useStore } from "../data/store";
import { shownTheme } from "../data/theme";
import { clock, span } from "../format";

export interface Line {
  column: number;
  label: string;
  colour: 1 | 2 | 3; // --series-N
  format: (value: number | null | undefined) => string;
}

interface Props {
  title: string;
  curve: Curve;
  lines: Line[];
  windowS?: number;
  sync?: string; // charts with the same name share their cursor
  range?: [number, number];
  topMin?: number; // the scale reaches at least so far
}

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function Chart({ title, curve, lines, windowS = 600, sync = "time", range, topMin = 1 }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(curve);
  const [hovered, setHovered] = useState<number | null>(null);
  const look = useStore(shownTheme);
  latest.current = curve;

  useLayoutEffect(() => {
    const element = box.current!;
    const made = new uPlot(options({ lines, windowS, sync, range, topMin }, element, () => latest.current.holes, setHovered), data(latest.current, lines), element);
    plot.current = made;
    const sizes = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: element.clientHeight }));
    sizes.observe(element);
    void document.fonts.ready.then(() => plot.current?.redraw(false, true)); // the axes were drawn with another font
    return () => {
      sizes.disconnect();
      made.destroy();
      plot.current = null;
    };
    // The lines of a chart never change; a new theme needs new colours.
  }, [look]);

  useEffect(() => {
    plot.current?.setData(data(curve, lines));
  }, [curve, lines]);

  const last = lastWithValue(curve, lines);
  const index = hovered ?? last;
  return (
    <figure className="card chart" data-chart={title}>
      <div className="card-head">
        <h2>{title}</h2>
        <figcaption className="legend num">
          {lines.map((line) => (
            <span key={line.label}>
              <i className={`swatch s${line.colour}`} aria-hidden="true" />
              {line.label} <b>{line.format(curve.columns[line.column]?.[index] ?? null)}</b>
            </span>
          ))}
          {hovered !== null && curve.times[hovered] !== undefined && <span>{clock(curve.times[hovered])}</span>}
        </figcaption>
      </div>
      <div className="plot-box">
        <div className={last < 0 ? "plot bare" : "plot"} ref={box} aria-hidden="true" />
        {last < 0 && <p className="no-values">No values yet</p>}
      </div>
    </figure>
  );
}

export function HoleNote({ curve }: { curve: Curve }) {
  const hole = curve.holes.at(-1);
  if (!hole) return null;
  return (
    <p className="hole-note num" data-hole>
      <i aria-hidden="true" />
      Hatched: no data for {span(hole.to - hole.from)} until {clock(hole.to)}
      {curve.holes.length > 1 ? `, and ${curve.holes.length - 1} more` : ""}
    </p>
  );
}

const data = (curve: Curve, lines: Line[]): uPlot.AlignedData =>
  [curve.times, ...lines.map((line) => curve.columns[line.column] ?? [])] as uPlot.AlignedData;

function lastWithValue(curve: Curve, lines: Line[]): number {
  for (let index = curve.times.length - 1; index >= 0; --index) {
    if (lines.some((line) => typeof curve.columns[line.column]?.[index] === "number")) return index;
  }
  return -1;
}

function options(
  { lines, windowS, sync, range, topMin }: Required<Pick<Props, "lines" | "windowS" | "sync" | "topMin">> & Pick<Props, "range">,
  element: HTMLElement,
  holes: () => Hole[],
  onHover: (index: number | null) => void,
): uPlot.Options {
  const font = "11px Geist, system-ui, sans-serif";
  const axis = { stroke: colour("--ink-3"), font, ticks: { show: false }, grid: { stroke: colour("--line"), width: 1 } };
  return {
    width: element.clientWidth || 300,
    height: element.clientHeight || 190,
    padding: [12, 28, 0, 0], // half of a time with seconds
    legend: { show: false },
    cursor: { sync: { key: sync }, y: false, drag: { x: false, y: false }, points: { size: 7, width: 2 } },
    scales: {
      x: { range: (plot) => shownTime(plot.data[0], windowS) },
      y: { range: range ?? ((_plot, min, max) => roomy(min, max, topMin)) },
    },
    axes: [
      {
        ...axis,
        size: 28,
        grid: { show: false },
        space: 76,
        incrs: [15, 30, 60, 120, 300, 600],
        values: (_plot, times, _axis, _space, step) => times.map((time) => clock(time).slice(0, step < 60 ? 8 : 5)),
      },
      { ...axis, size: 52, values: (_plot, values) => values.map((value) => lines[0]!.format(value)), space: 36 },
    ],
    series: [
      {},
      ...lines.map((line, at): uPlot.Series => {
        const stroke = colour(`--series-${line.colour}`);
        return {
          stroke,
          width: 1.75,
          points: { show: (_plot, _series, from, to) => to - from < 2, size: 5, fill: stroke }, // a single value has no line
          spanGaps: false,
          ...(at === 0 ? { fill: (plot) => shade(plot, stroke) } : {}),
        };
      }),
    ],
    hooks: {
      drawClear: [(plot) => holes().forEach((hole) => hatch(plot, hole))],
      setCursor: [(plot) => onHover(plot.cursor.idx ?? null)],
    },
  };
}

// From the first sample, at most `windowS` and at least a minute. uPlot's own limits of a single sample would be days apart.
function shownTime(times: ArrayLike<number>, windowS: number): [number, number] {
  const last = times[times.length - 1];
  return last === undefined ? [0, 1] : [Math.max(last - windowS, Math.min(times[0]!, last - 60)), last];
}

function roomy(min: number, max: number, topMin: number): [number, number] {
  if (!Number.isFinite(min) || !Number.isFinite(max)) return [0, topMin];
  const room = (max - min || Math.abs(max) || 1) * 0.15;
  return [min >= 0 && (min === max || min - room * 3 < 0) ? 0 : min - room, Math.max(max + room, topMin)];
}

function shade(plot: uPlot, stroke: string): CanvasGradient | string {
  const { top, height } = plot.bbox;
  if (!Number.isFinite(top) || !Number.isFinite(height)) return "transparent";
  const gradient = plot.ctx.createLinearGradient(0, top, 0, top + height);
  gradient.addColorStop(0, `${stroke}38`);
  gradient.addColorStop(1, `${stroke}00`);
  return gradient;
}

function hatch(plot: uPlot, hole: Hole): void {
  const { ctx, bbox } = plot;
  const left = Math.max(plot.valToPos(hole.from, "x", true), bbox.left);
  const right = Math.min(plot.valToPos(hole.to, "x", true), bbox.left + bbox.width);
  if (!(right > left)) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, bbox.top, right - left, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour("--line-strong");
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  const step = 7 * devicePixelRatio;
  for (let x = left - bbox.height; x < right; x += step) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
  }
  ctx.stroke();
  ctx.restore();
}

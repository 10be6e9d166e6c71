// A figure with its name, and optionally its recent course.
import { useMemo } from "react";

export function Tile({ name, value, unit, note, course }: {
  name: string;
  value: string;
  unit?: string;
  note?: string;
  course?: (number | null)[];
}) {
  return (
    <div className="card tile" data-tile={name}>
      <div className="name">{name}</div>
      <div className="value num">
        <span data-value>{value}</span>
        {unit && value !== "–" && <span className="unit">{unit}</span>}
      </div>
      {note && <div className="note num">{note}</div>}
      {course && course.length > 1 && <Spark course={course} />}
    </div>
  );
}

const kWidth = 160;
const kHeight = 26;

// The last 90 samples. A hole interrupts the line.
function Spark({ course }: { course: (number | null)[] }) {
  const { line, fill } = useMemo(() => sparkPaths(course.slice(-90)), [course]);
  return (
    <svg className="spark" viewBox={`0 0 ${kWidth} ${kHeight}`} preserveAspectRatio="none" aria-hidden="true">
      <path className="fill" d={fill} />
      <path d={line} />
    </svg>
  );
}

function sparkPaths(course: (number | null)[]): { line: string; fill: string } {
  const present = course.filter((value) => value !== null);
  const low = Math.min(...present);
  const range = Math.max(...present) - low || 1;
  const x = (index: number) => ((index * kWidth) / Math.max(course.length - 1, 1)).toFixed(1);
  const y = (value: number) => (kHeight - 3 - ((value - low) / range) * (kHeight - 6)).toFixed(1);
  let line = "";
  let fill = "";
  let start: number | null = null;
  course.forEach((value, index) => {
    if (value === null) {
      if (start !== null) fill += `V${kHeight}H${x(start)}Z`;
      start = null;
      return;
    }
    if (start === null) fill += `M${x(index)} ${kHeight}V${y(value)}`;
    else fill += `L${x(index)} ${y(value)}`;
    line += `${start === null ? "M" : "L"}${x(index)} ${y(value)}`;
    start ??= index;
  });
  if (start !== null) fill += `V${kHeight}H${x(start)}Z`;
  return { line, fill };
}

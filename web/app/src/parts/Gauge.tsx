// A gauge from 0 to 100.
import type { Grade } from "./Status";

const kRadius = 96;
const kCentre = { x: 130, y: 128 };
const kSweep = 220; // degrees
const kLength = (Math.PI * kRadius * kSweep) / 180;

const at = (share: number, radius: number) => {
  const angle = ((90 + (360 - kSweep) / 2 + share * kSweep) * Math.PI) / 180;
  return { x: kCentre.x + radius * Math.cos(angle), y: kCentre.y + radius * Math.sin(angle) };
};

function arc(): string {
  const [from, to] = [at(0, kRadius), at(1, kRadius)];
  return `M${from.x} ${from.y}A${kRadius} ${kRadius} 0 1 1 ${to.x} ${to.y}`;
}

export const gradeOfStrength = (value: number): Grade => (value >= 70 ? "good" : value >= 40 ? "warn" : "bad");
const kWords: Record<Grade, string> = { good: "Strong", warn: "Fair", bad: "Weak" };

export function Gauge({ label, value }: { label: string; value: number | undefined }) {
  const shown = Math.min(Math.max(value ?? 0, 0), 100);
  const grade = gradeOfStrength(shown);
  const figure = value === undefined ? "–" : String(Math.round(shown));
  const dash = `${kLength} ${kLength}`;
  return (
    <div className="gauge" data-tile={label}>
      <svg viewBox="0 0 260 176" role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(shown)}
        aria-valuetext={value === undefined ? "unknown" : `${figure} of 100, ${kWords[grade].toLowerCase()}`}>
        <path className="track" d={arc()} />
        <path className={`arc ${grade}`} d={arc()} strokeDasharray={dash} strokeDashoffset={kLength * (1 - shown / 100)} />
        {Array.from({ length: 11 }, (_, index) => {
          const [from, to] = [at(index / 10, kRadius - 18), at(index / 10, kRadius - (index % 5 ? 22 : 26))];
          return <line key={index} className="tick" x1={from.x} y1={from.y} x2={to.x} y2={to.y} />;
        })}
        <text className="figure" x={kCentre.x} y={kCentre.y + 14} data-value>
          {figure}
        </text>
        <text className="of" x={kCentre.x} y={kCentre.y + 36}>
          of 100
        </text>
      </svg>
      <span className={value === undefined ? "chip" : `chip ${grade}`}>{value === undefined ? "Unknown" : kWords[grade]}</span>
    </div>
  );
}

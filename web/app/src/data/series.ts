// Samples over time, for charts. A time for which there are no samples is a hole: the curve is interrupted there, never joined.

export interface Hole {
  from: number; // seconds since 1970: the last sample before it, and the first after it
  to: number;
}

export interface Curve {
  times: number[];
  columns: (number | null)[][]; // as long as `times`. A hole is a sample of nulls
  holes: Hole[];
}

// How much a column grew during the last `seconds`, as far as values go back: [growth, seconds].
export function growth(curve: Curve, column: number, seconds: number): [number, number] | null {
  const values = curve.columns[column] ?? [];
  const last = values.findLastIndex((value) => value !== null);
  const end = curve.times[last];
  if (end === undefined) return null;
  const first = values.findIndex((value, index) => value !== null && curve.times[index]! >= end - seconds);
  return first < last ? [values[last]! - values[first]!, end - curve.times[first]!] : null;
}

export class Series {
  private readonly times: number[] = [];
  private readonly columns: (number | null)[][];
  private holes: Hole[] = [];
  private last: number | undefined;
  private broken = false;

  // `intervalS`: how far samples lie apart. `samplesMax`: older ones are forgotten.
  constructor(
    width: number,
    private readonly intervalS: number,
    private readonly samplesMax = 600,
  ) {
    this.columns = Array.from({ length: width }, () => []);
  }

  get length(): number {
    return this.times.length;
  }

  // Something was lost after the last sample: the next one does not continue its curve.
  break(): void {
    this.broken = true;
  }

  clear(): void {
    this.times.length = 0;
    for (const column of this.columns) column.length = 0;
    this.holes = [];
    this.last = undefined;
    this.broken = false;
  }

  // A sample that is not newer than the last one is a repetition and is ignored.
  push(time: number, row: (number | null)[]): void {
    if (this.last !== undefined) {
      if (time <= this.last) return;
      if (this.broken || time - this.last > this.intervalS * 2.5 + 1) {
        this.holes.push({ from: this.last, to: time });
        this.append((this.last + time) / 2, row.map(() => null));
      }
    }
    this.broken = false;
    this.last = time;
    this.append(time, row);
    this.forget();
  }

  curve(): Curve {
    return { times: [...this.times], columns: this.columns.map((column) => [...column]), holes: [...this.holes] };
  }

  private append(time: number, row: (number | null)[]): void {
    this.times.push(time);
    this.columns.forEach((column, index) => column.push(row[index] ?? null));
  }

  private forget(): void {
    const surplus = this.times.length - this.samplesMax;
    if (surplus <= 0) return;
    this.times.splice(0, surplus);
    for (const column of this.columns) column.splice(0, surplus);
    const first = this.times[0]!;
    this.holes = this.holes.filter((hole) => hole.to > first);
  }
}

// Samples over time, for charts. A time about which nothing is known is a hole: the curve is interrupted there, never joined.
// Usually that is a time without samples. If samples come only when something changes, silence is knowledge: the last one holds.

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
  private lastRow: (number | null)[] = [];
  private held: number | undefined; // until when the last sample is known to hold, if later
  private broken = false;
  private onChange = false;

  // `intervalS`: how far samples lie apart. `samplesMax`: older ones are forgotten.
  constructor(
    width: number,
    private intervalS: number,
    private readonly samplesMax = 600,
  ) {
    this.columns = Array.from({ length: width }, () => []);
  }

  get length(): number {
    return this.times.length;
  }

  // `onChange`: a sample comes only if it differs from the last one.
  setPace(intervalS: number, onChange: boolean): void {
    this.intervalS = intervalS;
    this.onChange = onChange;
  }

  // Something was lost after the last sample: the next one does not continue its curve. `at`: from when on, if that is known.
  break(at?: number): void {
    if (this.onChange && !this.broken && this.last !== undefined) this.extend(at ?? this.held ?? this.last);
    this.held = undefined;
    this.broken = true;
  }

  // The source was asked at this time, and had nothing new to say.
  hold(time: number): void {
    if (this.onChange && !this.broken && this.last !== undefined && time > this.last) this.held = time;
  }

  clear(): void {
    this.times.length = 0;
    for (const column of this.columns) column.length = 0;
    this.holes = [];
    this.last = this.held = undefined;
    this.broken = false;
  }

  // A sample that is not newer than the last one is a repetition and is ignored.
  push(time: number, row: (number | null)[]): void {
    if (this.last !== undefined) {
      if (time <= this.last) return;
      if (!this.broken && this.onChange) this.extend(time - this.intervalS);
      if (this.broken || (!this.onChange && time - this.last > this.intervalS * 2.5 + 1)) {
        this.holes.push({ from: this.last, to: time });
        this.append((this.last + time) / 2, row.map(() => null));
      }
    }
    this.broken = false;
    this.held = undefined;
    this.last = time;
    this.lastRow = row;
    this.append(time, row);
    this.forget();
  }

  curve(): Curve {
    const { held } = this;
    const tail = <T>(list: T[], value: T): T[] => (held === undefined ? [...list] : [...list, value]);
    return { times: tail(this.times, held!), columns: this.columns.map((column, index) => tail(column, this.lastRow[index] ?? null)), holes: [...this.holes] };
  }

  // The last sample held until then.
  private extend(time: number): void {
    if (time <= this.last!) return;
    this.last = time;
    this.append(time, this.lastRow);
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

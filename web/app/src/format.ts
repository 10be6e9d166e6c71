// Numbers and times for people.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const twoDigits = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const alwaysTwoDigits = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

export function number(value: number | null | undefined, digits: 0 | 1 | 2 = 0): string {
  if (!isNumber(value)) return "–";
  return (digits === 0 ? whole : digits === 1 ? oneDigit : twoDigits).format(value);
}

// Small prices keep their digits: 0.0014.
const fourDigits = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
export const precise = (value: number): string => (Math.abs(value) < 100 ? fourDigits : twoDigits).format(value);

// An amount may be text, because it may be larger than a number can be. A tiny one is not shown as nothing. `whole`: no digits after the point.
export function amount(value: number | string | undefined, whole: boolean): string {
  if (typeof value === "string") return /^\d{1,15}$/.test(value) ? number(Number(value)) : value.length > 18 ? `${value.slice(0, 16)}…` : value;
  if (!isNumber(value) || whole) return number(value);
  return value > 0 && value < 0.005 ? "< 0.01" : alwaysTwoDigits.format(value);
}

// Short from a hundred thousand on: 1.2M.
export function short(value: number | null | undefined): string {
  if (!isNumber(value)) return "–";
  if (Math.abs(value) >= 100_000) return compact.format(value);
  return (Math.abs(value) < 10 && value % 1 !== 0 ? twoDigits : Math.abs(value) < 100 ? oneDigit : whole).format(value);
}

const kUnits = ["B", "kB", "MB", "GB", "TB"] as const;

// [1.4, "MB"]: in powers of 1000.
export function bytes(value: number | null | undefined): [string, string] {
  if (!isNumber(value)) return ["–", ""];
  const step = Math.min(Math.max(Math.floor(Math.log10(Math.max(Math.abs(value), 1)) / 3), 0), kUnits.length - 1);
  const scaled = value / 1000 ** step;
  return [(scaled < 100 && step > 0 ? oneDigit : whole).format(scaled), kUnits[step]!];
}
export const bytesText = (value: number | null | undefined): string => bytes(value).join(" ");

export function span(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60 ? `${s % 60} s` : ""}`.trim();
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

// "now", "12s", "4m", "3h": for narrow columns.
export function age(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 1) return "now";
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m`;
  if (s < 86400) return `${Math.floor(s / 3600)}h`;
  return `${Math.floor(s / 86400)}d`;
}

export const clock = (seconds: number): string =>
  new Date(seconds * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const shortHash = (hash: string, side = 6): string =>
  hash.length > side * 2 + 4 ? `${hash.slice(0, side + 2)}…${hash.slice(-side + 2)}` : hash;

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

// Names of fields for people: "total_markets" -> "Total markets".
export const words = (name: string): string => capital(name.replaceAll("_", " "));

// What a server says, as a sentence: "no answer" -> "No answer."
export const sentence = (text: string | undefined): string => (text ? capital(text).replace(/[^.!?…]$/, "$&.") : "");

export function gwei(wei: number | null): string {
  if (wei === null) return "–";
  if (wei < 1e6) return `${number(wei)} wei`;
  return `${alwaysTwoDigits.format(wei / 1e9)} gwei`;
}

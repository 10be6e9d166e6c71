// The icons, drawn on a grid of 20. All are decoration: the text beside them says the same.
const kPaths = {
  network: "M3 14a7 7 0 0 1 14 0M10 14l3.5-4.5M5 17h10",
  markets: "M3 8h14l-1.2-4H4.2L3 8Zm1 0v8h12V8M8 16v-4h4v4",
  receipts: "M5 3h10v14l-2.5-1.6L10 17l-2.5-1.6L5 17V3Zm3 4h4M8 10.500h4",
  peers: "M10 4.500v5M10 9.500 5.500 13.500M10 9.500l4.500 4M10 4.500h.01M5.500 14.500h.01M14.500 14.500h.01",
  blocks: "M10 2.800 16.500 6.400v7.200L10 17.200 3.500 13.600V6.400L10 2.800Zm0 7.200 6.500-3.600M10 10v7.200M10 10 3.500 6.400",
  playground: "M4 6l4 4-4 4M10 15h6",
  server: "M3.500 4h13v5h-13V4Zm0 7h13v5h-13v-5ZM6.500 6.500h.01M6.500 13.500h.01",
  sun: "M10 6.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7ZM10 2v1.500M10 16.500V18M2 10h1.500M16.500 10H18M4.300 4.300l1.100 1.100M14.600 14.600l1.100 1.100M4.300 15.700l1.100-1.100M14.600 5.400l1.100-1.100",
  moon: "M16 11.800A6.500 6.500 0 0 1 8.200 4 6.500 6.500 0 1 0 16 11.800Z",
  system: "M3 4.500h14v9H3v-9ZM7.500 16.500h5M10 13.500v3",
  check: "M4.500 10.500 8.500 14.500 15.500 6",
  warning: "M10 3.500 17.500 16.500h-15L10 3.500ZM10 8.500v3.500M10 14.300h.01",
  cross: "M5.500 5.500l9 9M14.500 5.500l-9 9",
  out: "M10 15.500v-11M5.500 9 10 4.500 14.500 9",
  in: "M10 4.500v11M5.500 11 10 15.500 14.500 11",
  dot: "M10 9.900v.2",
  shield: "M10 2.800 16 5v4.700c0 3.600-2.500 6.300-6 7.500-3.500-1.200-6-3.900-6-7.500V5l6-2.200Z",
  compute: "M6 6h8v8H6V6ZM8 3v3M12 3v3M8 14v3M12 14v3M3 8h3M3 12h3M14 8h3M14 12h3",
  storage: "M4 5.500c0-1.400 2.700-2.500 6-2.500s6 1.100 6 2.500v9c0 1.400-2.700 2.500-6 2.500s-6-1.100-6-2.500v-9ZM4 5.500C4 6.900 6.700 8 10 8s6-1.100 6-2.500M4 10c0 1.400 2.700 2.500 6 2.500s6-1.100 6-2.500",
  energy: "M11 2.500 4.500 11.500H9.500L9 17.500l6.500-9H10.500l.5-6Z",
  ads: "M3.500 8v4h3l6 3.500v-11l-6 3.500h-3ZM15.500 8a3 3 0 0 1 0 4",
  market: "M3.500 16.500h13M5 13l3.500-4 3 2.500L16 5.500",
  empty: "M3 11.500 5.500 4h9L17 11.500V16H3v-4.500Zm0 0h4a3 3 0 0 0 6 0h4",
  key: "M7 9.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7ZM9.500 10.500 16.500 3.500M13 7l2.500 2.500",
  plug: "M7 3v4M13 3v4M5 7h10v3a5 5 0 0 1-10 0V7ZM10 15v3",
  play: "M6 4l9.500 6L6 16V4Z",
  up: "M6.500 11.500 10 8l3.500 3.500",
  down: "M6.500 8.500 10 12l3.500-3.500",
  sort: "M6.500 12.500 10 16l3.500-3.500M6.500 7.500 10 4l3.500 3.500",
} as const;

export type IconName = keyof typeof kPaths;
export const isIcon = (name: string): name is IconName => name in kPaths;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" aria-hidden="true" fill="none" stroke="currentColor" strokeWidth={name === "dot" ? 5 : 1.6} strokeLinecap="round" strokeLinejoin="round">
      <path d={kPaths[name]} />
    </svg>
  );
}

export function Mark() {
  return (
    <svg width="22" height="22" viewBox="0 0 22 22" aria-hidden="true" fill="none" stroke="currentColor" strokeWidth="2.6" strokeLinecap="round">
      <path d="M3.500 18.500v-.02M3.500 11.500a7 7 0 0 1 7 7M3.500 4.500a14 14 0 0 1 14 14" />
    </svg>
  );
}

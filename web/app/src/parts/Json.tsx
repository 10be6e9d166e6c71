// JSON with colours. Text that is not JSON is shown as it is.
import type { ReactNode } from "react";

const kToken = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const kCharactersMax = 200_000;

export function Json({ text }: { text: string }) {
  let shown = text;
  try {
    shown = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return <pre>{text}</pre>;
  }
  if (shown.length > kCharactersMax) return <pre>{`${shown.slice(0, kCharactersMax)}…`}</pre>;
  return <pre className="json">{coloured(shown)}</pre>;
}

function coloured(text: string): ReactNode[] {
  const parts: ReactNode[] = [];
  let end = 0;
  for (const match of text.matchAll(kToken)) {
    parts.push(text.slice(end, match.index));
    const kind = match[1] ? (match[2] ? "key" : "str") : "lit";
    parts.push(
      <span key={match.index} className={kind}>
        {match[1] ?? match[0]}
      </span>,
      match[2] ?? "",
    );
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}

// Asks for the key of a server with access control.
import { useState, type FormEvent } from "react";
import { hasKey, problemOfKey, useKeyFromNowOn, type Gate } from "../data/key";
import { Icon } from "./Icon";

const kTitles: Record<Gate, string> = {
  checking: "Asking the server",
  open: "Key for this server",
  closed: "This server needs a key",
  refused: "The server does not accept this key",
};

export function KeyForm({ gate, close }: { gate: Gate; close?: () => void }) {
  const [text, setText] = useState("");
  const problem = problemOfKey(text.trim());
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() && !problem) useKeyFromNowOn(text.trim());
  };
  return (
    <section className={gate === "refused" ? "face error" : "face"} data-face="key" role={gate === "refused" ? "alert" : undefined}>
      <Icon name="key" size={36} />
      <h2>{kTitles[gate]}</h2>
      <p>{gate === "refused" ? "It may be mistyped, or the token has expired." : "An API key or a token, as the operator of the server gave it to you."}</p>
      <form className="key-form" onSubmit={submit}>
        <label className="sr" htmlFor="key">
          Key or token
        </label>
        <input id="key" className="field grow" type="password" value={text} onChange={(event) => setText(event.target.value)} placeholder="Key or token"
          autoComplete="off" autoCapitalize="off" spellCheck={false} aria-invalid={problem !== ""} aria-describedby="key-problem" />
        <button type="submit" className="button primary" disabled={!text.trim() || problem !== ""}>
          Use this key
        </button>
      </form>
      <p id="key-problem" className="problem" role="status">
        {problem}
      </p>
      <p className="muted small">It stays in this tab until the tab is closed, and is never part of an address.</p>
      <div className="row">
        {hasKey() && (
          <button type="button" className="button" onClick={() => useKeyFromNowOn("")}>
            Forget the key
          </button>
        )}
        {close && (
          <button type="button" className="button quiet" onClick={close}>
            Back
          </button>
        )}
      </div>
    </section>
  );
}

// The colour to draw with: the room's palette, or any colour and a row of usual ones.
import type { WelcomeMessage } from "@fanfare/client/canvas";
import { useEffect, useRef } from "react";
import { isLight } from "./painter";

export const hexOf = (rgb: number): string => `#${rgb.toString(16).padStart(6, "0")}`;

const kUsual = [0x1b1913, 0x6a6456, 0xc9c2b0, 0xffffff, 0x7a1f1a, 0xc9302c, 0xf08a24, 0xf6d743, 0x1d7044, 0x6fd394, 0x0b7d83, 0x4fc9c4, 0x1d5fd1, 0x8db8ff, 0x7a4fb5, 0xe88fb8];

export function Colours({ welcome, colour, choose }: { welcome: WelcomeMessage; colour: number; choose: (colour: number) => void }) {
  const hasPalette = welcome.palette.length > 0;
  const shown = hasPalette ? welcome.palette.map((rgb, index) => ({ rgb, value: index })) : kUsual.map((rgb) => ({ rgb, value: rgb }));
  return (
    <section className="card colours" aria-label="Colour">
      <div className="card-head">
        <h2>Colour</h2>
        <span className="mono muted">{hexOf(hasPalette ? (welcome.palette[colour] ?? 0) : colour)}</span>
      </div>
      <div className="palette" role="group" aria-label={hasPalette ? "Palette" : "Usual colours"}>
        {shown.map(({ rgb, value }) => (
          <Swatch key={value} rgb={rgb} isChosen={value === colour} choose={() => choose(value)} />
        ))}
      </div>
      {!hasPalette && (
        <label className="any-colour">
          <input type="color" value={hexOf(colour)} onChange={(event) => choose(parseInt(event.target.value.slice(1), 16))} />
          Any colour
        </label>
      )}
    </section>
  );
}

function Swatch({ rgb, isChosen, choose }: { rgb: number; isChosen: boolean; choose: () => void }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    button.current!.style.background = hexOf(rgb);
  }, [rgb]);
  return <button type="button" ref={button} className={isLight(rgb) ? "light" : "dark"} aria-label={hexOf(rgb)} title={hexOf(rgb)} aria-pressed={isChosen} onClick={choose} />;
}

// The whole canvas in small, and what part of it is on the stage. A press or drag goes there; the keyboard moves on the stage itself.
import { useEffect, useRef, type PointerEvent } from "react";
import type { Stage } from "./stage";

const kWidth = 220;
const kHeightMax = 220;
const kEveryMs = 250;

export function MiniMap({ stage }: { stage: Stage }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height } = stage.room.client.welcome!;
  const scale = Math.min(kWidth / width, kHeightMax / height);
  const size = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };

  useEffect(() => {
    const context = canvas.current!.getContext("2d")!;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const draw = () => {
      timer = undefined;
      stage.painter.drawSmall(context, size.width, size.height);
    };
    stage.painter.onFrame = () => {
      timer ??= setTimeout(draw, kEveryMs);
    };
    draw();
    return () => {
      clearTimeout(timer);
      stage.painter.onFrame = () => undefined;
    };
  }, [stage, size.width, size.height]);

  const go = (event: PointerEvent<HTMLCanvasElement>) => {
    if (event.buttons === 0) return;
    const at = event.currentTarget.getBoundingClientRect();
    stage.goTo({ x: ((event.clientX - at.left) / at.width) * width, y: ((event.clientY - at.top) / at.height) * height });
  };
  return <canvas ref={canvas} className="minimap" width={size.width} height={size.height} aria-hidden="true" onPointerDown={go} onPointerMove={go} />;
}

// Draws a line in the room `work` of pixels, over the binary protocol, with a proof of work for each message:
//   node draw.mjs ws://127.0.0.1:9001                                          with npm's @fanfare/client and ws installed
import { createHash } from "node:crypto";

const BITS = 12; // until the room has said another number

function zeroBits(digest) {
  const first = digest.findIndex((byte) => byte !== 0);
  return first < 0 ? digest.length * 8 : first * 8 + Math.clz32(digest[first]) - 24;
}

/** The smallest number for which the SHA-256 of "USER N X,Y,COLOUR ..." begins with so many zero bits. */
export function work(userId, pixels, bits) {
  const places = pixels.map(({ x, y, colour }) => ` ${x},${y},${colour}`).join("");
  for (let n = 0; ; n++) {
    if (zeroBits(createHash("sha256").update(`${userId} ${n}${places}`).digest()) >= bits) return n;
  }
}

/** The option `proof` of a CanvasClient. `client()` is that client, which does not exist yet. */
export const proofOfWork = (client) => (pixels, wanted) => work(client().welcome.userId, pixels, Number(/with (\d+) zero bits/.exec(wanted ?? "")?.[1] ?? BITS));

if (process.argv[1]?.endsWith("draw.mjs")) {
  const [{ CanvasClient }, { WebSocket }] = await Promise.all([import("@fanfare/client/canvas"), import("ws")]);
  const canvas = new CanvasClient({ url: `${process.argv[2] ?? "ws://127.0.0.1:9001"}/canvas/work`, WebSocket, proof: proofOfWork(() => canvas) });
  canvas.listen({
    accepted: (pixels) => {
      console.log(`${pixels.length} pixels are drawn`);
      canvas.close();
    },
    refused: ({ status }) => console.error(`refused: ${status}`),
    error: ({ message }) => console.error(message),
    changed: () => {
      if (isDrawn || !canvas.proof.isVerified) return;
      isDrawn = true;
      canvas.draw(Array.from({ length: 50 }, (_, i) => ({ x: 20 + i, y: 20, colour: 0xff0000 })));
    },
  });
  let isDrawn = false;
  canvas.connect();
}

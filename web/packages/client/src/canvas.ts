// @fanfare/client/canvas: the shared canvas of a Fanfare server.
export { CanvasClient, CURSOR_EVERY_MS, WATCHED_AT_FIRST_MAX, type CanvasArea, type CanvasListener, type CanvasOptions, type CanvasProof } from "./canvas_client.js";
export { ChunkHash } from "./canvas_hash.js";
export { inflate, inflateHere, type Inflate } from "./canvas_inflate.js";
export { type RefusedPixels } from "./canvas_own.js";
export { CanvasError, type UndoAnswer } from "./canvas_requests.js";
export { CanvasStore, type CanvasChunk, type RoomShape, type StoreEvents } from "./canvas_store.js";
export {
  CANVAS_PROTOCOL, CANVAS_STATUS, CHUNK, CanvasFormatError, PIXELS_MAX, decodeCanvasMessage, encodeCursor, encodeFetch, encodePixels, encodeUndo, encodeWatch,
  type AckMessage, type CanvasHash, type CanvasMessage, type CanvasPixel, type CanvasStatus, type CanvasUser, type ChunkArea, type ChunkHave, type ChunkMessage, type Colour, type CurrentMessage,
  type CursorsMessage, type ErrorMessage, type PresenceMessage, type TickMessage, type TickSection, type WelcomeMessage,
} from "./canvas_wire.js";
export { type ConnectionState, ConnectionError } from "./types.js";

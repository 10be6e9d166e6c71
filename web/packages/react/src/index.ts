// @fanfare/react: hooks for the streams of a Fanfare server.
export {
  FanfareProvider, useDataStream, useStream, useWebSocket,
  type DataStream, type FanfareProviderProps, type UseStreamOptions, type UseWebSocket, type UseWebSocketOptions,
} from "./hooks.js";
export { type Mark, type StreamCallbacks, type StreamState } from "./stream_store.js";

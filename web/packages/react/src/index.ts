// @fanfare/react: hooks for the streams of a Fanfare server.
export type { Json } from "@fanfare/client";

// @fanfare/client: streams and subscriptions of a Fanfare server.
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

// @fanfare/client: streams and subscriptions of a Fanfare server.
export { type BackoffOptions, type ReconnectHint } from "./backoff.js";
export { Connection, type ConnectionEvents, type ConnectionOptions, type HeartbeatOptions, type SocketConstructor, type SocketLike } from "./connection.js";
export type { Attempt, TokenPlace } from "./token_place.js";
export { checksum, mergePatch } from "./merge.js";
export { StreamClient, type StreamClientOptions } from "./stream_client.js";
export { type Token, type TokenProvider, type TokenReason } from "./token.js";
export {
  ConnectionError, StreamError, type ConnectionState, type Gap, type Json, type Missing, type Pause, type Position, type SourceStatus, type StreamDetails, type StreamEvent, type StreamListener, type StreamMap,
  type StreamMessage, type StreamSource, type Subscribed, type SubscribeOptions, type Unsubscribe, type Welcome,
} from "./types.js";
export { SharedStreamClient, type SharedStreamClientOptions, type Sharing } from "./shared_stream_client.js";
export { type HubOptions } from "./tab_messages.js";
export { EthClient, RpcError, type EthClientOptions } from "./eth_client.js";
export { RpcClient, type RpcClientOptions, type RpcListener, type RpcMissed, type RpcPosition, type RpcSubscribeOptions } from "./rpc_client.js";
export { EthSubscription, type EthListener, type EthMissed, type EthSubscribeOptions, type EthType } from "./eth_subscription.js";
export { type NodeStreams, type NetworkMetrics, type MarketsHealth, type Market, type Receipt, type Receipts, type Peer, type Peers } from "./node_streams.js";
export { acquireClient, type AcquireOptions } from "./clients.js";

#pragma once
// What things cost, for `fanfare size`: each number with the bench result that it is from, or the reason for it. docs/scaling.md says which are
// measured. Bytes and microseconds of processor time on the machine of the result.

namespace fanfare::app::costs {

// bench/results/RESULT: a connection that does nothing, and its handshake.
struct Connection {
  double ours_bytes;
  double kernel_bytes;  // objects of the kernel
  double handshake_us;
  double ping_us;  // a ping and its pong
};
inline constexpr Connection kPlain{.ours_bytes = 1, .kernel_bytes = 1, .handshake_us = 1, .ping_us = 1};
inline constexpr Connection kTls{.ours_bytes = 1, .kernel_bytes = 1, .handshake_us = 1, .ping_us = 1};

// The same result: an event for one of 5,000 subscribers, small and large.
struct Delivery {
  double wire_bytes;    // the frame, compressed or not, without TLS and TCP
  double us;
  double buffer_bytes;  // the kernel's buffers at most, while an event goes to all
};
struct DeliveryWay {
  Delivery small;
  Delivery large;
};
inline constexpr double kSmallEventBytes = 1;  // of the message before compression
inline constexpr double kLargeEventBytes = 2;
inline constexpr DeliveryWay kDelivery{};
inline constexpr DeliveryWay kDeliveryTls{};
inline constexpr DeliveryWay kDeliveryDeflate{};
inline constexpr DeliveryWay kDeliveryTlsDeflate{};

// The same result.
inline constexpr double kSubscriptionBytes = 1;  // one more of a connection
inline constexpr double kInstanceBytes = 1;      // before anybody connects
inline constexpr double kChainBlockUs = 1;       // a block of a chain with a log subscriber

// The same result: an event of a relayed topic.
inline constexpr double kRelayReceiveUs = 1;      // of an instance that reads it
inline constexpr double kBrokerEventUs = 1;       // of the broker, to store it
inline constexpr double kBrokerCopyUs = 1;        // and for each instance that reads it
inline constexpr double kBrokerInBytes = 1;       // beside the event itself
inline constexpr double kBrokerCopyBytes = 1;     // beside the event itself, for each instance

// bench/results/2026-11-28-2f0a66be-forward.md: 64 connections, different calls, the builtin client, anvil.
inline constexpr double kForwardedCallUs = 44.6;

// Defaults of docs/configuration.md that use memory or calls.
inline constexpr double kAnswerCacheBytes = 64.0 * (1 << 20);  // of a chain, at most
inline constexpr double kHistoryEvents = 300;                  // of a relayed stream, in memory
inline constexpr double kHistoryBytes = 4.0 * (1 << 20);       // at most
inline constexpr double kPingIntervalS = 30;
inline constexpr double kPollsPerBlock = 4;  // within the next two
inline constexpr double kPollIntervalMinS = 0.2;
inline constexpr double kPollIntervalMaxS = 2;
inline constexpr double kDescriptorsReserved = 96;  // 64 for the server, 32 for the operator (docs/defence.md)

// Bytes on the wire, computed: RFC6455§5.2, RFC8446§5.2, RFC8200/9293 with timestamps, Ethernet with preamble and gap.
inline constexpr double kTlsRecordBytes = 22;
inline constexpr double kPacketBytes = 90;
inline constexpr double kSegmentBytes = 1428;

// Choices: how much of a resource the plan uses when the spare instances are lost.
inline constexpr double kCpuShare = 0.6;
inline constexpr double kMemoryShare = 0.7;      // server.memory refuses connections from 0.8 on, until it is below 0.75
inline constexpr double kNetworkShare = 0.7;
inline constexpr double kReconnectShare = 0.3;   // of the processors, for handshakes, beside kCpuShare
// A proxy's address has so many ports to one address and port, with net.ipv4.ip_local_port_range = 1024 65535.
inline constexpr double kPortsPerAddress = 64'512;
// Brokers of a cluster, each with a copy of every topic. Its makers advise at most 2,000 replicated streams (github.com/nats-io/nats-server/issues/8350).
inline constexpr double kBrokers = 3;
inline constexpr double kBrokerTopicsMax = 2'000;

}  // namespace fanfare::app::costs

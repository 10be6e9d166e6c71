#pragma once
// What things cost, for `fanfare size`: each number with the bench result that it is from, or the reason for it. docs/scaling.md says which are
// measured. Bytes and microseconds of processor time on the machine of the result.

namespace fanfare::app::costs {

// bench/results/2026-11-28-da3d087b-costs.md: a connection that does nothing, and its handshake.
struct Connection {
  double ours_bytes;
  double kernel_bytes;  // objects of the kernel, and its buffers
  double handshake_us;
  double ping_us;  // a ping and its pong
};
inline constexpr Connection kPlain{
    .ours_bytes = 409, .kernel_bytes = 4'132, .handshake_us = 50.0, .ping_us = 14.2};
inline constexpr Connection kTls{
    .ours_bytes = 14'367, .kernel_bytes = 3'949, .handshake_us = 783.4, .ping_us = 23.8};

// The same result: an event for one of 5,000 subscribers, small and large, ten times a second.
struct Delivery {
  double wire_bytes;  // the frame, compressed or not, without TLS and TCP
  double us;
  double ours_bytes;    // of a connection, while events come
  double buffer_bytes;  // the kernel's buffers at most, while an event goes to all
};
struct DeliveryWay {
  Delivery small;
  Delivery large;
};
inline constexpr double kSmallEventBytes = 217;  // of the message before compression
inline constexpr double kLargeEventBytes = 2'202;
inline constexpr DeliveryWay kDelivery{
    .small = {.wire_bytes = 221, .us = 7.91, .ours_bytes = 918, .buffer_bytes = 3'673},
    .large = {.wire_bytes = 2'206, .us = 7.83, .ours_bytes = 985, .buffer_bytes = 2'936}};
inline constexpr DeliveryWay kDeliveryTls{
    .small = {.wire_bytes = 221, .us = 14.58, .ours_bytes = 15'544, .buffer_bytes = 3'967},
    .large = {.wire_bytes = 2'206, .us = 18.38, .ours_bytes = 16'810, .buffer_bytes = 5'332}};
inline constexpr DeliveryWay kDeliveryDeflate{
    .small = {.wire_bytes = 162, .us = 7.85, .ours_bytes = 1'105, .buffer_bytes = 3'146},
    .large = {.wire_bytes = 1'088, .us = 10.10, .ours_bytes = 1'194, .buffer_bytes = 4'818}};
inline constexpr DeliveryWay kDeliveryTlsDeflate{
    .small = {.wire_bytes = 163, .us = 14.75, .ours_bytes = 15'662, .buffer_bytes = 3'967},
    .large = {.wire_bytes = 1'267, .us = 17.54, .ours_bytes = 18'310, .buffer_bytes = 8'318}};
// A head, once a second, took 12.81 us instead of 7.83: caches are cold. Between the two rates a straight line.
inline constexpr double kRareEventUs = 4.98;
inline constexpr double kRareEventsPerSecond = 1;
inline constexpr double kFrequentEventsPerSecond = 10;

// The same result.
inline constexpr double kSubscriptionBytes = 69;            // one more of a connection
inline constexpr double kInstanceBytes = 29.5 * (1 << 20);  // before anybody connects
// bench/results/2026-11-28-da3d087b-costs-chains.md, from its rows for blocks of 1 and 12 s: what each second and what each block takes, with a
// subscriber of heads and one of logs.
inline constexpr double kIdleShare = 0.0038;
inline constexpr double kChainBlockUs = 2'500;

// bench/results/2026-11-28-da3d087b-costs-broker.md: an event of a relayed topic, about 400 a second. At higher rates several go at once, and cost less.
inline constexpr double kRelayReceiveUs = 110;   // of an instance that reads it
inline constexpr double kBrokerEventUs = 155;    // of the broker, to store it
inline constexpr double kBrokerCopyUs = 48;      // and for each instance that reads it
inline constexpr double kBrokerInBytes = 120;    // beside the event itself
inline constexpr double kBrokerCopyBytes = 157;  // beside the event itself, for each instance

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
inline constexpr double kDescriptorsReserved =
    96;  // 64 for the server, 32 for the operator (docs/defence.md)

// Bytes on the wire, computed: RFC6455§5.2, RFC8446§5.2, RFC8200/9293 with timestamps, Ethernet with preamble and gap.
inline constexpr double kTlsRecordBytes = 22;
inline constexpr double kPacketBytes = 90;
inline constexpr double kSegmentBytes = 1428;

// Choices: how much of a resource the plan uses when the spare instances are lost.
inline constexpr double kCpuShare = 0.6;
inline constexpr double kMemoryShare =
    0.7;  // server.memory refuses connections from 0.8 on, until it is below 0.75
inline constexpr double kNetworkShare = 0.7;
inline constexpr double kReconnectShare = 0.3;  // of the processors, for handshakes, beside kCpuShare
// A proxy's address has so many ports to one address and port, with net.ipv4.ip_local_port_range = 1024 65535.
inline constexpr double kPortsPerAddress = 64'512;
// Brokers of a cluster, each with a copy of every topic. Its makers advise at most 2,000 replicated streams (github.com/nats-io/nats-server/issues/8350).
inline constexpr double kBrokers = 3;
inline constexpr double kBrokerTopicsMax = 2'000;

}  // namespace fanfare::app::costs

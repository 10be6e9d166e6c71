#pragma once
// The loads of `fanfare bench`: echoes and broadcasts, sent as fast as they come back or at a steady rate,
// and notifications that are only counted.

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "bench_dial.h"
#include "bench_histogram.h"
#include "net/loop.h"

namespace fanfare::app {

struct BenchProgress {
  Duration elapsed{};
  std::uint64_t messages = 0;  // so far
  const Histogram& latency;
};

struct BenchResult {
  std::string_view loop;  // static: what the load was sent over
  Duration elapsed{};
  Duration cpu{};                // of this process while it loaded
  std::uint64_t messages = 0;    // echoes, deliveries of broadcasts or notifications received
  std::uint64_t broadcasts = 0;  // that everyone has got
  std::uint64_t bytes = 0;       // received, frames whole
  std::uint64_t unanswered = 0;  // due but not come back a second after the end
  std::uint64_t lost = 0;        // connections that ended
  std::uint64_t wrong = 0;       // connections that got something else than the echo; refused subscriptions
  // Echo, broadcast: from the moment a message was sent, or at a rate: was due, to the whole answer or
  // delivery. Subscribe: how much later than at the first connection the same notification came.
  Histogram latency;
  Histogram to_all;  // broadcast: to the last of its deliveries
};

using ShowProgress = std::function<void(const BenchProgress&)>;

struct EchoLoad {
  std::size_t in_flight = 1;  // of one connection; without a rate
  std::size_t size = 20;      // of the payload
  double rate = 0;            // messages a second over all connections; 0: as fast as they come back
  Duration duration{};
  bool raw = false;
  net::LoopKind loop = net::LoopKind::automatic;
};
// The connections are compressed all in the same way, or not at all. The error: the machine cannot do it.
std::expected<BenchResult, std::string> run_echo_load(std::vector<Dialed>& connections, const EchoLoad& load,
                                                      const ShowProgress& progress);

// The last connection sends; every other one has to get each message as it was sent. Whether the sender gets
// it, too, does not matter. The load's in_flight and rate are those of the sender.
std::expected<BenchResult, std::string> run_broadcast_load(std::vector<Dialed>& connections,
                                                           const EchoLoad& load,
                                                           const ShowProgress& progress);

struct SubscribeLoad {
  std::string request;  // sent once on every connection; its answer comes before any notification
  Duration duration{};  // from the moment everyone is answered
  net::LoopKind loop = net::LoopKind::automatic;
};
std::expected<BenchResult, std::string> run_subscribe_load(std::vector<Dialed>& connections,
                                                           const SubscribeLoad& load,
                                                           const ShowProgress& progress);

}  // namespace fanfare::app

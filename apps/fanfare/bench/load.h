#pragma once
// The loads of `fanfare bench`: echoes and broadcasts, sent as fast as they return or at a steady rate,
// notifications that are only counted, and connections that are opened and closed all the time.

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "bench/dial.h"
#include "bench/histogram.h"
#include "net/loop.h"

namespace fanfare::app {

struct BenchProgress {
  Duration elapsed{};
  std::uint64_t messages = 0;  // so far
  const Histogram& latency;
  std::string_view unit = "messages";  // static: what `messages` counts
};

struct BenchResult {
  std::string_view unit = "messages";  // static: what `messages` counts
  std::string_view loop;               // static: the event loop used
  Duration elapsed{};
  Duration cpu{};              // of this process during the load
  std::uint64_t messages = 0;  // echoes, deliveries of broadcasts or notifications received; whole handshakes
  std::uint64_t broadcasts = 0;  // received by all connections
  std::uint64_t bytes = 0;       // received, whole frames
  std::uint64_t unanswered = 0;  // due, but not returned one second after the end
  std::uint64_t lost = 0;        // connections that ended
  std::uint64_t wrong = 0;       // connections with a wrong answer; refused subscriptions
  // Echo, broadcast: from sending a message (with a rate: from its due time) to the whole answer or delivery.
  // Subscribe: the delay of a notification after its arrival at the first connection. Connect: from connect() to the
  // answer to the upgrade.
  Histogram latency;
  Histogram to_all;  // broadcast: time to the last delivery
};

using ShowProgress = std::function<void(const BenchProgress&)>;

struct EchoLoad {
  std::size_t in_flight = 1;  // per connection; without a rate
  std::size_t size = 20;      // of the payload
  double rate = 0;            // messages per second over all connections; 0: as fast as they return
  Duration duration{};
  bool raw = false;
  net::LoopKind loop = net::LoopKind::automatic;
};
// All connections use the same compression, or none. The error means that the machine cannot run the load.
std::expected<BenchResult, std::string> run_echo_load(std::vector<Dialed>& connections, const EchoLoad& load,
                                                      const ShowProgress& progress);

// The last connection sends, and every other one must receive each message unchanged. The sender may receive
// it, too. The load's in_flight and rate apply to the sender.
std::expected<BenchResult, std::string> run_broadcast_load(std::vector<Dialed>& connections,
                                                           const EchoLoad& load,
                                                           const ShowProgress& progress);

struct SubscribeLoad {
  std::string request;  // sent once on every connection; its answer precedes all notifications
  Duration duration{};  // from the moment all requests are answered
  net::LoopKind loop = net::LoopKind::automatic;
};
std::expected<BenchResult, std::string> run_subscribe_load(std::vector<Dialed>& connections,
                                                           const SubscribeLoad& load,
                                                           const ShowProgress& progress);

struct ConnectLoad {
  std::size_t at_once = 1;  // connections
  Duration duration{};
};
// Connects, upgrades, sends Close, waits for the server's Close and for its end of the stream, and begins again. Counts
// connections that went all this way. `lost` counts the others, and ends the load at 1,000. Anything but a Close frame after
// the upgrade is a wrong answer. The error: no connection came through, and why the first one failed.
std::expected<BenchResult, std::string> run_connect_load(const http::Url& url, const DialOptions& options,
                                                         const ConnectLoad& load,
                                                         const ShowProgress& progress);

}  // namespace fanfare::app

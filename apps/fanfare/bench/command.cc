#include "bench/command.h"

#include <sys/resource.h>

#include <expected>
#include <vector>

#include "base/time.h"
#include "bench/dial.h"
#include "bench/load.h"
#include "bench/report.h"
#include "duration_flag.h"
#include "http/url.h"

namespace fanfare::app {
namespace {

constexpr int kStatusFailed = 1;
constexpr int kStatusUsage = 2;

// The parsed flags.
struct Plan {
  http::Url url;
  Duration duration{};
  Duration ramp{};
  DialOptions dial;
};

std::expected<DialOptions, std::string> dial_options(const http::Url& url, const BenchArguments& arguments) {
  DialOptions options{.raw = arguments.raw, .tls = nullptr};
  if (url.is_tls()) {
    auto context = net::TlsContext::client({.verify = !arguments.insecure, .ca_file = arguments.ca_file});
    if (!context) return std::unexpected(context.error());
    options.tls = std::move(*context);
  } else if (arguments.insecure || !arguments.ca_file.empty()) {
    return std::unexpected("--insecure and --ca-file are for wss://");
  }
  if (arguments.deflate.empty()) return options;
  const bool forget = arguments.deflate == "no-takeover";
  options.deflate = {.server_no_context_takeover = forget,
                     .client_no_context_takeover = forget,
                     .server_max_window_bits = ws::kWindowBitsMax,
                     .client_max_window_bits = ws::kWindowBitsMax};
  return options;
}

net::LoopKind loop_of(const BenchArguments& arguments) {
  if (arguments.loop == "uring") return net::LoopKind::uring;
  if (arguments.loop == "epoll") return net::LoopKind::epoll;
  return net::LoopKind::automatic;
}

// The error for conflicting flags; empty: none.
std::string_view contradiction(const BenchArguments& arguments) {
  const bool subscribes = !arguments.subscribe.empty();
  if (subscribes && (arguments.raw || arguments.rate > 0))
    return "--subscribe only counts: no --rate, no --raw";
  if (subscribes && arguments.broadcast) return "--subscribe or --broadcast, not both";
  if (arguments.raw && !arguments.deflate.empty()) return "--raw has no compression";
  if (!arguments.handshakes) return {};
  if (subscribes || arguments.broadcast || arguments.raw || arguments.rate > 0)
    return "--handshakes sends no messages: no --raw, --rate, --broadcast or --subscribe";
  if (arguments.loop == "uring") return "--handshakes uses epoll";
  return {};
}

std::expected<Plan, std::string> plan_of_bench(const BenchArguments& arguments) {
  Plan plan;
  auto url = http::parse_url(arguments.url, "ws or wss");
  if (!url) return std::unexpected(url.error());
  plan.url = std::move(*url);
  if (plan.url.scheme != http::Scheme::ws && plan.url.scheme != http::Scheme::wss) {
    return std::unexpected("invalid URL \"" + plan.url.text() + "\": expected ws or wss");
  }
  const auto duration = parse_duration_flag("--duration", arguments.duration);
  if (!duration) return std::unexpected(duration.error());
  const auto ramp = parse_duration_flag("--ramp", arguments.ramp);
  if (!ramp) return std::unexpected(ramp.error());
  if (*duration <= Duration::zero()) return std::unexpected("--duration must be longer than nothing");
  if (const auto wrong = contradiction(arguments); !wrong.empty()) return std::unexpected(std::string(wrong));
  auto dial = dial_options(plan.url, arguments);
  if (!dial) return std::unexpected(dial.error());
  plan.dial = std::move(*dial);
  plan.duration = *duration;
  plan.ramp = *ramp;
  return plan;
}

// Raises the descriptor limit to the maximum for this process.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::expected<BenchResult, std::string> run_load(std::vector<Dialed>& connections, const Plan& plan,
                                                 const BenchArguments& arguments,
                                                 const ShowProgress& progress) {
  if (!arguments.subscribe.empty()) {
    return run_subscribe_load(
        connections, {.request = arguments.subscribe, .duration = plan.duration, .loop = loop_of(arguments)},
        progress);
  }
  const EchoLoad load{.in_flight = arguments.in_flight,
                      .size = arguments.size,
                      .rate = arguments.rate,
                      .duration = plan.duration,
                      .raw = arguments.raw,
                      .loop = loop_of(arguments)};
  return arguments.broadcast ? run_broadcast_load(connections, load, progress)
                             : run_echo_load(connections, load, progress);
}

// Prints a line of progress every second.
ShowProgress show_progress(const BenchArguments& arguments, std::ostream& notes) {
  if (arguments.quiet) return [](const BenchProgress&) {};
  return [&notes, elapsed_before = Duration{},
          messages_before = std::uint64_t{0}](const BenchProgress& now) mutable {
    static const Histogram nothing;
    notes << bench_progress(now, {.elapsed = elapsed_before, .messages = messages_before, .latency = nothing})
          << std::flush;
    elapsed_before = now.elapsed;
    messages_before = now.messages;
  };
}

std::expected<BenchResult, std::string> run_handshakes(const Plan& plan, const BenchArguments& arguments,
                                                       std::ostream& notes) {
  if (!arguments.quiet) {
    notes << "connections are opened and closed, " << arguments.connections << " at a time\n" << std::flush;
  }
  return run_connect_load(plan.url, plan.dial, {.at_once = arguments.connections, .duration = plan.duration},
                          show_progress(arguments, notes));
}

// Returns the exit status.
int tell(const std::expected<BenchResult, std::string>& result, const BenchArguments& arguments,
         std::ostream& out, std::ostream& notes) {
  if (!result) {
    notes << "fanfare bench: " << result.error() << "\n";
    return kStatusFailed;
  }
  out << (arguments.json ? bench_json(*result, arguments.connections) : bench_text(*result)) << std::flush;
  return result->lost + result->wrong == 0 ? 0 : kStatusFailed;
}

}  // namespace

int run_bench(const BenchArguments& arguments, std::ostream& out, std::ostream& notes) {
  const auto plan = plan_of_bench(arguments);
  if (!plan) {
    notes << "fanfare bench: " << plan.error() << "\n";
    return kStatusUsage;
  }
  raise_descriptor_limit();
  if (arguments.handshakes) return tell(run_handshakes(*plan, arguments, notes), arguments, out, notes);
  const DialCrowd crowd{.count = arguments.connections + (arguments.broadcast ? 1 : 0), .ramp = plan->ramp};
  auto connections = dial_all(plan->url, plan->dial, crowd, [&](std::size_t made) {
    if (!arguments.quiet) notes << made << " of " << crowd.count << " connections\n" << std::flush;
  });
  if (!connections) {
    notes << "fanfare bench: " << connections.error() << "\n";
    return kStatusFailed;
  }
  if (!arguments.quiet) notes << connections->size() << " connections are open\n" << std::flush;
  // Printed before the connections are closed: a caller that measures the server's CPU time needs the end of
  // the load.
  return tell(run_load(*connections, *plan, arguments, show_progress(arguments, notes)), arguments, out,
              notes);
}

}  // namespace fanfare::app

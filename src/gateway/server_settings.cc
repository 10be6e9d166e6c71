#include "gateway/server_settings.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "gateway/defend/system_limits.h"
#include "gateway/descriptor_limit.h"
#include "gateway/networks.h"

namespace fanfare::gateway {
namespace {

// A client with more unsent bytes than this is behind: it gets no further answers until it has read them.
constexpr std::size_t kOutboxBytesHigh = std::size_t{1} << 20;

// The rate below which a message that has come in part is not waited for.
constexpr std::uint32_t kMessageBytesPerSecond = 1024;

// The parts of the memory ceiling that these limits may have at most, for processes with little memory.
constexpr std::uint32_t kHeldPercent = 40;
constexpr std::uint32_t kUnfinishedPercent = 20;
constexpr std::uint32_t kOutboxPercent = 20;  // of one connection

std::size_t process_budget(const ServePlan& plan) {
  const AnswerPlan& answers = plan.answers;
  return has_several_projects(plan) ? answers.held_bytes_max
                                    : std::min(answers.held_bytes_max, answers.held_bytes_per_project_max);
}

}  // namespace

session::SessionSettings session_settings(const WebSocketSettings& plan, const Defence& defence) {
  session::SessionSettings settings;
  settings.limits.message_bytes_max = plan.message_bytes_max;
  settings.ping_interval = plan.ping_interval;
  settings.pong_timeout = plan.pong_timeout;
  settings.outbox_bytes_max = defence.at_most(plan.outbox_bytes_max, kOutboxPercent);
  settings.outbox_bytes_high = std::min(kOutboxBytesHigh, settings.outbox_bytes_max / 4);
  settings.limits.fragments_max = plan.fragments_max;
  settings.frames_per_turn_max = plan.frames_per_turn_max;
  settings.bytes_per_turn_max = plan.bytes_per_turn_max;
  settings.idle_timeout = plan.idle_timeout;
  settings.message_timeout = plan.message_timeout;
  if (plan.message_timeout > Duration::zero()) settings.message_bytes_per_second_min = kMessageBytesPerSecond;
  return settings;
}

session::HttpSettings http_settings(const ServePlan& plan) {
  session::HttpSettings settings;
  settings.body_bytes_max = plan.http.body_bytes_max;
  settings.head_bytes_max = plan.http.head_bytes_max;
  settings.header_count_max = plan.http.header_count_max;
  settings.handshake_timeout = plan.http.handshake_timeout;
  // One deadline for the start of a connection: TLS has no shorter one of its own.
  settings.tls_timeout = plan.http.handshake_timeout;
  return settings;
}

session::AcceptLimits accept_limits(const ServePlan& plan) {
  session::AcceptLimits limits;
  limits.connections_max =
      clients_max(plan.accept.connections_max, descriptor_limit(), needs_of(plan).upstream_connections);
  limits.per_address.connections_max = plan.accept.connections_per_address_max;
  limits.per_address.connections_per_second = plan.accept.connections_per_second_per_address;
  limits.per_address.exempts_loopback = !plan.accept.limits_loopback;
  return limits;
}

// A quarter of the shortest of them.
Duration sweep_interval(const ServePlan& plan) {
  const WebSocketSettings& websocket = plan.websocket;
  Duration shortest = std::min<Duration>(
      {session::SessionSettings{}.close_timeout, websocket.pong_timeout, plan.http.handshake_timeout});
  for (const Duration optional :
       {websocket.ping_interval, websocket.idle_timeout, websocket.message_timeout}) {
    if (optional > Duration::zero()) shortest = std::min(shortest, optional);
  }
  return std::clamp<Duration>(shortest / 4, std::chrono::milliseconds(10), std::chrono::seconds(1));
}

bool keeps_facts(const ServePlan& plan) {
  return plan.admin.has_value() || plan.observe.is_on();
}

session::ServerOptions server_options(const ServePlan& plan, ByteBudget& unfinished) {
  session::ServerOptions options;
  options.loops = plan.loops;
  options.loop.kind = plan.loop_kind;
  options.loop.busy_poll = std::chrono::microseconds(plan.busy_poll_us);
  options.loop.receive_buffer_bytes =
      std::max(plan.websocket.read_buffer_bytes, options.loop.receive_buffer_bytes);
  options.loop_server.http = http_settings(plan);
  options.accept = accept_limits(plan);
  // The configured limit applies to all loops together; a single loop has none.
  options.loop_server.connections_max = std::numeric_limits<std::size_t>::max();
  options.loop_server.unfinished_input = &unfinished;
  options.loop_server.keeps_facts = keeps_facts(plan);
  options.loop_server.sweep_interval = sweep_interval(plan);
  return options;
}

RpcLimits rpc_limits(const ServePlan& plan) {
  return {.calls = {.batch_items_max = plan.answers.batch_items_max,
                    .batch_answer_bytes_max = plan.answers.batch_answer_bytes_max,
                    .held_bytes_per_connection_max = plan.answers.held_bytes_per_connection_max,
                    .notifications_behind_max = plan.websocket.notifications_behind_max,
                    .slow_timeout = plan.websocket.slow_timeout},
          .events = {.subscriptions_per_connection_max =
                         static_cast<std::uint32_t>(plan.websocket.subscriptions_per_connection_max)}};
}

std::size_t held_bytes_max(const ServePlan& plan, const Defence& defence) {
  return defence.at_most(process_budget(plan), kHeldPercent);
}

std::size_t unfinished_bytes_max(const ServePlan& plan, const Defence& defence) {
  return defence.at_most(plan.answers.unfinished_bytes_max, kUnfinishedPercent);
}

}  // namespace fanfare::gateway

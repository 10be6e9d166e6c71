// Whether another connection to the broker would be better than the one there is.

#include <nats/nats.h>

#include <set>
#include <utility>
#include <vector>

#include "base/text.h"
#include "relay/nats_parts.h"

namespace fanfare::relay {
namespace {

using OptionsHandle = Handle<natsOptions, natsOptions_Destroy>;
using ConnectionHandle = Handle<natsConnection, natsConnection_Destroy>;
using SubscriptionHandle = Handle<natsSubscription, natsSubscription_Destroy>;

void on_look_error(natsConnection* /*connection*/, natsSubscription* /*subscription*/, natsStatus status,
                   void* gate) {
  if (status != NATS_NOT_PERMITTED) return;
  static_cast<Gate*>(gate)->look_report.add(
      refused_subscription({.kind = LinkProblem::Kind::not_permitted, .words = words_for(status)}));
}

void on_look_closed(natsConnection* /*connection*/, void* gate) {
  static_cast<Gate*>(gate)->look_report.end();
}

// Null: the broker does not answer. LookReport::end() follows when it is closed, but not if there was none.
ConnectionHandle connect_for_a_look(const NatsOptions& options, Gate* gate) {
  natsOptions* raw_options = nullptr;
  if (natsOptions_Create(&raw_options) != NATS_OK) return nullptr;
  const OptionsHandle handle(raw_options);
  if (!set_options(raw_options, options)) return nullptr;
  natsOptions_SetAllowReconnect(raw_options, false);
  natsOptions_SetErrorHandler(raw_options, on_look_error, gate);
  natsOptions_SetClosedCB(raw_options, on_look_closed, gate);
  natsConnection* connection = nullptr;
  if (natsConnection_Connect(&connection, raw_options) != NATS_OK) return nullptr;
  return ConnectionHandle(connection);
}

// What another connection to the broker would have.
struct Other {
  std::set<std::string> refused;
  int64_t payload_bytes_max = 0;
};

// Empty: the broker does not answer.
std::optional<Other> look_at(const NatsOptions& options, Gate* gate, const std::set<std::string>& subjects) {
  if (!gate->look_report.begin()) return std::nullopt;
  const ConnectionHandle connection = connect_for_a_look(options, gate);
  if (connection == nullptr) {
    gate->look_report.end();
    return std::nullopt;
  }
  std::vector<SubscriptionHandle> subscriptions;
  natsStatus status = NATS_OK;
  for (const std::string& subject : subjects) {
    natsSubscription* made = nullptr;
    if (status == NATS_OK) status = natsConnection_SubscribeSync(&made, connection.get(), subject.c_str());
    subscriptions.emplace_back(made);
  }
  // It refuses before it answers a ping that follows.
  if (status == NATS_OK) status = natsConnection_FlushTimeout(connection.get(), kRequestTimeoutMs);
  const int64_t payload_bytes_max = natsConnection_GetMaxPayload(connection.get());
  natsConnection_Close(connection.get());
  auto refused = gate->look_report.wait();
  if (status != NATS_OK || !refused) return std::nullopt;
  return Other{.refused = std::move(*refused), .payload_bytes_max = payload_bytes_max};
}

}  // namespace

void Link::want_larger_payloads() {
  parts_->wants_larger_payloads = true;
}

bool Link::lacks_subscriptions() const {
  return parts_->gate != nullptr && !parts_->gate->refused.all().empty();
}

std::optional<std::string> Link::look(Instant now) {
  const auto session = parts_->session();
  if (session == nullptr || !is_connected()) return std::nullopt;
  const std::set<std::string> refused = parts_->gate->refused.all();
  const bool is_wanted = !refused.empty() || parts_->wants_larger_payloads;
  if (!is_wanted || !parts_->look_plan.take(now)) return std::nullopt;
  parts_->wants_larger_payloads = false;
  const auto other = look_at(parts_->options, parts_->gate, refused);
  if (!other) return std::nullopt;
  std::string why;
  if (other->payload_bytes_max > natsConnection_GetMaxPayload(session->connection))
    why =
        joined({"the broker takes payloads of ", std::to_string(other->payload_bytes_max), " bytes by now"});
  for (const std::string& subject : refused) {
    if (!other->refused.contains(subject))
      why = joined({"the broker permits the subscription to ", subject, " again"});
  }
  if (why.empty()) return std::nullopt;
  natsConnection_Close(session->connection);
  return why;
}

}  // namespace fanfare::relay

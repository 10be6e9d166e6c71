// Whether another connection to the broker would be better than the one there is.

#include <nats/nats.h>

#include <algorithm>

#include "base/text.h"
#include "relay/nats_parts.h"

namespace fanfare::relay {
namespace {

using OptionsHandle = Handle<natsOptions, natsOptions_Destroy>;
using ConnectionHandle = Handle<natsConnection, natsConnection_Destroy>;
using SubscriptionHandle = Handle<natsSubscription, natsSubscription_Destroy>;

// Null: the broker does not answer.
ConnectionHandle connect_for_a_look(const NatsOptions& options) {
  natsOptions* raw_options = nullptr;
  if (natsOptions_Create(&raw_options) != NATS_OK) return nullptr;
  const OptionsHandle handle(raw_options);
  if (!set_options(raw_options, options)) return nullptr;
  natsOptions_SetAllowReconnect(raw_options, false);
  natsConnection* connection = nullptr;
  if (natsConnection_Connect(&connection, raw_options) != NATS_OK) return nullptr;
  return ConnectionHandle(connection);
}

// Empty: the broker does not answer.
std::optional<bool> may_subscribe(natsConnection* connection, const std::string& subject) {
  natsSubscription* raw_subscription = nullptr;
  if (natsConnection_SubscribeSync(&raw_subscription, connection, subject.c_str()) != NATS_OK)
    return std::nullopt;
  const SubscriptionHandle subscription(raw_subscription);
  // It refuses before it answers a ping that follows.
  if (natsConnection_FlushTimeout(connection, kRequestTimeoutMs) != NATS_OK) return std::nullopt;
  const char* words = nullptr;
  const natsStatus status = natsConnection_GetLastError(connection, &words);
  if (status != NATS_NOT_PERMITTED || words == nullptr) return true;
  return refused_subscription({.kind = LinkProblem::Kind::not_permitted, .words = words}) != subject;
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
  const ConnectionHandle other = connect_for_a_look(parts_->options);
  if (other == nullptr) return std::nullopt;
  std::string why;
  const int64_t bytes_max = natsConnection_GetMaxPayload(other.get());
  if (bytes_max > natsConnection_GetMaxPayload(session->connection))
    why = joined({"the broker takes payloads of ", std::to_string(bytes_max), " bytes by now"});
  for (const std::string& subject : refused) {
    const auto may = may_subscribe(other.get(), subject);
    if (!may) return std::nullopt;
    if (*may) why = joined({"the broker permits the subscription to ", subject, " again"});
  }
  // When many are taken away at once, the library may tell of some only: this one is needed for each answer.
  const std::string answers = inbox_ + "a.*";
  if (why.empty() && !refused.empty() && may_subscribe(other.get(), answers) == false)
    parts_->gate->refused.add(answers);
  if (why.empty()) return std::nullopt;
  natsConnection_Close(session->connection);
  return why;
}

}  // namespace fanfare::relay

// Answers are sent as fast as their client reads, and a client that reads nothing is closed. Slowness means
// no progress over time, never the size of a request.

#include <algorithm>
#include <utility>

#include "base/guard.h"
#include "gateway/rpc_service.h"

namespace fanfare::gateway {
namespace {

session::SessionId id_of(eth::ConnectionKey key) {
  return {.slot = static_cast<std::uint32_t>(key >> 32U), .generation = static_cast<std::uint32_t>(key)};
}

// The delay between the answer to eth_subscribe for syncing and the first state.
constexpr Duration kFirstSyncingDelay = std::chrono::milliseconds(100);

constexpr std::string_view kTooSlow = "reading too slowly";

}  // namespace

void RpcService::reply(session::Session& session, Answered answered) {
  const eth::ConnectionKey key = key_of(session);
  if (session.is_congested() || waiting_.contains(key)) {
    waiting_[key].push_back(std::move(answered));
  } else {
    send_answer(session, std::move(answered));
  }
  update_reading(session);
}

void RpcService::send_answer(session::Session& session, Answered answered) {
  RpcConnection& connection = session.data<RpcConnection>();
  connection.in_flight_ -= answered.open;
  if (!answered.text.empty()) {
    const std::size_t before = session.queued_bytes();
    session::SendResult sent = session::SendResult::closed;
    if (!run_guarded("an answer", [&] { sent = session.send_text(answered.text); })) {
      connection.closed_because_ = CloseReason::internal;
      return session.start_closing(ws::close_code::try_again_later, "out of memory");
    }
    if (sent == session::SendResult::closed) return;
    metrics().messages_sent.add();
    metrics().bytes_sent.add(answered.text.size());
    if (connection.watched_) connection.queued_ += session.queued_bytes() - before;
    if (sent == session::SendResult::congested) {
      connection.unsent_.push_back(std::move(answered.hold));
      watch(session);
    }
  }
  // Only now: a client drops notifications for an id it does not know yet.
  for (const Subscribed& one : answered.subscribed) {
    if (!one.activates_later) {
      activate(key_of(session), one.id);
      continue;
    }
    context_.server.loop().call_after(kFirstSyncingDelay,
                                      [this, key = key_of(session), id = one.id] { activate(key, id); });
  }
  for (const Subscribed& one : answered.refused) {
    subscriptions_.withdraw(key_of(session), one.id);
  }
  if (!answered.refused.empty()) subscriptions_changed();
}

void RpcService::send_waiting(session::Session& session) {
  const eth::ConnectionKey key = key_of(session);
  while (session.is_open() && !session.is_congested()) {
    const auto found = waiting_.find(key);
    if (found == waiting_.end() || found->second.empty()) break;
    Answered next = std::move(found->second.front());
    found->second.pop_front();
    send_answer(session, std::move(next));
    // Looked up again: sending may have ended the session, and its waiting answers with it.
    if (const auto left = waiting_.find(key); left != waiting_.end() && left->second.empty()) {
      waiting_.erase(left);
    }
  }
  update_reading(session);
}

void RpcService::update_reading(session::Session& session) {
  const bool has_room = session.data<RpcConnection>().in_flight_ < limits_.requests_in_flight_max;
  if (has_room && !waiting_.contains(key_of(session))) {
    session.resume();
  } else {
    session.pause();
  }
}

void RpcService::fell_behind(session::Session& session, bool first) {
  if (first) ++behind_;
  watch(session);
}

void RpcService::watch(session::Session& session) {
  RpcConnection& connection = session.data<RpcConnection>();
  if (std::exchange(connection.watched_, true)) return;
  connection.queued_ = session.queued_bytes();
  connection.taken_ = 0;
  connection.taken_at_ = context_.server.loop().now();
  watched_.push_back(key_of(session));
  if (watched_.size() > 1) return;
  watch_timer_ = context_.server.loop().call_after(limits_.slow_timeout / 4, [this] { check_watched(); });
}

void RpcService::unwatch(session::Session& session) {
  if (!std::exchange(session.data<RpcConnection>().watched_, false)) return;
  std::erase(watched_, key_of(session));
  if (watched_.empty()) context_.server.loop().cancel(watch_timer_);
}

void RpcService::check_watched() {
  const Instant now = context_.server.loop().now();
  for (const eth::ConnectionKey key : std::vector(watched_)) {
    session::Session* session = context_.server.sessions().find(id_of(key));
    if (session == nullptr || !session->is_open()) {
      std::erase(watched_, key);
      continue;
    }
    RpcConnection& connection = session->data<RpcConnection>();
    // Small frames that the session sends by itself are not counted: they can only make the progress look
    // smaller.
    const std::size_t waits = session->queued_bytes();
    const std::size_t taken = connection.queued_ - std::min(connection.queued_, waits);
    if (taken > connection.taken_) {
      connection.taken_ = taken;
      connection.taken_at_ = now;
    } else if (now - connection.taken_at_ >= limits_.slow_timeout) {
      connection.closed_because_ = CloseReason::slow_consumer;
      session->start_closing(ws::close_code::try_again_later, kTooSlow);
      unwatch(*session);
    }
  }
  if (watched_.empty()) return;
  watch_timer_ = context_.server.loop().call_after(limits_.slow_timeout / 4, [this] { check_watched(); });
}

}  // namespace fanfare::gateway

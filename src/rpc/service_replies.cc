// The sending of answers and events, as fast as their client reads.

#include <algorithm>
#include <utility>

#include "base/guard.h"
#include "rpc/service.h"
#include "ws/close_code.h"

namespace fanfare::rpc {
namespace {

constexpr std::string_view kTooSlow = "reading too slowly";

}  // namespace

Connection::Connection(Service& service, Caller caller)
    : service_(service), caller_(std::move(caller)), share_(service.make_share()) {}

session::SendResult Connection::deliver(const SharedBytes& frame) {
  if (session_->is_congested() && ++notifications_behind_ > service_.limits().notifications_behind_max) {
    service_.end(*this, Ended::slow_consumer, kTooSlow);
    return session::SendResult::closed;
  }
  const std::size_t before = session_->queued_bytes();
  const session::SendResult result = session_->send_frame(frame);
  if (result == session::SendResult::closed) return result;
  if (watched_) queued_ += session_->queued_bytes() - before;
  if (result == session::SendResult::congested) service_.watch(*this);
  service_.context_.observer.on_sent(frame.size());
  service_.pay(caller_, frame.size());
  return result;
}

void Service::end(Connection& connection, Ended why, std::string_view words) {
  connection.ended_ = why;
  connection.session().start_closing(ws::close_code::try_again_later, words);
}

void Service::reply(Connection& connection, Reply reply) {
  if (connection.session().is_congested() || !connection.waiting_.empty()) {
    connection.waiting_.push_back(std::move(reply));
  } else {
    send(connection, std::move(reply));
  }
  update_reading(connection);
}

Reply Service::finish(Connection& connection, Reply reply) {
  Message message = std::move(*reply.unfinished);
  message.late = 0;
  context_.methods.finish(connection, message);
  Reply finished = complete(std::move(message));
  finished.open = reply.open;
  return finished;
}

void Service::send(Connection& connection, Reply reply) {
  session::Session& session = connection.session();
  if (reply.unfinished != nullptr) {
    if (reply.unfinished->late == 0) return join_in_slices(connection, std::move(reply));
    // Nothing may come between a subscription and its answer.
    reply = finish(connection, std::move(reply));
  }
  connection.in_flight_ -= reply.open;
  const std::size_t bytes = reply.text.size() + reply.frame.size();
  if (bytes > 0) {
    const std::size_t before = session.queued_bytes();
    session::SendResult sent = session::SendResult::closed;
    const auto queue = [&] {
      sent = reply.frame.empty() ? session.send_text(reply.text) : session.send_frame_as_it_is(reply.frame);
    };
    if (!run_guarded("an answer", queue)) return end(connection, Ended::no_memory, "out of memory");
    if (sent == session::SendResult::closed) return;
    context_.observer.on_sent(bytes);
    pay(connection.caller_, bytes);
    if (connection.watched_) connection.queued_ += session.queued_bytes() - before;
    if (sent == session::SendResult::congested) {
      connection.unsent_.push_back(std::move(reply.hold));
      watch(connection);
    }
  }
  settle_subscriptions(connection, reply);
}

void Service::settle_subscriptions(Connection& connection, const Reply& reply) {
  for (const Subscribed& one : reply.subscribed) {
    if (one.active_after == Duration::zero()) {
      context_.methods.activate(connection, one.id);
      continue;
    }
    context_.server.loop().call_after(one.active_after,
                                      [this, session_id = connection.session().id(), id = one.id] {
                                        session::Session* found = context_.server.sessions().find(session_id);
                                        if (found == nullptr) return;
                                        context_.methods.activate(context_.connection_of(*found), id);
                                      });
  }
  for (const Subscribed& one : reply.withdrawn) context_.methods.withdraw(connection, one.id);
}

void Service::send_waiting(Connection& connection) {
  const session::Session& session = connection.session();
  while (session.is_open() && !session.is_congested() && !connection.waiting_.empty()) {
    Reply next = std::move(connection.waiting_.front());
    connection.waiting_.pop_front();
    send(connection, std::move(next));
  }
  update_reading(connection);
}

void Service::update_reading(Connection& connection) const {
  const bool has_room = connection.in_flight_ < limits_.requests_in_flight_max;
  const bool is_busy = connection.in_slices_ > 0 || connection.rests_ || connection.is_held_;
  if (has_room && !is_busy && connection.waiting_.empty()) {
    connection.session().resume();
  } else {
    connection.session().pause();
  }
}

void Service::hold(Connection& connection, bool holds) {
  connection.is_held_ = holds;
  update_reading(connection);
}

void Service::on_drained(Connection& connection) {
  connection.unsent_.clear();
  unwatch(connection);
  connection.notifications_behind_ = 0;
  send_waiting(connection);
}

void Service::on_close(Connection& connection) {
  connection.waiting_.clear();
  unwatch(connection);
}

void Service::watch(Connection& connection) {
  if (std::exchange(connection.watched_, true)) return;
  connection.queued_ = connection.session().queued_bytes();
  connection.taken_ = 0;
  connection.taken_at_ = context_.server.loop().now();
  watched_.push_back(&connection);
  if (watched_.size() == 1) check_watched_later();
}

void Service::unwatch(Connection& connection) {
  if (!std::exchange(connection.watched_, false)) return;
  std::erase(watched_, &connection);
  if (watched_.empty()) context_.server.loop().cancel(watch_timer_);
}

void Service::check_watched_later() {
  watch_timer_ = context_.server.loop().call_after(limits_.slow_timeout / 4, [this] { check_watched(); });
}

void Service::check_watched() {
  const Instant now = context_.server.loop().now();
  for (Connection* const connection : std::vector(watched_)) {
    session::Session& session = connection->session();
    if (!session.is_open()) {
      unwatch(*connection);
      continue;
    }
    // Small frames that the session sends by itself are not counted: they can only make the progress look
    // smaller.
    const std::size_t waits = session.queued_bytes();
    const std::size_t taken = connection->queued_ - std::min(connection->queued_, waits);
    if (taken > connection->taken_) {
      connection->taken_ = taken;
      connection->taken_at_ = now;
    } else if (now - connection->taken_at_ >= limits_.slow_timeout) {
      end(*connection, Ended::slow_consumer, kTooSlow);
      unwatch(*connection);
    }
  }
  if (!watched_.empty()) check_watched_later();
}

}  // namespace fanfare::rpc

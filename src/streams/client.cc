#include "streams/client.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "ws/close_code.h"

namespace fanfare::streams {
namespace {

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

std::unexpected<ProtocolError> failure(const Request& request, ErrorCode code, Permit::Refusal refusal) {
  return std::unexpected(ProtocolError{.code = code,
                                       .message = std::move(refusal.message),
                                       .stream = request.stream,
                                       .id = request.id,
                                       .retry_after = refusal.retry_after});
}

std::unexpected<ProtocolError> failure(const Request& request, ErrorCode code, std::string message) {
  return std::unexpected(
      ProtocolError{.code = code, .message = std::move(message), .stream = request.stream, .id = request.id});
}

}  // namespace

std::vector<std::string> readable_streams(const Catalog& catalog, const Permit* permit) {
  std::vector<std::string> names = catalog.names();
  if (permit != nullptr) std::erase_if(names, [&](const auto& name) { return !permit->may_read(name); });
  return names;
}

ProtocolError unknown_stream(const Catalog& catalog, const Permit* permit, const Request& request) {
  return {.code = ErrorCode::unknown_stream,
          .message = joined({"unknown stream: available are ", list_of(readable_streams(catalog, permit))}),
          .stream = request.stream,
          .id = request.id};
}

// The subscriptions are in the list, and leave it.
Client::~Client() {
  give_back(subscriptions_.size());
  subscriptions_.clear();
}

void Client::give_back(std::size_t count) {
  if (permit_ != nullptr && count > 0) permit_->give_back_subscriptions(static_cast<std::uint32_t>(count));
}

std::int64_t Client::seconds() const {
  return std::chrono::duration_cast<std::chrono::seconds>(loop_.clock.wall_now().time_since_epoch()).count();
}

void Client::welcome() {
  port_.send(welcome_message(readable_streams(loop_.catalog, permit_), seconds()));
}

void Client::fail(const ProtocolError& error) {
  loop_.catalog.count_error(error.code);
  port_.send(error_message(error, is_extended_));
}

void Client::receive(bool is_text, std::string_view message) {
  const Limits& limits = loop_.catalog.limits();
  switch (rate_.add(loop_.clock.now())) {
    case MessageRate::Verdict::handle:
      break;
    case MessageRate::Verdict::refuse:
      return fail(
          {.code = ErrorCode::too_many_messages,
           .message = joined({"too many messages: at most ", std::to_string(limits.messages_per_second),
                              " in a second; further ones are ignored"})});
    case MessageRate::Verdict::ignore:
      return loop_.catalog.count_error(ErrorCode::too_many_messages);
    case MessageRate::Verdict::flood:
      loop_.catalog.count_error(ErrorCode::too_many_messages);
      return port_.close(ws::close_code::policy_violation, "too many messages");
  }
  if (!is_text) return fail({.code = ErrorCode::not_text, .message = "messages must be text"});
  if (message.size() > limits.message_bytes_max) {
    return fail({.code = ErrorCode::message_too_big,
                 .message = joined({"the message is too big: at most ",
                                    std::to_string(limits.message_bytes_max), " bytes"})});
  }
  const auto request = parse_request(message);
  if (!request) return fail(request.error());
  if (const auto handled = handle(*request); !handled) fail(handled.error());
}

std::expected<void, ProtocolError> Client::handle(const Request& request) {
  // Whoever is at a limit may still hand in fresh credentials.
  if (permit_ != nullptr && request.type != Request::Type::authenticate) {
    if (auto refused = permit_->take_message()) {
      return failure(request, ErrorCode::limit_reached, *std::move(refused));
    }
  }
  switch (request.type) {
    case Request::Type::subscribe:
      return subscribe(request);
    case Request::Type::unsubscribe:
      return unsubscribe(request);
    case Request::Type::ping:
      port_.send(pong_message(request.id));
      return {};
    case Request::Type::hello:
      send_hello(request);
      return {};
    case Request::Type::authenticate:
      return authenticate(request);
  }
  return {};
}

std::expected<void, ProtocolError> Client::subscribe(const Request& request) {
  erase_ended();
  auto stream = loop_.catalog.find(request.stream);
  if (stream == nullptr || !may_read(request.stream)) {
    if (stream != nullptr) permit_->count_refused();
    return std::unexpected(unknown_stream(loop_.catalog, permit_, request));
  }
  if (find(request.stream) != nullptr) {
    return failure(request, ErrorCode::already_subscribed,
                   joined({"already subscribed to ", request.stream}));
  }
  const std::size_t most = loop_.catalog.limits().subscriptions_per_connection_max;
  if (subscriptions_.size() >= most) {
    return failure(request, ErrorCode::too_many_subscriptions,
                   joined({"too many subscriptions: at most ", std::to_string(most)}));
  }
  if (permit_ != nullptr) {
    if (auto refused = permit_->take_subscription()) {
      return failure(request, ErrorCode::limit_reached, *std::move(refused));
    }
  }
  auto joined_stream = Subscription::join(*this, stream, request);
  // The only reason: it was removed just now.
  if (!joined_stream) {
    give_back(1);
    return failure(request, ErrorCode::unknown_stream, "the stream has ended");
  }
  subscriptions_.push_back(*std::move(joined_stream));
  subscriptions_.back()->begin();
  return {};
}

std::expected<void, ProtocolError> Client::unsubscribe(const Request& request) {
  erase_ended();
  const auto found = std::ranges::find_if(subscriptions_, [&](const auto& subscription) {
    return subscription->stream().name() == request.stream;
  });
  if (found == subscriptions_.end()) {
    return failure(request, ErrorCode::not_subscribed, "not subscribed to this stream");
  }
  subscriptions_.erase(found);
  give_back(1);
  port_.send(unsubscribed_message(request.stream, request.id));
  return {};
}

void Client::send_hello(const Request& request) {
  is_extended_ = true;
  std::vector<StreamInfo> streams;
  for (const auto& stream : loop_.catalog.all()) {
    if (may_read(stream->name())) streams.push_back(stream->info());
  }
  port_.send(hello_message(request.id, loop_.catalog.limits(), streams));
}

std::expected<void, ProtocolError> Client::authenticate(const Request& request) {
  if (permit_ == nullptr) {
    return failure(request, ErrorCode::not_authenticated, "this server has no access control");
  }
  if (auto done = permit_->authenticate(request.token); !done) {
    return failure(request, ErrorCode::not_authenticated, std::move(done.error()));
  }
  port_.send(authenticated_message(request.id, readable_streams(loop_.catalog, permit_)));
  return {};
}

std::vector<std::string> Client::stream_names(std::size_t most) const {
  std::vector<std::string> names;
  for (const auto& subscription : subscriptions_) {
    if (names.size() == most) break;
    names.push_back(subscription->stream().name());
  }
  return names;
}

void Client::check_permit() {
  const std::size_t ended = std::erase_if(subscriptions_, [&](const auto& subscription) {
    if (may_read(subscription->stream().name())) return false;
    port_.send(unsubscribed_message(subscription->stream().name(), {},
                                    "these credentials do not grant the stream any more"));
    return true;
  });
  give_back(ended);
}

void Client::end_all(std::string_view reason) {
  for (const auto& subscription : subscriptions_) {
    port_.send(unsubscribed_message(subscription->stream().name(), {}, reason));
  }
  give_back(subscriptions_.size());
  subscriptions_.clear();
}

Subscription* Client::find(std::string_view stream) const {
  const auto found = std::ranges::find_if(
      subscriptions_, [&](const auto& subscription) { return subscription->stream().name() == stream; });
  return found == subscriptions_.end() ? nullptr : found->get();
}

void Client::send_waiting() {
  while (!waiting_.order.empty() && port_.is_open() && !port_.is_congested()) {
    pubsub::PacedSubscriber& subscriber = *waiting_.order.front();
    const auto next = subscriber.take();
    FANFARE_CHECK(next);
    if (next->missed) subscriber.on_missed(*next->missed);
    if (!next->frame.empty()) static_cast<Subscription&>(subscriber).send(next->frame);
  }
  erase_ended();
}

// Not within the call: the hub is just passing its subscribers.
void Client::end_later() {
  has_ended_ = true;
  port_.send_waiting_later();
}

void Client::erase_ended() {
  if (!has_ended_) return;
  has_ended_ = false;
  const std::size_t ended = std::erase_if(subscriptions_, [&](const auto& subscription) {
    if (!subscription->has_ended()) {
      has_ended_ = has_ended_ || subscription->is_ending();
      return false;
    }
    port_.send(unsubscribed_message(subscription->stream().name(), {}, "the server has ended the stream"));
    return true;
  });
  give_back(ended);
}

}  // namespace fanfare::streams

#include "streamserver/mounts.h"

#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "http/headers.h"
#include "http/target.h"
#include "streamserver/events_body.h"
#include "ws/rules.h"

namespace fanfare::streamserver {
namespace {

using streams::ErrorCode;
using streams::ProtocolError;
using streams::Transport;

session::HttpResponse full(const streams::Limits& limits) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(limits.reconnect_min).count();
  return {.status = 503,
          .body = "the server has all the stream connections it may have\n",
          .headers = {{.name = "Retry-After", .value = std::to_string(seconds)}}};
}

session::HttpResponse refusal(int status, const ProtocolError& error) {
  return {.status = status,
          .content_type = "application/json",
          .body = streams::error_message(error, true) + "\n",
          .headers = {}};
}

session::HttpResponse events_full(const streams::Limits& limits) {
  session::HttpResponse answer =
      refusal(503, {.code = ErrorCode::limit_reached,
                    .message = "the server has all the stream connections it may have",
                    .retry_after = limits.reconnect_min});
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(limits.reconnect_min).count();
  answer.headers.push_back({.name = "Retry-After", .value = std::to_string(seconds)});
  return answer;
}

session::HttpResponse limited(const streams::Permit::Refusal& refused) {
  session::HttpResponse answer = refusal(
      429,
      {.code = ErrorCode::limit_reached, .message = refused.message, .retry_after = refused.retry_after});
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(refused.retry_after).count();
  answer.headers.push_back({.name = "Retry-After", .value = std::to_string(seconds)});
  return answer;
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "EPOCH-OFFSET"
std::optional<Position> position_of(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto epoch = number_of(text.substr(0, dash));
  const auto offset = number_of(text.substr(dash + 1));
  if (!epoch || !offset) return std::nullopt;
  return Position{.epoch = *epoch, .offset = *offset};
}

std::unexpected<ProtocolError> bad(std::string message) {
  return std::unexpected(ProtocolError{.code = ErrorCode::bad_message, .message = std::move(message)});
}

// The subscription that the URL and Last-Event-ID ask for.
std::expected<streams::Request, ProtocolError> parse(const http::Request& request) {
  streams::Request wanted{.type = streams::Request::Type::subscribe, .position = true};
  for (const http::Parameter& parameter : http::query_parameters(request.query)) {
    if (parameter.name == "stream") {
      if (!wanted.stream.empty()) return bad("\"stream\" stands twice: one request reads one stream");
      wanted.stream = parameter.value;
    } else if (parameter.name == "history") {
      if (wanted.history) return bad("\"history\" stands twice");
      const auto count = number_of(parameter.value);
      if (!count || *count > streams::kHistoryAskedMax)
        return bad("\"history\" must be an integer from 0 to 10000");
      wanted.history = static_cast<std::size_t>(*count);
    } else if (parameter.name == "lastEventId" && !parameter.value.empty()) {
      wanted.since = position_of(parameter.value);
      if (!wanted.since) return bad("\"lastEventId\" must be EPOCH-OFFSET");
    }
  }
  if (wanted.stream.empty()) return bad("\"stream\" is missing: /streams/sse?stream=NAME");
  // An id that is not ours is one of another server: nothing is known of what was missed.
  if (const auto last = http::find_header(request.headers, "Last-Event-ID"); last && !last->empty()) {
    wanted.since = position_of(*last).value_or(Position{});
  }
  if (wanted.since) wanted.history.reset();
  return wanted;
}

}  // namespace

server::Offer WebSocketMount::offer(const server::PathPattern::Match& /*match*/) const {
  return {.methods = "GET", .has_websocket = true};
}

void WebSocketMount::on_request(session::HttpConnection& session, const server::Target& /*target*/) {
  session::HttpResponse answer =
      session::response_of(ws::refuse_upgrade(ws::Rule::handshake_upgrade_missing));
  answer.body = "upgrade required\n";
  session.respond(answer);
}

session::UpgradeDecision WebSocketMount::on_upgrade(session::HttpConnection& session,
                                                    const server::Target& target) {
  streams::Catalog& catalog = loop_->catalog();
  if (!catalog.reserve_connection(Transport::websocket)) return full(catalog.limits());
  return session::Acceptance{
      .endpoint = loop_.get(),
      .policy = &policy_,
      .data = std::make_unique<StreamConnection>(*loop_, ConnectionSlot(catalog, Transport::websocket),
                                                 make_permit_ ? make_permit_(session, target) : nullptr)};
}

server::Offer EventsMount::offer(const server::PathPattern::Match& /*match*/) const {
  return {.methods = "GET"};
}

void EventsMount::on_request(session::HttpConnection& session, const server::Target& target) {
  streams::Catalog& catalog = loop_->catalog();
  const auto wanted = parse(target.request);
  if (!wanted) {
    catalog.count_error(wanted.error().code);
    return session.respond(refusal(400, wanted.error()));
  }
  auto permit = make_permit_ ? make_permit_(session, target) : nullptr;
  if (permit != nullptr) {
    if (const auto refused = permit->take_message()) return session.respond(limited(*refused));
  }
  const bool exists = catalog.find(wanted->stream) != nullptr;
  const bool is_granted = permit == nullptr || permit->may_read(wanted->stream);
  if (!exists || !is_granted) {
    if (exists) permit->count_refused();
    catalog.count_error(ErrorCode::unknown_stream);
    return session.respond(refusal(404, streams::unknown_stream(catalog, permit.get(), *wanted)));
  }
  if (!catalog.reserve_connection(Transport::events)) return session.respond(events_full(catalog.limits()));
  EventsBody::start(session, loop_, ConnectionSlot(catalog, Transport::events), std::move(permit), *wanted);
}

}  // namespace fanfare::streamserver

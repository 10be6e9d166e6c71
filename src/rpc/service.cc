#include "rpc/service.h"

#include <algorithm>
#include <utility>

#include "access/quota.h"
#include "base/guard.h"
#include "jsonrpc/response.h"

namespace fanfare::rpc {
namespace {

constexpr std::string_view kJson = "application/json";

}  // namespace

Refusal limit_reached(std::string_view limit, Duration retry_after) {
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(retry_after);
  return {.code = jsonrpc::ErrorCode::limit_exceeded,
          .message = "too many " + std::string(limit) + ", try again later",
          .data_json = "{\"retry_after_ms\":" + std::to_string(wait.count()) + "}",
          .retry_after = std::max<Duration>(wait, std::chrono::milliseconds(1))};
}

void Service::pay(const Caller& caller, std::size_t bytes) const {
  if (caller.payer != nullptr) caller.payer->charge_bytes(bytes, context_.server.loop().now());
}

std::optional<Refusal> Service::pay_for_nothing(const Caller& caller, std::size_t cost) const {
  if (caller.payer == nullptr) return std::nullopt;
  const auto exhausted = caller.payer->take_call(cost, context_.server.loop().now());
  if (!exhausted) return std::nullopt;
  return limit_reached(access::name_of(exhausted->limit), exhausted->retry_after);
}

Service::Service(const Limits& limits, const Context& context)
    : limits_(limits),
      context_(context),
      parser_({.batch_elements_max = limits.batch_items_max, .version_1 = limits.version_1}) {}

std::shared_ptr<ByteShare> Service::make_share() const {
  return std::make_shared<ByteShare>(context_.budget, limits_.held_bytes_per_connection_max);
}

void Service::on_open(Connection& connection, session::Session& session) {
  connection.session_ = &session;
}

void Service::on_message(Connection& connection, std::string_view text) {
  context_.observer.on_received(text.size());
  if (run_guarded("a message", [&] { handle_message(connection, text); })) return;
  // It is not known here which of its calls were answered.
  end(connection, Ended::no_memory, "out of memory");
}

void Service::handle_message(Connection& connection, std::string_view text) {
  session::Session& session = connection.session();
  const Origin origin{.session = session, .caller = connection.caller_, .connection = &connection};
  auto message = read(text, origin, connection.share_);
  if (!message) return reply(connection, std::move(message.error()));
  if (message->open == 0) return reply(connection, complete(*std::move(message)));
  const std::uint32_t open = message->open;
  connection.in_flight_ += open;
  update_reading(connection);
  context_.methods.run(*std::move(message), origin, [this, id = session.id(), open](Reply answered) {
    session::Session* asker = context_.server.sessions().find(id);
    if (asker == nullptr) return;
    answered.open = open;
    reply(context_.connection_of(*asker), std::move(answered));
  });
}

void Service::handle_http(session::HttpConnection& session, std::string_view body, const Caller& caller,
                          Respond respond) {
  // The answer is paid for when it is known, and needs no other part of the caller by then.
  respond = [this, payer = Caller{.payer = caller.payer}, respond = std::move(respond)](
                session::HttpConnection& asker, session::HttpResponse answer) mutable {
    pay(payer, answer.body.size());
    respond(asker, std::move(answer));
  };
  const auto handle = [&] {
    const Origin origin{.session = session, .caller = caller};
    auto message = read(body, origin, make_share());
    if (!message) return Service::respond(session, respond, std::move(message.error()));
    if (message->open == 0) return Service::respond(session, respond, complete(*std::move(message)));
    context_.methods.run(
        *std::move(message), origin,
        [this, respond = std::move(respond), id = session.id()](Reply answered) mutable {
          session::HttpConnection* const asker = context_.server.sessions().find_http(id);
          if (asker == nullptr) return;
          // A part of the answer may be queued: nothing else can follow it.
          if (!run_guarded("an answer", [&] { Service::respond(*asker, respond, std::move(answered)); }))
            asker->close();
        });
  };
  if (!run_guarded("a request", handle)) session.close();
}

void Service::respond(session::HttpConnection& session, Respond& respond, Reply reply) {
  session::HttpResponse response{.content_type = std::string(kJson),
                                 .body = std::move(reply.text),
                                 .headers = {},
                                 .until_sent = std::make_shared<ByteHold>(std::move(reply.hold))};
  // Only notifications: there is no answer (JSON-RPC 2.0 §4.1).
  if (response.body.empty()) {
    response.status = 204;
    response.content_type.clear();
  }
  if (reply.retry_after > Duration::zero()) {
    // RFC6585§4, RFC9110§10.2.3: whole seconds.
    response.status = 429;
    const auto wait = std::chrono::ceil<std::chrono::seconds>(reply.retry_after);
    response.headers.push_back({.name = "Retry-After", .value = std::to_string(wait.count())});
  }
  respond(session, std::move(response));
}

std::expected<Message, Reply> Service::read(std::string_view text, const Origin& origin,
                                            std::shared_ptr<ByteShare> share) {
  const auto parsed = parser_.parse(text);
  if (!parsed) {
    // The calls of a batch that is too long or malformed are paid for, too, as far as they were read.
    const auto refused = pay_for_nothing(origin.caller, std::max<std::size_t>(parser_.elements_read(), 1));
    pay(origin.caller, text.size());
    Reply answer;
    if (refused) {
      context_.observer.on_refused(Refused::limit);
      answer.retry_after = refused->retry_after;
      jsonrpc::append_error(answer.text, "null", refused->code, refused->message, refused->data_json);
    } else {
      jsonrpc::append_error(answer.text, "null", parsed.error().code, parsed.error().message);
    }
    return std::unexpected(std::move(answer));
  }
  Message message;
  message.batch = parsed->batch;
  message.room = AnswerRoom(std::move(share), parsed->batch ? limits_.batch_answer_bytes_max : 0);
  const bool has_room = message.room.take_request(text.size());
  message.calls.reserve(parsed->requests.size());
  std::size_t limited = 0;
  for (const jsonrpc::Request& request : parsed->requests) {
    context_.observer.on_call(origin.caller.transport);
    Call call{.id = std::string(request.id), .method = {}, .params = {}, .answer = {}};
    call.version_1 = request.is_version_1;
    Begun begun = Begun::answered;
    if (!has_room) {
      context_.observer.on_refused(Refused::memory);
      append_no_memory(call.answer, call.id);
    } else {
      begun = begin(request, origin, message, call.answer, limited);
    }
    if (begun != Begun::answered) {
      call.method = request.method;
      call.params = request.params;
      call.late = begun == Begun::late;
      message.has_late = message.has_late || call.late;
      message.open += call.late ? 0 : 1;
    } else if (request.is_notification()) {
      continue;
    }
    message.calls.push_back(std::move(call));
  }
  if (limited < parsed->requests.size()) message.retry_after = {};
  pay(origin.caller, text.size());
  return message;
}

Begun Service::begin(const jsonrpc::Request& request, const Origin& origin, Message& message,
                     std::string& answer, std::size_t& limited) {
  auto refusal = request.fault.empty() ? context_.methods.refusal(request, origin.caller)
                                       : pay_for_nothing(origin.caller);
  if (refusal) {
    const bool is_limited = refusal->retry_after > Duration::zero();
    context_.observer.on_refused(is_limited ? Refused::limit : Refused::method);
    if (is_limited) ++limited;
    message.retry_after = std::max(message.retry_after, refusal->retry_after);
    if (!request.is_notification()) {
      jsonrpc::append_error(answer, request.id, refusal->code, refusal->message, refusal->data_json);
    }
    return Begun::answered;
  }
  if (!request.fault.empty()) {
    jsonrpc::append_error(answer, request.id, jsonrpc::ErrorCode::invalid_request, request.fault);
    return Begun::answered;
  }
  return context_.methods.begin(request, origin, message, answer);
}

}  // namespace fanfare::rpc

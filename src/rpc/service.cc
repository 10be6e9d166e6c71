#include "rpc/service.h"

#include <utility>

#include "base/guard.h"
#include "jsonrpc/response.h"

namespace fanfare::rpc {
namespace {

constexpr std::string_view kJson = "application/json";

}  // namespace

Service::Service(const Limits& limits, const Context& context)
    : limits_(limits), context_(context), parser_({.batch_elements_max = limits.batch_items_max}) {}

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
  const Origin origin{.session = static_cast<session::ServerSession&>(session),
                      .caller = connection.caller_,
                      .connection = &connection};
  auto message = read(text, origin, connection.share_);
  if (!message) return reply(connection, {.text = std::move(message.error())});
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

void Service::handle_http(session::ServerSession& session, std::string_view body, const Caller& caller,
                          Respond respond) {
  const auto handle = [&] {
    const Origin origin{.session = session, .caller = caller};
    auto message = read(body, origin, make_share());
    if (!message) return Service::respond(session, respond, {.text = std::move(message.error())});
    if (message->open == 0) return Service::respond(session, respond, complete(*std::move(message)));
    context_.methods.run(
        *std::move(message), origin,
        [this, respond = std::move(respond), id = session.id()](Reply answered) mutable {
          // Only HTTP sessions come here, and none becomes a WebSocket while it waits for its answer.
          auto* asker = static_cast<session::ServerSession*>(context_.server.sessions().find(id));
          if (asker == nullptr) return;
          // A part of the answer may be queued: nothing else can follow it.
          if (!run_guarded("an answer", [&] { Service::respond(*asker, respond, std::move(answered)); }))
            asker->close();
        });
  };
  if (!run_guarded("a request", handle)) session.close();
}

void Service::respond(session::ServerSession& session, Respond& respond, Reply reply) {
  session::HttpResponse response{.content_type = std::string(kJson),
                                 .body = std::move(reply.text),
                                 .headers = {},
                                 .until_sent = std::make_shared<ByteHold>(std::move(reply.hold))};
  // Only notifications: there is no answer (JSON-RPC 2.0 §4.1).
  if (response.body.empty()) {
    response.status = 204;
    response.content_type.clear();
  }
  respond(session, std::move(response));
}

std::expected<Message, std::string> Service::read(std::string_view text, const Origin& origin,
                                                  std::shared_ptr<ByteShare> share) {
  const auto parsed = parser_.parse(text);
  if (!parsed) {
    std::string answer;
    jsonrpc::append_error(answer, "null", parsed.error().code, parsed.error().message);
    return std::unexpected(std::move(answer));
  }
  Message message;
  message.batch = parsed->batch;
  message.room = AnswerRoom(std::move(share), parsed->batch ? limits_.batch_answer_bytes_max : 0);
  const bool has_room = message.room.take_request(text.size());
  message.calls.reserve(parsed->requests.size());
  for (const jsonrpc::Request& request : parsed->requests) {
    context_.observer.on_call(origin.caller.transport);
    Call call{.id = std::string(request.id), .method = {}, .params = {}, .answer = {}};
    Begun begun = Begun::answered;
    if (!has_room) {
      context_.observer.on_refused(Refused::memory);
      append_no_memory(call.answer, call.id);
    } else {
      begun = begin(request, origin, message, call.answer);
    }
    if (begun == Begun::open) {
      call.method = request.method;
      call.params = request.params;
      ++message.open;
    } else if (request.is_notification()) {
      continue;
    }
    message.calls.push_back(std::move(call));
  }
  return message;
}

Begun Service::begin(const jsonrpc::Request& request, const Origin& origin, Message& message,
                     std::string& answer) {
  if (!request.fault.empty()) {
    jsonrpc::append_error(answer, request.id, jsonrpc::ErrorCode::invalid_request, request.fault);
    return Begun::answered;
  }
  if (const auto refusal = context_.methods.refusal(request, origin.caller)) {
    context_.observer.on_refused(Refused::method);
    if (!request.is_notification()) {
      jsonrpc::append_error(answer, request.id, refusal->code, refusal->message, refusal->data_json);
    }
    return Begun::answered;
  }
  return context_.methods.begin(request, origin, message, answer);
}

}  // namespace fanfare::rpc

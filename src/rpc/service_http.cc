// Calls over HTTP: one message a request.

#include <memory>
#include <utility>

#include "base/guard.h"
#include "rpc/service.h"

namespace fanfare::rpc {
namespace {

constexpr std::string_view kJson = "application/json";

session::HttpResponse response_of(Reply reply) {
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
  return response;
}

}  // namespace

void Service::handle_http(session::HttpConnection& session, std::string_view body, const Caller& caller,
                          Respond respond) {
  // The answer is paid for when it is known, and needs no other part of the caller by then.
  respond = [this, payer = Caller{.payer = caller.payer}, respond = std::move(respond)](
                session::HttpConnection& asker, session::HttpResponse answer) mutable {
    pay(payer, answer.body.size());
    respond(asker, std::move(answer));
  };
  const auto handle = [&] {
    if (!CallReader::is_long_batch(body)) {
      const Origin origin{.session = session, .caller = caller};
      return run_http(session, caller, reader_.read(body, origin, make_share()), std::move(respond));
    }
    auto batch = std::make_unique<LongBatch>(reader_, KeptText(session, body), make_share());
    do_in_slices(session, [this, caller, batch = std::move(batch), respond = std::move(respond)](
                              session::HttpConnection& asker, Slice& slice) mutable {
      auto read = batch->read_on({.session = asker, .caller = caller}, slice);
      if (!read) return false;
      run_http(asker, caller, *std::move(read), std::move(respond));
      return true;
    });
  };
  if (!run_guarded("a request", handle)) session.close();
}

void Service::run_http(session::HttpConnection& session, const Caller& caller, ReadText read,
                       Respond respond) {
  if (read.rest > Duration::zero()) respond = after(read.rest, std::move(respond));
  if (!read.message) return answer(session, std::move(read.message.error()), std::move(respond));
  if (read.message->open == 0) {
    return answer(session, complete_on_loop(*std::move(read.message)), std::move(respond));
  }
  const Origin origin{.session = session, .caller = caller};
  context_.methods.run(
      *std::move(read.message), origin,
      [this, respond = std::move(respond), id = session.id()](Reply answered) mutable {
        session::HttpConnection* const asker = context_.server.sessions().find_http(id);
        if (asker == nullptr) return;
        // A part of the answer may be queued: nothing else can follow it.
        if (!run_guarded("an answer", [&] { answer(*asker, std::move(answered), std::move(respond)); })) {
          asker->close();
        }
      });
}

void Service::answer(session::HttpConnection& session, Reply reply, Respond respond) {
  if (reply.unfinished == nullptr) return respond(session, response_of(std::move(reply)));
  auto whole = std::make_unique<LongAnswer>(std::move(*reply.unfinished), LongAnswer::Form::text);
  do_in_slices(session, [whole = std::move(whole), respond = std::move(respond)](
                            session::HttpConnection& asker, Slice& slice) mutable {
    auto joined = whole->join_on(slice);
    if (!joined) return false;
    respond(asker, response_of(*std::move(joined)));
    return true;
  });
}

template <typename Step>
void Service::do_in_slices(session::HttpConnection& session, Step step) {
  slices_.run([this, id = session.id(), step = std::move(step)](Slice& slice) mutable {
    session::HttpConnection* const asker = context_.server.sessions().find_http(id);
    if (asker == nullptr) return false;
    bool is_done = false;
    if (run_guarded("a request", [&] { is_done = step(*asker, slice); })) return !is_done;
    asker->close();
    return false;
  });
}

Service::Respond Service::after(Duration time, Respond respond) {
  return [this, time, respond = std::move(respond)](session::HttpConnection& session,
                                                    session::HttpResponse response) mutable {
    context_.server.loop().call_after(time, [this, id = session.id(), respond = std::move(respond),
                                             response = std::move(response)]() mutable {
      session::HttpConnection* const asker = context_.server.sessions().find_http(id);
      if (asker != nullptr) respond(*asker, std::move(response));
    });
  };
}

}  // namespace fanfare::rpc

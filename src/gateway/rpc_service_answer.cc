// Messages whose answer needs the node, and the sending of answers.

#include <algorithm>
#include <memory>
#include <utility>

#include "base/guard.h"
#include "base/log_limiter.h"
#include "gateway/rpc_service.h"
#include "jsonrpc/response.h"

namespace fanfare::gateway {
namespace {

void refuse(ForwardItem& item, std::string_view why) {
  item.answer.clear();
  jsonrpc::append_error(item.answer, item.id, jsonrpc::ErrorCode::internal, why);
}

// The node's own text is for the operator.
void log_refusal(const Network& network, eth::SubscriptionType type, const std::string& why) {
  static LogLimiter limiter(log::Level::warn, "subscription_refused");
  limiter.write(
      {{"network", network.name()}, {"type", eth::name_of(type)}, {"reason", log::excerpt(why, 256)}});
}

constexpr std::string_view kJson = "application/json";

}  // namespace

void RpcService::respond(session::ServerSession& session, const HttpCaller& caller, Answered answered) {
  session::HttpResponse response{.content_type = std::string(kJson),
                                 .body = std::move(answered.text),
                                 .headers = {},
                                 .until_sent = std::make_shared<ByteHold>(std::move(answered.hold))};
  // Only notifications: there is no answer (JSON-RPC 2.0 §4.1).
  if (response.body.empty()) {
    response.status = 204;
    response.content_type.clear();
  }
  context_.compressor.respond(session, std::move(response), caller.coding);
}

// Sets whose limits the message counts for, and its turn in the node's queue.
void RpcService::set_caller(Incoming& incoming, const session::ServerSession& session) {
  if (!incoming.has_filters && incoming.open == 0) return;
  incoming.client = FilterCalls::client_of(session.peer());
  const session::SessionId id = session.id();
  const std::uint64_t number = std::uint64_t{id.slot} << 32U | id.generation;
  // Each loop numbers its own sessions.
  const auto loop = reinterpret_cast<std::uintptr_t>(&context_.server);
  incoming.job.caller = {.client = incoming.client, .connection = number ^ (std::uint64_t{loop} << 16U)};
}

void RpcService::handle_http(session::ServerSession& session, std::string_view body, HttpCaller caller) {
  const auto handle = [&] {
    auto incoming = read(body, nullptr, caller.developer, make_share());
    if (!incoming) {
      return respond(session, caller,
                     {.text = incoming.error(), .subscribed = {}, .refused = {}, .hold = {}});
    }
    set_caller(*incoming, session);
    if (incoming->open == 0) {
      return respond(session, caller,
                     {.text = join_answers(incoming->job),
                      .subscribed = {},
                      .refused = {},
                      .hold = incoming->job.room.release()});
    }
    send_to_node(pending_request(
        *std::move(incoming), [this, caller = std::move(caller), id = session.id()](Answered answered) {
          // Only HTTP sessions come here, and none becomes a WebSocket while it waits for its answer.
          auto* asker = static_cast<session::ServerSession*>(context_.server.sessions().find(id));
          if (asker == nullptr) return;
          // A part of the answer may be queued: nothing else can follow it.
          if (!run_guarded("an answer", [&] { respond(*asker, caller, std::move(answered)); }))
            asker->close();
        }));
  };
  if (!run_guarded("a request", handle)) session.close();
}

// A message on the worker's thread: calls for the node are sent there, and subscriptions to pending
// transactions wait until all of them will be reported.
struct RpcService::PendingRequest : std::enable_shared_from_this<PendingRequest> {
  PendingRequest(const Context& context, Incoming its_incoming, UniqueFunction<void(Answered)> its_done)
      : network(context.network),
        worker(context.worker),
        loop(context.server.loop()),
        incoming(std::move(its_incoming)),
        done(std::move(its_done)) {}
  PendingRequest(const PendingRequest&) = delete;
  PendingRequest& operator=(const PendingRequest&) = delete;
  // If memory ran out on the way, the callback for answer() may have been lost.
  ~PendingRequest() {
    if (done == nullptr) return;
    run_guarded("the end of a message", [this] {
      for (ForwardItem& item : incoming.job.items) {
        if (item.answer.empty()) append_no_memory(item.answer, item.id);
      }
      answer();
    });
  }

  // The other calls of the message come after, as if in a message of their own.
  void ask() {
    follow([self = shared_from_this()] { self->listen([self] { self->ask_filters(); }); });
  }
  void ask_filters() {
    if (!incoming.has_filters) return ask_node();
    network.filters().answer(std::move(incoming.job), incoming.client,
                             [self = shared_from_this()](ForwardJob job) {
                               self->incoming.job = std::move(job);
                               self->ask_node();
                             });
  }
  void ask_node() {
    forward(network.backend(), &network.reads(), std::move(incoming.job),
            [self = shared_from_this()](ForwardJob job) {
              self->incoming.job = std::move(job);
              if (self->worker.stopping()) return self->answer();
              // The listening node may have been lost meanwhile, before there was a subscriber to notify.
              self->listen([self] { self->answer(); });
            });
  }
  // A subscriber to a chain that cannot be followed would wait without any notice.
  void follow(UniqueFunction<void()> then) {
    if (!incoming.needs_chain) return then();
    network.await_following([self = shared_from_this(), then = std::move(then)](bool ready) mutable {
      if (!ready) self->refuse_all([](const Subscribed& one) { return one.needs_chain; }, kNotFollowed);
      then();
    });
  }
  // Waits for the sources of all types, one after another, beginning with `first`.
  void listen(UniqueFunction<void()> then, std::size_t first = 0) {
    while (first < eth::kSubscriptionTypes && !incoming.waits[first]) ++first;
    if (first == eth::kSubscriptionTypes) return then();
    const auto type = static_cast<eth::SubscriptionType>(first);
    network.await_listening(
        type, [self = shared_from_this(), then = std::move(then), type](const std::string& refusal) mutable {
          if (!refusal.empty()) {
            log_refusal(self->network, type, refusal);
            self->refuse_all([type](const Subscribed& one) { return one.waits && one.type == type; },
                             eth::feed_type(type).not_listening);
          }
          self->listen(std::move(then), static_cast<std::size_t>(type) + 1);
        });
  }
  template <typename IsRefused>
  void refuse_all(IsRefused is_refused, std::string_view why) {
    for (Subscribed& one : std::exchange(incoming.subscribed, {})) {
      const bool refused = is_refused(one);
      if (refused) refuse(incoming.job.items[one.item], why);
      (refused ? answered.refused : incoming.subscribed).push_back(std::move(one));
    }
    incoming.waits.reset();
    for (const Subscribed& one : incoming.subscribed) {
      if (one.waits) incoming.waits.set(static_cast<std::size_t>(one.type));
    }
  }
  void answer() {
    auto to_whom = std::exchange(done, nullptr);
    // Once the worker stops, no client waits for answers any more, and the loops end soon.
    if (to_whom == nullptr || worker.stopping()) return;
    answered.text = join_answers(incoming.job);
    answered.subscribed = std::move(incoming.subscribed);
    answered.hold = incoming.job.room.release();
    answered.hold.shrink_to(answered.text.size());
    loop.post([to_whom = std::move(to_whom), answered = std::move(answered)]() mutable {
      run_guarded("an answer", [&] { to_whom(std::move(answered)); });
    });
  }

  Network& network;
  upstream::Worker& worker;
  net::Loop& loop;
  Incoming incoming;
  UniqueFunction<void(Answered)> done;  // on the loop; null: already called
  Answered answered;
};

std::shared_ptr<RpcService::PendingRequest> RpcService::pending_request(
    Incoming incoming, UniqueFunction<void(Answered)> done_on_loop) {
  return std::make_shared<PendingRequest>(context_, std::move(incoming), std::move(done_on_loop));
}

void RpcService::send_to_node(std::shared_ptr<PendingRequest> pending_request) {
  // The loop outlives the worker; the service is only used on its own loop while that still runs.
  context_.worker.post([pending_request = std::move(pending_request)] {
    run_guarded("a message", [&] { pending_request->ask(); });
  });
}

}  // namespace fanfare::gateway

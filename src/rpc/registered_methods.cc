#include "rpc/registered_methods.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include "access/credentials.h"
#include "access/quota.h"
#include "jsonrpc/response.h"
#include "rpc/arguments.h"
#include "rpc/connection.h"
#include "session/http_connection.h"

namespace fanfare::rpc {
namespace {

constexpr Duration kSweepEvery = std::chrono::milliseconds(50);
// The maximum length of a caller's method name in an error.
constexpr std::size_t kMethodShown = 64;
// What the answers of subscribe() and unsubscribe() have room in, with the longest name of an event.
constexpr std::size_t kLateAnswerBytesMax = 4096;
// The open calls of longer messages are started in slices.
constexpr std::size_t kCallsStartedAtOnce = 32;
// Calls of one message that are answered with its reply: all at once, so they must be few.
constexpr std::uint32_t kLateCallsMax = 256;

RpcError work_queue_full(std::chrono::milliseconds retry_after) {
  return {.code = static_cast<int>(jsonrpc::ErrorCode::limit_exceeded),
          .message = "too many calls wait for a worker, try again later",
          .data_json = "{\"retry_after_ms\":" + std::to_string(retry_after.count()) + "}"};
}

std::string shown_method(std::string_view name) {
  std::string text(name.substr(0, kMethodShown));
  std::ranges::replace_if(text, [](char c) { return c <= ' ' || c >= '\x7f'; }, '?');
  return text;
}

// Whose turn it is among the calls that wait for a worker: an identity's, or else a connection's.
std::string client_of(const Origin& origin) {
  const RpcIdentity* const identity = origin.caller.identity.get();
  if (identity != nullptr && !identity->name.empty() && !identity->is_shared) {
    return "identity " + identity->name;
  }
  const session::SessionId id = origin.session.id();
  const auto loop = reinterpret_cast<std::uintptr_t>(&origin.session.table());
  return std::to_string(loop) + "/" + std::to_string(id.slot) + "/" + std::to_string(id.generation);
}

bool answers_at_once(const MethodEntry& entry) {
  return entry.about.run == RpcRun::loop && !entry.answers_later;
}

// If a JsonType of the program throws, the error is -32603. Handlers are passed by reference, so that a std::function
// of them allocates nothing.
Expected<BoundCall, RpcError> bind_call(const MethodEntry& entry, std::string_view params_json,
                                        RegisteredMethods::Guard guard) {
  const auto arguments = find_arguments(entry.parameters, params_json);
  if (!arguments) return Unexpected(arguments.error());
  Expected<BoundCall, RpcError> bound = Unexpected(RpcError{});
  const auto bind = [&] { bound = entry.bind(*arguments); };
  guard(entry.name, std::ref(bind));
  return bound;
}

// If the handler throws, the call is answered -32603. Its RpcAnswer may be left somewhere: a program without exceptions
// does not destroy it.
template <typename Handle>
void run_handler(const std::shared_ptr<OpenCall>& call, const Handle& handle,
                 RegisteredMethods::Guard guard) {
  if (!guard(call->entry().name, std::ref(handle))) call->fail({});
}

}  // namespace

bool is_withdrawn(const RpcIdentity& identity) {
  return identity.withdrawn != nullptr && identity.withdrawn->load(std::memory_order_relaxed);
}

std::string_view end_of(const RpcIdentity& identity) {
  if (is_withdrawn(identity)) return access::text_of(access::Denial::unknown);
  return access::text_of(identity.awaits_credentials ? access::Denial::missing : access::Denial::expired);
}

RegisteredMethods::~RegisteredMethods() {
  for (const Waiting& one : waiting_) one.message->cancel();
}

std::optional<Refusal> RegisteredMethods::refusal(const jsonrpc::Request& request, const Caller& caller) {
  const MethodEntry* const entry = context_.registry.find(request.method);
  RoleCounters* const counters = caller.counters.get();
  if (counters != nullptr) RoleCounters::add(counters->calls);
  if (auto refused = refuse_caller(entry, caller)) {
    const bool is_limit = refused->retry_after > Duration::zero();
    if (counters != nullptr)
      RoleCounters::add(is_limit ? counters->refused_limit : counters->refused_expired);
    return refused;
  }
  auto refused = refuse_method(entry, request.method, caller);
  if (refused && counters != nullptr) RoleCounters::add(counters->refused_permission);
  return refused;
}

// A refused call costs as much as an executed one.
std::optional<Refusal> RegisteredMethods::refuse_caller(const MethodEntry* entry,
                                                        const Caller& caller) const {
  const bool for_everyone = entry != nullptr && entry->for_everyone;
  if (caller.payer != nullptr) {
    const std::uint32_t cost = entry == nullptr ? 1 : entry->about.cost;
    const auto exhausted = caller.payer->take_call(cost, context_.server.loop().now());
    if (exhausted && !for_everyone) {
      return limit_reached(access::name_of(exhausted->limit), exhausted->retry_after);
    }
  }
  const RpcIdentity* const identity = caller.identity.get();
  // Only few have an end: asking for the time costs others nothing.
  if (for_everyone || identity == nullptr) return std::nullopt;
  const bool has_ended = is_withdrawn(*identity) ||
                         (identity->expires_at && std::chrono::system_clock::now() >= *identity->expires_at);
  if (!has_ended) return std::nullopt;
  return Refusal{.code = kNotPermitted, .message = std::string(end_of(*identity))};
}

std::optional<Refusal> RegisteredMethods::refuse_method(const MethodEntry* entry, std::string_view name,
                                                        const Caller& caller) const {
  const RpcIdentity* const identity = caller.identity.get();
  if (entry != nullptr && entry->for_everyone) return std::nullopt;
  if (identity != nullptr && identity->awaits_credentials) {
    return Refusal{.code = kNotPermitted, .message = std::string(end_of(*identity))};
  }
  if (entry == nullptr) {
    return Refusal{.code = jsonrpc::ErrorCode::method_not_found,
                   .message = "unknown method " + shown_method(name)};
  }
  if (!context_.registry.may_call(identity, entry->name)) {
    return Refusal{.code = kNotPermitted, .message = "the method " + entry->name + " is not allowed"};
  }
  if (context_.registry.permits(identity, entry->about.permission)) return std::nullopt;
  return Refusal{.code = kNotPermitted,
                 .message = "the method " + entry->name + " needs the permission " + entry->about.permission};
}

Begun RegisteredMethods::begin(const jsonrpc::Request& request, const Origin& origin, Message& message,
                               std::string& answer) {
  const MethodEntry& entry = *context_.registry.find(request.method);
  if (entry.at_reply && origin.connection != nullptr) {
    if (message.late < kLateCallsMax) return Begun::late;
    if (request.is_notification()) return Begun::answered;
    jsonrpc::append_error(answer, request.id, jsonrpc::ErrorCode::limit_exceeded,
                          "too many subscriptions in one batch");
    return Begun::answered;
  }
  if (!answers_at_once(entry)) return Begun::open;
  answer = answer_now(entry, request.id, request.params, origin);
  std::string refused;
  if (!message.room.take_answer(answer.size(), request.id, refused)) answer = std::move(refused);
  return Begun::answered;
}

void RegisteredMethods::finish(Connection& connection, Message& message) {
  const Origin origin{
      .session = connection.session(), .caller = connection.caller(), .connection = &connection};
  for (Call& call : message.calls) {
    // Room first: a client whose answer was refused would not know that the call took effect.
    if (!call.late || !message.room.take_answer(kLateAnswerBytesMax, call.id, call.answer)) continue;
    call.answer = answer_now(*context_.registry.find(call.method), call.id, call.params, origin);
  }
}

std::string RegisteredMethods::answer_now(const MethodEntry& entry, std::string_view id,
                                          std::string_view params, const Origin& origin) const {
  const auto call = std::make_shared<OpenCall>(entry, std::string(id), nullptr, 0);
  if (auto bound = bind_call(entry, params, context_.guard)) {
    call_here(call, *bound, origin);
  } else {
    call->fail(bound.error());
  }
  return id.empty() ? std::string() : call->take_text();
}

void RegisteredMethods::call_here(const std::shared_ptr<OpenCall>& call, BoundCall& bound,
                                  const Origin& origin) const {
  Session* const session =
      origin.connection == nullptr ? nullptr : &context_.handle_of(origin.connection->session());
  const CallContext context{.entry = call->entry(),
                            .transport = origin.caller.transport,
                            .identity = origin.caller.identity.get(),
                            .session = session,
                            .call = *call};
  const auto handle = [&] { bound(context.handle(), RpcAnswer(call)); };
  run_handler(call, handle, context_.guard);
}

void RegisteredMethods::run(Message message, const Origin& origin, Done done) {
  const auto open = std::make_shared<OpenMessage>(std::move(message), origin.session.id(), std::move(done),
                                                  context_.post, context_.registry.budget());
  Waiting& waiting = waiting_.emplace_back(Waiting{.message = open, .deadlines = {}});
  if (waiting_.size() == 1) sweep_later();
  if (open->size() <= kCallsStartedAtOnce) {
    for (std::size_t i = 0; i < open->size(); ++i) start(waiting, i, origin);
    return open->put_own();
  }
  slices_.run([this, &waiting, open, caller = origin.caller, next = std::size_t{0}](Slice& slice) mutable {
    // Once the caller is gone, the sweep cancels the calls, and `waiting` may be gone, too.
    const session::SessionTable& sessions = context_.server.sessions();
    session::Session* const session = sessions.find(open->session());
    session::HttpConnection* const http = sessions.find_http(open->session());
    if (session == nullptr && http == nullptr) return false;
    session::Member& member = session == nullptr ? static_cast<session::Member&>(*http) : *session;
    const Origin now{.session = member,
                     .caller = caller,
                     .connection = session == nullptr ? nullptr : &context_.connection_of(*session)};
    for (; next < open->size(); ++next) {
      if (!slice.take_step()) return true;
      start(waiting, next, now);
    }
    open->put_own();
    return false;
  });
}

void RegisteredMethods::start(Waiting& waiting, std::size_t index, const Origin& origin) {
  OpenMessage& message = *waiting.message;
  if (!message.is_open(index)) return;
  const Call& text = message.call(index);
  const MethodEntry& entry = *context_.registry.find(text.method);
  message.expect();
  auto call = std::make_shared<OpenCall>(entry, text.id, waiting.message, index);
  auto bound = bind_call(entry, text.params, context_.guard);
  if (!bound) return call->fail(bound.error());
  if (entry.about.timeout > std::chrono::milliseconds::zero()) {
    waiting.deadlines.push_back(
        {.call = call, .at = context_.server.loop().now() + Duration(entry.about.timeout)});
  }
  if (entry.about.run == RpcRun::worker) {
    start_on_worker(call, *std::move(bound), origin);
  } else {
    call_here(call, *bound, origin);
  }
}

void RegisteredMethods::start_on_worker(const std::shared_ptr<OpenCall>& call, BoundCall bound,
                                        const Origin& origin) {
  const Caller& caller = origin.caller;
  // A task that is dropped unrun, because the Rpc ends, answers -32603 by its RpcAnswer. The other end is called on the
  // loop, or by the thread of a client that displaces the task; the registry may be gone by then.
  WorkerPool::Task task{
      .run =
          [call, answer = RpcAnswer(call), bound = std::move(bound), transport = caller.transport,
           identity = caller.identity, guard = context_.guard]() mutable {
            if (call->is_cancelled()) return;  // nobody waits for it
            const CallContext context{.entry = call->entry(),
                                      .transport = transport,
                                      .identity = identity.get(),
                                      .session = nullptr,
                                      .call = *call};
            const auto handle = [&] { bound(context.handle(), std::move(answer)); };
            run_handler(call, handle, guard);
          },
      .refuse = [call,
                 after = context_.registry.options().retry_after] { call->fail(work_queue_full(after)); }};
  context_.registry.workers().push(client_of(origin), std::move(task));
}

bool RegisteredMethods::is_over(Waiting& waiting, Instant now) const {
  if (waiting.message->is_delivered()) return true;
  const session::SessionTable& sessions = context_.server.sessions();
  const session::SessionId caller = waiting.message->session();
  if (sessions.find(caller) == nullptr && sessions.find_http(caller) == nullptr) {
    waiting.message->cancel();
    return true;
  }
  std::erase_if(waiting.deadlines, [&](const Deadline& deadline) {
    const auto call = deadline.call.lock();
    if (call == nullptr) return true;
    if (now < deadline.at) return false;
    call->fail({.code = static_cast<int>(jsonrpc::ErrorCode::timeout)});
    return true;
  });
  return false;
}

void RegisteredMethods::sweep() {
  const Instant now = context_.server.loop().now();
  std::erase_if(waiting_, [&](Waiting& waiting) { return is_over(waiting, now); });
  if (!waiting_.empty()) sweep_later();
}

void RegisteredMethods::sweep_later() {
  timer_ = context_.server.loop().call_after(kSweepEvery, [this] { sweep(); });
}

}  // namespace fanfare::rpc

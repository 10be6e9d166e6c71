#pragma once
// JSON-RPC 2.0 for a program's own methods. A method is registered once, with typed parameters, and answers over
// HTTP POST, WebSocket and Unix sockets:
//
//   fanfare::Rpc rpc({.title = "mynode", .version = "1.0"});
//   rpc.method("getblockhash", {.description = "The hash of the block at a height."},
//              [&](const fanfare::RpcCall&, std::uint64_t height) -> fanfare::RpcResult<std::string> {
//                if (height > chain.height()) return fanfare::rpc_error(-8, "Block height out of range");
//                return chain.hash(height);
//              },
//              fanfare::RpcParam<std::uint64_t>{"height", "The height of the block."});
//   fanfare::Server server({.port = 8332});
//   rpc.serve(server, "/");
//
// Clients pass parameters by position or by name. `rpc.discover` returns an OpenRPC document, `help` a text for
// people; both are made from the registrations. The reply has the request's id, byte by byte.
//
// Errors: -32601 unknown method, -32602 wrong parameters (the message names the parameter), -32001 a permission
// that the caller does not have, or credentials that have expired, -32002 timeout, -32005 a limit (data.retry_after_ms
// if the same call may succeed later), -32603 an exception, which is logged, or a reply that never came.
//
// Threads. Register everything on one thread, before serve(). A method with RpcRun::loop runs on the
// loop of its connection and must not block. One with RpcRun::worker runs on a thread of the pool. With several
// loops or workers, a handler runs on several threads at once.
//
// Ends. Stop the server first: then no handler runs on a loop. Then destroy the Rpc: then none runs on a worker.
// After both, the handlers' captures may go. Workers may still use the Server object meanwhile.

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "fanfare/error.h"
#include "fanfare/expected.h"
#include "fanfare/export.h"
#include "fanfare/json.h"
#include "fanfare/rpc_options.h"
#include "fanfare/server.h"
#include "fanfare/session.h"
#include "fanfare/topic.h"
#include "fanfare/unique_function.h"

namespace fanfare {

namespace rpc {
class OpenCall;
class Registry;
struct CallContext;
}  // namespace rpc

struct RpcError {
  int code = -32603;
  std::string message = {};    // "": the standard message of the code
  std::string data_json = {};  // raw JSON; "": no data
};
template <typename Result>
using RpcResult = Expected<Result, RpcError>;
inline Unexpected<RpcError> rpc_error(int code, std::string message, std::string data_json = {}) {
  return Unexpected(RpcError{.code = code, .message = std::move(message), .data_json = std::move(data_json)});
}

// One parameter. It is required unless it has a fallback, or T is an optional. A null counts as missing.
template <typename T>
struct RpcParam {
  std::string name;
  std::string description = {};
  std::optional<T> fallback = {};
};
template <typename T>
struct RpcParam<std::optional<T>> {
  std::string name;
  std::string description = {};
};

enum class RpcTransport : std::uint8_t { http, websocket };

// One call, during its handler.
class FANFARE_EXPORT RpcCall {
 public:
  RpcCall(const RpcCall&) = delete;
  RpcCall& operator=(const RpcCall&) = delete;

  std::string_view method() const;
  RpcTransport transport() const;
  // Null: the Rpc authenticates nobody.
  const RpcIdentity* identity() const;
  // The caller's WebSocket; null over HTTP, and on a worker's thread.
  Session* session() const;
  // The answer will not be used: the caller has disconnected, or the time is over. A caller over HTTP counts as
  // connected until its connection is reset. Any thread.
  bool is_cancelled() const;

 private:
  friend class rpc::OpenCall;
  friend class Rpc;
  friend struct rpc::CallContext;
  explicit RpcCall(const rpc::CallContext& context) : context_(context) {}
  const rpc::CallContext& context_;
};

// The untyped half of RpcReply.
class FANFARE_EXPORT RpcAnswer {
 public:
  explicit RpcAnswer(std::shared_ptr<rpc::OpenCall> call);
  RpcAnswer(RpcAnswer&&) noexcept;
  RpcAnswer& operator=(RpcAnswer&&) noexcept;
  RpcAnswer(const RpcAnswer&) = delete;
  RpcAnswer& operator=(const RpcAnswer&) = delete;
  ~RpcAnswer();

  void send(const std::string& result_json) &&;
  void fail(const RpcError& error) &&;
  bool is_cancelled() const;

 private:
  std::shared_ptr<rpc::OpenCall> call_;  // null after use
};

// The right to answer one call, once, on any thread. Destroyed unused, it answers -32603. It does nothing if the
// caller has disconnected, the time is over, or the server has stopped.
template <typename Result>
class RpcReply {
 public:
  explicit RpcReply(RpcAnswer answer) : answer_(std::move(answer)) {}

  void send(const Result& result) && { std::move(answer_).send(to_json(result)); }
  void fail(const RpcError& error) && { std::move(answer_).fail(error); }
  // As RpcCall::is_cancelled().
  bool is_cancelled() const { return answer_.is_cancelled(); }

 private:
  RpcAnswer answer_;
};
// Of a method without a result: it answers null.
template <>
class RpcReply<void> {
 public:
  explicit RpcReply(RpcAnswer answer) : answer_(std::move(answer)) {}

  void send() && { std::move(answer_).send("null"); }
  void fail(const RpcError& error) && { std::move(answer_).fail(error); }
  bool is_cancelled() const { return answer_.is_cancelled(); }

 private:
  RpcAnswer answer_;
};

// A position of an event, as subscribe() and notifications have it: {"epoch":7,"offset":42}.
template <>
struct FANFARE_EXPORT JsonType<Position> {
  static std::optional<Position> read(std::string_view json);
  static void write(std::string& out, Position value);
  static std::string schema();
  static std::string_view expected() { return "a position with epoch and offset"; }
};

namespace rpc {
// A parameter as it is described and looked up.
struct Parameter {
  std::string name;
  std::string description;
  std::string schema;
  bool required = true;
  std::string fallback_json = {};
};
// One for each parameter, in the order of registration; empty: missing. Borrowed for the call.
using Arguments = std::span<const std::optional<std::string_view>>;
// A call whose parameters were converted. Runs once, on the thread that RpcMethod::run says.
using BoundCall = UniqueFunction<void(const RpcCall&, RpcAnswer)>;
// A method, independent of its types.
struct MethodEntry {
  std::string name;
  RpcMethod about;
  std::vector<Parameter> parameters;
  std::string result_schema;
  bool answers_later = false;
  bool for_everyone = false;  // needs no permission, and is executed even if the caller's tokens are spent
  bool at_reply = false;  // over a WebSocket it runs when its reply is sent, so that nothing comes between
  std::function<Expected<BoundCall, RpcError>(Arguments)> bind;
};
FANFARE_EXPORT RpcError wrong_parameter(const std::string& name, std::string_view expected);

template <typename T>
struct ParamOf {
  using Value = T;
  static Parameter describe(const RpcParam<T>& param) {
    return {.name = param.name,
            .description = param.description,
            .schema = JsonType<T>::schema(),
            .required = !param.fallback,
            .fallback_json = param.fallback ? to_json(*param.fallback) : std::string()};
  }
  static Expected<T, RpcError> read(const RpcParam<T>& param, std::optional<std::string_view> raw) {
    if (!raw) return *param.fallback;
    if (auto value = JsonType<T>::read(*raw)) return *std::move(value);
    const JsonMistake mistake = find_json_mistake<T>(*raw);
    return Unexpected(wrong_parameter(param.name + mistake.where, mistake.expected));
  }
};
template <typename T>
struct ParamOf<std::optional<T>> {
  static Parameter describe(const RpcParam<std::optional<T>>& param) {
    return {.name = param.name,
            .description = param.description,
            .schema = JsonType<T>::schema(),
            .required = false};
  }
  static Expected<std::optional<T>, RpcError> read(const RpcParam<std::optional<T>>& param,
                                                   std::optional<std::string_view> raw) {
    if (!raw) return std::optional<T>();
    if (auto value = JsonType<T>::read(*raw)) return value;
    const JsonMistake mistake = find_json_mistake<T>(*raw);
    return Unexpected(wrong_parameter(param.name + mistake.where, mistake.expected));
  }
};

// In place of a number when a handler's signature is checked: it converts to T alone, so that a handler with a narrower
// parameter, which would silently get another number, does not compile.
template <typename T>
struct Exactly {
  template <std::same_as<T> Other>
  operator Other() const;
};
template <typename T>
struct ProbeOf {
  using Value = std::conditional_t<std::is_arithmetic_v<T>, Exactly<T>, T>;
};
template <typename T>
struct ProbeOf<std::optional<T>> {
  using Value = std::conditional_t<std::is_arithmetic_v<T>, Exactly<std::optional<T>>, std::optional<T>>;
};
template <typename... T>
struct Types {};
// Whether the handler takes the probes. Generic lambdas take whatever comes: they are asked with the types themselves.
template <typename Handler, typename... Before, typename... T>
constexpr bool takes_exactly(Types<Before...>, Types<T...>) {
  if constexpr (requires { &Handler::operator(); } || std::is_pointer_v<Handler>) {
    return std::is_invocable_v<Handler&, const RpcCall&, Before..., typename ProbeOf<T>::Value...>;
  } else {
    return std::is_invocable_v<Handler&, const RpcCall&, Before..., T...>;
  }
}
// What the checks below need, so that a mistake is reported once and in words.
template <typename T>
concept ReadableFromJson = requires(std::string_view json) { JsonType<T>::read(json); };
template <typename T>
concept WritableAsJson = requires(std::string& out, const T& value) { JsonType<T>::write(out, value); };
template <typename T>
inline constexpr bool is_parameter = ReadableFromJson<T>;
template <typename T>
inline constexpr bool is_parameter<std::optional<T>> = ReadableFromJson<T>;
template <typename Handler, typename... Arguments>
struct ReturnOf {
  using Value = void;
};
template <typename Handler, typename... Arguments>
  requires std::is_invocable_v<Handler&, const RpcCall&, Arguments...>
struct ReturnOf<Handler, Arguments...> {
  using Value = std::invoke_result_t<Handler&, const RpcCall&, Arguments...>;
};

template <typename Result>
struct ResultOf {
  using Value = Result;
};
template <>
struct ResultOf<void> {
  using Value = std::nullptr_t;
};
template <>
struct ResultOf<Expected<void, RpcError>> {
  using Value = std::nullptr_t;
};
template <typename Result>
struct ResultOf<Expected<Result, RpcError>> {
  using Value = Result;
};

#ifdef __cpp_lib_expected
template <typename Result>
struct ResultOf<std::expected<Result, RpcError>> {
  using Value = Result;
};
template <>
struct ResultOf<std::expected<void, RpcError>> {
  using Value = std::nullptr_t;
};
inline void answer_with(RpcAnswer answer, const std::expected<void, RpcError>& result) {
  if (!result) return std::move(answer).fail(result.error());
  std::move(answer).send("null");
}
template <typename Result>
void answer_with(RpcAnswer answer, std::expected<Result, RpcError> result) {
  if (!result) return std::move(answer).fail(result.error());
  std::move(answer).send(to_json(*result));
}
#endif

inline void answer_with(RpcAnswer answer, const Expected<void, RpcError>& result) {
  if (!result) return std::move(answer).fail(result.error());
  std::move(answer).send("null");
}
template <typename Result>
void answer_with(RpcAnswer answer, Expected<Result, RpcError> result) {
  if (!result) return std::move(answer).fail(result.error());
  std::move(answer).send(to_json(*result));
}
template <typename Result>
void answer_with(RpcAnswer answer, const Result& result) {
  std::move(answer).send(to_json(result));
}
}  // namespace rpc

class FANFARE_EXPORT Rpc {
 public:
  explicit Rpc(RpcOptions options = {});
  Rpc(const Rpc&) = delete;
  Rpc& operator=(const Rpc&) = delete;
  // Waits for the handlers that run on workers; calls that wait for a worker are not run any more, and answered -32603.
  // In a handler on a worker, it ends the process with a message.
  ~Rpc();

  // Registers a method. The handler is called with (const RpcCall&, T...), and returns a value that JsonType
  // converts, or an RpcResult of one; void and RpcResult<void> are null. Errors (bad_option): the name was registered before, it is empty, has
  // other characters than visible ASCII or begins with "rpc."; two parameters have one name; or a required
  // parameter follows one that is not. Server::start() reports an error that was ignored here.
  template <typename Handler, typename... T>
  Expected<void, Error> method(std::string_view name, RpcMethod about, Handler handler,
                               RpcParam<T>... params) {
    using Returned = typename rpc::ReturnOf<Handler, T...>::Value;
    using Result = typename rpc::ResultOf<Returned>::Value;
    constexpr bool kReturnsJson = rpc::WritableAsJson<Result>;
    static_assert(kReturnsJson, "the handler returns a type without JsonType<T>::write (fanfare/json.h)");
    if constexpr (check_handler<Handler>(rpc::Types<>(), rpc::Types<T...>()) && kReturnsJson) {
      auto bound = [handler = std::move(handler)](const RpcCall& call, RpcAnswer answer,
                                                  T&&... values) mutable {
        if constexpr (std::is_void_v<Returned>) {
          handler(call, std::move(values)...);
          std::move(answer).send("null");
        } else {
          rpc::answer_with(std::move(answer), handler(call, std::move(values)...));
        }
      };
      return add(entry_of<Result>(name, std::move(about), false, std::move(bound), std::move(params)...));
    } else {
      return Unexpected(Error{});
    }
  }

  // As method(), for answers that come later: the handler is called with (const RpcCall&, RpcReply<Result>,
  // T...) and returns nothing.
  template <typename Result, typename Handler, typename... T>
  Expected<void, Error> method_later(std::string_view name, RpcMethod about, Handler handler,
                                     RpcParam<T>... params) {
    using Written = typename rpc::ResultOf<Result>::Value;
    constexpr bool kReturnsJson = rpc::WritableAsJson<Written>;
    static_assert(kReturnsJson, "method_later<Result>: Result has no JsonType<T>::write (fanfare/json.h)");
    static_assert(std::is_void_v<typename rpc::ReturnOf<Handler, RpcReply<Result>, T...>::Value>,
                  "the handler of method_later() returns nothing: it answers by its RpcReply<Result>");
    if constexpr (check_handler<Handler>(rpc::Types<RpcReply<Result>>(), rpc::Types<T...>()) &&
                  kReturnsJson) {
      auto bound = [handler = std::move(handler)](const RpcCall& call, RpcAnswer answer,
                                                  T&&... values) mutable {
        handler(call, RpcReply<Result>(std::move(answer)), std::move(values)...);
      };
      return add(entry_of<Written>(name, std::move(about), true, std::move(bound), std::move(params)...));
    } else {
      return Unexpected(Error{});
    }
  }

  // Declares an event (rpc_options.h), and with the first one the methods `subscribe` and `unsubscribe`. Errors: as
  // method().
  template <typename T>
  Expected<void, Error> event(std::string_view name, RpcEvent about) {
    return add_event(name, std::move(about), JsonType<T>::schema());
  }

  // Sends an event to its subscribers on a server that serves this. Any thread; events of one thread keep their order.
  // `value` must be of the event's type. The result says which limit refused it (topic.h), or `stopped` before start(), or
  // `removed` if there is no such event, or the server does not serve this.
  template <typename T>
  PublishResult publish(Server& server, std::string_view event, const T& value) {
    return publish_json(server, event, to_json(value));
  }

  // Answers POST and WebSocket at the path (Server::websocket() describes paths). Call it before
  // Server::start(), for one server or several, at one path or several. After it nothing can be registered any more. Events
  // are topics of the server's hub. serve() creates a hub if there is none, so a program with a Hub of its own creates it
  // first. Each Rpc has its own events. Those on disk (RpcEvent::stored) belong to the first path.
  void serve(Server& server, std::string_view path);

  // What callers did, by role: those of at most 1000 roles, and "other". Any thread. Export them as counters of the
  // program's own metrics; they hold no secret.
  std::vector<RpcRoleMetrics> metrics() const;

  // The document that rpc.discover returns.
  std::string discover() const;

 private:
  // Says in words what is wrong with a handler.
  template <typename Handler, typename... Before, typename... T>
  static constexpr bool check_handler(rpc::Types<Before...>, rpc::Types<T...>) {
    static_assert(
        !std::is_member_pointer_v<Handler>,
        "the handler is a function or an object with operator(); a member function needs a lambda that "
        "holds its object");
    static_assert((rpc::is_parameter<T> && ...),
                  "an RpcParam<T> has a type without JsonType<T>::read (fanfare/json.h)");
    constexpr bool kTakesThem = std::is_member_pointer_v<Handler> ||
                                rpc::takes_exactly<Handler>(rpc::Types<Before...>(), rpc::Types<T...>());
    static_assert(kTakesThem,
                  "the handler takes const RpcCall&, in method_later() then RpcReply<Result>, and then one "
                  "parameter for each "
                  "RpcParam, with exactly the type of that RpcParam");
    return !std::is_member_pointer_v<Handler> && kTakesThem && (rpc::is_parameter<T> && ...);
  }

  template <typename Result, typename Call, typename... T>
  static rpc::MethodEntry entry_of(std::string_view name, RpcMethod&& about, bool answers_later, Call call,
                                   RpcParam<T>... params) {
    rpc::MethodEntry entry{.name = std::string(name),
                           .about = std::move(about),
                           .parameters = {rpc::ParamOf<T>::describe(params)...},
                           .result_schema = JsonType<Result>::schema(),
                           .answers_later = answers_later,
                           .bind = {}};
    auto shared = std::make_shared<Call>(std::move(call));
    entry.bind = [shared, params = std::tuple(std::move(params)...)](rpc::Arguments arguments) {
      return bind<Call, T...>(shared, params, arguments, std::index_sequence_for<T...>());
    };
    return entry;
  }
  template <typename Call, typename... T, std::size_t... Index>
  static Expected<rpc::BoundCall, RpcError> bind(const std::shared_ptr<Call>& call,
                                                 const std::tuple<RpcParam<T>...>& params,
                                                 [[maybe_unused]] rpc::Arguments arguments,
                                                 std::index_sequence<Index...>) {
    std::optional<RpcError> wrong;
    std::tuple<std::optional<T>...> values;
    [[maybe_unused]] const auto read = [&](auto& into, auto value) {
      if (!value) {
        if (!wrong) wrong = std::move(value.error());
      } else {
        into.emplace(*std::move(value));
      }
    };
    (read(std::get<Index>(values), rpc::ParamOf<T>::read(std::get<Index>(params), arguments[Index])), ...);
    if (wrong) return Unexpected(*std::move(wrong));
    return rpc::BoundCall([call, values = std::move(values)](const RpcCall& of, RpcAnswer answer) mutable {
      std::apply([&](auto&... value) { (*call)(of, std::move(answer), *std::move(value)...); }, values);
    });
  }

  Expected<void, Error> add(rpc::MethodEntry entry);
  Expected<void, Error> add_event(std::string_view name, RpcEvent about, std::string schema);
  Expected<void, Error> add_event_methods();
  void add_authenticate_method();
  PublishResult publish_json(Server& server, std::string_view event, const std::string& json);

  std::shared_ptr<rpc::Registry> registry_;
};

}  // namespace fanfare

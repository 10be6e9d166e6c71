#pragma once
// The methods of a service: registered in the process, forwarded to a node, or subscriptions. One object per
// loop.
//
//   refusal()    may this caller call that?                          for each call, in order
//   begin()      answers the call, or leaves it open                 for each call, in order
//   run()        answers the open calls of a message, later          once a message, if any is open
//   finish()     answers the late calls, when the reply is sent      once a message, if any is late
//   activate()   the answer with the subscription's id is queued
//
// All functions are called on the loop's thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "fanfare/unique_function.h"
#include "jsonrpc/error.h"
#include "jsonrpc/request.h"
#include "rpc/caller.h"
#include "rpc/message.h"

namespace fanfare::rpc {

struct Refusal {
  jsonrpc::ErrorCode code = jsonrpc::ErrorCode::method_not_found;
  std::string message;
  std::string data_json = {};  // raw; empty: no data
  // Not zero: a limit was reached, and the same call will be allowed after this time.
  Duration retry_after = {};
  // The server has too much to do: no limit of this caller was reached.
  bool is_overload = false;
};
// The caller is known and may not do this, or its credentials are not valid any more.
inline constexpr auto kNotPermitted = static_cast<jsonrpc::ErrorCode>(-32001);
// -32005 with data.retry_after_ms: the one answer to a caller that has used up what it may.
Refusal limit_reached(std::string_view limit, Duration retry_after);

enum class Begun : std::uint8_t {
  answered,  // `answer` is set, unless the request is a notification
  open,      // left to run()
  late,      // left to finish(); never over HTTP
};

// Runs on the loop's thread, once. It may be destroyed unrun only when the server stops.
using Done = UniqueFunction<void(Reply)>;

class Methods {
 public:
  Methods() = default;
  virtual ~Methods() = default;
  Methods(const Methods&) = delete;
  Methods& operator=(const Methods&) = delete;

  // Empty: the caller may make this call. The request is valid.
  virtual std::optional<Refusal> refusal(const jsonrpc::Request& request, const Caller& caller) = 0;
  // `message` has the calls before this one, without answers of open ones. A subscription is added to
  // message.subscribed; if its answer must wait, message.open counts it.
  virtual Begun begin(const jsonrpc::Request& request, const Origin& origin, Message& message,
                      std::string& answer) = 0;
  // Completes a message with `open` above 0 (complete() in message.h), on any thread, and passes the reply to
  // `done`. `origin` is gone when this returns.
  virtual void run(Message message, const Origin& origin, Done done) = 0;

  // Answers the late calls of a message whose other calls are answered. The answers are sent right after it returns:
  // nothing that the connection sends from now on comes before them.
  virtual void finish(Connection& /*connection*/, Message& /*message*/) {}
  // The client has the id, or will have it before anything sent from here on.
  virtual void activate(Connection& /*connection*/, const std::string& /*id*/) {}
  // The client was refused the subscription.
  virtual void withdraw(Connection& /*connection*/, const std::string& /*id*/) {}
};

}  // namespace fanfare::rpc

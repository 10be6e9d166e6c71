#pragma once
// A client's call on its way through the gateway, as the access log and traces see it.
//
//   Request   one HTTP request, or one WebSocket connection: where its calls come from
//   Call      one JSON-RPC call, also of a batch. Made on the loop, and handed from thread to thread with its message
//   Attempt   one call to a node for it, or for several of a batch; a read that is repeated or hedged has several
//
// Where nothing is recorded there is no Request, and so no Call: the layers in between pass on a null pointer.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "trace/context.h"
#include "trace/span.h"

namespace fanfare::trace {

class Call;

// How a call ended.
struct CallEnd {
  std::optional<int> error_code;  // of its JSON-RPC error
  std::size_t bytes_out = 0;      // of its answer
  bool is_answered = true;        // false: it was dropped, because its client had gone or the server stopped
};

// Takes what has ended. Any thread; must never block for long. It always does the same for all its calls: other settings are another
// recorder, and a call ends with the one that it began with.
class Recorder {
 public:
  Recorder() = default;
  virtual ~Recorder() = default;
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  virtual Clock& clock() = 0;
  virtual TraceId make_trace_id() = 0;
  virtual SpanId make_span_id() = 0;
  // Whether spans are recorded at all. If not, a client's traceparent is passed on as it came.
  virtual bool traces() const = 0;
  // For a trace without a parent.
  virtual bool samples(const TraceId& id) const = 0;
  virtual void call_ended(const Call& call, const CallEnd& end) = 0;
  virtual void span_ended(Span span) = 0;
};

// Who records what begins now, on one loop. Loop thread.
class RecorderPlace {
 public:
  RecorderPlace() = default;
  virtual ~RecorderPlace() = default;
  RecorderPlace(const RecorderPlace&) = delete;
  RecorderPlace& operator=(const RecorderPlace&) = delete;

  // Null: nothing is recorded.
  virtual std::shared_ptr<Recorder> recorder() const = 0;
};

// Where calls come from. Its first part is set once; loop thread.
struct Request {
  std::shared_ptr<Recorder> recorder;  // of its calls; null: it is at `place_of_recorder`
  std::string id;                      // X-Request-Id
  std::optional<Context> parent = {};  // of a traceparent that the client may send
  TraceId trace = {};                  // of all calls of an HTTP request without a parent
  std::string address = {};            // of the client
  std::string place = {};              // "main/1"
  std::string_view protocol = "http";  // or "websocket": each call has an id of its own
  std::uint64_t calls = 0;             // so far
  // A WebSocket lives longer than a recorder. It must outlive the request.
  const RecorderPlace* place_of_recorder = nullptr;

  bool is_websocket() const { return protocol != "http"; }
};

// A longer name of a method is cut.
inline constexpr std::size_t kMethodBytesMax = 128;

class Call {
 public:
  struct About {
    std::string_view method;
    std::string_view principal;
    std::size_t bytes_in = 0;
  };
  Call(std::shared_ptr<Request> request, std::shared_ptr<Recorder> recorder, const About& about);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  // A call that did not end was dropped.
  ~Call();

  const Request& request() const { return *request_; }
  Recorder& recorder() const { return *recorder_; }
  const std::string& method() const { return method_; }
  const std::string& principal() const { return principal_; }
  const std::string& id() const { return id_; }
  std::uint64_t index() const { return index_; }  // among the calls of its request
  std::size_t bytes_in() const { return bytes_in_; }
  // Its own span. Without tracing: the client's, if it sent one.
  const Context& context() const { return context_; }
  const SpanId& parent() const { return parent_; }
  Instant begun() const { return begun_; }
  WallTime begun_at() const { return begun_at_; }

  // What is learnt of it until it ends, by the thread that has its message.
  void note_attempt() { ++attempts_; }
  void note_answered_by(std::string_view node) { node_ = node; }
  void note_cached() { is_cached_ = true; }
  // It waits for the answer to this one.
  void note_shared(std::shared_ptr<const Call> other) { shared_with_ = std::move(other); }
  std::uint32_t attempts() const { return attempts_; }
  const std::string& node() const { return shared_with_ && node_.empty() ? shared_with_->node_ : node_; }
  bool is_cached() const { return is_cached_; }
  const Call* shared_with() const { return shared_with_.get(); }

  // Only the first counts.
  void end(const CallEnd& end);

 private:
  const std::shared_ptr<Request> request_;
  const std::shared_ptr<Recorder> recorder_;
  std::string method_;
  std::string principal_;
  std::string id_;
  std::uint64_t index_ = 0;
  std::size_t bytes_in_ = 0;
  SpanId parent_;
  Context context_;  // its initializer sets parent_
  Instant begun_;
  WallTime begun_at_;
  std::uint32_t attempts_ = 0;
  std::string node_;
  bool is_cached_ = false;
  std::shared_ptr<const Call> shared_with_;
  bool has_ended_ = false;
};
using CallPtr = std::shared_ptr<Call>;
// What one call to a node is made for; never empty.
using CallsPtr = std::shared_ptr<const std::vector<CallPtr>>;

// Null stays null, and without a recorder there is no call. Loop thread.
CallPtr begin_call(const std::shared_ptr<Request>& request, const Call::About& about);

// One call to a node. Its thread is that of the node.
class Attempt {
 public:
  // How it ended.
  struct End {
    std::string_view failure = {};  // empty: it was answered
    std::optional<int> http_status = {};
    // The call had its answer before: a hedge that came too late.
    bool is_late = false;
  };

  // `method`: "batch" for several.
  Attempt(CallsPtr calls, std::string_view node, std::string_view method);
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  // One that did not end was given up.
  ~Attempt();

  // What the node gets over HTTP: traceparent and tracestate, if there is a trace, and X-Request-Id.
  std::vector<std::pair<std::string, std::string>> headers() const;
  // Where the node is: "host", "host:port" or "[::1]:port".
  void set_server(std::string_view authority);
  void end(const End& end);

 private:
  void export_span(const End& end);

  const CallsPtr calls_;
  std::string node_;
  std::string method_;
  std::string server_;
  Context context_;
  WallTime begun_at_;
  Instant begun_;
  bool has_ended_ = false;
};
using AttemptPtr = std::shared_ptr<Attempt>;

}  // namespace fanfare::trace

#pragma once
// One call of a registered method from its start to its answer, and the message that waits for it. The first
// answer counts: of the handler, of its timeout, or of the RpcAnswer that was dropped.

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_budget.h"
#include "base/time.h"
#include "fanfare/rpc.h"
#include "rpc/caller.h"
#include "rpc/methods.h"
#include "session/session.h"

namespace fanfare::rpc {

// What a handler learns of its call. Borrowed for the handler.
struct CallContext {
  const MethodEntry& entry;
  Transport transport;
  const RpcIdentity* identity = nullptr;
  Session* session = nullptr;
  const OpenCall& call;

  RpcCall handle() const { return RpcCall(*this); }
};

// A message whose calls are not all answered yet. Any thread, where not stated otherwise.
class OpenMessage : public std::enable_shared_from_this<OpenMessage> {
 public:
  // Runs the task on the loop of the session, if that still exists. Any thread.
  using Post = std::function<void(session::SessionId, UniqueFunction<void()>)>;

  OpenMessage(Message message, session::SessionId session, Done done, std::shared_ptr<const Post> post,
              std::shared_ptr<ByteBudget> budget)
      : session_(session),
        post_(std::move(post)),
        budget_(std::move(budget)),
        message_(std::move(message)),
        done_(std::move(done)) {}

  session::SessionId session() const { return session_; }
  // For the creator, before put_own().
  std::size_t size() const { return message_.calls.size(); }
  const Call& call(std::size_t index) const { return message_.calls[index]; }
  bool is_open(std::size_t index) const { return is_open(call(index)); }

  // Counts a call that will be answered with put(). The creator counts one for itself, and puts it back with
  // put_own(), so that nothing ends while the calls are started.
  void expect() { open_.fetch_add(1, std::memory_order_relaxed); }
  void put(std::size_t index, std::string answer);
  void put_own() { one_is_done(); }

  // The caller is gone: handlers should stop.
  void cancel() { is_cancelled_.store(true, std::memory_order_relaxed); }
  bool is_cancelled() const { return is_cancelled_.load(std::memory_order_relaxed); }

  // The loop's: whether the reply was delivered.
  bool is_delivered() const { return done_ == nullptr; }

 private:
  static bool is_open(const Call& call) { return !call.method.empty() && !call.late; }
  void one_is_done();

  const session::SessionId session_;
  const std::shared_ptr<const Post> post_;
  const std::shared_ptr<ByteBudget>
      budget_;  // of message_.room; an RpcReply may outlive the server and the Rpc
  std::atomic<std::size_t> open_ = 1;
  std::atomic<bool> is_cancelled_ = false;
  Message message_;  // each call is written by the thread that answers it, once
  Done done_;        // on the loop; null: delivered
};

class OpenCall {
 public:
  // `message` null: answered at once, into text().
  OpenCall(const MethodEntry& entry, std::string id, std::shared_ptr<OpenMessage> message, std::size_t index)
      : entry_(entry), id_(std::move(id)), message_(std::move(message)), index_(index) {}
  OpenCall(const OpenCall&) = delete;
  OpenCall& operator=(const OpenCall&) = delete;

  // During the handler.
  const MethodEntry& entry() const { return entry_; }
  // Each does nothing if the call was answered before.
  void succeed(std::string_view result_json);
  void fail(const RpcError& error);
  bool is_answered() const { return is_answered_.load(std::memory_order_acquire); }
  bool is_cancelled() const { return is_answered() || (message_ != nullptr && message_->is_cancelled()); }
  // After the answer, without a message.
  std::string take_text() { return std::move(text_); }

 private:
  void finish(std::string text);
  // A handler's mistake, which strangers may be able to repeat.
  void note_invalid(std::string_view what) const;

  const MethodEntry& entry_;  // gone with the Rpc: an answer may come later
  const std::string id_;      // empty: a notification
  const std::shared_ptr<OpenMessage> message_;
  const std::size_t index_;
  std::atomic<bool> is_answered_ = false;
  std::string text_;
};

}  // namespace fanfare::rpc

#pragma once
// One client's WebSocket as the service knows it: its calls in flight, the answers that wait until it reads,
// and whether it is too slow. Part of the session's data; loop thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/byte_budget.h"
#include "base/shared_bytes.h"
#include "base/time.h"
#include "rpc/caller.h"
#include "rpc/message.h"
#include "session/session.h"

namespace fanfare::rpc {

class Service;

// Why the service closed a connection (1013).
enum class Ended : std::uint8_t {
  slow_consumer,  // it read too slowly
  no_memory,      // the process had no memory for a message or an answer
};

class Connection {
 public:
  Connection(Service& service, Caller caller);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // From the session's opening on.
  session::Session& session() const { return *session_; }
  const Caller& caller() const { return caller_; }
  // The same client with other credentials. Calls that were checked before keep what they had.
  void set_principal(std::shared_ptr<const access::Principal> principal) {
    caller_.principal = std::move(principal);
  }
  // As set_principal(), with all that belongs to the new credentials.
  void set_caller(Caller caller) { caller_ = std::move(caller); }
  // Its calls are recorded from now on.
  void set_record(std::shared_ptr<trace::Request> record) { caller_.record = std::move(record); }
  // Set if the service closed it.
  std::optional<Ended> ended() const { return ended_; }
  // Of answers that wait until the client reads.
  std::size_t waiting_bytes() const {
    std::size_t bytes = 0;
    for (const Reply& reply : waiting_) bytes += reply.text.size() + reply.frame.size();
    return bytes;
  }
  // Sent to it since it became congested.
  std::uint32_t notifications_behind() const { return notifications_behind_; }

  // Whether requests of it are in progress.
  bool is_answering() const { return in_flight_ > 0 || in_slices_ > 0 || !waiting_.empty(); }
  // Of its requests in progress and its answers, including those in its outbox.
  std::size_t held_bytes() const { return share_->held(); }

  // Sends an event. `closed`: the session is not open any more, or became too slow by this event.
  session::SendResult deliver(const SharedBytes& frame);

 private:
  friend class Service;

  Service& service_;
  Caller caller_;
  session::Session* session_ = nullptr;
  std::shared_ptr<ByteShare> share_;  // the memory share for its requests and answers
  std::vector<ByteHold> unsent_;      // for answers in its outbox
  std::deque<Reply> waiting_;         // answers, until the client reads
  std::uint32_t in_flight_ = 0;       // calls
  bool is_held_ = false;              // Service::hold()
  std::uint32_t in_slices_ = 0;       // long messages, and long answers, that are not done
  bool rests_ = false;                // nothing is read from it: much of what it sent was refused
  std::uint32_t notifications_behind_ = 0;
  std::optional<Ended> ended_;
  // While it is congested: the bytes queued since then, the bytes it has accepted of them, and when it last
  // accepted more.
  bool watched_ = false;
  std::size_t queued_ = 0;
  std::size_t taken_ = 0;
  Instant taken_at_{};
};

}  // namespace fanfare::rpc

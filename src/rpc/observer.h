#pragma once
// What a service reports for metrics. Loop thread.

#include <cstddef>
#include <cstdint>

#include "rpc/caller.h"

namespace fanfare::rpc {

// Why a call was not executed.
enum class Refused : std::uint8_t {
  method,    // the caller may not call it
  memory,    // its client, or all clients, have too much in progress
  limit,     // its payer has used up what it may (access/quota.h)
  overload,  // the server has too much to do
};

class Observer {
 public:
  Observer() = default;
  virtual ~Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  // One call, also of a batch.
  virtual void on_call(Transport /*transport*/) {}
  virtual void on_refused(Refused /*why*/) {}
  // One WebSocket message.
  virtual void on_received(std::size_t /*bytes*/) {}
  virtual void on_sent(std::size_t /*bytes*/) {}
};

}  // namespace fanfare::rpc

#pragma once
// What one connection may do, as the server's access control decides: the part that is the same for every feature.
// A feature adds what its own things need (streams/permit.h, canvasserver/permit.h). Loop thread.

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace fanfare {

// Whose permit it is. Called by the loop, never within a call of the permit.
class PermitHolder {
 public:
  // The permit may answer otherwise from now on.
  virtual void on_permit_changed() = 0;
  // Nothing is permitted any more: the connection must end. `reason`: at most 123 bytes, for people.
  virtual void on_permit_ended(std::string_view reason) = 0;

 protected:
  ~PermitHolder() = default;
};

class ConnectionPermit {
 public:
  // Why something is refused, for the client.
  struct Refusal {
    std::string message;
    Duration retry_after{};  // zero: it does not help to wait
  };

  ConnectionPermit() = default;
  virtual ~ConnectionPermit() = default;
  ConnectionPermit(const ConnectionPermit&) = delete;
  ConnectionPermit& operator=(const ConnectionPermit&) = delete;

  // Once, when the connection is open. The holder must outlive the permit.
  virtual void begin(PermitHolder& holder) = 0;
  // The name of the identity that it was given to. Borrowed until the credentials are replaced.
  virtual std::string_view holder_name() const { return {}; }
  // Counts a request for something that is not granted.
  virtual void count_refused() = 0;
  // Takes from the quota, or says why it did not.
  virtual std::optional<Refusal> take_message() = 0;
  virtual void charge_bytes(std::size_t count) = 0;
  // Replaces the client's credentials. The error leaves them unchanged.
  virtual std::expected<void, Refusal> authenticate(std::string_view token) = 0;
};

}  // namespace fanfare

#pragma once
// What one client of a room may do, as the server's access control decides. A client without a permit may look and
// draw, and may not moderate. Used on the client's loop only.

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "canvas/frames.h"

namespace fanfare::canvasserver {

// Whose permit it is. Called by the loop, never within a call of the permit.
class PermitHolder {
 public:
  // may_view() and rights() may answer otherwise from now on.
  virtual void on_permit_changed() = 0;
  // Nothing is permitted any more: the connection must end. `reason`: at most 123 bytes, for people.
  virtual void on_permit_ended(std::string_view reason) = 0;

 protected:
  ~PermitHolder() = default;
};

class Permit {
 public:
  // Why something is refused, for the client.
  struct Refusal {
    std::string message;
    Duration retry_after{};  // zero: it does not help to wait
  };

  Permit() = default;
  virtual ~Permit() = default;
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;

  // Once, when the connection is open. The holder must outlive the permit.
  virtual void begin(PermitHolder& holder) = 0;
  virtual bool may_view(std::string_view room) const = 0;
  virtual canvas::Rights rights(std::string_view room) const = 0;
  // All connections of this name are one user. Empty: strangers have it, too.
  virtual std::string identity() const = 0;
  // Counts a request that is refused.
  virtual void count_refused() = 0;
  // Takes from the quota, or says why it did not.
  virtual std::optional<Refusal> take_message() = 0;
  virtual void charge_bytes(std::size_t count) = 0;
  // Replaces the client's credentials. The error leaves them unchanged.
  virtual std::expected<void, Refusal> authenticate(std::string_view token) = 0;
};

}  // namespace fanfare::canvasserver

#pragma once
// What one client of the streams may do, as the server's access control decides. A client without a permit may read
// every stream. Used on the client's loop only.

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/permit.h"

namespace fanfare::streams {

class Permit : public ConnectionPermit {
 public:
  virtual bool may_read(std::string_view stream) const = 0;
  // Quotas, as take_message().
  virtual std::optional<Refusal> take_subscription() = 0;
  virtual void give_back_subscriptions(std::uint32_t count) = 0;
};

}  // namespace fanfare::streams

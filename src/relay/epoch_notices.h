#pragma once
// An instance that ends an epoch tells the others, which would otherwise learn of it with the next event. A notice is a message that the
// broker does not store. Whoever misses one learns of the epoch by TopicLook.

#include <optional>
#include <string>
#include <string_view>

#include "relay/link.h"
#include "relay/names.h"

namespace fanfare::relay {

class EpochNotices {
 public:
  // Both outlive it.
  EpochNotices(Link& link, const std::string& name) : link_(link), name_(name) {}

  // There is a connection. The subscription may have ended with the last one.
  void listen() { subscription_ = link_.subscribe_to(epoch_notices_of(name_)); }
  void stop() { subscription_.reset(); }
  // Empty: the subject is not that of a notice.
  std::optional<EpochNotice> read(std::string_view subject) const {
    return read_epoch_notice(name_, subject);
  }

 private:
  Link& link_;
  const std::string& name_;
  Subscribed subscription_{nullptr, [](void*) {}};
};

}  // namespace fanfare::relay

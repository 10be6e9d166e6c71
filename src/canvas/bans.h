#pragma once
// Who cannot draw, and until when: identities and addresses. Wall time, since bans outlast the process. One thread.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/time.h"

namespace fanfare::canvas {

class Bans {
 public:
  // Identities and addresses count one by one.
  explicit Bans(std::size_t bans_max) : bans_max_(bans_max) {}

  // Replaces the end of an earlier ban; one that is not after `now_ms` ends it. Empty names are ignored. Milliseconds
  // since 1970-01-01 UTC.
  void set_identity(std::string_view identity, std::int64_t until_ms, std::int64_t now_ms);
  // An address is banned for each of the identities that used it, independently of the others.
  void set_payer(std::string_view payer, std::string_view identity, std::int64_t until_ms,
                 std::int64_t now_ms);
  // How long one of the two is banned yet; empty: neither is.
  std::optional<std::chrono::milliseconds> left(std::string_view identity, std::string_view payer,
                                                std::int64_t now_ms) const;
  std::size_t count() const { return until_.size(); }

 private:
  void set(std::string key, std::int64_t until_ms, std::int64_t now_ms);
  void make_room(std::int64_t now_ms);

  std::size_t bans_max_;
  // By "i" and the identity, or by "p", the payer, a line break and the identity.
  std::map<std::string, std::int64_t, std::less<>> until_;
};

}  // namespace fanfare::canvas

#pragma once
// Subscribers that are answered only when everything from now on will be reported to them.

#include <cstdint>
#include <string>

namespace fanfare::eth {

struct Listening {
  std::uint64_t listener = 0;  // the id of the wait
  std::string refusal;         // empty: from now on everything is reported; otherwise the reason, for the log
};

}  // namespace fanfare::eth

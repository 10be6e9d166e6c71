#pragma once
// Which methods a node needs long for, as measured. No I/O, no clock.
//
// A method counts as slow while the moving average of its calls is above kSlowAfter. Methods that search or
// replay blocks count as slow until they have been measured.

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "base/time.h"

namespace fanfare::upstream {

class SlowMethods {
 public:
  static constexpr Duration kSlowAfter = std::chrono::milliseconds(200);
  // Further methods are not measured, and count as fast: names come from clients.
  static constexpr std::size_t kMethodsMax = 256;

  bool is_slow(std::string_view method) const;
  // A call has ended after so long at the node.
  void note(std::string_view method, Duration took);

 private:
  std::map<std::string, Duration, std::less<>> average_;
};

}  // namespace fanfare::upstream

#pragma once
// One HTTP header as it stood on the wire. The views point into the owner's message.

#include <string_view>

namespace fanfare {

struct HeaderField {
  std::string_view name;   // as sent; compared without regard to case
  std::string_view value;  // without the surrounding white space
};

}  // namespace fanfare

#pragma once
// One HTTP header as received. The views point into the owner's message.

#include <string_view>

namespace fanfare {

struct HeaderField {
  std::string_view name;   // as sent; compare it case-insensitively
  std::string_view value;  // without the surrounding white space
};

}  // namespace fanfare

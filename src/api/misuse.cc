#include "api/misuse.h"

#include <cstdio>
#include <cstdlib>

namespace fanfare::api {

void end_for_misuse(std::string_view call, std::string_view instead) {
  std::fprintf(stderr, "fanfare: %.*s: %.*s\n", static_cast<int>(call.size()), call.data(),
               static_cast<int>(instead.size()), instead.data());
  std::abort();
}

}  // namespace fanfare::api

// A library with exceptions, which the program of no_exceptions_test.cc uses.

#include <stdexcept>

namespace fanfare {

void throw_from_a_library();  // declared there

void throw_from_a_library() {
  throw std::runtime_error("thrown by a library");
}

}  // namespace fanfare

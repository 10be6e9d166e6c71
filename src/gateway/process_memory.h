#pragma once

#include <cstdint>

namespace fanfare::gateway {

// Memory of the process that is in RAM, in bytes; 0: unknown.
std::uint64_t resident_bytes();

}  // namespace fanfare::gateway

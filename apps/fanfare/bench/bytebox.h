#pragma once
// A vector as output: bytes of a protocol that wait to be sent.

#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace fanfare::app {

class Bytebox final : public Output {
 public:
  std::uint8_t* extend(std::size_t size) override {
    bytes.resize(bytes.size() + size);
    return bytes.data() + bytes.size() - size;
  }
  std::vector<std::uint8_t> bytes;
};

}  // namespace fanfare::app

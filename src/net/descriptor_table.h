#pragma once
// Descriptors registered with an io_uring, each under its own number. The kernel then need not look up and
// reference them for every operation. It also keeps them open while they are in the table.

#include <cstdint>

struct io_uring;

namespace fanfare::net {

class DescriptorTable {
 public:
  // `features` come from io_uring_setup(). Where a table would do harm, none is created, and add() returns
  // false.
  void attach(io_uring& ring, std::uint32_t features);

  bool add(int descriptor);
  void remove(int descriptor);

 private:
  io_uring* ring_ = nullptr;
  int size_ = 0;
};

}  // namespace fanfare::net

#pragma once
// Descriptors registered with an io_uring, each under its own number: the kernel need not look them up and
// hold them for every operation. It has them open, too, for as long as they are in the table.

#include <cstdint>

struct io_uring;

namespace fanfare::net {

class DescriptorTable {
 public:
  // `features` are what io_uring_setup() told. Where a table would do harm there is none, and add() says no.
  void attach(io_uring& ring, std::uint32_t features);

  bool add(int descriptor);
  void remove(int descriptor);

 private:
  io_uring* ring_ = nullptr;
  int size_ = 0;
};

}  // namespace fanfare::net

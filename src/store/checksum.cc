#include "store/checksum.h"

#include <zlib.h>

#include <array>
#include <cstring>

namespace fanfare::store {
namespace {

// CRC-32 of the parts, each of a fixed length but the last.
class Checksum {
 public:
  Checksum& add(std::uint64_t number) {
    std::array<std::uint8_t, 8> bytes;
    std::memcpy(bytes.data(), &number, bytes.size());
    return add(Bytes(bytes));
  }
  Checksum& add(Bytes bytes) {
    if (!bytes.empty()) value_ = crc32_z(value_, bytes.data(), bytes.size());  // of a null pointer it is 0
    return *this;
  }
  std::int64_t value() const { return static_cast<std::int64_t>(value_); }

 private:
  uLong value_ = crc32_z(0, nullptr, 0);
};

}  // namespace

std::int64_t checksum_of(std::int64_t topic, Position position, std::int64_t time_ms, Bytes frame) {
  return Checksum()
      .add(static_cast<std::uint64_t>(topic))
      .add(position.epoch)
      .add(position.offset)
      .add(static_cast<std::uint64_t>(time_ms))
      .add(frame)
      .value();
}

std::int64_t checksum_of(std::int64_t topic, std::string_view name, Position last) {
  return Checksum()
      .add(static_cast<std::uint64_t>(topic))
      .add(last.epoch)
      .add(last.offset)
      .add(as_bytes(name))
      .value();
}

std::int64_t checksum_of(std::uint64_t number) {
  return Checksum().add(number).value();
}

}  // namespace fanfare::store

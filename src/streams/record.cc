#include "streams/record.h"

#include <bit>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"

namespace fanfare::streams {
namespace {

struct Head {
  std::uint64_t kind;
  std::uint64_t serial;
  std::uint64_t base;
  std::int64_t seconds;
  std::uint64_t epoch;
  std::uint64_t offset;
  std::uint64_t data_size;
  std::uint32_t patch_size;
  std::uint32_t checksum;
};
static_assert(sizeof(Head) == kRecordHeadBytes);
static_assert(std::endian::native == std::endian::little);

constexpr std::uint64_t kVersion = std::uint64_t{1} << 8U;
constexpr std::uint64_t kKindMax = static_cast<std::uint64_t>(Record::Kind::paused);

}  // namespace

SharedBytes write_record(const Record& record) {
  const Head head{.kind = kVersion | static_cast<std::uint64_t>(record.kind),
                  .serial = record.serial,
                  .base = record.base,
                  .seconds = record.seconds,
                  .epoch = record.position.epoch,
                  .offset = record.position.offset,
                  .data_size = record.data.size(),
                  .patch_size = static_cast<std::uint32_t>(record.patch.size()),
                  .checksum = record.checksum};
  return SharedBytes::filled(sizeof(head) + record.data.size() + record.patch.size(), [&](MutableBytes room) {
    std::memcpy(room.data(), &head, sizeof(head));
    std::uint8_t* at = room.data() + sizeof(head);
    if (!record.data.empty()) std::memcpy(at, record.data.data(), record.data.size());
    at += record.data.size();
    if (!record.patch.empty()) std::memcpy(at, record.patch.data(), record.patch.size());
  });
}

SharedBytes with_position(Position position, const SharedBytes& record) {
  Record moved = read_record(record);
  moved.position = position;
  return write_record(moved);
}

bool is_record(const SharedBytes& bytes) {
  const Bytes view = bytes.view();
  Head head{};
  if (view.size() < sizeof(head)) return false;
  std::memcpy(&head, view.data(), sizeof(head));
  if ((head.kind & kVersion) == 0 || (head.kind & ~kVersion) > kKindMax) return false;
  const std::size_t content = view.size() - sizeof(head);
  return head.data_size <= content && content - head.data_size == head.patch_size;
}

Record read_record(const SharedBytes& bytes) {
  const Bytes view = bytes.view();
  Head head{};
  FANFARE_CHECK(view.size() >= sizeof(head));
  std::memcpy(&head, view.data(), sizeof(head));
  FANFARE_CHECK(view.size() == sizeof(head) + head.data_size + head.patch_size);
  const std::string_view content = as_text(view.subspan(sizeof(head)));
  return {.kind = static_cast<Record::Kind>(head.kind & ~kVersion),
          .serial = head.serial,
          .base = head.base,
          .seconds = head.seconds,
          .position = {.epoch = head.epoch, .offset = head.offset},
          .checksum = head.checksum,
          .data = content.substr(0, head.data_size),
          .patch = content.substr(head.data_size)};
}

}  // namespace fanfare::streams

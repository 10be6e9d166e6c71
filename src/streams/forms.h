#pragma once
// The events of streams as bytes for clients, made once on each loop for all subscribers that chose the same form. All
// outboxes share them, and the connections of a loop share their compressed version as well (ws/deflate_pool.h).
// One thread.

#include <array>
#include <cstddef>
#include <string_view>

#include "base/shared_bytes.h"
#include "streams/catalog.h"
#include "streams/messages.h"

namespace fanfare::streams {

class Forms {
 public:
  // A WebSocket frame, or an event of Server-Sent Events. `record` is from write_record(), with its position.
  SharedBytes get(std::string_view stream, const SharedBytes& record, Form form, Transport transport);

  // How many were made.
  std::uint64_t made() const { return made_; }

 private:
  // Readers that are behind ask for older events; those are made again.
  static constexpr std::size_t kRecordsMax = 16;

  struct Entry {
    SharedBytes record;
    std::array<std::array<SharedBytes, kFormCount>, kTransportCount> bytes;
  };

  std::array<Entry, kRecordsMax> entries_;
  std::size_t next_ = 0;
  std::uint64_t made_ = 0;
};

}  // namespace fanfare::streams

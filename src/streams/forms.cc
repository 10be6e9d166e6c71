#include "streams/forms.h"

#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "streams/record.h"
#include "ws/encode.h"

namespace fanfare::streams {
namespace {

SharedBytes make(std::string_view stream, const Record& record, Form form, Transport transport) {
  const std::string message = message_of(stream, record, form);
  if (transport == Transport::websocket) return ws::encode_message(ws::Opcode::text, as_bytes(message));
  return SharedBytes(as_bytes(sse_event(event_id(record.position), message)));
}

}  // namespace

SharedBytes Forms::get(std::string_view stream, const SharedBytes& record, Form form, Transport transport) {
  const auto found = std::ranges::find_if(
      entries_, [&](const Entry& entry) { return entry.record.view().data() == record.view().data(); });
  Entry* entry = found == entries_.end() ? nullptr : &*found;
  if (entry == nullptr) {
    entry = &entries_[next_];
    next_ = (next_ + 1) % kRecordsMax;
    *entry = Entry{.record = record, .bytes = {}};
  }
  SharedBytes& bytes = entry->bytes[static_cast<std::size_t>(transport)][static_cast<std::size_t>(form)];
  if (bytes.empty()) {
    bytes = make(stream, read_record(record), form, transport);
    ++made_;
  }
  return bytes;
}

}  // namespace fanfare::streams

#include "rpc/kept_text.h"

#include "base/bytes.h"

namespace fanfare::rpc {

KeptText::KeptText(session::Session& session, std::string_view text)
    : message_(session.take_message(as_bytes(text))), text_(text) {
  if (message_ == nullptr) copy(text);
}

KeptText::KeptText(session::HttpConnection& connection, std::string_view text)
    : bytes_(connection.take_body(as_bytes(text))), text_(text) {
  if (bytes_.empty()) copy(text);
}

void KeptText::copy(std::string_view text) {
  bytes_.append(as_bytes(text));
  text_ = as_text(bytes_.bytes());
}

}  // namespace fanfare::rpc

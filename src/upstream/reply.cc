#include "upstream/backend.h"

namespace fanfare::upstream {
namespace {

// Shorter bodies are scanned each time: a std::string may keep them in itself, so that they move with it.
constexpr std::size_t kNotedBytesMin = sizeof(std::string);

}  // namespace

void note_scan(const Reply& reply, const std::optional<jsonrpc::Answer>& answer) {
  reply.scan = {.of = reply.body.data(), .bytes = reply.body.size(), .answer = answer};
}

std::optional<jsonrpc::Answer> answer_of(const Reply& reply) {
  const Reply::Scan& scan = reply.scan;
  const bool is_noted =
      reply.body.size() >= kNotedBytesMin && scan.of == reply.body.data() && scan.bytes == reply.body.size();
  if (!is_noted) note_scan(reply, jsonrpc::split_response(reply.body));
  return reply.scan.answer;
}

}  // namespace fanfare::upstream

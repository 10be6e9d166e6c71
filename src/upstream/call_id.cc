#include "upstream/call_id.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "jsonrpc/response.h"
#include "jsonrpc/value.h"
#include "upstream/node_error.h"

namespace fanfare::upstream {
namespace {

bool is_number(std::string_view id) {
  return !id.empty() && std::ranges::all_of(id, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

CallId give_id(std::string& body, std::uint64_t number) {
  const auto found = jsonrpc::member(body, "id");
  if (!found || !is_number(*found)) return {};
  CallId id{.asked = std::string(*found), .sent = std::to_string(number)};
  body.replace(static_cast<std::size_t>(found->data() - body.data()), found->size(), id.sent);
  return id;
}

bool take_id_back(Reply& reply, const CallId& id) {
  if (id.asked.empty()) return true;
  const auto answer = answer_of(reply);
  if (!answer || answer->id.empty() || answer->id == "null") return true;
  if (digits_of_id(answer->id) != id.sent) return false;
  const auto raw_at = static_cast<std::size_t>(answer->raw.data() - reply.body.data());
  const auto id_at = static_cast<std::size_t>(answer->id.data() - reply.body.data());
  const std::size_t raw_size = answer->raw.size() - answer->id.size() + id.asked.size();
  // The parts of the answer are places in the text before, which stays until they are moved.
  std::string before;
  if (id.asked.size() > answer->id.size()) {
    before = std::move(reply.body);
    reply.body = before;
  }
  reply.body.replace(id_at, answer->id.size(), id.asked);
  note_scan(reply,
            jsonrpc::answer_in(std::string_view(reply.body).substr(raw_at, raw_size), *answer, id.asked));
  return true;
}

}  // namespace fanfare::upstream

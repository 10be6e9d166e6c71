#include "session/http_answer.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"

namespace fanfare::session {
namespace {

// Whether this key is new and should be logged.
bool is_first(std::string key) {
  static std::mutex mutex;
  static std::set<std::string> known;  // guarded by the mutex
  const std::scoped_lock lock(mutex);
  if (known.size() >= kAnswerFaultsLoggedMax) return false;
  return known.insert(std::move(key)).second;
}

void log_left_out(const http::Answer::LeftOut& field) {
  const std::string_view reason = name_of(field.reason);
  std::string key(reason);
  // A malformed name may be any text, even a peer's, so the key is only the reason.
  if (field.reason != http::Answer::Reason::malformed_name) key.append(" ").append(field.name);
  if (!is_first(std::move(key))) return;
  log::warn("response_header_left_out", {{"name", log::excerpt(field.name)}, {"reason", reason}});
}

}  // namespace

http::Answer answer_of(const HttpResponse& response, std::span<const ws::OwnedHeader> in_front) {
  std::vector<HeaderField> fields;
  fields.reserve(in_front.size() + response.headers.size());
  const auto add = [&fields](const ws::OwnedHeader& header) {
    fields.push_back({.name = header.name, .value = header.value});
  };
  std::ranges::for_each(in_front, add);
  std::ranges::for_each(response.headers, add);
  http::Answer answer = http::checked_answer({.status = response.status,
                                              .content_type = response.content_type,
                                              .headers = fields,
                                              .body = as_bytes(response.body)});
  for (const http::Answer::LeftOut& field : answer.left_out) log_left_out(field);
  if (!answer.explanation.empty() && is_first(std::to_string(response.status))) {
    log::error("response_status_invalid",
               {{"status", response.status}, {"body_bytes", response.body.size()}, {"sent", answer.status}});
  }
  return answer;
}

}  // namespace fanfare::session

#include "http/answer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace fanfare::http {
namespace {

constexpr std::array<std::string_view, 8> kWrittenByEngine{
    "Content-Length", "Transfer-Encoding", "Trailer", "Connection",
    "Keep-Alive",     "Proxy-Connection",  "TE",      "Date"};

bool is_written_by_engine(std::string_view name, int status) {
  if (equals_ignoring_case(name, "Upgrade")) return status != 426;
  return std::ranges::any_of(kWrittenByEngine,
                             [name](std::string_view own) { return equals_ignoring_case(own, name); });
}

// RFC9110§15.3.5, §15.3.6, §15.4.5.
bool forbids_body(int status) {
  return status == 204 || status == 205 || status == 304;
}

// Why the draft cannot be sent; empty if it can.
std::string find_fault(const AnswerDraft& draft) {
  const std::string status = std::to_string(draft.status);
  if (!is_answer_status(draft.status))
    return "an answer cannot have the status " + status + " (expected 200 to 599)";
  if (forbids_body(draft.status) && !draft.body.empty())
    return "an answer with the status " + status + " has no body";
  return "";
}

std::optional<Answer::Reason> find_reason_to_leave_out(const HeaderField& field, int status) {
  if (!is_token(field.name)) return Answer::Reason::malformed_name;
  if (is_written_by_engine(field.name, status)) return Answer::Reason::written_by_engine;
  if (!is_header_value(field.value)) return Answer::Reason::malformed_value;
  return std::nullopt;
}

}  // namespace

std::string_view name_of(Answer::Reason reason) {
  switch (reason) {
    case Answer::Reason::written_by_engine:
      return "written_by_engine";
    case Answer::Reason::repeated:
      return "repeated";
    case Answer::Reason::malformed_name:
      return "malformed_name";
    case Answer::Reason::malformed_value:
      return "malformed_value";
  }
  return "";
}

Answer checked_answer(const AnswerDraft& draft) {
  Answer answer{.status = draft.status, .headers = {}, .left_out = {}, .explanation = find_fault(draft)};
  answer.headers.reserve(draft.headers.size() + 1);
  HeaderField type{.name = "Content-Type", .value = "text/plain; charset=utf-8"};
  if (!answer.explanation.empty()) {
    answer.status = 500;
    answer.explanation += "\n";
    answer.headers.push_back(type);
    return answer;
  }
  // RFC9110§8.3: without a body there is no content type.
  type.value = forbids_body(draft.status) ? std::string_view() : draft.content_type;
  if (!is_header_value(type.value)) {
    answer.left_out.push_back({.name = type.name, .reason = Answer::Reason::malformed_value});
    type.value = {};
  }
  answer.headers.push_back(type);  // a header of the program may replace it below
  bool has_own_type = false;
  for (const HeaderField& field : draft.headers) {
    if (const auto reason = find_reason_to_leave_out(field, draft.status)) {
      answer.left_out.push_back({.name = field.name, .reason = *reason});
    } else if (!equals_ignoring_case(field.name, type.name)) {
      answer.headers.push_back(field);
    } else if (std::exchange(has_own_type, true)) {
      answer.left_out.push_back({.name = field.name, .reason = Answer::Reason::repeated});
    } else {
      answer.headers.front().value = field.value;
    }
  }
  if (answer.headers.front().value.empty()) answer.headers.erase(answer.headers.begin());
  return answer;
}

}  // namespace fanfare::http

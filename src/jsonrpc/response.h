#pragma once
// Builds outgoing JSON-RPC 2.0 text, and parses and splices responses from others.
//
// Builders append one complete object to `out`. Arguments named json or
// raw are inserted verbatim and must be one valid JSON value. `id` is a raw token, as in Request::id (`7`,
// `"abc"`, `null`). Messages and methods are plain text and are escaped here.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "jsonrpc/error.h"
#include "jsonrpc/scan.h"

namespace fanfare::jsonrpc {

// {"jsonrpc":"2.0","id":ID,"result":RESULT}
void append_result(std::string& out, std::string_view id, std::string_view result_json);

// {"jsonrpc":"2.0","id":ID,"error":{"code":CODE,"message":"..","data":DATA}}. There is no data member if
// `data_json` is empty. If `message` is empty, the standard message is used.
void append_error(std::string& out, std::string_view id, ErrorCode code, std::string_view message = {},
                  std::string_view data_json = {});
// As append_error(), with an existing error object, verbatim.
void append_raw_error(std::string& out, std::string_view id, std::string_view error_json);

// {"jsonrpc":"2.0","id":ID,"method":"..","params":PARAMS}; no params member if `params_json` is empty. Use it to forward a request: only checked members
// are sent on. So no member passes through that another reader might take for one of ours.
void append_request(std::string& out, std::string_view id, std::string_view method,
                    std::string_view params_json);

// Appends `text` as a JSON string, including quotes. Bytes from 0x80 on are copied unchanged: the caller must
// ensure valid UTF-8.
void append_string(std::string& out, std::string_view text);

// One object received from a server: a response or a notification. The views point into the text.
struct Answer {
  std::string_view raw;
  std::string_view id;      // raw token; empty: a notification
  std::string_view result;  // raw; empty for an error or a notification
  std::string_view error;   // raw object; empty for a result or a notification
  std::string_view method;  // notification only: the text between the quotes, not unescaped
  std::string_view params;  // notification only: raw, may be empty
  bool is_plain = false;    // it has one "jsonrpc":"2.0", and no member that is not in a view above

  bool is_notification() const { return !method.empty(); }
};

// Parses a response or a notification. Empty: the text is not JSON or not an object, one of our members is
// repeated, or it is neither of the two. A response has an id and either result or error; `"error":null`
// beside a result is accepted, as JSON-RPC 1 servers send it. The jsonrpc member is not required: some nodes
// omit it, and nothing depends on it.
std::optional<Answer> split_response(std::string_view text, std::uint32_t depth_max = kAnswerDepthMax);

// As split_response(), with what the same scan finds out about a text that is neither of the two.
struct ScannedText {
  bool is_object = false;  // the text is one JSON object
  std::optional<Answer> answer = {};
};
ScannedText scan_response(std::string_view text, std::uint32_t depth_max = kAnswerDepthMax);

// As split_response(), for the response to a batch: an array of responses in any order. A single object is
// also accepted, since servers reject a batch as a whole that way. An object that is not a response is left out, as if it had not come;
// empty if the text is not JSON, or an element is not an object.
std::optional<std::vector<Answer>> split_responses(std::string_view text,
                                                   std::uint32_t depth_max = kAnswerDepthMax);

// The answer in the form of JSON-RPC 1, which has both members: {"result":R,"error":null,"id":ID}. `answer` was made
// with this id by append_result() or append_error().
std::string to_version_1(std::string_view answer, std::string_view id);

// Returns the response with its id replaced; all other bytes stay unchanged. It must not be a notification.
std::string with_new_id(const Answer& answer, std::string_view id);
// The parts of `text`, which with_new_id(answer, id) has made. Not scanned again.
Answer answer_in(std::string_view text, const Answer& answer, std::string_view id);
// Returns `raw` with the value of its top-level id replaced by `id`; all other bytes stay unchanged. Empty if
// `raw` is not one object with exactly one id. For responses and for requests.
std::optional<std::string> replace_id(std::string_view raw, std::string_view id);

// The code and message of a raw error object; 0 and empty if they are missing. The message is unescaped.
struct ErrorObject {
  std::int64_t code = 0;
  std::string message;
  std::string_view data;  // raw, points into the text
};
ErrorObject read_error(std::string_view error_json);

}  // namespace fanfare::jsonrpc

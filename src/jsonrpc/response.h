#pragma once
// Outgoing JSON-RPC 2.0 text, and the answers of others taken apart and spliced.
//
// Builders append one whole object to `out`, which is a std::string or an Output. What is called json or
// raw goes in verbatim and must be one valid JSON value; `id` is a raw token, as Request::id has it
// (`7`, `"abc"`, `null`). Messages and methods are text and are escaped here.

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
void append_result(Output& out, std::string_view id, std::string_view result_json);

// {"jsonrpc":"2.0","id":ID,"error":{"code":CODE,"message":"..","data":DATA}}; no data member when
// `data_json` is empty, the standard message when `message` is.
void append_error(std::string& out, std::string_view id, ErrorCode code, std::string_view message = {},
                  std::string_view data_json = {});
void append_error(Output& out, std::string_view id, ErrorCode code, std::string_view message = {},
                  std::string_view data_json = {});
// The same with somebody else's error object, verbatim.
void append_raw_error(std::string& out, std::string_view id, std::string_view error_json);

// {"jsonrpc":"2.0","method":"..","params":PARAMS}; no params member when `params_json` is empty.
void append_notification(std::string& out, std::string_view method, std::string_view params_json);
void append_notification(Output& out, std::string_view method, std::string_view params_json);

// {"jsonrpc":"2.0","id":ID,"method":"..","params":PARAMS}. The way to forward a request: only what was
// checked goes on, so no member that another reader might take for one of ours slips through.
void append_request(std::string& out, std::string_view id, std::string_view method,
                    std::string_view params_json);
void append_request(Output& out, std::string_view id, std::string_view method, std::string_view params_json);

// Appends `text` as a JSON string, quotes included. Bytes from 0x80 on go in as they are: valid UTF-8 is
// the caller's to ensure.
void append_string(std::string& out, std::string_view text);

// One object received from a server: an answer or a notification. Views point into the text.
struct Answer {
  std::string_view raw;
  std::string_view id;      // raw token; empty: a notification
  std::string_view result;  // raw; empty when it is an error or a notification
  std::string_view error;   // raw object; empty when it is a result or a notification
  std::string_view method;  // notification only: between the quotes, as it stands
  std::string_view params;  // notification only: raw, may be empty
  bool has_others = false;  // there are members besides these and jsonrpc

  bool is_notification() const { return !method.empty(); }
};

// Takes an answer or a notification apart. Empty: not JSON, no object, a member of ours twice, or neither
// an answer (an id and either result or error; `"error":null` beside a result is let pass, as
// JSON-RPC 1 servers send it) nor a notification. The jsonrpc member is not asked for: nodes exist that
// leave it out, and nothing depends on it.
std::optional<Answer> split_response(std::string_view text, std::uint32_t depth_max = kAnswerDepthMax);

// The same for a batch's answer: an array of answers in any order, or a single object, which is how a
// server refuses a batch as a whole. Empty if any element is no answer.
std::optional<std::vector<Answer>> split_responses(std::string_view text,
                                                   std::uint32_t depth_max = kAnswerDepthMax);

// `raw` with the value of its top-level id replaced by `id`, all other bytes as they are. Empty if `raw`
// is not one object with exactly one id. For responses and for requests.
std::optional<std::string> replace_id(std::string_view raw, std::string_view id);
// The same where the request has no id yet: a notification gets one, as the first member.
std::optional<std::string> with_id(std::string_view raw_request, std::string_view id);

// code and message of a raw error object, 0 and empty where they are missing. The message is unescaped.
struct ErrorObject {
  std::int64_t code = 0;
  std::string message;
  std::string_view data;  // raw, points into the text
};
ErrorObject read_error(std::string_view error_json);

}  // namespace fanfare::jsonrpc

#pragma once
// One line of the access log: an HTTP request, a JSON-RPC call, or the end of a WebSocket session. Fields without a value
// are left out. Whatever a client chose is bounded and escaped, and nothing that may be a secret is in it: a path has no
// query, and its long or late segments are "***".

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/log_format.h"
#include "base/time.h"

namespace fanfare::gateway {

struct AccessRecord {
  enum class Kind : std::uint8_t {
    request,  // HTTP
    call,     // JSON-RPC, over HTTP or a WebSocket
    session,  // a WebSocket, at its end
    dropped,  // so many lines were lost
  };

  Kind kind = Kind::request;
  WallTime at{};             // when it ended
  std::string address = {};  // of the client
  std::string protocol = {};
  std::string place = {};  // "main/1", or where in another service
  std::string principal = {};
  std::string method = {};
  std::string path = {};               // of a request, already shown_path()
  std::optional<int> status = {};      // of HTTP, or the close code
  std::optional<int> error_code = {};  // of JSON-RPC
  std::string outcome = {};            // "dropped", or why a session ended
  Duration took{};
  std::uint64_t bytes_in = 0;
  std::optional<std::uint64_t> bytes_out = {};
  std::optional<std::uint64_t> messages_in = {};
  std::optional<std::uint64_t> messages_out = {};
  std::string upstream = {};
  std::uint32_t attempts = 0;
  std::string cache = {};  // "hit", "shared"
  std::string request_id = {};
  std::string trace_id = {};
  std::uint64_t lines = 0;  // with Kind::dropped
};

// With its newline.
std::string access_line_of(const AccessRecord& record, log::Format format);

// The path of a request as it may be shown.
std::string shown_path(std::string_view path);

}  // namespace fanfare::gateway

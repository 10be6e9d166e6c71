// The opening handshake in both roles, with arbitrary requests and responses. Each is accepted or refused by
// a documented rule, and an accepted one renders to one well-formed response.
//
// Input: a flag byte, then a request or status line's worth of text, then header lines "name:value\n".

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "ws/handshake.h"
#include "ws/handshake_client.h"

namespace {

using namespace fanfare;
using namespace fanfare::ws;

void require(bool holds) {
  if (!holds) std::abort();
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::vector<HeaderField> take_headers(std::string_view text) {
  std::vector<HeaderField> headers;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::size_t colon = line.find(':');
    headers.push_back(
        {.name = line.substr(0, colon),
         .value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1)});
  }
  return headers;
}

void check_server(std::uint8_t flags, std::string_view target, const std::vector<HeaderField>& headers) {
  const UpgradePolicy policy{
      .subprotocols =
          (flags & 1) != 0 ? std::vector<std::string>{"v1.json", "chat"} : std::vector<std::string>{},
      .subprotocol_required = (flags & 2) != 0,
      .origins = (flags & 4) != 0 ? std::vector<std::string>{"https://*.example.com", "http://localhost:3000"}
                                  : std::vector<std::string>{},
      .origin_required = (flags & 8) != 0,
  };
  const UpgradeRequest request{.target = target, .headers = headers};
  const auto accepted = accept_upgrade(request, policy);
  if (!accepted) {
    require(accepted.error().status == info(accepted.error().rule).code && accepted.error().status >= 400);
    return;
  }
  require(is_upgrade(headers));
  // Exactly one empty line, at the end: even the peer's own headers, returned as extra headers, cannot split
  // it.
  const std::string response = accepted->response(headers);
  require(response.find("\r\n\r\n") == response.size() - 4);
  require(response.find('\0') == std::string::npos);
}

void check_client(std::uint8_t flags, const std::vector<HeaderField>& headers) {
  SeededRandom random(1);
  const auto handshake = ClientHandshake::make(
      {.host = "example.com", .subprotocols = {"chat"}, .deflate = {.enabled = flags > 8}}, random);
  require(handshake.has_value());
  std::vector<HeaderField> answer(headers);
  // A fuzzer cannot guess the accept key, so it is provided to reach the later checks.
  const std::string accept_key = accept_key_for(handshake->key());
  if ((flags & 1) != 0) {
    answer.push_back({.name = "Sec-WebSocket-Accept", .value = accept_key});
    answer.push_back({.name = "Upgrade", .value = "websocket"});
    answer.push_back({.name = "Connection", .value = "Upgrade"});
  }
  const auto agreement = handshake->check({.headers = answer});
  if (!agreement) return;
  require(agreement->subprotocol.empty() || agreement->subprotocol == "chat");
  require(!agreement->deflate || flags > 8);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view target = take_line(text);
  std::vector<HeaderField> headers = take_headers(text);
  check_client(data[0], headers);
  check_server(data[0], target, headers);
  // Repeated with all required headers, so that the later checks are reached at once.
  headers.insert(headers.begin(), {{"Host", "example.com"},
                                   {"Upgrade", "websocket"},
                                   {"Connection", "Upgrade"},
                                   {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                   {"Sec-WebSocket-Version", "13"}});
  check_server(data[0], "/", headers);
  return 0;
}

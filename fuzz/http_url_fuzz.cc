// Addresses are accepted exactly as in the C library. An accepted URL can be written and parsed again, and
// never injects anything into a request line.

#include <arpa/inet.h>

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "http/headers.h"
#include "http/url.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fanfare;
  const std::string text(as_text(Bytes(data, size)));
  if (text.find_first_of(std::string("]#@/?\0", 6)) == std::string::npos) {
    in6_addr address{};
    const bool known = inet_pton(AF_INET6, text.c_str(), &address) == 1;
    FANFARE_CHECK(http::parse_url("ws://[" + text + "]").has_value() == known);
  }
  const auto url = http::parse_url(text);
  if (!url) {
    FANFARE_CHECK(url.error().starts_with("invalid URL \""));
    return 0;
  }
  FANFARE_CHECK(url->target.starts_with('/') && url->target.find(' ') == std::string::npos);
  FANFARE_CHECK(http::is_header_value(url->target) && http::is_header_value(url->authority()));
  FANFARE_CHECK(!url->host.empty());
  const auto again = http::parse_url(url->text());
  FANFARE_CHECK(again.has_value());
  FANFARE_CHECK(again->scheme == url->scheme && again->host == url->host && again->port == url->port);
  FANFARE_CHECK(again->target == url->target && again->socket_path == url->socket_path);
  return 0;
}

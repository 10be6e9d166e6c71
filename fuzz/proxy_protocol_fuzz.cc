// Any bytes are a PROXY header, the start of one, or refused. The result does not depend on the split, and is
// known within the limit. The address of version 1 is written as it was read.

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "session/proxy_protocol.h"

using namespace fanfare;
using namespace fanfare::session;

namespace {

bool same(const std::optional<net::Address>& one, const std::optional<net::Address>& other) {
  return one.has_value() == other.has_value() && (!one || one->text() == other->text());
}

// The result for bytes that arrive one by one.
auto judged_byte_by_byte(Bytes input) {
  auto verdict = parse_proxy_header(input.first(0));
  for (std::size_t size = 1; size <= input.size() && verdict && !*verdict; ++size) {
    verdict = parse_proxy_header(input.first(size));
  }
  return verdict;
}

void check_line(const ProxyHeader& header, Bytes input) {
  FANFARE_CHECK(header.size <= kProxyLineBytesMax);
  const std::string line(as_text(input.first(header.size)));
  FANFARE_CHECK(line.ends_with("\r\n"));
  if (!header.source) {
    FANFARE_CHECK(line.starts_with("PROXY UNKNOWN"));
    return;
  }
  FANFARE_CHECK(line.find(' ' + std::to_string(header.source->port()) + ' ') != std::string::npos);
  FANFARE_CHECK(header.source->family() == AF_INET || header.source->family() == AF_INET6);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(data, size);
  const auto whole = parse_proxy_header(input);
  const auto pieces = judged_byte_by_byte(input);
  FANFARE_CHECK(whole.has_value() == pieces.has_value());
  if (!whole) {
    FANFARE_CHECK(!whole.error().empty());
    return 0;
  }
  FANFARE_CHECK(whole->has_value() == pieces->has_value());
  if (!*whole) {
    FANFARE_CHECK(size < kProxyHeaderBytesMax);  // the parser never waits for more
    return 0;
  }
  const ProxyHeader& header = **whole;
  FANFARE_CHECK(header.size > 0 && header.size <= std::min(size, kProxyHeaderBytesMax));
  FANFARE_CHECK(header.size == (*pieces)->size && same(header.source, (*pieces)->source));
  if (input.front() == 'P') check_line(header, input);
  return 0;
}

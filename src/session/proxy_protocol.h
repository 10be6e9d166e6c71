#pragma once
// The PROXY protocol, versions 1 and 2: a proxy's statement of who is at the other end, sent before the first
// byte of a forwarded connection. No I/O.
//
//   version 1, one line of at most 107 bytes:
//     PROXY TCP4 192.0.2.7 198.51.100.1 50312 443\r\n          (TCP4, TCP6 or UNKNOWN)
//
//   version 2:
//      0                   1                   2                   3
//     +---------------------------------------------------------------+
//     |        0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A  (12 bytes)        |
//     +-------+-------+-------+-------+-------------------------------+
//     |ver = 2|command|family | trans.| length of the rest (BE)       |
//     +-------+-------+-------+-------+-------------------------------+
//     | source and destination address, ports, TLVs: `length` bytes   |
//     +---------------------------------------------------------------+

#include <cstddef>
#include <expected>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "net/socket.h"

namespace fanfare::session {

// Limit for a version 2 header, including TLVs. The length field could announce 64 KiB; no proxy needs that.
inline constexpr std::size_t kProxyHeaderBytesMax = 4096;
// Limit for a version 1 header, including the line end.
inline constexpr std::size_t kProxyLineBytesMax = 107;

struct ProxyHeader {
  // The address that connected to the proxy. Empty if the proxy speaks for itself (LOCAL, a health check) or
  // does not know it (UNKNOWN, UNSPEC): then the socket's address applies.
  std::optional<net::Address> source;
  std::size_t size = 0;  // bytes of the header; the connection's own bytes follow
};

// Reads the header at the front of `input`. Empty: more bytes are needed, at most kProxyHeaderBytesMax in
// total. An error describes the problem, is reported as early as possible, and is final. TLVs are skipped.
std::expected<std::optional<ProxyHeader>, std::string_view> parse_proxy_header(Bytes input);

}  // namespace fanfare::session

#pragma once
// The PROXY protocol, versions 1 and 2: what a proxy says, before the first byte of the connection it passes
// on, about who is at the other end. No I/O.
//
//   version 1, one line of at most 107 bytes:
//     PROXY TCP4 192.0.2.7 198.51.100.1 50312 443\r\n          (TCP4, TCP6 or UNKNOWN)
//
//   version 2:
//      0                   1                   2                   3
//     +---------------------------------------------------------------+
//     |        0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A  (12 bytes)        |
//     +-------+-------+-------+-------+-------------------------------+
//     |ver = 2|command|family | trans.| length of what follows (BE)   |
//     +-------+-------+-------+-------+-------------------------------+
//     | source and destination address, ports, then TLVs: `length` bytes |
//     +---------------------------------------------------------------+

#include <cstddef>
#include <expected>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "net/socket.h"

namespace fanfare::session {

// Of a header of version 2, TLVs included. The length field could announce 64 KiB; no proxy needs them.
inline constexpr std::size_t kProxyHeaderBytesMax = 4096;
// Of a header of version 1, line end included.
inline constexpr std::size_t kProxyLineBytesMax = 107;

struct ProxyHeader {
  // Who connected to the proxy. Empty when the proxy speaks for itself (LOCAL, a health check) or does not
  // know (UNKNOWN, UNSPEC): then the address of the socket stands.
  std::optional<net::Address> source;
  std::size_t size = 0;  // bytes of the header; the connection's own follow
};

// Reads the header at the front of `input`. Empty: more bytes are needed, and not more than
// kProxyHeaderBytesMax in all. The error says what is wrong, as soon as the bytes show it; it is final. TLVs
// are skipped unread.
std::expected<std::optional<ProxyHeader>, std::string_view> parse_proxy_header(Bytes input);

}  // namespace fanfare::session

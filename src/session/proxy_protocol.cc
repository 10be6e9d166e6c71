#include "session/proxy_protocol.h"

#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

namespace fanfare::session {
namespace {

using Parsed = std::expected<std::optional<ProxyHeader>, std::string_view>;

constexpr std::string_view kLineStart = "PROXY ";
constexpr std::array<std::uint8_t, 12> kSignature{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                  0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::size_t kFixedBytes = 16;

bool agree(Bytes input, Bytes start) {
  const std::size_t size = std::min(input.size(), start.size());
  return std::equal(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size), start.begin());
}

std::string_view take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

// Decimal, without a sign or leading zeros.
std::optional<std::uint16_t> parse_port(std::string_view word) {
  std::uint16_t port = 0;
  const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), port);
  if (failed != std::errc() || end != word.data() + word.size()) return std::nullopt;
  if (word.size() > 1 && word.front() == '0') return std::nullopt;
  return port;
}

std::optional<net::Address> parse_address(std::string_view host, std::uint16_t port, int family) {
  // Address::parse() also accepts names and brackets, which are invalid here.
  if (host.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) return std::nullopt;
  const auto address = net::Address::parse(host, port);
  if (!address || address->family() != family) return std::nullopt;
  return *address;
}

Parsed parse_line(std::string_view text) {
  const std::size_t end = text.substr(0, kProxyLineBytesMax).find("\r\n");
  if (end == std::string_view::npos) {
    if (text.size() >= kProxyLineBytesMax) return std::unexpected("the line is longer than 107 bytes");
    return std::nullopt;
  }
  ProxyHeader header{.source = {}, .size = end + 2};
  std::string_view line = text.substr(kLineStart.size(), end - kLineStart.size());
  const std::string_view protocol = take_word(line);
  if (protocol == "UNKNOWN") return header;  // the rest of the line has no meaning
  if (protocol != "TCP4" && protocol != "TCP6") return std::unexpected("neither TCP4, TCP6 nor UNKNOWN");
  const int family = protocol == "TCP4" ? AF_INET : AF_INET6;
  const std::string_view source = take_word(line);
  const std::string_view destination = take_word(line);
  const auto source_port = parse_port(take_word(line));
  // The rest is the last word; a space in it would make the number invalid.
  const auto destination_port = parse_port(line);
  if (!source_port || !destination_port) return std::unexpected("a port is no number of 16 bits");
  header.source = parse_address(source, *source_port, family);
  if (!header.source || !parse_address(destination, *destination_port, family)) {
    return std::unexpected("an address is not of its family");
  }
  return header;
}

net::Address ip4(const std::uint8_t* address, const std::uint8_t* port) {
  sockaddr_in socket{};
  socket.sin_family = AF_INET;
  std::memcpy(&socket.sin_addr, address, 4);
  std::memcpy(&socket.sin_port, port, 2);
  return {reinterpret_cast<const sockaddr*>(&socket), sizeof(socket)};
}

net::Address ip6(const std::uint8_t* address, const std::uint8_t* port) {
  sockaddr_in6 socket{};
  socket.sin6_family = AF_INET6;
  std::memcpy(&socket.sin6_addr, address, 16);
  std::memcpy(&socket.sin6_port, port, 2);
  return {reinterpret_cast<const sockaddr*>(&socket), sizeof(socket)};
}

// 108 bytes, padded with zeros; all zeros if the client's socket has no name.
std::optional<net::Address> unix_path(Bytes bytes) {
  const std::string_view field = as_text(bytes);
  const std::string_view path = field.substr(0, field.find('\0'));
  const auto address = net::Address::unix_path(path);
  if (!address) return std::nullopt;
  return *address;
}

Parsed parse_binary(Bytes input) {
  if (input.size() > kSignature.size()) {
    if (input[12] >> 4 != 2) return std::unexpected("the version is not 2");
    if ((input[12] & 0x0f) > 1) return std::unexpected("the command is neither LOCAL nor PROXY");
  }
  if (input.size() < kFixedBytes) return std::nullopt;
  const bool is_local = (input[12] & 0x0f) == 0;
  const std::uint8_t kind = input[13];
  const std::size_t length = std::size_t{input[14]} << 8 | input[15];
  if (kFixedBytes + length > kProxyHeaderBytesMax) return std::unexpected("the header is too long");
  std::size_t needed = 0;
  switch (kind) {
    case 0x00:  // UNSPEC
      break;
    case 0x11:  // IPv4: two addresses, two ports
    case 0x12:
      needed = 12;
      break;
    case 0x21:
    case 0x22:
      needed = 36;
      break;
    case 0x31:  // two Unix paths
    case 0x32:
      needed = 216;
      break;
    default:
      // The family in a LOCAL header has no meaning.
      if (!is_local) return std::unexpected("the address family or transport is unknown");
  }
  if (!is_local && length < needed) return std::unexpected("the header is shorter than its addresses");
  if (input.size() < kFixedBytes + length) return std::nullopt;
  ProxyHeader header{.source = {}, .size = kFixedBytes + length};
  if (is_local || needed == 0) return header;
  const Bytes addresses = input.subspan(kFixedBytes, needed);
  if (needed == 12) header.source = ip4(addresses.data(), addresses.data() + 8);
  if (needed == 36) header.source = ip6(addresses.data(), addresses.data() + 32);
  if (needed == 216) header.source = unix_path(addresses.first(108));
  return header;
}

}  // namespace

Parsed parse_proxy_header(Bytes input) {
  if (input.empty()) return std::nullopt;
  if (input.front() == kSignature.front()) {
    if (!agree(input, kSignature)) return std::unexpected("no PROXY header");
    return parse_binary(input);
  }
  if (!agree(input, as_bytes(kLineStart))) return std::unexpected("no PROXY header");
  if (input.size() < kLineStart.size()) return std::nullopt;
  return parse_line(as_text(input));
}

}  // namespace fanfare::session

#pragma once
// Addresses of callers, and ranges of them: rpcallowip and the like. Text in, no sockets. Any thread.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fanfare::access {

// An IPv6 address, or an IPv4 address in its mapped form (::ffff:a.b.c.d): both ways to write it are one caller.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  bool is_ipv4() const;
  bool operator==(const IpAddress&) const = default;

  // "192.0.2.7", "2001:db8::1". No port, no brackets, no zone.
  static std::optional<IpAddress> parse(std::string_view text);
  // As Member::peer() writes it: "192.0.2.7:50312", "[2001:db8::1]:443". Empty: a Unix socket, or nothing.
  static std::optional<IpAddress> of_peer(std::string_view text);
};

// Who pays for an address: an IPv4 address, or an IPv6 /64, since a customer gets at least a /64. A Unix socket, or
// whatever has no address, is one payer of its own.
std::string payer_of(const std::optional<IpAddress>& address);

struct AddressRange {
  IpAddress first;
  std::uint8_t bits = 128;  // of the 128; an IPv4 prefix counts from 96

  bool contains(const IpAddress& address) const;
  bool operator==(const AddressRange&) const = default;

  // "192.0.2.7", "10.0.0.0/8", "10.0.0.0/255.0.0.0" (as rpcallowip has it), "2001:db8::/32". Bits after the prefix
  // are ignored. Refused: a mask with holes, a prefix that is too long.
  static std::optional<AddressRange> parse(std::string_view text);
};
inline constexpr std::string_view kAddressRangeExpected =
    "an address or a range, such as 10.0.0.0/8 or 2001:db8::/32";
bool is_address_range(std::string_view text);

// An empty list contains every address. A caller without an address (a Unix socket) is in every list: the file's
// permissions decide.
bool is_in(std::span<const AddressRange> ranges, const std::optional<IpAddress>& address);

}  // namespace fanfare::access

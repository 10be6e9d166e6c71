#include "access/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace fanfare::access {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t kTextMax = 45;  // the longest IPv6 address

// "255.0.0.0" is 8; empty: there are holes.
std::optional<int> mask_bits(const IpAddress& mask) {
  if (!mask.is_ipv4()) return std::nullopt;
  std::uint32_t word = 0;
  for (std::size_t i = 12; i < 16; ++i) word = (word << 8U) | mask.bytes[i];
  const int ones = std::countl_one(word);
  if (ones < 32 && (word << static_cast<unsigned>(ones)) != 0) return std::nullopt;
  return ones;
}

std::optional<int> prefix_bits(std::string_view text, bool ipv4) {
  if (ipv4 && text.contains('.')) {
    const auto mask = IpAddress::parse(text);
    return mask ? mask_bits(*mask) : std::nullopt;
  }
  int bits = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
  if (error != std::errc() || end != text.data() + text.size() || text.front() == '-') return std::nullopt;
  if (bits > (ipv4 ? 32 : 128)) return std::nullopt;
  return bits;
}

}  // namespace

bool IpAddress::is_ipv4() const {
  return std::ranges::equal(kMapped, std::span(bytes).first<12>());
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() > kTextMax || text.contains('\0')) return std::nullopt;
  const std::string copy(text);
  IpAddress address;
  if (inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
  std::ranges::copy(kMapped, address.bytes.begin());
  if (inet_pton(AF_INET, copy.c_str(), address.bytes.data() + 12) == 1) return address;
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::of_peer(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return parse(host);
}

std::string payer_of(const std::optional<IpAddress>& address) {
  if (!address) return "local";
  const std::size_t kept = address->is_ipv4() ? 16 : 8;
  return {reinterpret_cast<const char*>(address->bytes.data()), kept};
}

bool AddressRange::contains(const IpAddress& address) const {
  const std::size_t whole = bits / 8U;
  if (!std::equal(first.bytes.begin(), first.bytes.begin() + static_cast<std::ptrdiff_t>(whole),
                  address.bytes.begin())) {
    return false;
  }
  const unsigned rest = bits % 8U;
  if (rest == 0) return true;
  return ((first.bytes[whole] ^ address.bytes[whole]) >> (8U - rest)) == 0;
}

std::optional<AddressRange> AddressRange::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto first = IpAddress::parse(text.substr(0, slash));
  if (!first) return std::nullopt;
  AddressRange range{.first = *first};
  if (slash == std::string_view::npos) return range;
  const bool ipv4 = first->is_ipv4() && !text.substr(0, slash).contains(':');
  const std::string_view prefix = text.substr(slash + 1);
  if (prefix.empty()) return std::nullopt;
  const auto bits = prefix_bits(prefix, ipv4);
  if (!bits) return std::nullopt;
  range.bits = static_cast<std::uint8_t>(*bits + (ipv4 ? 96 : 0));
  return range;
}

bool is_address_range(std::string_view text) {
  return AddressRange::parse(text).has_value();
}

bool is_in(std::span<const AddressRange> ranges, const std::optional<IpAddress>& address) {
  if (ranges.empty() || !address) return true;
  return std::ranges::any_of(ranges, [&](const AddressRange& one) { return one.contains(*address); });
}

}  // namespace fanfare::access

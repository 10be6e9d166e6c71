#include "http/authority.h"

#include <algorithm>

#include "base/hex.h"

namespace fanfare::http {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// RFC3986§2.2, §2.3: unreserved / sub-delims.
bool is_name_byte(char c) {
  return is_letter(c) || is_digit(c) || (c != '\0' && std::string_view("-._~!$&'()*+,;=").contains(c));
}

bool is_byte_number(std::string_view text) {
  if (text.empty() || text.size() > 3 || !std::ranges::all_of(text, is_digit)) return false;
  if (text.size() > 1 && text.front() == '0') return false;
  return text.size() < 3 || text <= "255";
}

bool is_group(std::string_view text) {
  return !text.empty() && text.size() <= 4 && std::ranges::all_of(text, is_hex_digit);
}

// RFC3986§3.2.2: *( unreserved / pct-encoded / sub-delims ).
bool is_registered_name(std::string_view text) {
  while (!text.empty()) {
    if (text.front() == '%') {
      if (text.size() < 3 || !is_hex_digit(text[1]) || !is_hex_digit(text[2])) return false;
      text.remove_prefix(3);
    } else {
      if (!is_name_byte(text.front())) return false;
      text.remove_prefix(1);
    }
  }
  return true;
}

// RFC3986§3.2.2: "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ).
bool is_future_address(std::string_view text) {
  if (!text.starts_with('v') && !text.starts_with('V')) return false;
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return false;
  const std::string_view version = text.substr(1, dot - 1);
  const std::string_view address = text.substr(dot + 1);
  return !version.empty() && std::ranges::all_of(version, is_hex_digit) && !address.empty() &&
         std::ranges::all_of(address, [](char c) { return is_name_byte(c) || c == ':'; });
}

}  // namespace

bool is_ipv4_address(std::string_view text) {
  for (int part = 0; part < 4; ++part) {
    const std::size_t dot = text.find('.');
    if (!is_byte_number(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return part == 3;
    text.remove_prefix(dot + 1);
  }
  return false;
}

bool is_ipv6_address(std::string_view text) {
  int groups = 0;
  bool shortened = text.starts_with("::");
  if (shortened) text.remove_prefix(2);
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && is_ipv4_address(group)) {
      groups += 2;
      break;
    }
    if (!is_group(group)) return false;
    ++groups;
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;
    if (!text.starts_with(':')) continue;
    if (shortened) return false;
    shortened = true;
    text.remove_prefix(1);
  }
  return shortened ? groups <= 7 : groups == 8;
}

bool is_host_and_port(std::string_view text) {
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    const std::string_view address = text.substr(1, close - 1);
    if (!is_ipv6_address(address) && !is_future_address(address)) return false;
    port = text.substr(close + 1);
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    if (!is_registered_name(text.substr(0, colon))) return false;
    port = text.substr(colon);
  }
  return port.empty() || (port.front() == ':' && std::ranges::all_of(port.substr(1), is_digit));
}

std::string_view authority_of(std::string_view target) {
  if (target.starts_with('/')) return {};
  const std::size_t scheme = target.find("://");
  if (scheme == std::string_view::npos) return {};
  target.remove_prefix(scheme + 3);
  return target.substr(0, target.find_first_of("/?"));
}

}  // namespace fanfare::http

#pragma once
// Makes tokens for tests, independently of the code that checks them.

#include <string>
#include <string_view>

#include "access/digest.h"

namespace fanfare::access {

inline std::string base64url(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : bytes) {
    bits = (bits << 8U) | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) text.push_back(kDigits[(bits >> (count - 6)) & 63U]);
  }
  if (count > 0) text.push_back(kDigits[(bits << (6 - count)) & 63U]);
  return text;
}

inline std::string hmac_text(std::string_view secret, std::string_view bytes) {
  const Digest mac = hmac_sha256(secret, bytes);
  return {reinterpret_cast<const char*>(mac.data()), mac.size()};
}

inline std::string hs256_token(std::string_view secret, std::string_view claims,
                               std::string_view header = R"({"alg":"HS256","typ":"JWT"})") {
  const std::string text = base64url(header) + "." + base64url(claims);
  return text + "." + base64url(hmac_text(secret, text));
}

}  // namespace fanfare::access

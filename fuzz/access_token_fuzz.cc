// Any bytes as a token, as the header and the claims of a token that is signed, and as a JWK set. A token is accepted
// only if it is signed by the rules' key. It never crashes, and gives the same result twice.

#include <cstdint>
#include <string>
#include <string_view>

#include "access/jwt.h"
#include "access/token_for_tests.h"
#include "base/bytes.h"
#include "base/check.h"

using namespace fanfare;
using namespace fanfare::access;

namespace {

const std::string kSecret(32, 's');
constexpr WallTime kNow{std::chrono::seconds(1734480000)};

const JwtRules& rules() {
  static const JwtRules kRules{.keys = {*JwtKey::hmac("", kSecret)}};
  return kRules;
}

void check_signed(std::string_view header, std::string_view claims) {
  const std::string token = hs256_token(kSecret, claims, header);
  const auto found = verify_jwt(token, rules(), kNow);
  const auto again = verify_jwt(token, rules(), kNow);
  FANFARE_CHECK(found.has_value() == again.has_value());
  if (!found) return;
  FANFARE_CHECK(header.contains("HS256") || header.contains('\\'));
  FANFARE_CHECK(found->roles.size() <= kTokenRolesMax);
  FANFARE_CHECK(found->expires_at && *found->expires_at > kNow);
  // Signed by another key, it is nothing.
  FANFARE_CHECK(!verify_jwt(hs256_token(std::string(32, 'x'), claims, header), rules(), kNow));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text({data, size});
  static_cast<void>(looks_like_jwt(text));
  if (const auto found = verify_jwt(text, rules(), kNow)) FANFARE_CHECK(text.size() > 43);
  check_signed(R"({"alg":"HS256"})", text);
  check_signed(text, R"({"sub":"a","exp":1734480100})");
  if (const auto keys = parse_jwks(text)) FANFARE_CHECK(!keys->empty());
  return 0;
}

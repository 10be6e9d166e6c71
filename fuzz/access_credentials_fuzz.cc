// Any bytes as an Authorization header, as the sources of a request's credentials, as rpcauth, as an address and as a
// range. Each is accepted or refused, the same way twice. What is accepted keeps its promises.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "access/address.h"
#include "access/bitcoin_options.h"
#include "access/credentials.h"
#include "access/digest.h"
#include "access/name_rules.h"
#include "access/password.h"
#include "base/bytes.h"
#include "base/check.h"
#include "http/headers.h"

using namespace fanfare;
using namespace fanfare::access;

namespace {

void check_credentials(const Credentials& found) {
  FANFARE_CHECK(found.kind() != Credentials::Kind::none);
  FANFARE_CHECK(found.secret().size() <= kSecretBytesMax);
  if (found.kind() != Credentials::Kind::token) return;
  FANFARE_CHECK(!found.secret().empty());
  for (const char c : found.secret()) FANFARE_CHECK(c > ' ' && c < '\x7f');
}

void check_authorization(std::string_view text) {
  const auto found = parse_authorization(text);
  const auto again = parse_authorization(text);
  FANFARE_CHECK(found.has_value() == again.has_value());
  if (!found) return FANFARE_CHECK(found.error() == Denial::malformed);
  check_credentials(*found);
  FANFARE_CHECK(found->secret() == again->secret());
}

// Lines of the input are the fields of a request.
void check_sources(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty() && lines.size() < 8) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  lines.resize(8);
  const std::vector<HeaderField> fields{{"Authorization", lines[0]},
                                        {"x-api-key", lines[1]},
                                        {lines[2], lines[3]},
                                        {"Sec-WebSocket-Protocol", lines[4]}};
  const auto found = find_credentials({.headers = http::Headers(fields).subspan(lines[0].empty() ? 1 : 0),
                                       .query = lines[5],
                                       .path_key = lines[6]});
  if (found) check_credentials(*found);
}

void check_rpcauth(std::string_view text) {
  const auto hash = parse_rpcauth(text);
  if (!hash) return FANFARE_CHECK(!hash.error().empty());
  FANFARE_CHECK(!hash->user.empty() && !hash->salt.empty());
  FANFARE_CHECK(*parse_rpcauth(rpcauth_text(*hash)) == *hash);
  static_cast<void>(has_password(*hash, text));
  SeededRandom random(1);
  static_cast<void>(plan_from({.rpcauth = {std::string(text)}, .rpcwhitelist = {std::string(text)}}, random));
}

void check_range(std::string_view text) {
  if (const auto address = IpAddress::parse(text)) {
    FANFARE_CHECK(AddressRange::parse(text)->contains(*address));
    FANFARE_CHECK(!payer_of(address).empty());
  }
  static_cast<void>(IpAddress::of_peer(text));
  const auto range = AddressRange::parse(text);
  FANFARE_CHECK(range.has_value() == is_address_range(text));
  if (!range) return;
  FANFARE_CHECK(range->bits <= 128);
  FANFARE_CHECK(range->contains(range->first));
}

void check_encodings(std::string_view text) {
  if (const auto digest = digest_from_hex(text)) FANFARE_CHECK(digest_from_hex(to_hex(*digest)) == digest);
  if (const auto bytes = base64url_decoded(text)) FANFARE_CHECK(bytes->size() == text.size() * 3 / 4);
  if (const auto bytes = base64_decoded(text)) FANFARE_CHECK(bytes->size() <= text.size() / 4 * 3);
  const NameRules all{.allow = {"*"}};
  if (all.allows(text)) FANFARE_CHECK(!text.contains(' ') && !text.contains('\0'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text({data, size});
  check_authorization(text);
  check_sources(text);
  check_rpcauth(text);
  check_range(text);
  check_encodings(text);
  return 0;
}

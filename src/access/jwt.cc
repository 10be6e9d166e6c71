#include "access/jwt.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "access/digest.h"
#include "base/decimal.h"
#include "jsonrpc/value.h"

namespace fanfare::access {
namespace {

using jsonrpc::Kind;

constexpr std::uint32_t kDepthMax = 16;

struct Parts {
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
  std::string_view signed_text;  // header.payload
};

std::optional<Parts> split(std::string_view token) {
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return std::nullopt;
  }
  return Parts{.header = token.substr(0, first),
               .payload = token.substr(first + 1, second - first - 1),
               .signature = token.substr(second + 1),
               .signed_text = token.substr(0, second)};
}

// RFC7519§4: with two members of one name, two readers could see two tokens.
bool has_unique_members(std::string_view object) {
  std::set<std::string> names;
  for (const jsonrpc::Member& member : jsonrpc::object_members(object)) {
    std::string quoted("\"");
    quoted.append(member.name).append("\"");
    const auto name = jsonrpc::string_copy(quoted);
    if (!name || !names.insert(*name).second) return false;
  }
  return true;
}

// The decoded part, if it is one JSON object.
std::optional<std::string> object_of(std::string_view part) {
  auto text = base64url_decoded(part);
  if (!text || !jsonrpc::is_valid_json(*text, kDepthMax)) return std::nullopt;
  const std::size_t start = text->find_first_not_of(" \t\r\n");
  text->erase(0, start);
  text->erase(text->find_last_not_of(" \t\r\n") + 1);
  if (jsonrpc::kind_of(*text) != Kind::object || !has_unique_members(*text)) return std::nullopt;
  return text;
}

std::optional<std::string> text_member(std::string_view object, std::string_view name) {
  const auto raw = jsonrpc::member(object, name);
  return raw ? jsonrpc::string_copy(*raw) : std::nullopt;
}

// RFC7519§2: seconds since 1970, possibly with a fraction. `present` but empty: not a valid date.
struct Date {
  bool present = false;
  std::optional<WallTime> at;
};

Date date_of(std::string_view claims, std::string_view name) {
  const auto raw = jsonrpc::member(claims, name);
  if (!raw) return {};
  Date date{.present = true, .at = {}};
  if (jsonrpc::kind_of(*raw) != Kind::number) return date;
  const double seconds = double_of(*raw);
  constexpr double kSecondsMax = 8e9;  // the year 2223, which fits into WallTime
  if (!(seconds >= 0) || seconds > kSecondsMax) return date;
  date.at = WallTime(Duration(static_cast<std::int64_t>(std::floor(seconds)) * 1'000'000'000));
  return date;
}

bool names_audience(std::string_view claims, std::string_view audience) {
  const auto raw = jsonrpc::member(claims, "aud");
  if (!raw) return false;
  if (jsonrpc::kind_of(*raw) == Kind::array) {
    return std::ranges::any_of(jsonrpc::array_elements(*raw), [&](std::string_view one) {
      return jsonrpc::string_copy(one) == std::string(audience);
    });
  }
  return jsonrpc::string_copy(*raw) == std::string(audience);
}

std::optional<std::vector<std::string>> roles_of(std::string_view claims, std::string_view claim) {
  std::vector<std::string> roles;
  const auto raw = jsonrpc::member(claims, claim);
  if (!raw) return roles;
  if (jsonrpc::kind_of(*raw) == Kind::array) {
    for (const std::string_view one : jsonrpc::array_elements(*raw)) {
      auto name = jsonrpc::string_copy(one);
      if (!name) return std::nullopt;
      roles.push_back(*std::move(name));
    }
  } else if (const auto text = jsonrpc::string_copy(*raw)) {
    for (std::size_t from = 0; from < text->size();) {
      const std::size_t end = std::min(text->find(' ', from), text->size());
      if (end > from) roles.push_back(text->substr(from, end - from));
      from = end + 1;
    }
  } else {
    return std::nullopt;
  }
  if (roles.size() > kTokenRolesMax) return std::nullopt;
  return roles;
}

// The key that signed; null: none. It is of this algorithm, and has this id if the token names one and keys have ids.
const JwtKey* signer_of(const Parts& parts, std::string_view header, const JwtRules& rules) {
  const auto algorithm = text_member(header, "alg");
  const auto signature = base64url_decoded(parts.signature);
  if (!algorithm || !signature) return nullptr;
  const auto id = text_member(header, "kid");
  const auto found = std::ranges::find_if(rules.keys, [&](const JwtKey& key) {
    if (name_of(key.algorithm()) != *algorithm) return false;
    if (id && !key.id().empty() && key.id() != *id) return false;
    return key.verifies(parts.signed_text, *signature);
  });
  return found == rules.keys.end() ? nullptr : &*found;
}

std::expected<std::optional<WallTime>, Denial> check_dates(std::string_view claims, const JwtRules& rules,
                                                           WallTime now) {
  const Date expiry = date_of(claims, "exp");
  const Date start = date_of(claims, "nbf");
  const Date issued = date_of(claims, "iat");
  for (const Date& date : {expiry, start, issued}) {
    if (date.present && !date.at) return std::unexpected(Denial::bad_claim);
  }
  if (!expiry.present && rules.requires_expiry) return std::unexpected(Denial::no_expiry);
  if (expiry.present && now >= *expiry.at + rules.leeway) return std::unexpected(Denial::expired);
  if (expiry.present && *expiry.at > now + rules.lifetime_max) return std::unexpected(Denial::too_long);
  for (const Date& date : {start, issued}) {
    if (date.present && *date.at > now + rules.leeway) return std::unexpected(Denial::too_early);
  }
  return expiry.present ? std::optional(*expiry.at + rules.leeway) : std::nullopt;
}

}  // namespace

bool looks_like_jwt(std::string_view token) {
  const auto parts = split(token);
  return parts && parts->header.starts_with("eyJ");  // {"
}

std::expected<JwtClaims, Denial> verify_jwt(std::string_view token, const JwtRules& rules, WallTime now) {
  if (token.size() > kTokenBytesMax) return std::unexpected(Denial::malformed);
  const auto parts = split(token);
  const auto header = parts ? object_of(parts->header) : std::nullopt;
  if (!header) return std::unexpected(Denial::malformed);
  // RFC7515§4.1.11: extensions that must be understood, and none is.
  if (jsonrpc::member(*header, "crit")) return std::unexpected(Denial::malformed);
  const JwtKey* const signer = signer_of(*parts, *header, rules);
  if (signer == nullptr) return std::unexpected(Denial::unknown);
  const auto claims = object_of(parts->payload);
  if (!claims) return std::unexpected(Denial::malformed);
  const auto expires_at = check_dates(*claims, rules, now);
  if (!expires_at) return std::unexpected(expires_at.error());
  if (!rules.issuer.empty() && text_member(*claims, "iss") != rules.issuer) {
    return std::unexpected(Denial::issuer);
  }
  if (!rules.audience.empty() && !names_audience(*claims, rules.audience)) {
    return std::unexpected(Denial::audience);
  }
  auto roles = roles_of(*claims, rules.roles_claim);
  if (!roles) return std::unexpected(Denial::bad_claim);
  return JwtClaims{.subject = text_member(*claims, "sub").value_or(""),
                   .roles = *std::move(roles),
                   .has_roles = jsonrpc::member(*claims, rules.roles_claim).has_value(),
                   .expires_at = *expires_at,
                   .key = signer->fingerprint()};
}

}  // namespace fanfare::access

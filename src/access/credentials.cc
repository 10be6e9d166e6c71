#include "access/credentials.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <utility>

#include "access/digest.h"
#include "http/target.h"

namespace fanfare::access {
namespace {

constexpr std::array<std::string_view, 3> kKeyHeaders{"X-Api-Key", "X-ERPC-Secret-Token", "X-Nodecore-Key"};
constexpr std::array<std::string_view, 5> kKeyParameters{"apikey", "api_key", "key", "secret", "token"};

bool is_visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

// RFC 7617 §2: no control characters. The user ends at the first colon.
bool has_controls(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

std::expected<Credentials, Denial> token_of(std::string_view text) {
  if (text.empty() || text.size() > kSecretBytesMax || !is_visible(text)) {
    return std::unexpected(Denial::malformed);
  }
  return Credentials::token(std::string(text));
}

std::expected<Credentials, Denial> basic_of(std::string_view text) {
  if (text.size() > kSecretBytesMax) return std::unexpected(Denial::malformed);
  auto plain = base64_decoded(text);
  if (!plain) return std::unexpected(Denial::malformed);
  const std::size_t colon = plain->find(':');
  std::expected<Credentials, Denial> result = std::unexpected(Denial::malformed);
  if (colon != std::string::npos && !has_controls(*plain)) {
    result = Credentials::password(plain->substr(0, colon), plain->substr(colon + 1));
  }
  OPENSSL_cleanse(plain->data(), plain->size());
  return result;
}

// Collects what the sources hold, until two of them contradict each other.
class Collector {
 public:
  void add(std::expected<Credentials, Denial> next) {
    if (denial_) return;
    if (!next) {
      denial_ = next.error();
    } else if (found_.kind() == Credentials::Kind::none) {
      found_ = *std::move(next);
    } else if (found_.kind() != next->kind() || found_.user() != next->user() ||
               !same_secret(found_.secret(), next->secret())) {
      denial_ = Denial::malformed;
    }
  }
  std::expected<Credentials, Denial> result() && {
    if (denial_) return std::unexpected(*denial_);
    return std::move(found_);
  }

 private:
  Credentials found_;
  std::optional<Denial> denial_;
};

// RFC6455§11.3.4: a list, possibly over several fields.
void add_subprotocols(Collector& out, std::string_view list) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view one = http::trim_space(list.substr(0, comma));
    if (one.starts_with(kBearerSubprotocol)) out.add(token_of(one.substr(kBearerSubprotocol.size())));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
}

bool is_key_header(std::string_view name) {
  return std::ranges::any_of(kKeyHeaders,
                             [&](std::string_view one) { return http::equals_ignoring_case(one, name); });
}

}  // namespace

std::string_view name_of(Denial denial) {
  switch (denial) {
    case Denial::missing:
      return "missing";
    case Denial::malformed:
      return "malformed";
    case Denial::unknown:
      return "unknown";
    case Denial::expired:
      return "expired";
    case Denial::too_early:
      return "too_early";
    case Denial::address:
      return "address";
    case Denial::blocked:
      return "blocked";
    case Denial::no_expiry:
      return "no_expiry";
    case Denial::issuer:
      return "issuer";
    case Denial::audience:
      return "audience";
    case Denial::too_long:
      return "too_long";
    case Denial::bad_claim:
      return "bad_claim";
    case Denial::other_grant:
      return "other_grant";
    case Denial::count_:
      break;
  }
  return "";
}

bool may_be_guess(Denial denial) {
  return denial == Denial::missing || denial == Denial::malformed || denial == Denial::unknown ||
         denial == Denial::address;
}

std::string_view text_of(Denial denial) {
  switch (denial) {
    case Denial::missing:
      return "credentials are required";
    case Denial::malformed:
      return "the credentials are malformed";
    case Denial::expired:
      return "the token has expired";
    case Denial::too_early:
      return "the token is not valid yet";
    case Denial::blocked:
      return "too many failed attempts from this address";
    case Denial::no_expiry:
      return "the token has no expiry (exp)";
    case Denial::issuer:
      return "the token is of another issuer (iss)";
    case Denial::audience:
      return "the token is for another audience (aud)";
    case Denial::too_long:
      return "the token is valid for too long (exp)";
    case Denial::bad_claim:
      return "a claim of the token is of the wrong kind";
    case Denial::other_grant:
      return "these credentials are of another identity or have other roles: connect again";
    case Denial::unknown:
    case Denial::address:  // as a wrong key: a password cannot be guessed from there
    case Denial::count_:
      break;
  }
  return "the credentials are not valid";
}

Credentials Credentials::password(std::string user, std::string secret) {
  Credentials one;
  one.kind_ = Kind::password;
  one.user_ = std::move(user);
  one.secret_ = std::move(secret);
  return one;
}

Credentials Credentials::token(std::string secret) {
  Credentials one;
  one.kind_ = Kind::token;
  one.secret_ = std::move(secret);
  return one;
}

Credentials::~Credentials() {
  OPENSSL_cleanse(secret_.data(), secret_.size());
}

std::expected<Credentials, Denial> parse_authorization(std::string_view value) {
  value = http::trim_space(value);
  const std::size_t space = value.find(' ');
  if (space == std::string_view::npos) return std::unexpected(Denial::malformed);
  const std::string_view scheme = value.substr(0, space);
  const std::string_view rest = http::trim_space(value.substr(space + 1));
  // RFC9110§11.1: the scheme ignores case.
  if (http::equals_ignoring_case(scheme, "basic")) return basic_of(rest);
  if (http::equals_ignoring_case(scheme, "bearer")) return token_of(rest);
  return std::unexpected(Denial::malformed);
}

std::expected<Credentials, Denial> find_credentials(const CredentialSources& sources) {
  Collector found;
  for (const HeaderField& field : sources.headers) {
    if (http::equals_ignoring_case(field.name, "Authorization")) {
      found.add(parse_authorization(field.value));
    } else if (is_key_header(field.name)) {
      found.add(token_of(field.value));
    } else if (http::equals_ignoring_case(field.name, "Sec-WebSocket-Protocol")) {
      add_subprotocols(found, field.value);
    }
  }
  for (const http::Parameter& parameter : http::query_parameters(sources.query)) {
    if (std::ranges::find(kKeyParameters, parameter.name) != kKeyParameters.end()) {
      found.add(token_of(parameter.value));
    }
  }
  if (!sources.path_key.empty()) found.add(token_of(sources.path_key));
  auto result = std::move(found).result();
  if (result && result->kind() == Credentials::Kind::none) return std::unexpected(Denial::missing);
  return result;
}

}  // namespace fanfare::access

#include "api/access_plan.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "access/name_rules.h"
#include "access/secret_file.h"
#include "rpc/callers.h"

namespace fanfare::api {
namespace {

constexpr std::size_t kKeyBytesMin = 16;
constexpr std::size_t kKeyFileBytesMax = std::size_t{1} << 20;

// Ends the reading of options: which member is wrong, and how.
struct Wrong {
  std::string text;
};

[[noreturn]] void fail(const std::string& member, std::string_view problem) {
  throw Wrong{member + ": " + std::string(problem)};
}

// What the operator wrote is shown only if it is no secret. The path of a file is not shown, either.
[[noreturn]] void fail_at_file(const std::string& member, const std::string& error) {
  const std::size_t colon = error.rfind(": ");
  fail(member, "cannot be used: " + (colon == std::string::npos ? error : error.substr(colon + 2)));
}

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= access::kPrincipalNameMax && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
  });
}

void check_id(const std::string& member, const std::string& name) {
  if (!is_id(name) || name == "anonymous" || name == "none" || name == "other") {
    fail(member + ".name", "1 to 64 letters, digits, '-', '_' or '.', and not anonymous, none or other");
  }
}

std::vector<access::AddressRange> ranges_of(const std::string& member,
                                            const std::vector<std::string>& texts) {
  std::vector<access::AddressRange> ranges;
  for (const std::string& text : texts) {
    const auto range = access::AddressRange::parse(text);
    if (!range) fail(member, "not " + std::string(access::kAddressRangeExpected));
    ranges.push_back(*range);
  }
  return ranges;
}

// A secret as a text of the options or of its own file. Empty: the options have its hash.
std::optional<std::string> secret_of(const std::string& member, const std::string& text,
                                     const std::string& file, const std::string& hash) {
  const auto given = {text.empty(), file.empty(), hash.empty()};
  if (std::ranges::count(given, false) != 1) {
    fail(member, "exactly one of the secret, its file and its hash");
  }
  if (!text.empty()) return text;
  if (file.empty()) return std::nullopt;
  auto read = access::read_secret_file(file);
  if (!read) fail_at_file(member + "_file", read.error());
  return *std::move(read);
}

access::RolePlan role_of(const std::string& member, const AccessRole& role) {
  check_id(member, role.name);
  access::RolePlan plan{.role = {.name = role.name,
                                 .methods = {.allow = role.methods, .deny = {}},
                                 .topics = {.allow = role.events, .deny = {}},
                                 .projects = {.allow = {"*"}, .deny = {}}}};
  if (!role.events.empty()) {
    for (const char* const method : {"subscribe", "unsubscribe"})
      plan.role.methods.allow.emplace_back(method);
  }
  for (const auto* const list : {&role.methods, &role.events}) {
    if (!std::ranges::all_of(*list, access::is_name_pattern)) {
      fail(member, "not " + std::string(access::kNamePatternExpected));
    }
  }
  if (const std::string problem = rpc::problem_of(role.limits); !problem.empty()) {
    fail(member + ".limits." + problem.substr(0, problem.find(':')), problem.substr(problem.find(':') + 2));
  }
  return plan;
}

access::KeyPlan key_of(const std::string& member, const AccessKey& key) {
  check_id(member, key.name);
  access::KeyPlan plan{.name = key.name,
                       .roles = key.roles,
                       .from = ranges_of(member + ".addresses", key.addresses),
                       .expires_at = key.expires_at};
  if (const auto secret = secret_of(member + ".key", key.key, key.key_file, key.key_hash)) {
    const bool is_visible = std::ranges::all_of(*secret, [](char c) { return c > ' ' && c < '\x7f'; });
    if (secret->size() < kKeyBytesMin || secret->size() > access::kSecretBytesMax || !is_visible) {
      fail(member + ".key", "at least 16 bytes of visible ASCII, chosen at random");
    }
    plan.digest = access::sha256(*secret);
  } else if (const auto digest = access::digest_from_hex(key.key_hash)) {
    plan.digest = *digest;
  } else {
    fail(member + ".key_hash", "the SHA-256 of the key, 64 hexadecimal digits");
  }
  return plan;
}

access::UserPlan user_of(const std::string& member, const AccessUser& user) {
  check_id(member, user.name);
  access::UserPlan plan{
      .password = {}, .roles = user.roles, .from = ranges_of(member + ".addresses", user.addresses)};
  const auto secret = secret_of(member + ".password", user.password, user.password_file, user.password_hash);
  if (secret) {
    plan.password = access::hash_password(user.name, *secret);
  } else if (const auto hash = access::parse_rpcauth(user.name + ":" + user.password_hash)) {
    plan.password = *hash;
  } else {
    fail(member + ".password_hash", "SALT$HMAC, as in rpcauth without the user before it");
  }
  return plan;
}

access::CertificatePlan certificate_of(const std::string& member, const AccessCertificate& one) {
  check_id(member, one.name);
  if (one.fingerprint.empty() == one.subject.empty()) fail(member, "exactly one of fingerprint and subject");
  access::CertificatePlan plan{.name = one.name,
                               .subject = one.subject,
                               .roles = one.roles,
                               .from = ranges_of(member + ".addresses", one.addresses)};
  if (one.fingerprint.empty()) return plan;
  // openssl prints colons between the bytes.
  std::string digits;
  std::ranges::copy_if(one.fingerprint, std::back_inserter(digits), [](char c) { return c != ':'; });
  plan.fingerprint = access::digest_from_hex(digits);
  if (!plan.fingerprint)
    fail(member + ".fingerprint", "the SHA-256 of the certificate, 64 hexadecimal digits");
  return plan;
}

void add_key(const std::string& member, std::expected<access::JwtKey, std::string> key,
             access::JwtRules& rules) {
  if (!key) fail_at_file(member, key.error());
  rules.keys.push_back(*std::move(key));
}

std::string key_file(const std::string& member, const std::string& path) {
  auto text = access::read_small_file(path, kKeyFileBytesMax);
  if (!text) fail_at_file(member, text.error());
  return *std::move(text);
}

access::TokenPlan tokens_of(const AccessJwt& jwt) {
  access::TokenPlan plan{.rules = {.keys = {},
                                   .issuer = jwt.issuer,
                                   .audience = jwt.audience,
                                   .roles_claim = jwt.roles_claim,
                                   .leeway = jwt.leeway,
                                   .lifetime_max = saturating_duration(jwt.lifetime_max)},
                         .default_roles = jwt.default_roles};
  access::JwtRules& rules = plan.rules;
  if (!jwt.secret.empty()) add_key("jwt.secret", access::JwtKey::hmac("", jwt.secret), rules);
  if (!jwt.secret_file.empty()) {
    auto secret = access::read_secret_file(jwt.secret_file);
    if (!secret) fail_at_file("jwt.secret_file", secret.error());
    add_key("jwt.secret_file", access::JwtKey::hmac("", *std::move(secret)), rules);
  }
  if (!jwt.public_key_file.empty()) {
    add_key("jwt.public_key_file",
            access::JwtKey::pem("", key_file("jwt.public_key_file", jwt.public_key_file)), rules);
  }
  if (!jwt.jwks_file.empty()) {
    auto keys = access::parse_jwks(key_file("jwt.jwks_file", jwt.jwks_file));
    if (!keys) fail_at_file("jwt.jwks_file", keys.error());
    std::ranges::move(*keys, std::back_inserter(rules.keys));
  }
  if (rules.keys.empty()) fail("jwt", "secret, secret_file, public_key_file or jwks_file");
  if (jwt.leeway < std::chrono::seconds(0) || jwt.leeway > std::chrono::seconds(300)) {
    fail("jwt.leeway", "0 to 300 seconds");
  }
  if (jwt.lifetime_max < std::chrono::seconds(1)) fail("jwt.lifetime_max", "at least a second");
  return plan;
}

template <typename From, typename To, typename Convert>
void convert_all(std::string_view member, const std::vector<From>& from, std::vector<To>& to,
                 Convert convert) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    to.push_back(convert(std::string(member) + "[" + std::to_string(i) + "]", from[i]));
  }
}

}  // namespace

std::expected<access::AccessPlan, std::string> plan_from(const AccessOptions& options) try {
  access::AccessPlan plan{.roles = {},
                          .anonymous_roles = options.anonymous_roles,
                          .allowed_addresses = ranges_of("addresses", options.addresses)};
  convert_all("roles", options.roles, plan.roles, role_of);
  convert_all("keys", options.keys, plan.keys, key_of);
  convert_all("users", options.users, plan.users, user_of);
  convert_all("certificates", options.certificates, plan.certificates, certificate_of);
  if (options.jwt) plan.tokens = tokens_of(*options.jwt);
  const auto within = options.first_message_within;
  if (within < within.zero() || within > std::chrono::minutes(5)) {
    fail("first_message_within", "0 to 5 minutes");
  }
  if (std::string problem = access::problem_of(plan); !problem.empty()) return std::unexpected(problem);
  const bool has_credentials =
      !plan.keys.empty() || !plan.users.empty() || !plan.certificates.empty() || plan.tokens;
  if (!has_credentials && plan.anonymous_roles.empty()) {
    return std::unexpected("nobody can authenticate: there are no keys, users, certificates or jwt");
  }
  return plan;
} catch (Wrong& wrong) {
  return std::unexpected(std::move(wrong.text));
}

}  // namespace fanfare::api

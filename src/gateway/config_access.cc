#include "gateway/config_access.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "access/credentials.h"
#include "access/secret_file.h"
#include "base/random.h"
#include "eth/feeds/feed.h"
#include "gateway/access_gate.h"
#include "gateway/config_limits.h"
#include "gateway/config_project.h"

namespace fanfare::gateway {
namespace {

using access::AccessPlan;
using access::NameRules;
using std::chrono::hours;
using std::chrono::seconds;

constexpr std::uint32_t kCostMax = 1'000'000;
constexpr std::size_t kKeyBytesMin = 16;
constexpr std::size_t kKeyFileBytesMax = std::size_t{1} << 20;
constexpr std::string_view kSecretExpected = "a text, or a variable such as ${NAME}";
constexpr std::string_view kContractExpected = "an address of 40 hexadecimal digits after 0x";

// Reports a value of the wrong kind without showing it: it may be a secret in the wrong place.
bool is_kind(const ReadContext& context, const YamlNode& node, const std::string& path, YamlNode::Kind kind) {
  if (node.kind == kind) return true;
  const bool is_map = kind == YamlNode::Kind::map;
  context.diagnostics.report(node.location, path + " is " +
                                                (is_map ? "not a map, expected a map of keys and values"
                                                        : "not a list, expected a list"));
  return false;
}

// Calls `read` for each element of a list of maps. A missing key is an empty list.
void for_each_map(const ReadContext& context, const MapFields& fields, std::string_view key,
                  const std::function<void(const YamlNode&, const std::string& path)>& read) {
  const YamlNode* const node = fields.find(key);
  if (node == nullptr) return;
  const std::string path = fields.path_of(key);
  if (!is_kind(context, *node, path, YamlNode::Kind::sequence)) return;
  for (std::size_t i = 0; i < node->items.size(); ++i) {
    const std::string name = path + "[" + std::to_string(i) + "]";
    if (is_kind(context, node->items[i], name, YamlNode::Kind::map)) read(node->items[i], name);
  }
}

bool is_contract(std::string_view text) {
  return text.size() == 42 && text.starts_with("0x") && std::ranges::all_of(text.substr(2), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

std::set<std::string, std::less<>> lower(std::vector<std::string> texts) {
  for (std::string& text : texts) {
    std::ranges::transform(text, text.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  }
  return {texts.begin(), texts.end()};
}

// A list of patterns, or {allow: [...], deny: [...]}.
void read_rules(const ReadContext& context, const MapFields& role, std::string_view key, NameRules& out,
                bool (*is_valid)(std::string_view), std::string_view expected) {
  const YamlNode* const node = role.find(key);
  if (node == nullptr) return;
  if (node->kind == YamlNode::Kind::sequence) {
    role.read(key, out.allow, is_valid, expected);
    return;
  }
  const MapFields fields(context, *node, role.path_of(key), {"allow", "deny"}, MapFields::Empty::refused);
  fields.read("allow", out.allow, is_valid, expected);
  fields.read("deny", out.deny, is_valid, expected);
  // Of contracts, all others are meant; of everything else nothing is granted that is not allowed.
  if (out.allow.empty() && !out.deny.empty() && key != "contracts") {
    role.report(node->location, key, "has `deny` without `allow`, so it grants nothing", "",
                "allow: [\"*\"] beside it, or no `deny`");
  }
}

// A name that no subscription has is a mistake in writing.
void check_topics(const MapFields& role, const NameRules& topics) {
  for (const auto* const list : {&topics.allow, &topics.deny}) {
    for (const std::string& topic : *list) {
      if (topic.ends_with('*') || eth::find_feed_type(topic) != nullptr) continue;
      role.report(role.find("topics")->location, "topics", "has a name that is no subscription", topic,
                  "newHeads, logs, newPendingTransactions, ..., or \"*\"");
    }
  }
}

bool is_any_name(std::string_view text) {
  return is_config_id(text);
}

// Without the path, which may come from a variable.
std::string reason_of(const std::string& error) {
  const std::size_t colon = error.rfind(": ");
  return "cannot be used: " + (colon == std::string::npos ? error : error.substr(colon + 2));
}

bool parse_cost(const YamlNode& node, std::uint32_t& out) {
  const std::string& text = node.text;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return node.kind == YamlNode::Kind::scalar && !node.quoted && error == std::errc() &&
         end == text.data() + text.size() && out <= kCostMax;
}

// A name for logs, metrics and accounts.
void read_name(const MapFields& fields, std::string& out) {
  if (!fields.read("id", out)) return;
  if (is_config_id(out) && out != kUnauthenticated && out != "anonymous" && out != "none") return;
  const YamlNode& id = *fields.find("id");
  // "user:password" is no id, and must not be shown.
  fields.report(id.location, "id", "is not an id here", is_config_id(out) ? id.text : "", kConfigIdExpected);
}

// The rooms of the canvas that a role grants.
void read_canvas(const ReadContext& context, const MapFields& role, access::Role& out) {
  const YamlNode* const node = role.find("canvas");
  if (node == nullptr) return;
  const MapFields fields(context, *node, role.path_of("canvas"), {"view", "draw", "moderate"},
                         MapFields::Empty::refused);
  const auto read = [&](std::string_view key, NameRules& rules) {
    read_rules(context, fields, key, rules, access::is_name_pattern, access::kNamePatternExpected);
  };
  read("view", out.canvas_view);
  read("draw", out.canvas_draw);
  read("moderate", out.canvas_moderate);
}

void read_role(const ReadContext& context, const YamlNode& node, const std::string& path, AccessPlan& out) {
  const MapFields fields(
      context, node, path,
      {"id", "methods", "topics", "streams", "canvas", "projects", "networks", "contracts", "limits"});
  fields.require({"id"});
  // A role for streams or the canvas alone grants no calls.
  if (fields.find("streams") == nullptr && fields.find("canvas") == nullptr)
    fields.require({"projects", "methods"});
  access::RolePlan plan;
  read_name(fields, plan.role.name);
  const auto read = [&](std::string_view key, NameRules& rules) {
    read_rules(context, fields, key, rules, access::is_name_pattern, access::kNamePatternExpected);
  };
  read("methods", plan.role.methods);
  read("topics", plan.role.topics);
  check_topics(fields, plan.role.topics);
  read("streams", plan.role.streams);
  read_canvas(context, fields, plan.role);
  read("projects", plan.role.projects);
  read("networks", plan.role.networks);
  NameRules contracts;
  read_rules(context, fields, "contracts", contracts, is_contract, kContractExpected);
  plan.role.contracts = {.allow = lower(contracts.allow), .deny = lower(contracts.deny)};
  read_limits(context, fields, "limits", plan.limits);
  out.roles.push_back(std::move(plan));
}

std::vector<access::AddressRange> read_ranges(const MapFields& fields, std::string_view key) {
  std::vector<std::string> texts;
  fields.read(key, texts, access::is_address_range, access::kAddressRangeExpected);
  std::vector<access::AddressRange> ranges;
  for (const std::string& text : texts) {
    if (const auto range = access::AddressRange::parse(text)) ranges.push_back(*range);
  }
  return ranges;
}

// One of three forms of a secret: in the file or a variable, in a file of its own, or as a hash.
struct Secret {
  std::optional<std::string> text;
  std::optional<Scalar> hash;
  std::string file;  // where it came from; empty: the configuration
  Location location;
};

std::optional<Secret> read_secret(const MapFields& fields, std::string_view plain, std::string_view file,
                                  std::string_view hash) {
  std::size_t given = 0;
  for (const std::string_view key : {plain, file, hash}) given += fields.find(key) != nullptr ? 1 : 0;
  if (given == 0 && fields.has_unknown_key()) return std::nullopt;  // reported: likely a misspelling
  if (given != 1) {
    fields.report(fields.location(), plain, given == 0 ? "is missing" : "is given in several forms", "",
                  "one of " + std::string(plain) + ", " + std::string(file) + ", " + std::string(hash));
    return std::nullopt;
  }
  Secret secret;
  if (const YamlNode* node = fields.find(plain)) {
    secret.location = node->location;
    const auto scalar = fields.scalar(plain, kSecretExpected);
    if (!scalar) return std::nullopt;
    secret.text = scalar->text;
  } else if (const YamlNode* path = fields.find(file)) {
    secret.location = path->location;
    std::string name;
    if (!fields.read(file, name)) return std::nullopt;
    auto text = access::read_secret_file(name);
    if (!text) {
      fields.report(path->location, file, reason_of(text.error()), "", "a file with one line");
      return std::nullopt;
    }
    secret.text = *std::move(text);
    secret.file = std::move(name);
  } else {
    secret.location = fields.find(hash)->location;
    secret.hash = fields.scalar(hash, kSecretExpected);
    if (!secret.hash) return std::nullopt;
  }
  return secret;
}

void read_key(const ReadContext& context, const YamlNode& node, const std::string& path, AccessPlan& out,
              std::vector<std::string>& files) {
  const MapFields fields(context, node, path,
                         {"id", "roles", "key", "keyFile", "keyHash", "allowedAddresses"});
  fields.require({"id", "roles"});
  access::KeyPlan key;
  read_name(fields, key.name);
  fields.read("roles", key.roles, is_any_name, kConfigIdExpected);
  key.from = read_ranges(fields, "allowedAddresses");
  const auto secret = read_secret(fields, "key", "keyFile", "keyHash");
  if (!secret) return;
  if (!secret->file.empty()) files.push_back(secret->file);
  if (secret->text) {
    if (secret->text->size() < kKeyBytesMin || secret->text->size() > access::kSecretBytesMax) {
      fields.report(secret->location, "key", "is too short or too long", "",
                    "at least 16 bytes, chosen at random");
    } else if (!std::ranges::all_of(*secret->text, [](char c) { return c > ' ' && c < '\x7f'; })) {
      fields.report(secret->location, "key", "has characters that no request can carry", "",
                    "visible ASCII, without blanks");
    }
    key.digest = access::sha256(*secret->text);
  } else if (const auto digest = access::digest_from_hex(secret->hash->text)) {
    key.digest = *digest;
  } else {
    fields.report(secret->location, "keyHash", "is not a hash", "",
                  "the SHA-256 of the key, 64 hexadecimal digits");
  }
  out.keys.push_back(std::move(key));
}

void read_user(const ReadContext& context, const YamlNode& node, const std::string& path, AccessPlan& out,
               std::vector<std::string>& files) {
  const MapFields fields(context, node, path,
                         {"id", "roles", "password", "passwordFile", "passwordHash", "allowedAddresses"});
  fields.require({"id", "roles"});
  access::UserPlan user;
  read_name(fields, user.password.user);
  fields.read("roles", user.roles, is_any_name, kConfigIdExpected);
  user.from = read_ranges(fields, "allowedAddresses");
  const auto secret = read_secret(fields, "password", "passwordFile", "passwordHash");
  if (!secret) return;
  if (!secret->file.empty()) files.push_back(secret->file);
  if (secret->text && secret->text->empty()) {
    fields.report(secret->location, "password", "is empty", "", "a password; is its variable set?");
  } else if (secret->text) {
    user.password = access::hash_password(user.password.user, *secret->text);
  } else if (const auto hash = access::parse_rpcauth(user.password.user + ":" + secret->hash->text);
             hash && !hash->salt.contains(':')) {
    user.password = *hash;
  } else {
    fields.report(secret->location, "passwordHash", "is not a hash", "",
                  "SALT$HMAC, as in rpcauth without the user before it");
  }
  out.users.push_back(std::move(user));
}

// Colons between the bytes are allowed: that is how openssl prints a fingerprint.
std::optional<access::Digest> read_fingerprint(const std::string& text) {
  std::string digits;
  std::ranges::copy_if(text, std::back_inserter(digits), [](char c) { return c != ':'; });
  return access::digest_from_hex(digits);
}

void read_certificate(const ReadContext& context, const YamlNode& node, const std::string& path,
                      AccessPlan& out) {
  const MapFields fields(context, node, path, {"id", "roles", "fingerprint", "subject", "allowedAddresses"});
  fields.require({"id", "roles"});
  access::CertificatePlan certificate{.name = {}, .roles = {}};
  read_name(fields, certificate.name);
  fields.read("roles", certificate.roles, is_any_name, kConfigIdExpected);
  certificate.from = read_ranges(fields, "allowedAddresses");
  const bool has_subject = fields.read("subject", certificate.subject);
  std::string fingerprint;
  if (fields.read("fingerprint", fingerprint)) {
    certificate.fingerprint = read_fingerprint(fingerprint);
    if (!certificate.fingerprint) {
      fields.report(fields.find("fingerprint")->location, "fingerprint", "is not a hash", fingerprint,
                    "the SHA-256 of the certificate, 64 hexadecimal digits");
    }
  }
  if (has_subject == (fields.find("fingerprint") != nullptr)) {
    fields.report(node.location, "fingerprint", has_subject ? "is given with a subject" : "is missing", "",
                  "one of fingerprint, subject");
  }
  out.certificates.push_back(std::move(certificate));
}

void add_keys(const MapFields& fields, std::string_view key,
              const std::expected<std::vector<access::JwtKey>, std::string>& keys, access::JwtRules& out) {
  if (keys) {
    out.keys.insert(out.keys.end(), keys->begin(), keys->end());
  } else {
    fields.report(fields.find(key)->location, key, reason_of(keys.error()), "",
                  "keys for HS256, RS256 or ES256");
  }
}

// A file with keys, as `parse` reads it.
template <typename Parse>
void read_key_file(const MapFields& fields, std::string_view key, access::JwtRules& out,
                   std::vector<std::string>& files, const Parse& parse) {
  std::string path;
  if (!fields.read(key, path)) return;
  files.push_back(path);
  auto text = access::read_small_file(path, kKeyFileBytesMax);
  if (!text) return add_keys(fields, key, std::unexpected(text.error()), out);
  add_keys(fields, key, parse(*text), out);
}

std::expected<std::vector<access::JwtKey>, std::string> one(std::expected<access::JwtKey, std::string> key) {
  if (!key) return std::unexpected(key.error());
  return std::vector{*std::move(key)};
}

void read_jwt(const ReadContext& context, const MapFields& parent, AccessPlan& out,
              std::vector<std::string>& files) {
  const YamlNode* const node = parent.find("jwt");
  if (node == nullptr || !is_kind(context, *node, parent.path_of("jwt"), YamlNode::Kind::map)) return;
  const MapFields fields(context, *node, parent.path_of("jwt"),
                         {"secret", "secretFile", "publicKeyFile", "jwksFile", "issuer", "audience",
                          "rolesClaim", "defaultRoles", "leeway", "lifetimeMax"},
                         MapFields::Empty::refused);
  access::TokenPlan tokens;
  access::JwtRules& rules = tokens.rules;
  if (fields.find("secret") != nullptr) {
    if (const auto text = fields.scalar("secret", kSecretExpected)) {
      add_keys(fields, "secret", one(access::JwtKey::hmac("", text->text)), rules);
    }
  }
  read_key_file(fields, "secretFile", rules, files, [](std::string text) {
    if (text.ends_with('\n')) text.pop_back();
    if (text.contains('\n')) return one(std::unexpected("the file has more than one line"));
    return one(access::JwtKey::hmac("", std::move(text)));
  });
  read_key_file(fields, "publicKeyFile", rules, files,
                [](const std::string& text) { return one(access::JwtKey::pem("", text)); });
  read_key_file(fields, "jwksFile", rules, files,
                [](const std::string& text) { return access::parse_jwks(text); });
  fields.read("issuer", rules.issuer);
  fields.read("audience", rules.audience);
  fields.read("rolesClaim", rules.roles_claim);
  fields.read("defaultRoles", tokens.default_roles, is_any_name, kConfigIdExpected);
  fields.read("leeway", rules.leeway, seconds(0), seconds(300));
  fields.read("lifetimeMax", rules.lifetime_max, seconds(1), hours(24 * 3660));
  if (rules.keys.empty() && !context.diagnostics.first()) {
    fields.report(node->location, "secretFile", "is missing", "", "secretFile, publicKeyFile or jwksFile");
  }
  out.tokens = std::move(tokens);
}

void read_costs(const ReadContext& context, const MapFields& parent, AccessPlan& out) {
  const YamlNode* const node = parent.find("costs");
  if (node == nullptr || !is_kind(context, *node, parent.path_of("costs"), YamlNode::Kind::map)) return;
  for (const YamlEntry& entry : node->entries) {
    const std::string key = "costs." + entry.key;
    std::uint32_t cost = 0;
    if (!access::is_name_pattern(entry.key)) {
      parent.report(entry.key_location, key, "is not a pattern", entry.key, access::kNamePatternExpected);
    } else if (parse_cost(entry.value, cost)) {
      out.costs.emplace_back(entry.key, cost);
    } else {
      parent.report(entry.value.location, key, "is out of range", entry.value.text,
                    "a whole number from 0 to 1000000");
    }
  }
}

}  // namespace

void read_access(const ReadContext& context, const YamlNode& node, AccessConfig& out) {
  if (!is_kind(context, node, "access", YamlNode::Kind::map)) return;
  const MapFields fields(
      context, node, "access",
      {"roles", "keys", "users", "certificates", "jwt", "cookieFile", "cookieRoles", "anonymousRoles",
       "allowedAddresses", "perAddress", "costs", "firstMessageWithin", "checkFilesEvery"});
  fields.require({"roles"});
  AccessPlan plan;
  for_each_map(context, fields, "roles",
               [&](const YamlNode& role, const std::string& path) { read_role(context, role, path, plan); });
  for_each_map(context, fields, "keys", [&](const YamlNode& key, const std::string& path) {
    read_key(context, key, path, plan, out.files);
  });
  for_each_map(context, fields, "users", [&](const YamlNode& user, const std::string& path) {
    read_user(context, user, path, plan, out.files);
  });
  for_each_map(context, fields, "certificates", [&](const YamlNode& one, const std::string& path) {
    read_certificate(context, one, path, plan);
  });
  read_jwt(context, fields, plan, out.files);
  fields.read("anonymousRoles", plan.anonymous_roles, is_any_name, kConfigIdExpected);
  plan.allowed_addresses = read_ranges(fields, "allowedAddresses");
  read_limits(context, fields, "perAddress", plan.per_address);
  read_costs(context, fields, plan);
  fields.read("firstMessageWithin", out.first_message_within, seconds(0), seconds(300));
  fields.read("checkFilesEvery", out.check_every, seconds(0), hours(1));
  fields.read("cookieFile", out.cookie_file);
  fields.read("cookieRoles", out.cookie_roles, is_any_name, kConfigIdExpected);
  if (context.diagnostics.first()) return;
  if (out.cookie_file.empty() != out.cookie_roles.empty()) {
    const std::string_view given = out.cookie_file.empty() ? "cookieRoles" : "cookieFile";
    fields.report(fields.find(given)->location, given, "has no effect alone", "",
                  "cookieFile and cookieRoles, or neither");
  }
  out.plan = std::make_shared<const AccessPlan>(std::move(plan));
}

}  // namespace fanfare::gateway

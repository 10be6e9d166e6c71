#include "config.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string_view>

namespace {

using Address = std::array<unsigned char, 16>;  // IPv4 as ::ffff:a.b.c.d

std::optional<Address> address_of(std::string text) {
  if (text.find(':') == std::string::npos) text = "::ffff:" + text;
  Address address{};
  return inet_pton(AF_INET6, text.c_str(), address.data()) == 1 ? std::optional(address) : std::nullopt;
}

bool is_within(const Address& address, const std::string& range) {
  const std::size_t slash = range.find('/');
  const auto base = address_of(range.substr(0, slash));
  int bits = 128;
  if (slash != std::string::npos) {
    bits = std::atoi(range.c_str() + slash + 1) + (range.find(':') == std::string::npos ? 96 : 0);
  }
  for (int bit = 0; base && bit < bits; ++bit) {
    const auto differs = static_cast<unsigned>(address[bit / 8] ^ (*base)[bit / 8]);
    if ((differs >> (7 - bit % 8) & 1U) != 0) return false;
  }
  return base.has_value();
}

// "127.0.0.1:50312", "[::1]:50312"; a peer of a Unix socket has no address.
bool may_connect(const Config& config, std::string peer) {
  peer = peer.substr(0, peer.rfind(':'));
  if (peer.starts_with('[')) peer = peer.substr(1, peer.size() - 2);
  const auto address = address_of(peer);
  if (!address || is_within(*address, "127.0.0.0/8") || is_within(*address, "::1")) return true;
  for (const std::string& range : config.rpcallowip) {
    if (is_within(*address, range)) return true;
  }
  return false;
}

std::string base64_decoded(std::string_view text) {
  std::string bytes(text.size(), '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  bytes.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  while (bytes.ends_with('\0')) bytes.pop_back();
  return bytes;
}

std::string hmac_hex(const std::string& key, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += "0123456789abcdef"[digest[i] >> 4U];
    hex += "0123456789abcdef"[digest[i] & 15U];
  }
  return hex;
}

// Digests are compared: their length says nothing about a secret.
bool is_same(const std::string& a, const std::string& b) {
  const std::string left = hmac_hex("node", a);
  const std::string right = hmac_hex("node", b);
  return CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

bool is_known(const Config& config, const std::string& user, const std::string& password) {
  bool known =
      !config.rpcpassword.empty() && is_same(user, config.rpcuser) & is_same(password, config.rpcpassword);
  for (const std::string& entry : config.rpcauth) {
    const std::size_t colon = entry.find(':');
    const std::size_t dollar = entry.find('$');
    const std::string salt = entry.substr(colon + 1, dollar - colon - 1);
    known = known | (is_same(user, entry.substr(0, colon)) &
                     is_same(hmac_hex(salt, password), entry.substr(dollar + 1)));
  }
  return known;
}

template <typename Number>
bool set_number(Number& into, const std::string& value) {
  const auto read = std::from_chars(value.data(), value.data() + value.size(), into);
  return read.ec == std::errc() && read.ptr == value.data() + value.size();
}

bool set(Config& config, const std::string& name, const std::string& value) {
  const std::map<std::string_view, std::string*> texts{
      {"rpcbind", &config.rpcbind},
      {"rpcuser", &config.rpcuser},
      {"rpcpassword", &config.rpcpassword},
      {"rpcunixsocket", &config.rpcunixsocket},
      {"rpcsslcertificatechainfile", &config.rpcsslcertificatechainfile},
      {"rpcsslprivatekeyfile", &config.rpcsslprivatekeyfile}};
  if (const auto text = texts.find(name); text != texts.end()) {
    *text->second = value;
    return true;
  }
  const std::size_t colon = value.find(':');
  if (name == "rpcauth") {
    config.rpcauth.push_back(value);
    return colon != std::string::npos && value.find('$', colon) != std::string::npos;
  }
  if (name == "rpcwhitelist") {
    std::istringstream methods(colon == std::string::npos ? "" : value.substr(colon + 1));
    auto& allowed = config.rpcwhitelist[value.substr(0, colon)];
    for (std::string method; std::getline(methods, method, ',');) allowed.push_back(method);
    return colon != std::string::npos;
  }
  if (name == "rpcallowip") {
    config.rpcallowip.push_back(value);
    return address_of(value.substr(0, value.find('/'))).has_value();
  }
  if (name == "rpcport") return set_number(config.rpcport, value);
  if (name == "rpcwebsocketport") return set_number(config.rpcwebsocketport, value);
  if (name == "rpcthreads") return set_number(config.rpcthreads, value);
  if (name == "rpcworkqueue") return set_number(config.rpcworkqueue, value);
  return name == "mineevery" && set_number(config.mineevery, value);
}

}  // namespace

std::expected<Config, std::string> read_config(int argc, char** argv) {
  Config config;
  if (argc > 2) return std::unexpected("usage: node [FILE]");
  std::ifstream file(argc > 1 ? argv[1] : "/dev/null");
  if (!file) return std::unexpected(std::string("cannot read ") + argv[1]);
  for (std::string line; std::getline(file, line);) {
    line = line.substr(0, line.find('#'));
    line.erase(0, line.find_first_not_of(" \t"));
    line.erase(line.find_last_not_of(" \t\r") + 1);
    const std::size_t equals = line.find('=');
    if (line.empty()) continue;
    if (equals == std::string::npos || !set(config, line.substr(0, equals), line.substr(equals + 1))) {
      // Without the value, which may be a secret.
      return std::unexpected("unknown or invalid: " + line.substr(0, equals));
    }
  }
  const auto bound = address_of(config.rpcbind);
  const bool is_local = bound && (is_within(*bound, "127.0.0.0/8") || is_within(*bound, "::1"));
  const bool is_guarded = config.has_users() && !config.rpcallowip.empty();
  if (!is_local && !is_guarded) {
    return std::unexpected("rpcbind: other machines need rpcallowip, and rpcauth or rpcpassword");
  }
  return config;
}

fanfare::Expected<fanfare::RpcIdentity, fanfare::Response> identify(const Config& config,
                                                                    const fanfare::Request& request) {
  if (!may_connect(config, request.peer())) {
    return fanfare::Unexpected(fanfare::Response{.status = 403, .body = "this address may not call\n"});
  }
  if (!config.has_users()) return fanfare::RpcIdentity{.name = "local", .permissions = {"*"}};
  const std::string_view field = request.header("Authorization").value_or("");
  const std::string pair = field.starts_with("Basic ") ? base64_decoded(field.substr(6)) : "";
  const std::size_t colon = pair.find(':');
  const std::string user = pair.substr(0, colon);
  if (colon == std::string::npos || !is_known(config, user, pair.substr(colon + 1))) {
    return fanfare::Unexpected(fanfare::Response{.status = 401,
                                                 .body = "user and password are needed\n",
                                                 .headers = {{"WWW-Authenticate", "Basic realm=\"node\""}}});
  }
  const auto allowed = config.rpcwhitelist.find(user);
  // As in Bitcoin Core: once there is a whitelist, users without one may call nothing.
  if (allowed != config.rpcwhitelist.end()) return fanfare::RpcIdentity{user, allowed->second};
  return fanfare::RpcIdentity{
      user, config.rpcwhitelist.empty() ? std::vector<std::string>{"*"} : std::vector<std::string>{}};
}

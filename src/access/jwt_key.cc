// Keys of tokens: from a secret, a PEM file or a JWK, and their signatures.

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "access/digest.h"
#include "access/jwt.h"
#include "jsonrpc/value.h"

namespace fanfare::access {
namespace {

template <auto free>
struct Free {
  template <typename Object>
  void operator()(Object* object) const {
    free(object);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Number = std::unique_ptr<BIGNUM, Free<BN_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;

constexpr std::size_t kHmacSecretMin = 32;
constexpr std::size_t kCoordinateBytes = 32;  // of P-256
constexpr int kRsaBitsMin = 2048;
constexpr int kRsaBitsMax = 8192;  // larger ones only cost time

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Number number_of(std::string_view bytes) {
  return Number(BN_bin2bn(bytes_of(bytes), static_cast<int>(bytes.size()), nullptr));
}

Key key_from(const char* type, OSSL_PARAM_BLD* builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) <= 0) return nullptr;
  if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) <= 0) return nullptr;
  return Key(key);
}

Key rsa_key(std::string_view modulus, std::string_view exponent) {
  const Number n = number_of(modulus);
  const Number e = number_of(exponent);
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!n || !e || !builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  return key_from("RSA", builder.get());
}

Key p256_key(std::string_view x, std::string_view y) {
  if (x.size() != kCoordinateBytes || y.size() != kCoordinateBytes) return nullptr;
  const std::string point = "\x04" + std::string(x) + std::string(y);  // SEC 1 §2.3.3, uncompressed
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) !=
          1) {
    return nullptr;
  }
  return key_from("EC", builder.get());
}

Key pem_key(const std::string& text) {
  const auto open = [&] { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); };
  if (const Bio bio = open()) {
    if (EVP_PKEY* key = PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr)) return Key(key);
  }
  if (const Bio bio = open()) {
    const Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (certificate) return Key(X509_get_pubkey(certificate.get()));
  }
  ERR_clear_error();
  return nullptr;
}

bool is_p256(EVP_PKEY* key) {
  char group[32] = "";
  std::size_t size = 0;
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key, group, sizeof(group), &size) == 1 &&
         std::string_view(group, size) == "prime256v1";
}

// RFC7518§3.4: r and s of 32 bytes each; OpenSSL wants them in DER.
std::optional<std::string> der_of(std::string_view signature) {
  if (signature.size() != 2 * kCoordinateBytes) return std::nullopt;
  const Signature numbers(ECDSA_SIG_new());
  Number r = number_of(signature.substr(0, kCoordinateBytes));
  Number s = number_of(signature.substr(kCoordinateBytes));
  if (!numbers || !r || !s || ECDSA_SIG_set0(numbers.get(), r.get(), s.get()) != 1) return std::nullopt;
  std::ignore = r.release();  // they belong to `numbers` now
  std::ignore = s.release();
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(numbers.get(), &der);
  if (size <= 0) return std::nullopt;
  std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return text;
}

std::optional<std::string> decoded_member(std::string_view json, std::string_view name) {
  const auto raw = jsonrpc::member(json, name);
  const auto text = raw ? jsonrpc::string_copy(*raw) : std::nullopt;
  return text ? base64url_decoded(*text) : std::nullopt;
}

// RFC7517§4.3
bool may_verify(std::string_view jwk) {
  const auto operations = jsonrpc::member(jwk, "key_ops");
  if (!operations) return true;
  return std::ranges::any_of(jsonrpc::array_elements(*operations), [](std::string_view one) {
    return jsonrpc::string_copy(one) == std::string("verify");
  });
}

std::string text_member(std::string_view json, std::string_view name) {
  const auto raw = jsonrpc::member(json, name);
  return raw ? jsonrpc::string_copy(*raw).value_or("") : "";
}

}  // namespace

struct JwtKey::Material {
  std::string secret;
  Key key;

  Material() = default;
  Material(const Material&) = delete;
  Material& operator=(const Material&) = delete;
  ~Material() { OPENSSL_cleanse(secret.data(), secret.size()); }
};

JwtKey::JwtKey(std::string id, JwtAlgorithm algorithm, std::shared_ptr<const Material> material)
    : id_(std::move(id)), algorithm_(algorithm), material_(std::move(material)) {}

std::string_view name_of(JwtAlgorithm algorithm) {
  switch (algorithm) {
    case JwtAlgorithm::hs256:
      return "HS256";
    case JwtAlgorithm::rs256:
      return "RS256";
    case JwtAlgorithm::es256:
      return "ES256";
  }
  return "";
}

std::expected<JwtKey, std::string> JwtKey::hmac(std::string id, std::string secret) {
  // A public key as a secret would let everyone sign.
  if (secret.contains("-----BEGIN")) {
    return std::unexpected("the secret is a key in PEM; a public key belongs in publicKeyFile");
  }
  if (secret.size() < kHmacSecretMin) return std::unexpected("the secret is shorter than 32 bytes");
  auto material = std::make_shared<Material>();
  material->secret = std::move(secret);
  return JwtKey(std::move(id), JwtAlgorithm::hs256, std::move(material));
}

std::expected<JwtKey, std::string> JwtKey::of_public(std::string id, std::shared_ptr<Material> material) {
  EVP_PKEY* const key = material->key.get();
  if (key == nullptr) return std::unexpected("the key cannot be read");
  if (is_p256(key)) return JwtKey(std::move(id), JwtAlgorithm::es256, std::move(material));
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
    return std::unexpected("the key is neither RSA nor EC on P-256");
  }
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < kRsaBitsMin || bits > kRsaBitsMax) {
    return std::unexpected("the RSA key does not have 2048 to 8192 bits");
  }
  return JwtKey(std::move(id), JwtAlgorithm::rs256, std::move(material));
}

std::expected<JwtKey, std::string> JwtKey::pem(std::string id, const std::string& text) {
  if (text.contains("PRIVATE KEY-----")) {
    return std::unexpected("the file has a private key; the public one is needed");
  }
  auto material = std::make_shared<Material>();
  material->key = pem_key(text);
  return of_public(std::move(id), std::move(material));
}

std::expected<JwtKey, std::string> JwtKey::jwk(std::string_view json) {
  const std::string type = text_member(json, "kty");
  std::string id = text_member(json, "kid");
  std::expected<JwtKey, std::string> key = std::unexpected("the type of the key (kty) is not supported");
  if (type == "oct") {
    auto secret = decoded_member(json, "k");
    if (!secret) return std::unexpected("the key has no valid k");
    key = hmac(std::move(id), *std::move(secret));
  } else if (type == "RSA") {
    const auto n = decoded_member(json, "n");
    const auto e = decoded_member(json, "e");
    if (!n || !e) return std::unexpected("the key has no valid n and e");
    auto material = std::make_shared<Material>();
    material->key = rsa_key(*n, *e);
    key = of_public(std::move(id), std::move(material));
  } else if (type == "EC" && text_member(json, "crv") == "P-256") {
    const auto x = decoded_member(json, "x");
    const auto y = decoded_member(json, "y");
    if (!x || !y) return std::unexpected("the key has no valid x and y");
    auto material = std::make_shared<Material>();
    material->key = p256_key(*x, *y);
    key = of_public(std::move(id), std::move(material));
  }
  ERR_clear_error();
  const std::string algorithm = text_member(json, "alg");
  if (key && !algorithm.empty() && algorithm != name_of(key->algorithm())) {
    return std::unexpected("the algorithm of the key (alg) is not supported");
  }
  return key;
}

Digest JwtKey::fingerprint() const {
  if (algorithm_ == JwtAlgorithm::hs256)
    return hmac_sha256("fingerprint of a token's key", material_->secret);
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(material_->key.get(), &der);
  if (size <= 0) return {};
  const Digest digest = sha256({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return digest;
}

bool JwtKey::verifies(std::string_view signed_text, std::string_view signature) const {
  if (algorithm_ == JwtAlgorithm::hs256) {
    const Digest mac = hmac_sha256(material_->secret, signed_text);
    return signature.size() == mac.size() && CRYPTO_memcmp(mac.data(), signature.data(), mac.size()) == 0;
  }
  std::string der;
  if (algorithm_ == JwtAlgorithm::es256) {
    auto converted = der_of(signature);
    if (!converted) return false;
    der = *std::move(converted);
    signature = der;
  }
  const DigestContext context(EVP_MD_CTX_new());
  const bool good =
      context &&
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, material_->key.get()) == 1 &&
      EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(signed_text),
                       signed_text.size()) == 1;
  ERR_clear_error();
  return good;
}

std::expected<std::vector<JwtKey>, std::string> parse_jwks(std::string_view json) {
  if (!jsonrpc::is_valid_json(json, 16)) return std::unexpected("it is not JSON");
  const auto list = jsonrpc::member(json, "keys");
  if (!list || jsonrpc::kind_of(*list) != jsonrpc::Kind::array)
    return std::unexpected("it has no list \"keys\"");
  std::vector<JwtKey> keys;
  std::string problem = "the list of keys is empty";
  for (const std::string_view one : jsonrpc::array_elements(*list)) {
    const std::string use = text_member(one, "use");
    if (!use.empty() && use != "sig") continue;
    if (!may_verify(one)) continue;
    auto key = JwtKey::jwk(one);
    if (key) {
      keys.push_back(*std::move(key));
    } else {
      problem = key.error();
    }
  }
  if (keys.empty()) return std::unexpected("it has no usable key: " + problem);
  return keys;
}

}  // namespace fanfare::access

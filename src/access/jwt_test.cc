#include "access/jwt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "access/jwt_vectors_for_tests.h"
#include "access/token_for_tests.h"

namespace fanfare::access {
namespace {

using std::chrono::seconds;

constexpr WallTime kToday{seconds(1734480000)};
const std::string kSecret(32, 's');

JwtRules hmac_rules() {
  return {.keys = {*JwtKey::hmac("", kSecret)}, .leeway = seconds(30)};
}
JwtRules public_rules() {
  return {.keys = *parse_jwks(kJwks), .leeway = seconds(30)};
}

std::string outcome(std::string_view token, const JwtRules& rules, WallTime now = kToday) {
  const auto claims = verify_jwt(token, rules, now);
  return claims ? claims->subject : "denied: " + std::string(name_of(claims.error()));
}
std::string outcome_of(std::string_view claims, const JwtRules& rules = hmac_rules(), WallTime now = kToday) {
  return outcome(hs256_token(kSecret, claims), rules, now);
}

TEST(Jwt, AnotherProgramsSignaturesAreGood) {
  EXPECT_EQ(outcome(kRsaToken, public_rules()), "alice");
  EXPECT_EQ(outcome(kEcToken, public_rules()), "alice");
  EXPECT_EQ(outcome(kRsaToken, {.keys = {*JwtKey::pem("", std::string(kRsaPem))}}), "alice");
  EXPECT_EQ(outcome(kEcToken, {.keys = {*JwtKey::pem("", std::string(kEcPem))}}), "alice");
  const auto claims = verify_jwt(kRsaToken, public_rules(), kToday);
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->roles, std::vector<std::string>{"reader"});
  EXPECT_EQ(claims->expires_at, WallTime(seconds(1734480130)));
}

TEST(Jwt, HmacOfRfc7515AppendixA1_RFC7515_A_1) {
  const auto key = JwtKey::jwk(
      R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})");
  ASSERT_TRUE(key) << key.error();
  constexpr std::string_view kToken =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
      ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
      ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  EXPECT_EQ(outcome(kToken, {.keys = {*key}, .issuer = "joe"}, WallTime(seconds(1300819000))), "");
  EXPECT_EQ(outcome(kToken, {.keys = {*key}}, kToday), "denied: expired");
}

TEST(Jwt, EveryChangedByteIsRefused) {
  for (const std::string_view token : {kRsaToken, kEcToken}) {
    for (std::size_t i = 0; i < token.size(); i += 7) {
      std::string changed(token);
      changed[i] = changed[i] == 'A' ? 'B' : 'A';
      if (changed == token) continue;
      EXPECT_TRUE(outcome(changed, public_rules()).starts_with("denied: ")) << i;
    }
  }
}

TEST(Jwt, AlgNoneIsRefusedInEverySpelling_RFC8725_3_1) {
  const std::string claims = base64url(R"({"sub":"mallory","exp":1734480100})");
  for (const std::string_view algorithm : {"none", "None", "NONE", "nOnE", "", "HS384", "hs256", "PS256"}) {
    const std::string header = base64url(R"({"alg":")" + std::string(algorithm) + "\"}");
    EXPECT_EQ(outcome(header + "." + claims + ".", hmac_rules()), "denied: unknown") << algorithm;
    EXPECT_EQ(outcome(header + "." + claims + ".", public_rules()), "denied: unknown") << algorithm;
    EXPECT_EQ(outcome(header + "." + claims, hmac_rules()), "denied: malformed") << algorithm;
  }
  EXPECT_EQ(outcome(base64url("{}") + "." + claims + ".", hmac_rules()), "denied: unknown");
  EXPECT_EQ(outcome(base64url(R"({"alg":null})") + "." + claims + ".", hmac_rules()), "denied: unknown");
}

TEST(Jwt, APublicKeyIsNeverASecret_RFC8725_3_1) {
  // HS256 keyed with the text of the RSA key, which everybody knows.
  const std::string forged = hs256_token(kRsaPem, R"({"sub":"mallory","exp":1734480100})");
  EXPECT_EQ(outcome(forged, {.keys = {*JwtKey::pem("", std::string(kRsaPem))}}), "denied: unknown");
  EXPECT_EQ(outcome(forged, public_rules()), "denied: unknown");
  const std::string named =
      hs256_token(kRsaPem, R"({"sub":"mallory","exp":1734480100})", R"({"alg":"RS256","kid":"r1"})");
  EXPECT_EQ(outcome(named, public_rules()), "denied: unknown");
}

TEST(Jwt, AKeysIdChoosesIt) {
  const JwtRules rules{.keys = {*JwtKey::hmac("one", kSecret), *JwtKey::hmac("two", std::string(32, 't'))}};
  constexpr std::string_view kClaims = R"({"sub":"a","exp":1734480100})";
  EXPECT_EQ(outcome(hs256_token(kSecret, kClaims, R"({"alg":"HS256","kid":"one"})"), rules), "a");
  EXPECT_EQ(outcome(hs256_token(kSecret, kClaims, R"({"alg":"HS256","kid":"two"})"), rules),
            "denied: unknown");
  EXPECT_EQ(outcome(hs256_token(kSecret, kClaims, R"({"alg":"HS256","kid":"three"})"), rules),
            "denied: unknown");
  EXPECT_EQ(outcome(hs256_token(kSecret, kClaims), rules), "a");
  EXPECT_EQ(outcome(hs256_token(std::string(32, 'x'), kClaims), rules), "denied: unknown");
}

TEST(Jwt, ExpiryAndItsLeeway_RFC7519_4_1_4) {
  constexpr std::string_view kClaims = R"({"sub":"a","exp":1734480100})";
  EXPECT_EQ(outcome_of(kClaims, hmac_rules(), WallTime(seconds(1734480129))), "a");
  EXPECT_EQ(outcome_of(kClaims, hmac_rules(), WallTime(seconds(1734480130))), "denied: expired");
  EXPECT_EQ(outcome_of(R"({"sub":"a"})"), "denied: no_expiry");
  JwtRules lasting = hmac_rules();
  lasting.requires_expiry = false;
  EXPECT_EQ(outcome_of(R"({"sub":"a"})", lasting), "a");
  EXPECT_FALSE(verify_jwt(hs256_token(kSecret, R"({"sub":"a"})"), lasting, kToday)->expires_at);
}

TEST(Jwt, AnExpiryTooFarAwayIsRefused) {
  JwtRules rules = hmac_rules();
  rules.lifetime_max = seconds(100);
  EXPECT_EQ(outcome_of(R"({"sub":"a","exp":1734480100})", rules), "a");
  EXPECT_EQ(outcome_of(R"({"sub":"a","exp":1734480101})", rules), "denied: too_long");
}

TEST(Jwt, FutureTokensAreRefused_RFC7519_4_1_5) {
  for (const std::string claim : {"nbf", "iat"}) {
    const auto at = [&](std::string_view date) {
      return outcome_of(R"({"sub":"a","exp":1734480200,")" + claim + "\":" + std::string(date) + "}");
    };
    EXPECT_EQ(at("1734480030"), "a");
    EXPECT_EQ(at("1734480031"), "denied: too_early");
    EXPECT_EQ(at("\"1734480000\""), "denied: bad_claim");
    EXPECT_EQ(at("-1"), "denied: bad_claim");
    EXPECT_EQ(at("1e300"), "denied: bad_claim");
    EXPECT_EQ(at("1734480000.75"), "a");
  }
}

TEST(Jwt, DatesThatAreNoDatesAreRefused) {
  for (const std::string_view date :
       {"\"1734480100\"", "null", "true", "[]", "1e400", "-5", "99999999999999999999"}) {
    EXPECT_EQ(outcome_of(R"({"sub":"a","exp":)" + std::string(date) + "}"), "denied: bad_claim") << date;
  }
}

TEST(Jwt, IssuerAndAudience_RFC7519_4_1_3) {
  JwtRules rules = public_rules();
  rules.issuer = "https://issuer.example";
  rules.audience = "gateway";
  EXPECT_EQ(outcome(kRsaToken, rules), "alice");
  rules.audience = "gate";
  EXPECT_EQ(outcome(kRsaToken, rules), "denied: audience");
  rules.audience = "gateway";
  rules.issuer = "https://issuer.example/";
  EXPECT_EQ(outcome(kRsaToken, rules), "denied: issuer");
  JwtRules one = hmac_rules();
  one.audience = "g";
  EXPECT_EQ(outcome_of(R"({"sub":"a","exp":1734480100,"aud":"g"})", one), "a");
  EXPECT_EQ(outcome_of(R"({"sub":"a","exp":1734480100})", one), "denied: audience");
  EXPECT_EQ(outcome_of(R"({"sub":"a","exp":1734480100,"aud":[["g"]]})", one), "denied: audience");
}

TEST(Jwt, TwoMembersOfOneNameAreRefused_RFC7519_4) {
  EXPECT_EQ(outcome_of(R"({"sub":"a","exp":1734480100,"exp":1734480101})"), "denied: malformed");
  EXPECT_EQ(outcome_of(R"({"sub":"a","exp":1,"e\u0078p":1734480100})"), "denied: malformed");
  EXPECT_EQ(
      outcome(hs256_token(kSecret, R"({"sub":"a","exp":1734480100})", R"({"alg":"HS256","alg":"HS256"})"),
              hmac_rules()),
      "denied: malformed");
}

TEST(Jwt, CriticalExtensionsAreRefused_RFC7515_4_1_11) {
  EXPECT_EQ(outcome(hs256_token(kSecret, R"({"sub":"a","exp":1734480100})",
                                R"({"alg":"HS256","crit":["b64"],"b64":false})"),
                    hmac_rules()),
            "denied: malformed");
}

TEST(Jwt, RolesAreAListOrWords) {
  const auto roles = [](std::string_view value, std::string claim = "roles") {
    JwtRules rules = hmac_rules();
    rules.roles_claim = std::move(claim);
    return verify_jwt(
        hs256_token(kSecret, R"({"exp":1734480100,")" + rules.roles_claim + "\":" + std::string(value) + "}"),
        rules, kToday);
  };
  EXPECT_EQ(roles(R"(["a","b"])")->roles, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(roles(R"(" a  b")", "scope")->roles, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(roles("[]")->roles.empty());
  for (const std::string_view bad : {"7", "[7]", "null"})
    EXPECT_EQ(roles(bad).error(), Denial::bad_claim) << bad;
  std::string many = "[\"r\"";
  for (std::size_t i = 1; i < kTokenRolesMax; ++i) many += ",\"r\"";
  EXPECT_TRUE(roles(many + "]"));
  EXPECT_FALSE(roles(many + ",\"r\"]"));
}

TEST(Jwt, OtherTextIsMalformed) {
  for (const std::string_view bad :
       {"", ".", "..", "...", "a.b", "a.b.c", "e30.e30.", "e30.e30.e30.e30", "W10.e30."}) {
    EXPECT_TRUE(outcome(bad, hmac_rules()).starts_with("denied: ")) << bad;
  }
  EXPECT_EQ(outcome(std::string(kTokenBytesMax + 1, 'a'), hmac_rules()), "denied: malformed");
  const std::string good = hs256_token(kSecret, R"({"sub":"a","exp":1734480100})");
  for (const std::string& bad :
       {good + "=", good + " ", good + "\n", " " + good, good + ".", good.substr(1)}) {
    EXPECT_TRUE(outcome(bad, hmac_rules()).starts_with("denied: ")) << bad;
  }
  EXPECT_TRUE(looks_like_jwt(good));
  EXPECT_FALSE(looks_like_jwt("plain-key"));
  EXPECT_FALSE(looks_like_jwt("a.b.c"));
}

TEST(Jwt, AnEmptyListOfRolesIsNotAnAbsentOne) {
  const auto claims_of = [](std::string_view claims) {
    return verify_jwt(hs256_token(kSecret, claims), hmac_rules(), kToday);
  };
  const auto empty = claims_of(R"({"sub":"a","exp":1734480100,"roles":[]})");
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->has_roles);
  EXPECT_TRUE(empty->roles.empty());
  const auto absent = claims_of(R"({"sub":"a","exp":1734480100})");
  ASSERT_TRUE(absent);
  EXPECT_FALSE(absent->has_roles);
}

// Everyone knows a public key, and could sign with it.
TEST(JwtKey, AKeyInPemIsNoSecretAndAPrivateOneNoPublicKey) {
  const auto secret = JwtKey::hmac("", std::string(kRsaPem));
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error(), "the secret is a key in PEM; a public key belongs in publicKeyFile");
  const auto key = JwtKey::pem("", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error(), "the file has a private key; the public one is needed");
}

TEST(Jwks, AKeyForOtherOperationsIsLeftOut_RFC7517_4_3) {
  const auto jwks = [](std::string_view operations) {
    return parse_jwks(R"({"keys":[{"kty":"oct","k":")" + base64url(kSecret) + R"(","key_ops":)" +
                      std::string(operations) + "}]}");
  };
  EXPECT_FALSE(jwks(R"(["encrypt"])"));
  EXPECT_FALSE(jwks(R"(["sign"])"));
  EXPECT_FALSE(jwks("[]"));
  EXPECT_TRUE(jwks(R"(["sign","verify"])"));
}

TEST(JwtKey, ShortSecretsAndWeakKeysAreRefused) {
  EXPECT_FALSE(JwtKey::hmac("", std::string(31, 's')));
  EXPECT_TRUE(JwtKey::hmac("", std::string(32, 's')));
  EXPECT_EQ(JwtKey::pem("", std::string(kWeakRsaPem)).error(), "the RSA key does not have 2048 to 8192 bits");
  EXPECT_EQ(JwtKey::pem("", std::string(kP384Pem)).error(), "the key is neither RSA nor EC on P-256");
  EXPECT_EQ(JwtKey::pem("", "nonsense").error(), "the key cannot be read");
}

TEST(Jwks, UsableKeysAreTakenAndOthersLeftOut) {
  const auto keys = parse_jwks(kJwks);
  ASSERT_TRUE(keys);
  ASSERT_EQ(keys->size(), 2U);
  EXPECT_EQ((*keys)[0].id(), "r1");
  EXPECT_EQ((*keys)[0].algorithm(), JwtAlgorithm::rs256);
  EXPECT_EQ((*keys)[1].algorithm(), JwtAlgorithm::es256);
}

TEST(Jwks, WithoutAUsableKeyThereIsAnError) {
  for (const std::string_view bad :
       {"", "{}", "[]", R"({"keys":{}})", R"({"keys":[]})", R"({"keys":[{"kty":"oct","k":"c2hvcnQ"}]})",
        R"({"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]})",
        R"({"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]})",
        R"({"keys":[{"kty":"oct","alg":"HS512","k":"c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M"}]})",
        R"({"keys":[7]})"}) {
    EXPECT_FALSE(parse_jwks(bad)) << bad;
  }
}

}  // namespace
}  // namespace fanfare::access

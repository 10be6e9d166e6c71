// The negotiated versions and ciphers, seen from a peer's OpenSSL that offers one at a time.

#include "net/tls_protocol.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "net/certificate_for_tests.h"
#include "net/tls.h"

namespace fanfare::net {
namespace {

class TextOutput final : public Output {
 public:
  std::uint8_t* extend(std::size_t size) override {
    text.resize(text.size() + size);
    return reinterpret_cast<std::uint8_t*>(text.data()) + text.size() - size;
  }
  std::string text;
};

// One in-memory TLS connection between our code and a plain OpenSSL that allows everything weak.
class Handshake {
 public:
  Handshake(std::shared_ptr<const TlsContext> ours, TlsRole our_role, SSL_CTX* theirs)
      : ours_(std::move(ours), our_role, ""), theirs_(SSL_new(theirs)) {
    SSL_set_bio(theirs_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    our_role == TlsRole::server ? SSL_set_connect_state(theirs_) : SSL_set_accept_state(theirs_);
    if (our_role == TlsRole::client) ours_.begin(sent_);
  }
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;
  ~Handshake() { SSL_free(theirs_); }

  // Runs until no more data is exchanged. True: both ends are secured, and neither failed.
  bool run() {
    for (int round = 0; round < 20; ++round) {
      ERR_clear_error();
      BIO_write(SSL_get_rbio(theirs_), sent_.text.data(), static_cast<int>(sent_.text.size()));
      sent_.text.clear();
      char ignored = 0;
      const int result =
          SSL_is_init_finished(theirs_) == 1 ? SSL_read(theirs_, &ignored, 1) : SSL_do_handshake(theirs_);
      const int why = SSL_get_error(theirs_, result);
      if (result <= 0 && why != SSL_ERROR_WANT_READ && their_failure_.empty()) {
        const char* reason = ERR_reason_error_string(ERR_get_error());
        their_failure_ = reason == nullptr ? "it ended" : reason;
      }
      take_theirs();
    }
    return SSL_is_init_finished(theirs_) == 1 && ours_.is_secured() && !failed_ && their_failure_.empty();
  }
  std::string cipher() const { return SSL_get_cipher_name(theirs_); }
  std::string version() const { return SSL_get_version(theirs_); }
  const std::string& their_failure() const { return their_failure_; }
  SSL* theirs() { return theirs_; }

 private:
  void take_theirs() {
    char* data = nullptr;
    const long size = BIO_get_mem_data(SSL_get_wbio(theirs_), &data);
    const std::string received(data, static_cast<std::size_t>(size));
    BIO_reset(SSL_get_wbio(theirs_));
    Bytes input = as_bytes(received);
    for (;;) {
      std::size_t plain_size = 0;
      const auto step = ours_.decrypt(input, room_, plain_size, sent_);
      if (step == TlsSession::Step::failed) failed_ = true;
      if (step != TlsSession::Step::secured && step != TlsSession::Step::plain) return;
    }
  }

  TlsSession ours_;
  SSL* theirs_;
  TextOutput sent_;
  std::array<std::uint8_t, 4096> room_{};
  bool failed_ = false;
  std::string their_failure_;
};

struct Peer {
  explicit Peer(const SSL_METHOD* method) : context(SSL_CTX_new(method), &SSL_CTX_free) {
    SSL_CTX_set_security_level(context.get(), 0);
  }
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context;
};

class TlsProtocolTest : public testing::Test {
 protected:
  std::shared_ptr<const TlsContext> server(const TestCertificate& certificate, TlsProtocol protocol = {}) {
    return TlsContext::server({.certificate_file = certificate.certificate_file(),
                               .key_file = certificate.key_file(),
                               .protocol = std::move(protocol)})
        .value();
  }
  // With a client that offers only this TLS 1.2 cipher.
  bool agrees(const TestCertificate& certificate, const std::string& cipher, TlsProtocol protocol = {}) {
    const Peer peer(TLS_client_method());
    SSL_CTX_set_max_proto_version(peer.context.get(), TLS1_2_VERSION);
    if (SSL_CTX_set_cipher_list(peer.context.get(), cipher.c_str()) != 1) {
      ADD_FAILURE() << cipher << " is unknown here";
      return false;
    }
    Handshake handshake(server(certificate, std::move(protocol)), TlsRole::server, peer.context.get());
    const bool secured = handshake.run();
    if (secured) {
      EXPECT_EQ(handshake.cipher(), cipher);
    }
    return secured;
  }
  bool agrees_on_suite(const std::string& suite, TlsProtocol protocol = {}) {
    const Peer peer(TLS_client_method());
    SSL_CTX_set_min_proto_version(peer.context.get(), TLS1_3_VERSION);
    EXPECT_EQ(SSL_CTX_set_ciphersuites(peer.context.get(), suite.c_str()), 1) << suite;
    Handshake handshake(server(elliptic_, std::move(protocol)), TlsRole::server, peer.context.get());
    return handshake.run();
  }
  std::string error_of(TlsProtocol protocol) {
    const auto context = TlsContext::server({.certificate_file = elliptic_.certificate_file(),
                                             .key_file = elliptic_.key_file(),
                                             .protocol = std::move(protocol)});
    return context ? "" : context.error();
  }

  const TestCertificate rsa_{TestCertificateOptions{.rsa_bits = 2048}};
  const TestCertificate elliptic_{TestCertificateOptions{}};
};

TEST_F(TlsProtocolTest, EphemeralKeysWithAuthenticatedEncryptionAreAgreedOn_RFC9325_4_2) {
  for (const std::string cipher :
       {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"}) {
    EXPECT_TRUE(agrees(rsa_, cipher)) << cipher;
  }
  for (const std::string cipher :
       {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"}) {
    EXPECT_TRUE(agrees(elliptic_, cipher)) << cipher;
  }
  for (const std::string suite :
       {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}) {
    EXPECT_TRUE(agrees_on_suite(suite)) << suite;
  }
}

TEST_F(TlsProtocolTest, RsaKeyExchangeAndCbcAreRefused_RFC9325_4_1) {
  for (const std::string cipher :
       {"AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA256", "ECDHE-RSA-AES128-SHA",
        "ECDHE-RSA-AES128-SHA256", "ECDHE-RSA-AES256-SHA384"}) {
    EXPECT_FALSE(agrees(rsa_, cipher)) << cipher;
  }
  EXPECT_FALSE(agrees(elliptic_, "ECDHE-ECDSA-AES128-SHA"));
  EXPECT_FALSE(agrees_on_suite("TLS_AES_128_CCM_SHA256"));
}

TEST_F(TlsProtocolTest, CiphersCanBeSet) {
  EXPECT_TRUE(agrees(rsa_, "AES128-GCM-SHA256", {.ciphers = "AES128-GCM-SHA256"}));
  EXPECT_FALSE(agrees(rsa_, "ECDHE-RSA-AES128-GCM-SHA256", {.ciphers = "AES128-GCM-SHA256"}));
  EXPECT_TRUE(agrees_on_suite("TLS_AES_128_CCM_SHA256", {.cipher_suites = "TLS_AES_128_CCM_SHA256"}));
  EXPECT_FALSE(agrees_on_suite("TLS_AES_256_GCM_SHA384", {.cipher_suites = "TLS_AES_128_GCM_SHA256"}));
}

TEST_F(TlsProtocolTest, TheOldestVersionIsTls12OrWhatIsSet) {
  const auto highest = [&](int version, TlsProtocol protocol) {
    const Peer peer(TLS_client_method());
    SSL_CTX_set_min_proto_version(peer.context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(peer.context.get(), version);
    Handshake handshake(server(elliptic_, std::move(protocol)), TlsRole::server, peer.context.get());
    return handshake.run() ? handshake.version() : "";
  };
  EXPECT_EQ(highest(TLS1_1_VERSION, {}), "");
  EXPECT_EQ(highest(TLS1_2_VERSION, {}), "TLSv1.2");
  EXPECT_EQ(highest(TLS1_3_VERSION, {}), "TLSv1.3");
  EXPECT_EQ(highest(TLS1_2_VERSION, {.min_version = TlsVersion::tls13}), "");
  EXPECT_EQ(highest(TLS1_3_VERSION, {.min_version = TlsVersion::tls13}), "TLSv1.3");
}

TEST_F(TlsProtocolTest, RenegotiationIsRefused) {
  const Peer peer(TLS_client_method());
  SSL_CTX_set_max_proto_version(peer.context.get(), TLS1_2_VERSION);
  Handshake handshake(server(elliptic_), TlsRole::server, peer.context.get());
  ASSERT_TRUE(handshake.run());
  ASSERT_EQ(SSL_renegotiate(handshake.theirs()), 1);
  SSL_do_handshake(handshake.theirs());
  EXPECT_FALSE(handshake.run());
  EXPECT_EQ(handshake.their_failure(), "no renegotiation");
}

TEST_F(TlsProtocolTest, OurClientOffersTheSame) {
  const auto agrees_with = [&](const std::string& cipher, TlsProtocol protocol) {
    const Peer peer(TLS_server_method());
    SSL_CTX_set_max_proto_version(peer.context.get(), TLS1_2_VERSION);
    EXPECT_EQ(
        SSL_CTX_use_certificate_file(peer.context.get(), rsa_.certificate_file().c_str(), SSL_FILETYPE_PEM),
        1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey_file(peer.context.get(), rsa_.key_file().c_str(), SSL_FILETYPE_PEM), 1);
    EXPECT_EQ(SSL_CTX_set_cipher_list(peer.context.get(), cipher.c_str()), 1);
    const auto context = TlsContext::client({.verify = false, .protocol = std::move(protocol)});
    return Handshake(context.value(), TlsRole::client, peer.context.get()).run();
  };
  EXPECT_TRUE(agrees_with("ECDHE-RSA-AES128-GCM-SHA256", {}));
  EXPECT_FALSE(agrees_with("AES128-GCM-SHA256", {}));
  EXPECT_FALSE(agrees_with("ECDHE-RSA-AES128-SHA", {}));
  EXPECT_TRUE(agrees_with("AES128-GCM-SHA256", {.ciphers = "AES128-GCM-SHA256"}));
  EXPECT_FALSE(agrees_with("ECDHE-RSA-AES128-GCM-SHA256", {.min_version = TlsVersion::tls13}));
}

TEST_F(TlsProtocolTest, ACipherThatCannotBeUsedIsNamed) {
  EXPECT_EQ(error_of({.ciphers = "ECDHE-RSA-AES128-GCM-SHA256:NO-SUCH"}),
            "TLS 1.2 cipher \"NO-SUCH\" is unknown to OpenSSL; `openssl ciphers -s -tls1_2` shows the names");
  EXPECT_EQ(error_of({.ciphers = "TLS_AES_128_GCM_SHA256"}),
            "TLS 1.2 cipher \"TLS_AES_128_GCM_SHA256\" belongs to TLS 1.3");
  EXPECT_EQ(error_of({.ciphers = "NULL-SHA256"}), "TLS 1.2 cipher \"NULL-SHA256\" encrypts nothing");
  EXPECT_EQ(error_of({.ciphers = "ADH-AES128-SHA"}),
            "TLS 1.2 cipher \"ADH-AES128-SHA\" proves nobody's identity");
  for (const std::string wrong : {"HIGH", "!aNULL", "ECDHE-RSA-AES128-GCM-SHA256:", ":", "@SECLEVEL=0"}) {
    EXPECT_TRUE(error_of({.ciphers = wrong}).starts_with("TLS 1.2 cipher \"")) << wrong;
  }
  EXPECT_EQ(error_of({.cipher_suites = "TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256"}),
            "TLS 1.3 cipher suite \"ECDHE-RSA-AES128-GCM-SHA256\" is unknown to OpenSSL; `openssl "
            "ciphers -s -tls1_3` shows the names");
  EXPECT_TRUE(error_of({.cipher_suites = ":"}).starts_with("TLS 1.3 cipher suite \"\""));
  EXPECT_EQ(
      error_of({.ciphers = std::string(kModernCiphers), .cipher_suites = std::string(kModernCipherSuites)}),
      "");
}

}  // namespace
}  // namespace fanfare::net

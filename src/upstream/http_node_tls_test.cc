// Certificates are verified: a node that cannot prove its identity gets nothing of the request.

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "upstream/http_clients_for_tests.h"
#include "upstream/http_node.h"
#include "upstream/test_calls.h"
#include "upstream/test_server.h"

namespace fanfare::upstream {
namespace {

using testing::ask;
using testing::expect_failure;
using testing::HttpClientsTest;
using testing::kAnswer;
using testing::kRead;
using testing::Peer;
using testing::Request;
using testing::TestServer;

// A key, and a self-signed certificate for 127.0.0.1.
struct Identity {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();

  Identity() {
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("node"), -1,
                               -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate, key, EVP_sha256());
  }
  ~Identity() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;
};

// The certificate as a file, during the lifetime of this object.
struct CertificateFile {
  std::string path = "/tmp/fanfare_upstream_ca_XXXXXX";
  explicit CertificateFile(X509* certificate) {
    FILE* file = ::fdopen(::mkstemp(path.data()), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
  }
  ~CertificateFile() { ::unlink(path.c_str()); }
  CertificateFile(const CertificateFile&) = delete;
  CertificateFile& operator=(const CertificateFile&) = delete;
};

struct HttpEndpointTls : HttpClientsTest {
  Identity identity;
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  std::atomic<int> texts = 0;
  // How the server delimits its answer: by its length, or by the end, with or without that of TLS.
  enum class End { length, notified, cut };
  std::atomic<End> how = End::length;
  // Takes over each connection before a byte is read, and answers one request.
  std::unique_ptr<TestServer> server;
  Worker worker{on_loop()};

  HttpEndpointTls() {
    ::signal(SIGPIPE, SIG_IGN);  // the server writes with TLS; the worker blocks the signal itself
    SSL_CTX_use_certificate(context, identity.certificate);
    SSL_CTX_use_PrivateKey(context, identity.key);
    server = std::make_unique<TestServer>(
        [](Peer&, const Request&) {},
        [this](int fd) {
          const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context), &SSL_free);
          SSL_set_fd(tls.get(), fd);
          if (SSL_accept(tls.get()) != 1) return;
          std::string seen;
          char chunk[1024];
          int got = 0;
          while (!seen.ends_with("{}") && (got = SSL_read(tls.get(), chunk, sizeof(chunk))) > 0) {
            seen.append(chunk, static_cast<std::size_t>(got));
          }
          if (seen.empty()) return;
          ++texts;
          std::string reply = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
          if (how == End::length)
            reply += "Content-Length: " + std::to_string(std::string(kAnswer).size()) + "\r\n";
          reply.append("\r\n").append(kAnswer);
          SSL_write(tls.get(), reply.data(), static_cast<int>(reply.size()));
          if (how != End::cut) SSL_shutdown(tls.get());
        });
  }
  ~HttpEndpointTls() override {
    worker.stop();
    server.reset();
    SSL_CTX_free(context);
  }
  std::string url() const { return "https://127.0.0.1:" + std::to_string(server->port()) + "/v2/secretkey"; }
};

INSTANTIATE_TEST_SUITE_P(Clients, HttpEndpointTls, testing::kHttpSetups, testing::name_of_setup);

TEST_P(HttpEndpointTls, AnUnknownCertificateIsRefusedBeforeAnythingIsSent) {
  HttpNode endpoint(worker, with_client({.url = url()}));
  const Result result = ask(worker, endpoint, "{}", kRead);
  expect_failure(result, FailureKind::tls);
  EXPECT_FALSE(result.error().sent);
  EXPECT_EQ(result.error().message.find("secretkey"), std::string::npos) << result.error().message;
  worker.stop();
  server.reset();
  EXPECT_EQ(texts, 0);
}

TEST_P(HttpEndpointTls, ACertificateOfOurOwnAuthorityIsAccepted) {
  const CertificateFile authority(identity.certificate);
  HttpNode endpoint(worker, with_client({.url = url(), .ca_file = authority.path}));
  const Result result = ask(worker, endpoint, "{}", kRead);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->body, kAnswer);
}

TEST_P(HttpEndpointTls, AnAnswerThatOnlyTheEndDelimitsNeedsTheEndOfTls_RFC9112_9_8) {
  const CertificateFile authority(identity.certificate);
  HttpNode endpoint(worker, with_client({.url = url(), .ca_file = authority.path}));
  how = End::notified;
  const Result whole = ask(worker, endpoint, "{}", kRead);
  ASSERT_TRUE(whole.has_value()) << whole.error().message;
  EXPECT_EQ(whole->body, kAnswer);
  how = End::cut;
  const Result cut = ask(worker, endpoint, "{}", kRead);
  if (is_builtin()) {
    expect_failure(cut, FailureKind::closed);
  } else {
    EXPECT_TRUE(cut.has_value()) << "Debian 12's libcurl takes it: docs/upstreams.md says so";
  }
  // Its length says that nothing is missing.
  how = End::length;
  EXPECT_TRUE(ask(worker, endpoint, "{}", kRead).has_value());
}

TEST_P(HttpEndpointTls, APlainServerIsNotMistakenForASecureOne) {
  TestServer plain(
      [](Peer& peer, const Request&) { peer.reply(kAnswer); },
      [](int fd) { static_cast<void>(::send(fd, "HTTP/1.1 200 OK\r\n\r\n", 19, MSG_NOSIGNAL)); });
  HttpNode endpoint(worker, with_client({.url = "https://127.0.0.1:" + std::to_string(plain.port())}));
  const Result result = ask(worker, endpoint, "{}", kRead);
  expect_failure(result, FailureKind::tls);
  EXPECT_FALSE(result.error().sent);
}

}  // namespace
}  // namespace fanfare::upstream

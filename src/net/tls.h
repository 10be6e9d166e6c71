#pragma once
// TLS 1.2 and 1.3 under a stream (using OpenSSL). A context is shared by many connections: certificate and
// key of a server, trusted authorities of a client. A session belongs to one connection. It sits between the
// socket and the stream's owner, which sees only plain bytes.
//
// An idle session holds no record buffers: OpenSSL frees them when they are empty.

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "net/outbox.h"
#include "net/peer_certificate.h"
#include "net/tls_protocol.h"

namespace fanfare::net {

enum class TlsRole : std::uint8_t { server, client };

struct TlsServerOptions {
  std::string certificate_file;  // PEM: the certificate, followed by its chain
  std::string key_file;          // PEM
  // For ALPN, in order of preference. A client that offers none of them is served without ALPN.
  std::vector<std::string> alpn = {"http/1.1"};
  TlsProtocol protocol = {};
  // PEM: authorities of clients' certificates. A client is asked for one: without one it is served, with one that is not
  // valid the handshake fails. Its sessions are not resumed, so each connection proves its key. Empty: no certificate is requested.
  std::string client_ca_file = {};
  // PEM: revocation lists of those authorities. Each authority needs one that has not expired. Empty: none is revoked.
  std::string client_crl_file = {};

  bool operator==(const TlsServerOptions&) const = default;
};

struct TlsClientOptions {
  bool verify = true;   // the chain, and that the certificate matches the server's name
  std::string ca_file;  // PEM, replaces the system's authorities; empty: the system's
  std::vector<std::string> alpn = {"http/1.1"};
  TlsProtocol protocol = {};
  // The client's own, as a server's; empty: none.
  std::string certificate_file = {};
  std::string key_file = {};
};

class TlsContext {
 public:
  // The error names the file or the cipher, the problem and the remedy.
  static std::expected<std::shared_ptr<const TlsContext>, std::string> server(
      const TlsServerOptions& options);
  static std::expected<std::shared_ptr<const TlsContext>, std::string> client(
      const TlsClientOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // Diagnostics of a server's certificate that clients will object to, one per line: it has expired.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  friend class TlsSession;
  struct State;
  explicit TlsContext(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
  std::vector<std::string> warnings_;
};

// The TLS of one connection, without a socket: encrypted bytes in and out, plain bytes out and in. Only the
// loop uses it.
class TlsSession {
 public:
  enum class Step : std::uint8_t {
    wants_input,  // all input was consumed, and there is no more output
    secured,      // the handshake has just completed: call decrypt() again
    plain,        // there are plain bytes: process them and call decrypt() again
    ended,        // the peer closed the session (close_notify)
    failed,       // error() says why
  };

  // `server_name`: sent by a client as SNI and checked against the certificate; a name or an address.
  TlsSession(std::shared_ptr<const TlsContext> context, TlsRole role, std::string_view server_name);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Starts a client's handshake; output goes to `encrypted`.
  void begin(Output& encrypted);
  // Consumes bytes from the front of `input`. Plain bytes are written to the front of `room`; `plain_size` is
  // their number.
  Step decrypt(Bytes& input, MutableBytes room, std::size_t& plain_size, Output& encrypted);
  bool is_secured() const { return secured_; }
  // False: the session cannot continue.
  bool encrypt(Bytes plain, Output& encrypted);
  void say_goodbye(Output& encrypted);
  // Whether the peer has closed the session (close_notify). Without it, whoever is on the way may have cut what follows
  // (RFC8446§6.1).
  bool peer_said_goodbye() const;
  const std::string& error() const { return error_; }
  // "TLSv1.3", and the protocol negotiated by ALPN; empty before the handshake has completed.
  std::string_view version() const;
  std::string_view alpn() const;
  // A server's client, if it showed a certificate; a client's server, if it was verified.
  std::optional<PeerCertificate> peer_certificate() const;

  // Data waiting for encryption, because the handshake or the turn has not ended.
  Outbox waiting;

 private:
  struct State;
  void take_error(int code);

  std::unique_ptr<State> state_;
  std::shared_ptr<const TlsContext> context_;
  std::string error_;
  bool secured_ = false;
};

}  // namespace fanfare::net

#pragma once
// TLS 1.2 and 1.3 under a stream (OpenSSL inside). A context is what many connections share: certificate and
// key of a server, trust of a client. A session is one connection's: it sits between the socket and the
// stream's owner, who sees only plain bytes.
//
// An idle session holds no record buffers: OpenSSL gives them back when they are empty.

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "net/outbox.h"
#include "net/tls_protocol.h"

namespace fanfare::net {

enum class TlsRole : std::uint8_t { server, client };

struct TlsServerOptions {
  std::string certificate_file;  // PEM: the certificate, then its chain
  std::string key_file;          // PEM
  // What is agreed on by ALPN, in order of preference. A client that offers none of them is served without.
  std::vector<std::string> alpn = {"http/1.1"};
  TlsProtocol protocol = {};

  bool operator==(const TlsServerOptions&) const = default;
};

struct TlsClientOptions {
  bool verify = true;   // the chain, and that the certificate is for the server's name
  std::string ca_file;  // PEM, trusted instead of the system's; empty: the system's
  std::vector<std::string> alpn = {"http/1.1"};
  TlsProtocol protocol = {};
};

class TlsContext {
 public:
  // The error names the file or the cipher, what is wrong with it and what to do.
  static std::expected<std::shared_ptr<const TlsContext>, std::string> server(
      const TlsServerOptions& options);
  static std::expected<std::shared_ptr<const TlsContext>, std::string> client(
      const TlsClientOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // What a server's certificate has that clients will not like, a line each: it has expired.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  friend class TlsSession;
  struct State;
  explicit TlsContext(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
  std::vector<std::string> warnings_;
};

// One connection's TLS, without a socket: encrypted bytes in and out, plain bytes out and in. The loop drives
// it; nobody else needs to.
class TlsSession {
 public:
  enum class Step : std::uint8_t {
    wants_input,  // everything was taken, nothing more comes out
    secured,      // the handshake has just ended: call decrypt() again
    plain,        // there are plain bytes: take them and call decrypt() again
    ended,        // the peer said goodbye (close_notify)
    failed,       // error() says why
  };

  // `server_name`: what a client asks for by SNI and checks the certificate against; a name or an address.
  TlsSession(std::shared_ptr<const TlsContext> context, TlsRole role, std::string_view server_name);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Takes a client's first step; what is to be sent goes to `encrypted`.
  void begin(Output& encrypted);
  // Consumes from the front of `input`. Plain bytes are put at the front of `room`; `plain_size` says how
  // many.
  Step decrypt(Bytes& input, MutableBytes room, std::size_t& plain_size, Output& encrypted);
  bool is_secured() const { return secured_; }
  // False when the session cannot go on.
  bool encrypt(Bytes plain, Output& encrypted);
  void say_goodbye(Output& encrypted);
  const std::string& error() const { return error_; }
  // "TLSv1.3", and what ALPN agreed on; empty before the handshake has ended.
  std::string_view version() const;
  std::string_view alpn() const;

  // What waits to be encrypted, because the handshake has not ended or the turn has not.
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

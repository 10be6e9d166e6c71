#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "net/tls_files.h"

namespace fanfare::net {
namespace {

// The latest error that OpenSSL queued on this thread, as readable text.
std::string openssl_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "unknown error";
  if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER) {
    return "what the peer sent is not TLS";
  }
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "error " + std::to_string(code);
}

// RFC7301§3.1: names, each preceded by its length.
std::string alpn_list(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    if (name.empty() || name.size() > 255) continue;
    list += static_cast<char>(name.size());
    list += name;
  }
  return list;
}

bool is_address(const std::string& name) {
  std::array<std::uint8_t, 16> ignored{};
  return ::inet_pton(AF_INET, name.c_str(), ignored.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), ignored.data()) == 1;
}

}  // namespace

struct TlsContext::State {
  SSL_CTX* context = nullptr;
  std::string alpn;  // for servers
  bool verify = false;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { SSL_CTX_free(context); }

  static int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                         unsigned in_size, void* self) {
    const std::string& ours = static_cast<State*>(self)->alpn;
    unsigned char* chosen = nullptr;
    const int agreed =
        SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                              static_cast<unsigned>(ours.size()), in, in_size);
    if (agreed != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
  }
};

TlsContext::TlsContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsContext::~TlsContext() = default;

namespace {

SSL_CTX* new_context(const SSL_METHOD* method) {
  SSL_CTX* context = SSL_CTX_new(method);
  FANFARE_CHECK(context != nullptr);
  // Empty record buffers are freed: they would be most of an idle session's memory.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  return context;
}

}  // namespace

std::expected<std::shared_ptr<const TlsContext>, std::string> TlsContext::server(
    const TlsServerOptions& options) {
  auto state = std::make_unique<State>();
  state->context = new_context(TLS_server_method());
  SSL_CTX* context = state->context;
  if (auto applied = apply_protocol(options.protocol, *context); !applied) {
    return std::unexpected(std::move(applied.error()));
  }
  auto warnings = use_certificate(*context, options.certificate_file, options.key_file);
  if (!warnings) return std::unexpected(std::move(warnings.error()));
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Tickets resume sessions without using our memory; one is enough for a client with one connection.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  if (!options.client_ca_file.empty()) {
    if (auto trusted = use_authorities(*context, options.client_ca_file); !trusted) {
      return std::unexpected(std::move(trusted.error()));
    }
    if (!options.client_crl_file.empty()) {
      if (auto used = use_revocations(*context, options.client_crl_file); !used) {
        return std::unexpected(std::move(used.error()));
      }
    }
    state->verify = true;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    // Their names help a browser to choose a certificate.
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(options.client_ca_file.c_str()));
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  }
  state->alpn = alpn_list(options.alpn);
  if (!state->alpn.empty()) SSL_CTX_set_alpn_select_cb(context, &State::choose_alpn, state.get());
  std::shared_ptr<TlsContext> made(new TlsContext(std::move(state)));
  made->warnings_ = std::move(*warnings);
  return made;
}

std::expected<std::shared_ptr<const TlsContext>, std::string> TlsContext::client(
    const TlsClientOptions& options) {
  auto state = std::make_unique<State>();
  state->context = new_context(TLS_client_method());
  SSL_CTX* context = state->context;
  state->verify = options.verify;
  if (auto applied = apply_protocol(options.protocol, *context); !applied) {
    return std::unexpected(std::move(applied.error()));
  }
  if (options.verify) {
    if (!options.ca_file.empty()) {
      if (auto trusted = use_authorities(*context, options.ca_file); !trusted) {
        return std::unexpected(std::move(trusted.error()));
      }
    } else if (SSL_CTX_set_default_verify_paths(context) != 1) {
      return std::unexpected("the system's certificate authorities: " + openssl_error());
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  if (!options.certificate_file.empty()) {
    if (auto used = use_certificate(*context, options.certificate_file, options.key_file); !used) {
      return std::unexpected(std::move(used.error()));
    }
  }
  const std::string alpn = alpn_list(options.alpn);
  if (!alpn.empty()) {
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(alpn.data()),
                            static_cast<unsigned>(alpn.size()));
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(state)));
}

// A BIO of ours connects OpenSSL to our buffers. It reads from the current call's input and writes to its
// output, so no bytes are kept or copied in between.
struct TlsSession::State {
  SSL* ssl = nullptr;
  Bytes input;
  Output* output = nullptr;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { SSL_free(ssl); }

  static int read(BIO* bio, char* room, int size) {
    auto* self = static_cast<State*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (self->input.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t taken = std::min(self->input.size(), static_cast<std::size_t>(size));
    std::memcpy(room, self->input.data(), taken);
    self->input = self->input.subspan(taken);
    return static_cast<int>(taken);
  }
  static int write(BIO* bio, const char* data, int size) {
    auto* self = static_cast<State*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (self->output == nullptr || size <= 0) return -1;
    self->output->append(as_bytes({data, static_cast<std::size_t>(size)}));
    return size;
  }
  static long control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_PUSH || command == BIO_CTRL_POP ? 1 : 0;
  }
  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* bio = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "fanfare");
      BIO_meth_set_read(bio, &State::read);
      BIO_meth_set_write(bio, &State::write);
      BIO_meth_set_ctrl(bio, &State::control);
      return bio;
    }();
    return made;
  }
};

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context, TlsRole role, std::string_view server_name)
    : state_(std::make_unique<State>()), context_(std::move(context)) {
  state_->ssl = SSL_new(context_->state_->context);
  FANFARE_CHECK(state_->ssl != nullptr);
  BIO* bio = BIO_new(State::method());
  FANFARE_CHECK(bio != nullptr);
  BIO_set_data(bio, state_.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(state_->ssl, bio, bio);
  if (role == TlsRole::server) {
    SSL_set_accept_state(state_->ssl);
    return;
  }
  SSL_set_connect_state(state_->ssl);
  const std::string name(server_name);
  // RFC6066§3: no addresses in SNI.
  if (is_address(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(state_->ssl), name.c_str());
  } else if (!name.empty()) {
    SSL_set_tlsext_host_name(state_->ssl, name.c_str());
    SSL_set1_host(state_->ssl, name.c_str());
  }
}

TlsSession::~TlsSession() = default;

void TlsSession::begin(Output& encrypted) {
  state_->output = &encrypted;
  ERR_clear_error();
  SSL_do_handshake(state_->ssl);
  state_->output = nullptr;
}

TlsSession::Step TlsSession::decrypt(Bytes& input, MutableBytes room, std::size_t& plain_size,
                                     Output& encrypted) {
  plain_size = 0;
  state_->input = input;
  state_->output = &encrypted;
  ERR_clear_error();
  const bool was_secured = secured_;
  const int got = was_secured ? SSL_read_ex(state_->ssl, room.data(), room.size(), &plain_size)
                              : SSL_do_handshake(state_->ssl);
  input = state_->input;
  state_->output = nullptr;
  if (got == 1) {
    if (was_secured) return Step::plain;
    secured_ = true;
    return Step::secured;
  }
  switch (SSL_get_error(state_->ssl, got)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return Step::wants_input;
    case SSL_ERROR_ZERO_RETURN:
      return Step::ended;
    default:
      take_error(got);
      return Step::failed;
  }
}

void TlsSession::take_error(int) {
  const long verdict = SSL_get_verify_result(state_->ssl);
  error_ = context_->state_->verify && verdict != X509_V_OK
               ? std::string("certificate not accepted: ") + X509_verify_cert_error_string(verdict)
               : openssl_error();
  ERR_clear_error();
}

bool TlsSession::peer_said_goodbye() const {
  return (SSL_get_shutdown(state_->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

bool TlsSession::encrypt(Bytes plain, Output& encrypted) {
  state_->output = &encrypted;
  ERR_clear_error();
  while (!plain.empty()) {
    std::size_t taken = 0;
    const int wrote = SSL_write_ex(state_->ssl, plain.data(), plain.size(), &taken);
    if (wrote != 1) {
      take_error(wrote);
      state_->output = nullptr;
      return false;
    }
    plain = plain.subspan(taken);
  }
  state_->output = nullptr;
  return true;
}

void TlsSession::say_goodbye(Output& encrypted) {
  if (!secured_) return;
  state_->output = &encrypted;
  ERR_clear_error();
  SSL_shutdown(state_->ssl);
  state_->output = nullptr;
}

std::string_view TlsSession::version() const {
  return secured_ ? SSL_get_version(state_->ssl) : "";
}

std::string_view TlsSession::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(state_->ssl, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::optional<PeerCertificate> TlsSession::peer_certificate() const {
  if (!secured_) return std::nullopt;
  return net::peer_certificate(*state_->ssl);
}

}  // namespace fanfare::net

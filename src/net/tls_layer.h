#pragma once
// TLS between a socket's stream and its handler. The layer takes the handler's place at the stream and owns it:
// what arrives is decrypted on its way to the handler, and what the handler queued is encrypted at the end of
// the turn. So streams without TLS pay nothing for it. The loop's thread.

#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "net/tls.h"
#include "net/transport.h"

namespace fanfare::net {

class TlsLayer final : public TransportHandler {
 public:
  // `stream` owns this layer, which takes its handler.
  TlsLayer(Stream& stream, std::shared_ptr<const TlsContext> context, TlsRole role,
           std::string_view server_name);
  ~TlsLayer() override;

  TlsSession& session() { return session_; }
  // The handler of the plain bytes.
  std::unique_ptr<TransportHandler>& handler() { return handler_; }

  // Passes the plain bytes in `encrypted` to the handler, and answers the peer's handshake.
  void decrypt(Bytes encrypted);
  // Encrypts the data that the handler has queued, once the handshake is complete.
  void encrypt_waiting();

 private:
  void on_attached() override { handler_->on_attached(); }
  void on_receive(MutableBytes bytes) override { decrypt(bytes); }
  void on_flushed() override { handler_->on_flushed(); }
  void on_end() override { handler_->on_end(); }
  void on_end_unread() override { handler_->on_end_unread(); }
  void on_lost(const OsError& error) override { handler_->on_lost(error); }
  void on_detached() override { handler_->on_detached(); }

  void fail();

  Stream& stream_;
  TlsSession session_;
  std::unique_ptr<TransportHandler> handler_;
};

}  // namespace fanfare::net

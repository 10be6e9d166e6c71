#include "net/tls_layer.h"

#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <utility>

#include "net/arena.h"
#include "net/loop.h"

namespace fanfare::net {
namespace {

// Parts of the outbox that are encrypted in one step.
constexpr std::size_t kPlainPartsMax = 16;

// Output for encrypted bytes, some of which TLS generates itself. They go to the stream's outbox even if the
// stream must not send any more.
class Encrypted final : public Output {
 public:
  Encrypted(Outbox& outbox, Arena& arena) : outbox_(outbox), arena_(arena) {}
  std::uint8_t* extend(std::size_t size) override { return outbox_.extend(size, arena_); }

 private:
  Outbox& outbox_;
  Arena& arena_;
};

}  // namespace

TlsLayer::TlsLayer(Stream& stream, std::shared_ptr<const TlsContext> context, TlsRole role,
                   std::string_view server_name)
    : stream_(stream),
      session_(std::move(context), role, server_name),
      handler_(std::move(stream.handler_)) {}

TlsLayer::~TlsLayer() = default;

void TlsLayer::decrypt(Bytes encrypted) {
  Loop& loop = stream_.loop();
  const MutableBytes room = loop.room_to_decrypt();
  while (!stream_.is_closed()) {
    Encrypted output(stream_.outbox(), loop.arena_);
    std::size_t size = 0;
    const TlsSession::Step step = session_.decrypt(encrypted, room, size, output);
    loop.dirty_.mark(stream_);
    switch (step) {
      case TlsSession::Step::wants_input:
        return;
      case TlsSession::Step::secured:
        handler_->on_secured();
        break;
      case TlsSession::Step::plain:
        handler_->on_receive(room.first(size));
        break;
      case TlsSession::Step::ended:
        return loop.delivered_end(stream_);
      case TlsSession::Step::failed:
        return fail();
    }
  }
}

void TlsLayer::encrypt_waiting() {
  Encrypted output(stream_.outbox(), stream_.loop().arena_);
  if (!session_.is_secured()) {
    session_.begin(output);
    return;
  }
  while (!session_.waiting.empty()) {
    std::array<iovec, kPlainPartsMax> parts;
    const std::size_t count = session_.waiting.gather(parts);
    for (std::size_t i = 0; i < count; ++i) {
      const Bytes plain(static_cast<const std::uint8_t*>(parts[i].iov_base), parts[i].iov_len);
      if (!session_.encrypt(plain, output)) return fail();
      session_.waiting.consume(plain.size());
    }
  }
  if (stream_.has(Stream::kFinishWriting) && !stream_.has(Stream::kFinished)) session_.say_goodbye(output);
}

void TlsLayer::fail() {
  if (stream_.is_closed()) return;
  // The alert with the reason for the peer is in the outbox, and is sent with the other data there.
  stream_.loop().flush(stream_);
  if (stream_.is_closed()) return;
  handler_->on_lost({.call = "tls", .code = EPROTO, .detail = session_.error()});
  stream_.close();
}

}  // namespace fanfare::net

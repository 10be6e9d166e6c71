#pragma once
// The compression of one connection, RFC 7692 §7.2: the MessageCodec that ws::Connection calls.
//
//   negotiated for a direction   sending                            receiving
//   no context takeover          the pool's codecs; nothing kept    the pool's codecs; nothing kept
//   context takeover             our own zlib stream, created with  the last window of received data, kept
//                                the first message long enough      as plain bytes, only as much as came
//
// Both kinds of kept memory count against the pool's budget. When the budget is used up, sending continues
// through the pool's codecs without history, which is always legal. Receiving fails with out_of_contexts,
// since the peer may refer to data that we could not keep.
//
// A compressed message is sent only if it is smaller. Otherwise, with context takeover, the compressor has
// seen a message that the peer's inflater never receives. It then discards its history and restarts. That
// worsens the ratio of the next message, but avoids copying a context for every message.
//
// Only for the thread of the pool's loop; the pool must outlive the codec.

#include <cstddef>
#include <memory>
#include <vector>

#include "ws/codec.h"
#include "ws/deflate_options.h"
#include "ws/deflate_pool.h"
#include "ws/inflate_stream.h"
#include "ws/opcode.h"

namespace fanfare::ws {

class DeflateCodec final : public MessageCodec {
 public:
  DeflateCodec(const DeflateParameters& agreed, Role self, DeflatePool& pool);
  ~DeflateCodec() override;
  DeflateCodec(const DeflateCodec&) = delete;
  DeflateCodec& operator=(const DeflateCodec&) = delete;

  // Collects pieces until the last one. Compressed bytes are limited to twice the message limit plus 1 KiB
  // (message_too_big). A message within the limit needs more only if it consists mostly of block headers.
  std::expected<void, CodecError> decompress(Bytes piece, bool last, std::size_t message_bytes_max,
                                             std::vector<std::uint8_t>& message) override;
  // A message that comes in several pieces takes InflateStream::kBytes of the budget until it is whole.
  std::expected<void, CodecError> decompress_piece(Bytes piece, bool last, std::size_t message_bytes_max,
                                                   std::vector<std::uint8_t>& message) override;
  std::optional<Bytes> compress(Opcode opcode, Bytes message) override;

  // Connections of a loop with the same send window share one compressed frame.
  SharedBytes shared_form(const SharedBytes& frame) override;

  // What this connection holds of the budget.
  std::size_t context_bytes() const {
    return send_context_bytes_ + history_bytes_reserved_ +
           (inflating_ == nullptr ? 0 : InflateStream::kBytes);
  }

 private:
  struct Deflater;

  bool ensure_deflater();
  std::optional<Bytes> compress_with_history(Bytes message);
  std::expected<void, CodecError> remember(Bytes message);

  DeflatePool& pool_;
  int send_window_bits_;
  int receive_window_bits_;
  bool send_takeover_;
  bool receive_takeover_;
  bool forget_sent_ = false;
  std::size_t send_context_bytes_ = 0;
  std::size_t history_bytes_reserved_ = 0;
  std::unique_ptr<Deflater> deflater_;
  std::unique_ptr<InflateStream> inflating_;  // of the message that is coming in, in pieces
  std::vector<std::uint8_t> gathered_;  // the message that is coming in, compressed; empty between messages
  std::vector<std::uint8_t> history_;   // the end of what came in before, inflated
};

}  // namespace fanfare::ws

#pragma once
// The compression of one connection, RFC 7692 §7.2: what ws::Connection calls as its MessageCodec.
//
//   what was agreed for a direction   sending                          receiving
//   no context takeover               the pool's codecs; nothing kept  the pool's; nothing kept
//   context takeover                  a zlib stream of our own, made   the last window of what came, kept as
//                                     with the first message that is   plain bytes, as much as came
//                                     long enough
//
// Both kinds of kept memory count against the pool's budget. When it is used up, sending goes on through the
// pool's codecs without history (always legal); receiving fails with out_of_contexts, since the peer may
// refer to what we would have had to keep.
//
// Nothing is sent that did not get smaller. With context takeover the compressor has then already seen a
// message that the peer's inflater never will: it forgets everything and starts anew, which costs the ratio
// of the next message and needs no copy of a context for every message.
//
// The thread of the pool's loop only; the pool outlives the codec.

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

  // Pieces are gathered until the last one. Compressed bytes are bounded too: by twice the message limit and
  // 1 KiB, which no message within the limit needs unless it is mostly block headers (message_too_big).
  std::expected<void, CodecError> decompress(Bytes piece, bool last, std::size_t message_bytes_max,
                                             std::vector<std::uint8_t>& message) override;
  // A message that comes in several pieces takes InflateStream::kBytes of the budget until it is whole.
  std::expected<void, CodecError> decompress_piece(Bytes piece, bool last, std::size_t message_bytes_max,
                                                   std::vector<std::uint8_t>& message) override;
  std::optional<Bytes> compress(Opcode opcode, Bytes message) override;

  // Connections of a loop whose sending sides have the same window share one twin.
  SharedBytes shared_form(const SharedBytes& frame) override;

  // Gives back what sending keeps; the next message starts without history. What receiving keeps cannot be
  // given back. For a connection that has been quiet for a while.
  void release_idle();

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

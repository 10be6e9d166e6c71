#pragma once
// Reads a JSON-RPC text and begins its calls: a short one at once, a long batch in slices. In both cases no call begins before the
// whole text was found valid, the calls begin in their order, and each is paid for.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/byte_budget.h"
#include "jsonrpc/request.h"
#include "net/loop.h"
#include "rpc/kept_text.h"
#include "rpc/methods.h"
#include "rpc/observer.h"
#include "rpc/slices.h"

namespace fanfare::rpc {

// What became of a text.
struct ReadText {
  // The error is the answer to the whole text.
  std::expected<Message, Reply> message;
  // How long nothing more should be read from its sender (CallReader::kRefusedBytesPerSecond).
  Duration rest{};
};

class CallReader {
 public:
  struct Limits {
    jsonrpc::ParseLimits parse = {};
    std::size_t batch_answer_bytes_max = 0;
  };
  // Everything must outlive the reader.
  struct Context {
    Methods& methods;
    Observer& observer;
    const net::Loop& loop;
  };

  // A longer batch is read in slices.
  static constexpr std::size_t kBytesAtOnce = 4096;
  // A text with calls that are refused or invalid counts by its size in proportion. A client that sends more of them than this
  // waits, so that it cannot keep the server busy with receiving what nobody executes.
  static constexpr std::size_t kRefusedBytesPerSecond = std::size_t{4} << 20;
  static constexpr std::size_t kRefusedBytesFree = std::size_t{64} << 10;  // of one text

  CallReader(const Limits& limits, const Context& context);

  static bool is_long_batch(std::string_view text);
  // For texts that come from now on.
  void set_limits(const Limits& limits);
  // The whole text at once.
  ReadText read(std::string_view text, const Origin& origin, std::shared_ptr<ByteShare> share);
  // The answer to a text of this size that is not read.
  ReadText refuse(std::size_t bytes, const Refusal& refusal) const;

 private:
  friend class LongBatch;

  // What is known of a text so far.
  struct Progress {
    Message message;
    bool has_room = false;
    std::size_t limited = 0;    // calls that a limit refused
    std::size_t not_begun = 0;  // these, and other calls that are refused or invalid
  };

  ReadText unreadable(const jsonrpc::Error& error, std::size_t elements, std::string_view text,
                      const Origin& origin) const;
  Progress start(std::size_t text_bytes, bool batch, std::shared_ptr<ByteShare> share) const;
  void take(const jsonrpc::Request& request, const Origin& origin, Progress& progress) const;
  ReadText finish(Progress progress, std::size_t calls, std::string_view text, const Origin& origin) const;
  Begun begin(const jsonrpc::Request& request, const Origin& origin, Progress& progress,
              std::string& answer) const;
  // A request's bytes are paid after its calls have been checked: otherwise one above the burst could never be made.
  void pay_bytes(const Caller& caller, std::size_t bytes) const;
  // For what is no call, so that sending it is no way around a limit.
  std::optional<Refusal> pay_for_nothing(const Caller& caller, std::size_t cost = 1) const;

  Limits limits_;
  const Context context_;
  jsonrpc::Parser parser_;
};

// A batch on its way through the slices. It is read twice, so that it costs no memory but its text: first to see whether it
// is valid, then for its calls.
class LongBatch {
 public:
  static constexpr std::size_t kElementsAStep = 4;

  LongBatch(const CallReader& reader, KeptText text, std::shared_ptr<ByteShare> share);

  // Reads on. Empty: there is more to read. `origin`: as it is now.
  std::optional<ReadText> read_on(const Origin& origin, Slice& slice);

 private:
  std::optional<ReadText> check_on(const Origin& origin, Slice& slice);
  std::optional<ReadText> begin_on(const Origin& origin, Slice& slice);

  const CallReader& reader_;
  const KeptText text_;
  jsonrpc::Parser parser_;
  bool is_valid_ = false;
  std::size_t calls_ = 0;  // known once it is valid
  CallReader::Progress progress_;
};

}  // namespace fanfare::rpc

#pragma once
// Reads the responses on one kept connection, one after the other, for a client that sends a request at a time
// (RFC 9112). The bytes may be split in any way. No I/O. Data of a body is passed on as it comes, and not kept.
//
//   reader.begin();                                    // a request was sent
//   for (Bytes input = received;;) {
//     const auto step = reader.next(input, data);
//     if (!step) fail(step.error());
//     switch (*step) { head: see head(); body: take(data); done: answered; more: wait for bytes }
//   }
//   if (reader.end()) answered;                        // the connection ended

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/growing_bytes.h"
#include "http/chunked.h"
#include "http/head.h"
#include "http/headers.h"
#include "http/status.h"

namespace fanfare::http {

struct ResponseReaderLimits {
  std::size_t head_bytes_max = std::size_t{64}
                               << 10;  // 502 beyond it, as for more headers than the next limit
  std::size_t header_count_max = 200;
  std::uint64_t body_bytes_max = std::uint64_t{64}
                                 << 20;  // 413 beyond it, before the data is read if it is announced
};

class ResponseReader {
 public:
  enum class Step : std::uint8_t {
    more,  // all input was consumed; the response goes on
    head,  // the head is complete, once a response; interim responses (1xx) are skipped
    body,  // there is data of the body, without its transfer coding
    done,  // the response is complete; the input begins after it
  };

  explicit ResponseReader(ResponseReaderLimits limits = {});
  ResponseReader(const ResponseReader&) = delete;  // its head points into it
  ResponseReader& operator=(const ResponseReader&) = delete;

  // The next response follows.
  void begin();
  // Consumes bytes from the front of `input`. After `body`, `data` is valid until the next call, or as long as the
  // input. Errors are final: 413 for a body beyond the limit, otherwise 502. The reason says which rule is broken.
  std::expected<Step, Error> next(Bytes& input, Bytes& data);
  // The connection ended. Whether that ends the response: it has a body without any other delimiter (RFC9112§6.3).
  bool end();

  // Whether any byte of this response came.
  bool has_begun() const { return has_begun_; }
  // 0 before Step::head.
  int status() const { return status_; }
  // From Step::head until the next begin().
  Headers headers() const { return head_.headers; }
  // The announced length of the body, if any.
  std::optional<std::uint64_t> content_length() const { return content_length_; }
  // After Step::done: whether the connection may carry another request.
  bool keeps_alive() const { return keeps_alive_; }

 private:
  enum class State : std::uint8_t { head, counted, chunked, until_close, last_piece, done, failed };

  std::expected<bool, Error> read_head(Bytes& input);
  std::expected<void, Error> frame_body();

  const ResponseReaderLimits limits_;
  State state_ = State::done;
  bool has_begun_ = false;
  bool keeps_alive_ = false;
  int status_ = 0;
  std::optional<std::uint64_t> content_length_;
  std::uint64_t body_left_ = 0;  // of a counted body, or of what a body until the close may still have
  HeadCollector collector_;
  Head head_;
  ChunkedDecoder chunked_;
  GrowingBytes unchunked_;
  Error error_{};
};

}  // namespace fanfare::http

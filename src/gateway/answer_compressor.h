#pragma once
// Compresses the answers of one loop for clients that accept that (RFC9110§8.4), if it makes them smaller.
//
// Compression takes loop time, so that time is limited: kBytesPerTurn of bodies are compressed in one turn. A
// body that fits is sent at once; larger ones take turns, a part each, and the loop's other work runs in
// between. Their bodies may take waiting_bytes_max together; one more is sent uncompressed. Memory at most:
// twice that, and 268 KiB for each of the first kJobsAtOnce.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "gateway/body_coder.h"
#include "gateway/metrics_values.h"
#include "gateway/serve_plan.h"
#include "http/accept_encoding.h"
#include "session/http_connection.h"
#include "session/loop_server.h"

namespace fanfare::gateway {

class AnswerCompressor {
 public:
  static constexpr std::size_t kBytesPerTurn = std::size_t{128} << 10;  // some 1 ms

  static constexpr std::size_t kJobsAtOnce = 8;  // the others wait until one of them has finished

  // Loop thread. The server and the cells must outlive the compressor.
  AnswerCompressor(const AnswerCompression& plan, session::LoopServer& server, CompressionCells& cells);
  AnswerCompressor(const AnswerCompressor&) = delete;
  AnswerCompressor& operator=(const AnswerCompressor&) = delete;
  ~AnswerCompressor();

  // Calls session.respond() now or in a later turn; if the session closes before a later turn, not at all. An
  // answer that could have been coded says so (Vary). An answer is sent uncoded if it has no body, is shorter
  // than bytes_min or would be no smaller, unless identity is refused.
  void respond(session::HttpConnection& session, session::HttpResponse response,
               const http::AcceptedCoding& accepted);

  std::size_t waiting_bytes() const { return waiting_bytes_; }

 private:
  struct Job;

  std::size_t bytes_left_in_turn();
  void step();
  void finish(session::HttpConnection& session, Job& job);
  void go_on();

  const AnswerCompression plan_;
  session::LoopServer& server_;
  CompressionCells& cells_;
  CoderPool pool_;
  std::deque<std::unique_ptr<Job>> jobs_;  // the first kJobsAtOnce take turns
  std::size_t waiting_bytes_ = 0;
  std::uint32_t turn_ = 0;
  std::size_t bytes_in_turn_ = 0;
  std::shared_ptr<AnswerCompressor*> self_;  // tasks posted to the loop may outlive this object
};

}  // namespace fanfare::gateway

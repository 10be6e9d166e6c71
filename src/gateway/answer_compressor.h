#pragma once
// Sends the answers of one loop compressed to the clients that take that (RFC9110§8.4), where it pays.
//
// The loop pays, in time, so its time is what is limited: kBytesPerTurn of bodies are compressed in one turn.
// What fits goes at once; the others take turns, a part each, and the loop's other work comes in between.
// Their bodies may be waiting_bytes_max together; one more is sent as it is. Memory at most: twice that, and
// 268 KiB for each of the first kJobsAtOnce.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "gateway/body_coder.h"
#include "gateway/metrics_values.h"
#include "gateway/serve_plan.h"
#include "http/accept_encoding.h"
#include "session/loop_server.h"
#include "session/server_session.h"

namespace fanfare::gateway {

class AnswerCompressor {
 public:
  static constexpr std::size_t kBytesPerTurn = std::size_t{128} << 10;  // some 1 ms

  static constexpr std::size_t kJobsAtOnce = 8;  // the others wait until one of them is done

  // Loop thread. The server and the cells outlive it.
  AnswerCompressor(const AnswerCompression& plan, session::LoopServer& server, CompressionCells& cells);
  AnswerCompressor(const AnswerCompressor&) = delete;
  AnswerCompressor& operator=(const AnswerCompressor&) = delete;
  ~AnswerCompressor();

  // session.respond(), now or in a later turn; in that case not at all if the session goes first. An answer
  // that could have been coded says so (Vary). Sent as it is: one without a body, shorter than bytes_min or
  // no smaller when coded, unless identity is refused.
  void respond(session::ServerSession& session, session::HttpResponse response,
               const http::AcceptedCoding& accepted);

  std::size_t waiting_bytes() const { return waiting_bytes_; }

 private:
  struct Job;

  std::size_t bytes_left_in_turn();
  void step();
  void finish(session::ServerSession& session, Job& job);
  void go_on();

  const AnswerCompression plan_;
  session::LoopServer& server_;
  CompressionCells& cells_;
  CoderPool pool_;
  std::deque<std::unique_ptr<Job>> jobs_;  // the first kJobsAtOnce in turns
  std::size_t waiting_bytes_ = 0;
  std::uint32_t turn_ = 0;
  std::size_t bytes_in_turn_ = 0;
  std::shared_ptr<AnswerCompressor*> self_;  // what is posted to the loop may outlive us
};

}  // namespace fanfare::gateway

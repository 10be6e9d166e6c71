#include "gateway/answer_compressor.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/guard.h"

namespace fanfare::gateway {

struct AnswerCompressor::Job {
  Job(CoderPool& pool, session::SessionId whose, session::HttpResponse answer,
      const http::AcceptedCoding& accepted)
      : session(whose),
        coder(pool, accepted.best, std::exchange(answer.body, {}), accepted.is_required),
        response(std::move(answer)) {}

  session::SessionId session;
  BodyCoder coder;
  session::HttpResponse response;  // without its body
};

AnswerCompressor::AnswerCompressor(const AnswerCompression& plan, session::LoopServer& server,
                                   CompressionCells& cells)
    : plan_(plan), server_(server), cells_(cells), self_(std::make_shared<AnswerCompressor*>(this)) {}

AnswerCompressor::~AnswerCompressor() {
  *self_ = nullptr;
}

std::size_t AnswerCompressor::bytes_left_in_turn() {
  if (const std::uint32_t turn = server_.loop().turn_number(); turn_ != turn) {
    turn_ = turn;
    bytes_in_turn_ = 0;
  }
  return kBytesPerTurn - bytes_in_turn_;
}

void AnswerCompressor::respond(session::HttpConnection& session, session::HttpResponse response,
                               const http::AcceptedCoding& accepted) {
  const std::size_t size = response.body.size();
  if (!plan_.enabled || size == 0) return session.respond(response);
  // RFC9110§12.5.5
  response.headers.push_back({.name = "Vary", .value = "Accept-Encoding"});
  const bool pays = size >= plan_.bytes_min || accepted.is_required;
  if (accepted.best == http::ContentCoding::identity || !pays) return session.respond(response);
  if (jobs_.empty() && size <= bytes_left_in_turn()) {
    Job job(pool_, session.id(), std::move(response), accepted);
    bytes_in_turn_ += size;
    job.coder.step(size);
    return finish(session, job);
  }
  if (size > plan_.waiting_bytes_max - std::min(waiting_bytes_, plan_.waiting_bytes_max)) {
    cells_.no_room.add();
    return session.respond(response);
  }
  jobs_.push_back(std::make_unique<Job>(pool_, session.id(), std::move(response), accepted));
  waiting_bytes_ += size;
  if (jobs_.size() == 1) go_on();
}

void AnswerCompressor::go_on() {
  server_.loop().post([self = self_] {
    if (*self != nullptr) (*self)->step();
  });
}

void AnswerCompressor::step() {
  while (!jobs_.empty()) {
    const std::size_t room = bytes_left_in_turn();
    if (room == 0) break;
    std::unique_ptr<Job> job = std::move(jobs_.front());
    jobs_.pop_front();
    session::HttpConnection* const session = server_.sessions().find_http(job->session);
    const std::size_t before = job->coder.bytes_left();
    const std::size_t size = job->coder.bytes();
    bool over = session == nullptr;
    const bool done = run_guarded("an answer", [&] {
      if (!over && job->coder.step(room)) {
        over = true;
        finish(*session, *job);
      }
    });
    bytes_in_turn_ += std::min(room, before);
    if (!done) {
      // A part of the answer may be queued: nothing else can follow it.
      over = true;
      session->close();
    }
    if (over) {
      waiting_bytes_ -= size;
    } else {
      const std::size_t place = std::min(kJobsAtOnce - 1, jobs_.size());
      jobs_.insert(jobs_.begin() + static_cast<std::ptrdiff_t>(place), std::move(job));
    }
  }
  if (!jobs_.empty()) go_on();
}

void AnswerCompressor::finish(session::HttpConnection& session, Job& job) {
  const bool is_coded = job.coder.is_coded();
  const std::size_t before = job.coder.bytes();
  job.response.body = job.coder.take();
  if (is_coded) {
    cells_.compressed.add();
    cells_.bytes_in.add(before);
    cells_.bytes_out.add(job.response.body.size());
    job.response.headers.push_back(
        {.name = "Content-Encoding", .value = std::string(http::name_of(job.coder.coding()))});
  }
  session.respond(job.response);
}

}  // namespace fanfare::gateway

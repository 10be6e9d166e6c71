#include <deque>
#include <utility>

#include "bench/answering.h"
#include "bench/answers.h"
#include "bench/pace.h"
#include "bench/run.h"
#include "bench/wire.h"

namespace fanfare::app {
namespace {

class BroadcastRun final : public BenchRun {
 public:
  BroadcastRun(BenchTransport& transport, const EchoLoad& load, const std::vector<Dialed>& dialed)
      : BenchRun(transport),
        load_(load),
        pace_(load.rate),
        wire_(dialed.front().deflate ? EchoWire::compressed(load.size, *dialed.front().deflate)
                                     : EchoWire::plain(load.size, 1, load.raw)),
        sender_(dialed.size() - 1),
        listening_(sender_) {
    connections_.reserve(dialed.size());
    for (const Dialed& each : dialed) connections_.emplace_back(AnswerReader(each.deflate, tools_));
  }

  BenchResult run(std::vector<Dialed>& dialed, const ShowProgress& progress) {
    begin();
    pace_.begin(start_);
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (!dialed[i].read_ahead.empty()) on_bytes(i, dialed[i].read_ahead);
    }
    const Instant now = turn_until_end(load_.duration, progress);
    const std::uint64_t counted_until_end = result_.messages;
    result_.broadcasts = completed_;
    finish(now);
    result_.messages = counted_until_end;
    return std::move(result_);
  }

  void on_bytes(std::size_t index, MutableBytes bytes) override {
    Connection& connection = connections_[index];
    result_.bytes += bytes.size();
    const std::uint64_t got = connection.reader.read(bytes, wire_, connection.pongs);
    if (connection.reader.end() != EchoReader::End::none) end(connection, index);
    if (got > 0 && index != sender_) note_deliveries(connection, index, got);
    flush(index, connection);
  }
  void on_sent(std::size_t index) override {
    connections_[index].sending = false;
    flush(index, connections_[index]);
  }
  void on_gone(std::size_t index, int /*code*/) override { end(connections_[index], index); }

 private:
  using Connection = BenchAnswering;
  struct Broadcast {
    Instant at;               // time of sending; with a rate: due time
    std::size_t missing = 0;  // connections that have not received it
  };

  bool can_go_on() const override { return listening_ > 0 && !connections_[sender_].ended; }

  void send_due(Instant now) override {
    if (pace_.is_steady()) {
      while (pace_.due_at(begun()) <= now) begin_one(pace_.due_at(begun()));
    } else {
      while (open_.size() < load_.in_flight) begin_one(now);
    }
    flush(sender_, connections_[sender_]);
  }
  void begin_one(Instant at) { open_.push_back({.at = at, .missing = listening_}); }
  std::uint64_t begun() const { return completed_ + open_.size(); }

  Duration wait_from(Instant now, Instant until) const override {
    if (!pace_.is_steady() || pace_.due_at(begun()) > until) return until - now;
    return worthwhile_wait(pace_.due_at(begun()) - now);
  }

  void note_deliveries(Connection& connection, std::size_t index, std::uint64_t got) {
    if (connection.received + got > sent_) {
      ++result_.wrong;  // an unexpected message
      return end(connection, index);
    }
    const Instant now = clock_.now();
    for (std::uint64_t i = 0; i < got; ++i, ++connection.received) {
      Broadcast& one = open_[static_cast<std::size_t>(connection.received - completed_)];
      result_.latency.add(since(one.at, now));
      --one.missing;
    }
    result_.messages += got;
    complete(now);
  }
  void complete(Instant now) {
    while (!open_.empty() && open_.front().missing == 0 && completed_ < sent_) {
      result_.to_all.add(since(open_.front().at, now));
      open_.pop_front();
      ++completed_;
      // Sent at once: a delay here would measure the generator itself.
      if (!pace_.is_steady() && !finishing_) send_due(now);
    }
  }

  void flush(std::size_t index, Connection& connection) {
    if (connection.answer_pings(transport_, index) || index != sender_ || sent_ == begun()) return;
    const auto [bytes, count] = wire_.run(sent_, begun() - sent_);
    sent_ += count;
    connection.sending = true;
    transport_.send(index, bytes);
  }

  void end(Connection& connection, std::size_t index) {
    if (std::exchange(connection.ended, true)) return;
    ++result_.lost;
    if (connection.reader.end() == EchoReader::End::wrong) ++result_.wrong;
    if (index == sender_) return;
    --listening_;
    // This connection no longer waits for these broadcasts.
    for (std::uint64_t k = connection.received; k < begun(); ++k) {
      --open_[static_cast<std::size_t>(k - completed_)].missing;
    }
    complete(clock_.now());
  }

  // An outstanding delivery counts with its time, or with the time so far.
  void finish(Instant now) {
    finishing_ = true;
    now = turn_on(now, [this] { return open_.empty() || !can_go_on(); });
    for (const Broadcast& one : open_) {
      if (one.missing == 0) continue;
      result_.unanswered += one.missing;
      result_.latency.add(since(one.at, now), one.missing);
      result_.to_all.add(since(one.at, now));
    }
  }

  const EchoLoad& load_;
  Pace pace_;
  EchoWire wire_;
  AnswerTools tools_;
  std::vector<Connection> connections_;
  std::size_t sender_;
  std::size_t listening_;       // open receiving connections
  std::deque<Broadcast> open_;  // broadcasts not yet received by all; oldest first
  std::uint64_t completed_ = 0;
  std::uint64_t sent_ = 0;
  bool finishing_ = false;
};

}  // namespace

std::expected<BenchResult, std::string> run_broadcast_load(std::vector<Dialed>& connections,
                                                           const EchoLoad& load,
                                                           const ShowProgress& progress) {
  return run_over<BroadcastRun>(connections, load, progress);
}

}  // namespace fanfare::app

#include <algorithm>
#include <utility>

#include "bench/answering.h"
#include "bench/answers.h"
#include "bench/pace.h"
#include "bench/run.h"
#include "bench/wire.h"

namespace fanfare::app {
namespace {

// The limit for one connection's bytes in flight: fits any socket's buffer, so that no send has to wait.
constexpr std::size_t kUntoldBytesMax = 4096;

class EchoRun final : public BenchRun {
 public:
  EchoRun(BenchTransport& transport, const EchoLoad& load, const std::vector<Dialed>& dialed)
      : BenchRun(transport),
        load_(load),
        pace_(load.rate),
        wire_(make_wire(load, dialed.front().deflate)),
        untold_(load.rate == 0 && load.in_flight * wire_.frame_bytes_max() <= kUntoldBytesMax) {
    connections_.reserve(dialed.size());
    for (const Dialed& each : dialed) connections_.emplace_back(AnswerReader(each.deflate, tools_));
    if (load.rate == 0) sent_at_.resize(dialed.size() * load.in_flight);
  }

  BenchResult run(std::vector<Dialed>& dialed, const ShowProgress& progress) {
    begin();
    pace_.begin(start_);
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (!dialed[i].read_ahead.empty()) on_bytes(i, dialed[i].read_ahead);
      if (!pace_.is_steady()) add_pending(i, load_.in_flight);
    }
    const Instant now = turn_until_end(load_.duration, progress);
    const std::uint64_t counted_until_end = result_.messages;
    if (pace_.is_steady()) {
      // Also sends messages that became due during the last turn.
      send_due(std::min(now, start_ + load_.duration));
      finish(now);
    }
    result_.messages = counted_until_end;
    return std::move(result_);
  }

  void on_bytes(std::size_t index, MutableBytes bytes) override {
    Connection& connection = connections_[index];
    result_.bytes += bytes.size();
    const std::uint64_t answers = connection.reader.read(bytes, wire_, connection.pongs);
    if (connection.reader.end() != EchoReader::End::none) end(connection);
    if (answers > 0) note_answers(index, connection, answers);
    flush(index, connection);
  }
  void on_sent(std::size_t index) override {
    Connection& connection = connections_[index];
    connection.sending = false;
    flush(index, connection);
  }
  void on_gone(std::size_t index, int /*code*/) override { end(connections_[index]); }

 private:
  struct Connection : BenchAnswering {
    using BenchAnswering::BenchAnswering;
    std::uint64_t sent = 0;
    std::uint64_t pending = 0;  // messages to send now
  };

  static EchoWire make_wire(const EchoLoad& load, const std::optional<ws::DeflateParameters>& agreed) {
    if (agreed) return EchoWire::compressed(load.size, *agreed);
    return EchoWire::plain(load.size, load.rate > 0 ? SIZE_MAX : load.in_flight, load.raw);
  }

  bool can_go_on() const override { return result_.lost < connections_.size(); }
  Duration wait_from(Instant now, Instant until) const override {
    if (!pace_.is_steady() || pace_.due_at(next_) > until) return until - now;
    return worthwhile_wait(pace_.due_at(next_) - now);
  }
  void send_due(Instant now) override {
    if (!pace_.is_steady()) return;
    for (; pace_.due_at(next_) <= now; ++next_) add_pending(next_ % connections_.size(), 1);
  }
  void add_pending(std::size_t index, std::uint64_t count) {
    connections_[index].pending += count;
    flush(index, connections_[index]);
  }

  void note_answers(std::size_t index, Connection& connection, std::uint64_t answers) {
    if (connection.received + answers > connection.sent) {
      ++result_.wrong;  // more answers than requests
      return end(connection);
    }
    const Instant now = clock_.now();
    if (pace_.is_steady()) {
      for (std::uint64_t i = 0; i < answers; ++i) {
        const std::uint64_t number = (connection.received + i) * connections_.size() + index;
        note(pace_.due_at(number), now, 1);
      }
    } else {
      note_closed_loop(now, &sent_at_[index * load_.in_flight], connection.received, answers);
      connection.pending += answers;
    }
    connection.received += answers;
    result_.messages += answers;
  }

  // Messages sent together are recorded together.
  void note_closed_loop(Instant now, const Instant* sent_at, std::uint64_t first, std::uint64_t answers) {
    std::uint64_t same = 0;
    Instant of_same{};
    for (std::uint64_t i = 0; i < answers; ++i) {
      const Instant sent = sent_at[(first + i) % load_.in_flight];
      if (sent != of_same && same > 0) note(of_same, now, std::exchange(same, 0));
      of_same = sent;
      ++same;
    }
    note(of_same, now, same);
  }
  void note(Instant from, Instant now, std::uint64_t times) { result_.latency.add(since(from, now), times); }

  void flush(std::size_t index, Connection& connection) {
    if (connection.answer_pings(transport_, index) || connection.pending == 0) return;
    const auto [bytes, count] = wire_.run(connection.sent, connection.pending);
    if (!pace_.is_steady()) {
      const Instant now = clock_.now();
      Instant* const sent_at = &sent_at_[index * load_.in_flight];
      for (std::uint64_t i = 0; i < count; ++i) sent_at[(connection.sent + i) % load_.in_flight] = now;
    }
    connection.sent += count;
    connection.pending -= count;
    connection.sending = !untold_;
    transport_.send(index, bytes, untold_);
    // Compressed frames are not contiguous; those of small loads need not wait for each other.
    if (untold_) flush(index, connection);
  }

  void end(Connection& connection) {
    if (connection.ended) return;
    connection.ended = true;
    ++result_.lost;
    if (connection.reader.end() == EchoReader::End::wrong) ++result_.wrong;
  }

  // The load has ended. An outstanding answer counts with its time, or with the time so far.
  void finish(Instant now) {
    now = turn_on(now, [this] {
      return std::ranges::all_of(connections_, [](const Connection& connection) {
        return connection.ended || (connection.pending == 0 && connection.received == connection.sent);
      });
    });
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      const Connection& connection = connections_[i];
      const std::uint64_t due = connection.sent + connection.pending;
      for (std::uint64_t k = connection.received; k < due; ++k) {
        note(pace_.due_at(k * connections_.size() + i), now, 1);
        ++result_.unanswered;
      }
    }
  }

  const EchoLoad& load_;
  Pace pace_;
  EchoWire wire_;
  bool untold_;
  AnswerTools tools_;
  std::vector<Connection> connections_;
  std::vector<Instant> sent_at_;  // in_flight for each connection, used in turn
  std::uint64_t next_ = 0;        // number of the next due message, with a rate
};

}  // namespace

std::expected<BenchResult, std::string> run_echo_load(std::vector<Dialed>& connections, const EchoLoad& load,
                                                      const ShowProgress& progress) {
  return run_over<EchoRun>(connections, load, progress);
}

}  // namespace fanfare::app

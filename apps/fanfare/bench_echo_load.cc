#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "bench_load.h"
#include "bench_ring.h"
#include "bench_wire.h"

namespace fanfare::app {
namespace {

using std::chrono::seconds;

// Of all that one connection has under way: fits any socket's buffer, so that no send ever has to wait.
constexpr std::size_t kUntoldBytesMax = 4096;
constexpr Duration kPatienceAfterEnd = seconds(1);

class EchoRun final : public BenchRing::Handler {
 public:
  EchoRun(BenchRing& ring, const EchoLoad& load, std::size_t connections)
      : ring_(ring),
        load_(load),
        wire_(make_echo_wire(load.size, load.rate > 0 ? SIZE_MAX : load.in_flight, load.raw)),
        untold_(load.rate == 0 && load.in_flight * wire_.request_size <= kUntoldBytesMax),
        connections_(connections),
        nanoseconds_each_(load.rate > 0 ? 1e9 / load.rate : 0) {
    if (load.rate == 0) sent_at_.resize(connections * load.in_flight);
  }

  BenchResult run(std::vector<Dialed>& dialed, const ShowProgress& progress) {
    start_ = clock_.now();
    const Instant end = start_ + load_.duration;
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (!dialed[i].read_ahead.empty()) on_bytes(i, dialed[i].read_ahead);
      if (load_.rate == 0) add_pending(i, load_.in_flight);
    }
    Instant now = start_;
    Instant tick = start_ + seconds(1);
    while (now < end && result_.lost < connections_.size()) {
      if (load_.rate > 0) add_due(now);
      Instant until = std::min(end, tick);
      if (load_.rate > 0) until = std::min(until, due_at(next_));
      ring_.turn(until - now, *this);
      now = clock_.now();
      if (now < tick) continue;
      progress({.elapsed = now - start_, .messages = result_.messages, .latency = result_.latency});
      tick += seconds(1);
    }
    result_.elapsed = now - start_;
    counted_until_end_ = result_.messages;
    if (load_.rate > 0) {
      // Also what became due while the last turn took its time.
      add_due(std::min(now, end));
      finish(now);
    }
    result_.messages = counted_until_end_;
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
  struct Connection {
    EchoReader reader;
    std::vector<std::uint8_t> pongs;
    std::vector<std::uint8_t> pongs_under_way;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t pending = 0;  // to be sent now
    bool sending = false;
    bool ended = false;
  };

  // When the message with that number is due, sent or not: a server that falls behind does not make the
  // others come later (coordinated omission).
  Instant due_at(std::uint64_t number) const {
    return start_ + Duration(std::llround(static_cast<double>(number) * nanoseconds_each_));
  }
  void add_due(Instant now) {
    for (; due_at(next_) <= now; ++next_) add_pending(next_ % connections_.size(), 1);
  }
  void add_pending(std::size_t index, std::uint64_t count) {
    connections_[index].pending += count;
    flush(index, connections_[index]);
  }

  void note_answers(std::size_t index, Connection& connection, std::uint64_t answers) {
    if (connection.received + answers > connection.sent) {
      ++result_.wrong;  // more than was asked for
      return end(connection);
    }
    const Instant now = clock_.now();
    if (load_.rate > 0) {
      for (std::uint64_t i = 0; i < answers; ++i) {
        const std::uint64_t number = (connection.received + i) * connections_.size() + index;
        note(now - due_at(number), 1);
      }
    } else {
      note_closed_loop(now, &sent_at_[index * load_.in_flight], connection.received, answers);
      connection.pending += answers;
    }
    connection.received += answers;
    result_.messages += answers;
  }

  // Messages that were sent together are noted together.
  void note_closed_loop(Instant now, const Instant* sent_at, std::uint64_t first, std::uint64_t answers) {
    std::uint64_t same = 0;
    Instant of_same{};
    for (std::uint64_t i = 0; i < answers; ++i) {
      const Instant sent = sent_at[(first + i) % load_.in_flight];
      if (sent != of_same && same > 0) note(now - of_same, std::exchange(same, 0));
      of_same = sent;
      ++same;
    }
    note(now - of_same, same);
  }
  void note(Duration latency, std::uint64_t times) {
    result_.latency.add(static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0)), times);
  }

  void flush(std::size_t index, Connection& connection) {
    if (connection.sending || connection.ended) return;
    if (!connection.pongs.empty()) {
      connection.pongs_under_way.swap(connection.pongs);
      connection.pongs.clear();
      connection.sending = true;
      return ring_.send(index, connection.pongs_under_way);
    }
    const std::uint64_t count = std::min<std::uint64_t>(connection.pending, wire_.block);
    if (count == 0) return;
    if (load_.rate == 0) {
      const Instant now = clock_.now();
      Instant* const sent_at = &sent_at_[index * load_.in_flight];
      for (std::uint64_t i = 0; i < count; ++i) sent_at[(connection.sent + i) % load_.in_flight] = now;
    }
    connection.sent += count;
    connection.pending -= count;
    connection.sending = !untold_;
    ring_.send(index, Bytes(wire_.requests).first(count * wire_.request_size), untold_);
  }

  void end(Connection& connection) {
    if (connection.ended) return;
    connection.ended = true;
    ++result_.lost;
    if (connection.reader.end() == EchoReader::End::wrong) ++result_.wrong;
  }

  // The rate is over; what is still on its way counts as what it took, or at least what it has taken so far.
  void finish(Instant now) {
    const Instant give_up = now + kPatienceAfterEnd;
    const auto all_answered = [this] {
      return std::ranges::all_of(connections_, [](const Connection& connection) {
        return connection.ended || (connection.pending == 0 && connection.received == connection.sent);
      });
    };
    while (now < give_up && !all_answered()) {
      ring_.turn(std::min<Duration>(give_up - now, std::chrono::milliseconds(10)), *this);
      now = clock_.now();
    }
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      const Connection& connection = connections_[i];
      const std::uint64_t due = connection.sent + connection.pending;
      for (std::uint64_t k = connection.received; k < due; ++k) {
        note(now - due_at(k * connections_.size() + i), 1);
        ++result_.unanswered;
      }
    }
  }

  BenchRing& ring_;
  const EchoLoad& load_;
  EchoWire wire_;
  bool untold_;
  std::vector<Connection> connections_;
  std::vector<Instant> sent_at_;  // in_flight for each connection, used in turn
  double nanoseconds_each_;
  std::uint64_t next_ = 0;  // number of the message that is due next, at a rate
  std::uint64_t counted_until_end_ = 0;
  Clock& clock_ = system_clock();
  Instant start_{};
  BenchResult result_;
};

}  // namespace

std::expected<BenchResult, std::string> run_echo_load(std::vector<Dialed> connections, const EchoLoad& load,
                                                      const ShowProgress& progress) {
  std::vector<int> fds;
  fds.reserve(connections.size());
  for (const Dialed& dialed : connections) fds.push_back(dialed.socket.get());
  const auto ring = BenchRing::create(fds);
  if (!ring) return std::unexpected(ring.error());
  EchoRun run(**ring, load, connections.size());
  return run.run(connections, progress);
}

}  // namespace fanfare::app

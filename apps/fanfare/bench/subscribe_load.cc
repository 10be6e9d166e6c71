#include <algorithm>
#include <chrono>
#include <functional>
#include <string_view>
#include <unordered_map>

#include "bench/answers.h"
#include "bench/bytebox.h"
#include "bench/run.h"
#include "bench/wire.h"
#include "ws/connection.h"

namespace fanfare::app {
namespace {

using std::chrono::seconds;

// The maximum wait for answers to the requests before notifications are counted anyway.
constexpr Duration kPatienceForAnswers = seconds(10);

class SubscribeRun final : public BenchRun {
 public:
  SubscribeRun(BenchTransport& transport, const SubscribeLoad& load, const std::vector<Dialed>& dialed)
      : BenchRun(transport), load_(load), frame_(masked_text_frame(load.request)) {
    connections_.reserve(dialed.size());
    for (const Dialed& each : dialed) connections_.emplace_back(protocol_options(each.deflate, tools_));
  }

  BenchResult run(std::vector<Dialed>& dialed, const ShowProgress& progress) {
    Instant now = clock_.now();
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connections_[i].sending = true;
      transport_.send(i, frame_);
      if (!dialed[i].read_ahead.empty()) on_bytes(i, dialed[i].read_ahead);
    }
    const Instant give_up = now + kPatienceForAnswers;
    while (answered_ + result_.lost < connections_.size() && now < give_up) {
      transport_.turn(std::min<Duration>(give_up - now, seconds(1)), *this);
      now = clock_.now();
    }
    result_.unanswered =
        connections_.size() - std::min<std::size_t>(answered_ + result_.lost, connections_.size());
    measuring_ = true;
    result_.messages = 0;
    result_.latency = Histogram();
    begin();
    turn_until_end(load_.duration, progress);
    return std::move(result_);
  }

  void on_bytes(std::size_t index, MutableBytes bytes) override {
    Connection& connection = connections_[index];
    if (measuring_) result_.bytes += bytes.size();
    while (const auto event = connection.protocol.next(bytes, connection.output)) {
      if (event->kind == ws::Event::Kind::message) note(connection, as_text(event->payload));
      if (event->kind == ws::Event::Kind::close || event->kind == ws::Event::Kind::failed) end(connection);
    }
    flush(index, connection);
  }
  void on_sent(std::size_t index) override {
    connections_[index].sending = false;
    flush(index, connections_[index]);
  }
  void on_gone(std::size_t index, int /*code*/) override { end(connections_[index]); }

 private:
  struct Connection {
    explicit Connection(ws::Connection::Options options) : protocol(std::move(options)) {}
    ws::Connection protocol;
    Bytebox output;
    std::vector<std::uint8_t> under_way;
    bool sending = false;
    bool answered = false;
    bool ended = false;
  };

  bool can_go_on() const override { return result_.lost < connections_.size(); }

  void note(Connection& connection, std::string_view text) {
    if (!connection.answered) {
      connection.answered = true;
      ++answered_;
      if (text.find("\"error\"") != std::string_view::npos) ++result_.wrong;
      return;
    }
    ++result_.messages;
    if (!measuring_) return;
    const Instant now = clock_.now();
    // Other servers give each subscription its own id; the text after it is the same on all connections.
    const std::size_t at = text.find("\"result\"");
    const std::string_view event = at == std::string_view::npos ? text : text.substr(at);
    const auto first = first_seen_.try_emplace(std::hash<std::string_view>()(event), now).first->second;
    result_.latency.add(since(first, now));
  }

  void flush(std::size_t index, Connection& connection) {
    if (connection.sending || connection.ended || connection.output.bytes.empty()) return;
    connection.under_way.swap(connection.output.bytes);
    connection.output.bytes.clear();
    connection.sending = true;
    transport_.send(index, connection.under_way);
  }

  void end(Connection& connection) {
    if (connection.ended) return;
    connection.ended = true;
    ++result_.lost;
  }

  const SubscribeLoad& load_;
  const std::vector<std::uint8_t> frame_;
  AnswerTools tools_;
  std::vector<Connection> connections_;
  std::size_t answered_ = 0;
  bool measuring_ = false;
  std::unordered_map<std::size_t, Instant> first_seen_;  // by the hash of the event
};

}  // namespace

std::expected<BenchResult, std::string> run_subscribe_load(std::vector<Dialed>& connections,
                                                           const SubscribeLoad& load,
                                                           const ShowProgress& progress) {
  return run_over<SubscribeRun>(connections, load, progress);
}

}  // namespace fanfare::app

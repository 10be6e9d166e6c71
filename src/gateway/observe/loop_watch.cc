#include "gateway/observe/loop_watch.h"

#include <algorithm>
#include <utility>

#include "gateway/observe/watch.h"
#include "session/endpoint.h"
#include "session/request_note.h"
#include "session/session.h"
#include "session/session_description.h"
#include "session/session_table.h"
#include "trace/request_id.h"

namespace fanfare::gateway {
namespace {

// The lines of one request that are no calls, in its samples.
constexpr std::uint64_t kRequestLine = UINT64_MAX;
constexpr std::uint64_t kSessionLine = UINT64_MAX - 1;

std::uint64_t key_of(session::SessionId id) {
  return std::uint64_t{id.slot} << 32U | id.generation;
}

std::string trace_of(const trace::Request& request) {
  return request.parent ? trace::hex_of(request.parent->trace) : std::string();
}

bool is_fault(session::Cause cause) {
  switch (cause) {
    case session::Cause::rule_broken:
    case session::Cause::slow_consumer:
    case session::Cause::pong_timeout:
      return true;
    case session::Cause::peer_closed:
    case session::Cause::we_closed:
    case session::Cause::idle_timeout:
    case session::Cause::connection_lost:
    case session::Cause::shut_down:
      return false;
  }
  return true;
}

}  // namespace

class LoopWatch::Note final : public session::RequestNote {
 public:
  Note(LoopWatch& loop, std::shared_ptr<trace::Request> request, AccessRecord record,
       std::uint64_t messages_before = 0)
      : loop_(loop),
        recording_(loop.now_),
        request_(std::move(request)),
        record_(std::move(record)),
        begun_(recording_->clock().now()),
        messages_before_(messages_before) {}
  ~Note() override {
    if (is_answered_) return;
    record_.outcome = "aborted";
    write(true);
  }

  void add_headers(std::vector<ws::OwnedHeader>& headers) const override {
    headers.push_back({.name = std::string(trace::kRequestIdHeader), .value = request_->id});
  }
  void on_answered(int status, std::size_t body_bytes) override {
    is_answered_ = true;
    record_.status = status;
    record_.bytes_out = body_bytes;
    write(status >= 400);
  }
  void on_opened(session::SessionId id) override {
    request_->recorder = nullptr;
    request_->place_of_recorder = &loop_;
    loop_.sessions_[key_of(id)] = {
        .request = request_, .since = recording_->clock().now(), .messages_before = messages_before_};
  }

  const std::shared_ptr<trace::Request>& request() const { return request_; }
  void set_principal(std::string_view principal) { record_.principal = principal; }

 private:
  void write(bool is_error) {
    record_.took = recording_->clock().now() - begun_;
    record_.place = request_->place;
    recording_->write(std::move(record_), request_->id, kRequestLine, is_error);
  }

  LoopWatch& loop_;
  const RecordingPtr recording_;
  const std::shared_ptr<trace::Request> request_;
  AccessRecord record_;
  const Instant begun_;
  const std::uint64_t messages_before_;
  bool is_answered_ = false;
};

LoopWatch::LoopWatch(const Watch& watch) : watch_(watch), now_(watch.now()) {}

void LoopWatch::switch_over() {
  now_ = watch_.now();
}

void LoopWatch::begin(session::HttpConnection& connection, const http::Request& request, bool is_upgrade) {
  if (now_ == nullptr) return;
  auto from = now_->begin_request(request.headers, connection.peer(), is_upgrade ? "websocket" : "http");
  AccessRecord record{.address = from->address,
                      .protocol = std::string(from->protocol),
                      .method = std::string(request.method),
                      .path = shown_path(request.path),
                      .bytes_in = request.body.size(),
                      .request_id = from->id,
                      .trace_id = trace_of(*from)};
  const auto* const facts = connection.table().facts_of(connection);
  connection.set_note(std::make_shared<Note>(*this, std::move(from), std::move(record),
                                             facts == nullptr ? 0 : facts->messages_received));
}

void LoopWatch::begin_unreadable(session::HttpConnection& connection) {
  if (now_ == nullptr) return;
  auto from = now_->begin_request({}, connection.peer(), "http");
  AccessRecord record{
      .address = from->address, .protocol = "http", .method = "-", .path = "-", .request_id = from->id};
  connection.set_note(std::make_shared<Note>(*this, std::move(from), std::move(record)));
}

std::shared_ptr<trace::Request> LoopWatch::request_of(const session::HttpConnection& connection,
                                                      const std::string& place, std::string_view principal) {
  // The gateway sets no other notes.
  auto* const note = static_cast<Note*>(connection.note());
  if (note == nullptr) return nullptr;
  note->request()->place = place;
  note->set_principal(principal);
  return note->request();
}

LoopWatch::Open LoopWatch::open_now(const session::Session& session) const {
  Open open{.request = now_->begin_request({}, session.peer(), "websocket"), .since = now_->clock().now()};
  open.request->recorder = nullptr;
  open.request->place_of_recorder = this;
  return open;
}

std::shared_ptr<trace::Request> LoopWatch::request_of(const session::Session& session,
                                                      const std::string& place) {
  Open& open = sessions_[key_of(session.id())];
  if (open.request == nullptr) {
    open = open_now(session);
    open.request->place = place;
  }
  return open.request;
}

void LoopWatch::on_session_ended(const session::Session& session, const session::CloseInfo& info) {
  auto found = sessions_.extract(key_of(session.id()));
  if (now_ == nullptr) return;
  const auto* const facts = session.table().facts_of(session);
  Open open = found.empty() ? open_now(session) : std::move(found.mapped());
  // What is known of one that was opened while it was off begins when it was turned on.
  if (found.empty() && facts != nullptr) open.since = facts->opened_at;
  const trace::Request& request = *open.request;
  session::SessionDescription described;
  if (const auto* const data = session::SessionTable::data_of(session)) data->describe(described);
  AccessRecord record{.kind = AccessRecord::Kind::session,
                      .address = request.address,
                      .protocol = "websocket",
                      .place = described.place.empty() ? described.service : described.place,
                      .principal = described.principal,
                      .status = info.code,
                      .outcome = std::string(session::name_of(info.cause)),
                      .took = now_->clock().now() - open.since,
                      .request_id = request.id,
                      .trace_id = trace_of(request)};
  if (facts != nullptr) {
    record.bytes_in = facts->bytes_received;
    record.bytes_out = facts->bytes_sent;
    record.messages_in = facts->messages_received - std::min(open.messages_before, facts->messages_received);
    record.messages_out = facts->messages_sent;
  }
  now_->write(std::move(record), request.id, kSessionLine, is_fault(info.cause));
}

}  // namespace fanfare::gateway

#pragma once
// The clients of the streams on one loop: the endpoint of their WebSockets, and what their mounts share. Loop thread.

#include <memory>
#include <string_view>
#include <utility>

#include "pubsub/loop_hub.h"
#include "session/endpoint.h"
#include "session/http_connection.h"
#include "session/loop_server.h"
#include "session/slow_watch.h"
#include "streams/client.h"

namespace fanfare::streamserver {

// One of the process's connections to streams.
class ConnectionSlot {
 public:
  ConnectionSlot(streams::Catalog& catalog, streams::Transport transport)
      : catalog_(&catalog), transport_(transport) {}
  ConnectionSlot(ConnectionSlot&& other) noexcept
      : catalog_(std::exchange(other.catalog_, nullptr)), transport_(other.transport_) {}
  ConnectionSlot& operator=(ConnectionSlot&&) = delete;
  ConnectionSlot(const ConnectionSlot&) = delete;
  ConnectionSlot& operator=(const ConnectionSlot&) = delete;
  ~ConnectionSlot() {
    if (catalog_ != nullptr) catalog_->release_connection(transport_);
  }

 private:
  streams::Catalog* catalog_;
  streams::Transport transport_;
};

// A client with so many unsent bytes is congested: what follows waits, by the policy of its stream.
inline std::size_t outbox_bytes_high(const streams::Limits& limits) {
  return limits.outbox_bytes_max / 4;
}

// The limits of the protocol on top of the server's own settings.
session::SessionSettings session_settings(const streams::Limits& limits, session::SessionSettings settings);

class LoopStreams final : public session::Endpoint {
 public:
  // Everything referred to must outlive this, and this must outlive the sessions.
  LoopStreams(streams::Catalog& catalog, pubsub::LoopHub& hub, session::LoopServer& server,
              const session::SessionSettings& settings)
      : session::Endpoint(settings),
        shared_{.catalog = catalog, .hub = hub, .clock = system_clock()},
        server_(server),
        slow_watch_(server.loop(), catalog.limits().slow_timeout) {}

  // The catalog's limits are others.
  void limits_changed() { slow_watch_.set_timeout(catalog().limits().slow_timeout); }

  void on_open(session::Session& session) override;
  void on_message(session::Session& session, const session::Message& message) override;
  void on_drained(session::Session& session) override;
  void on_close(session::Session& session, const session::CloseInfo& info) override;

  streams::LoopStreams& shared() { return shared_; }
  streams::Catalog& catalog() const { return shared_.catalog; }
  session::LoopServer& server() const { return server_; }
  session::SlowWatch& slow_watch() { return slow_watch_; }

 private:
  streams::LoopStreams shared_;
  session::LoopServer& server_;
  session::SlowWatch slow_watch_;
};

// A client over a WebSocket. It ends with its permit (1008).
class StreamConnection final : public session::SessionData,
                               public streams::ClientPort,
                               public PermitHolder,
                               public session::SlowReader {
 public:
  // `permit`: null without access control.
  StreamConnection(LoopStreams& loop, ConnectionSlot slot, std::unique_ptr<streams::Permit> permit)
      : loop_(loop), slot_(std::move(slot)), permit_(std::move(permit)) {}
  ~StreamConnection() override { loop_.slow_watch().remove(*this); }

  void open(session::Session& session);
  void receive(const session::Message& message);
  void send_waiting();
  void end();

  bool is_open() const override { return session_->is_open(); }
  bool is_congested() const override { return session_->is_congested(); }
  void send(std::string_view json) override;
  bool send_shared(const SharedBytes& bytes) override;
  bool has_room_behind(std::size_t bytes) override { return session_->has_room_behind(bytes); }
  void send_waiting_later() override;
  void close(std::uint16_t code, std::string_view reason) override { session_->start_closing(code, reason); }
  void describe(session::SessionDescription& out) const override;
  void on_permit_changed() override;
  void on_permit_ended(std::string_view reason) override;
  net::SendProgress send_progress() const override {
    return std::as_const(*session_).transport().send_progress();
  }
  void end_as_too_slow() override;

 private:
  // False: the connection is closed.
  bool note(session::SendResult sent, std::size_t bytes);

  LoopStreams& loop_;
  ConnectionSlot slot_;
  session::Session* session_ = nullptr;
  std::unique_ptr<streams::Permit> permit_;  // outlives the client
  std::unique_ptr<streams::Client> client_;
  bool sends_later_ = false;
};

}  // namespace fanfare::streamserver

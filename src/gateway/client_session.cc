#include "gateway/client_session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "ws/close_code.h"

namespace fanfare::gateway {
namespace {

constexpr std::string_view kTaken = "this session continues on another connection";

std::array<std::uint8_t, 8> payload_of(std::uint64_t number) {
  std::array<std::uint8_t, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(number >> (56 - 8 * i));
  return bytes;
}

void close_as_taken(session::Session& session) {
  session.start_closing(ws::close_code::policy_violation, kTaken);
}

// The peer has answered our Close, so it has read everything before it: these codes are those of a server.
bool has_read_everything(const session::CloseInfo& info) {
  if (info.cause == session::Cause::peer_closed) return false;
  return info.code == ws::close_code::policy_violation || info.code == ws::close_code::service_restart ||
         info.code == ws::close_code::try_again_later;
}

}  // namespace

ClientSession::ClientSession(eth::ResumeLease lease, Context context)
    : ResumeLink(lease.record(), lease.owner()), lease_(std::move(lease)), context_(std::move(context)) {}

void ClientSession::on_open(session::Session& session) {
  id_ = session.id();
  const bool is_ours = lease_.watch([&server = context_.server, id = id_] {
    server.loop().post([&server, id] {
      session::Session* const found = server.sessions().find(id);
      if (found != nullptr && found->is_open()) close_as_taken(*found);
    });
  });
  if (!is_ours) close_as_taken(session);
}

void ClientSession::activate_later(std::string id) {
  next_.push_back(std::move(id));
  send_later();
}

// After the events of this turn: one ping covers them all.
void ClientSession::send_later() {
  if (is_under_way_ || std::exchange(is_scheduled_, true)) return;
  context_.server.loop().post([of = context_.of, &server = context_.server, id = id_] {
    session::Session* const found = server.sessions().find(id);
    ClientSession* const self = found == nullptr ? nullptr : of(*found);
    if (self == nullptr) return;
    self->is_scheduled_ = false;
    self->send(*found);
  });
}

void ClientSession::send(session::Session& session) {
  if (is_under_way_ || !session.is_open()) return;
  const bool has_news = std::exchange(is_dirty_, false) && record().ping(owner());
  if (!has_news && next_.empty()) return;
  covered_ = std::exchange(next_, {});
  is_under_way_ = session.ping(payload_of(++pings_)) != session::SendResult::closed;
}

void ClientSession::on_pong(session::Session& session, Bytes payload) {
  const auto wanted = payload_of(pings_);
  const bool is_last = std::ranges::equal(payload, wanted);
  if (!is_under_way_ || (!is_last && payload.size() == wanted.size())) return;
  is_under_way_ = false;
  if (!is_last) {
    // RFC6455§5.5.3: of several pings the peer may answer only the last, here one of the heartbeat.
    is_dirty_ = true;
    next_.insert(next_.begin(), covered_.begin(), covered_.end());
    covered_.clear();
  } else {
    record().pong(owner());
    for (const std::string& id : std::exchange(covered_, {})) context_.activate(session, id);
  }
  if (is_dirty_ || !next_.empty()) send_later();
}

void ClientSession::on_close(const session::CloseInfo& info) {
  if (has_read_everything(info)) record().confirm_all(owner());
}

}  // namespace fanfare::gateway

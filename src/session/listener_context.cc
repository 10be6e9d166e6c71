#include "session/listener_context.h"

#include <utility>

#include "http/headers.h"

namespace fanfare::session {

void ServerTable::admit(Member& member, Admission admission) {
  mark_admitted(member);
  set_ticket(member, admission.release());
}

void ServerTable::set_ticket(const Member& member, AddressLimits::Ticket ticket) {
  const std::uint32_t slot = slot_of(member);
  if (slot >= tickets_.size()) {
    if (ticket == 0) return;
    tickets_.resize(slot + 1);
  }
  tickets_[slot] = ticket;
}

void ServerTable::set_peer(const net::Transport& transport, std::string peer) {
  announced_peers_[&transport] = std::move(peer);
}

std::string ServerTable::peer_of(const net::Transport& transport) const {
  const auto announced = announced_peers_.find(&transport);
  return announced == announced_peers_.end() ? transport.peer() : announced->second;
}

void ServerTable::note_request(const Member& member, http::Headers headers) {
  if (facts() == nullptr) return;
  facts()->note_request(slot_of(member),
                        http::find_header(headers, "User-Agent").value_or(std::string_view()));
}

void ServerTable::on_admitted_left(Member& member) {
  const std::uint32_t slot = slot_of(member);
  if (slot < tickets_.size()) gate.leave_address(std::exchange(tickets_[slot], 0));
  gate.leave();
  announced_peers_.erase(&transport_of(member));
}

void ServerTable::on_slots_dropped(std::size_t count) {
  SessionTable::on_slots_dropped(count);
  if (count < tickets_.size()) {
    tickets_.resize(count);
    tickets_.shrink_to_fit();
  }
  announced_peers_.rehash(0);
}

}  // namespace fanfare::session

#pragma once
// A connection that the gate of a server has let in: it leaves the gate when this is destroyed.

#include <utility>

#include "session/accept_gate.h"

namespace fanfare::session {

class Admission {
 public:
  Admission() = default;
  // The gate was entered.
  explicit Admission(AcceptGate& gate) : gate_(&gate) {}
  Admission(Admission&& other) noexcept
      : gate_(std::exchange(other.gate_, nullptr)), ticket_(std::exchange(other.ticket_, 0)) {}
  Admission& operator=(Admission&& other) noexcept {
    std::swap(gate_, other.gate_);
    std::swap(ticket_, other.ticket_);
    return *this;
  }
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;
  ~Admission() {
    if (gate_ == nullptr) return;
    gate_->leave_address(ticket_);
    gate_->leave();
  }

  // The connection's address has entered its limits. 0: not known yet, or not limited.
  void set_ticket(AddressLimits::Ticket ticket) { ticket_ = ticket; }
  // The caller leaves the gate from here on, with this ticket.
  AddressLimits::Ticket release() {
    gate_ = nullptr;
    return std::exchange(ticket_, 0);
  }

 private:
  AcceptGate* gate_ = nullptr;
  AddressLimits::Ticket ticket_ = 0;
};

}  // namespace fanfare::session

#include "eth/pending_bodies.h"

#include <utility>

#include "jsonrpc/value.h"

namespace fanfare::eth {

std::string as_pending(std::string_view transaction_json) {
  std::string out;
  out.reserve(transaction_json.size());
  std::size_t done = 0;
  for (const jsonrpc::Member& member : jsonrpc::object_members(transaction_json)) {
    const bool of_a_block = member.name == "blockHash" || member.name == "blockNumber" ||
                            member.name == "transactionIndex" || member.name == "blockTimestamp";
    if (!of_a_block) continue;
    const auto at = static_cast<std::size_t>(member.value.data() - transaction_json.data());
    out.append(transaction_json.substr(done, at - done)).append("null");
    done = at + member.value.size();
  }
  return out.append(transaction_json.substr(done));
}

void PendingBodies::add(std::string_view hash) {
  slots_.push_back({.hash = std::string(hash), .json = {}});
  ++waiting_;
}

void PendingBodies::add(std::string_view hash, std::string_view transaction_json) {
  slots_.push_back({.hash = std::string(hash), .json = as_pending(transaction_json), .state = State::known});
  ++known_;
}

std::uint32_t PendingBodies::drop_surplus() {
  std::uint32_t dropped = 0;
  for (Slot& slot : slots_) {
    if (waiting_ <= limits_.waiting_max) break;
    if (slot.state != State::waiting) continue;
    slot.state = State::over;
    --waiting_;
    ++dropped;
  }
  return dropped;
}

std::vector<PendingBodies::Ask> PendingBodies::take_asks(Instant now) {
  std::vector<Ask> asks;
  for (std::size_t i = 0; i < slots_.size() && waiting_ > 0 && asked_ < limits_.in_flight_max; ++i) {
    Slot& slot = slots_[i];
    if (slot.state != State::waiting) continue;
    slot.state = State::asked;
    if (slot.attempt == 0) slot.asked_at = now;
    --waiting_;
    ++asked_;
    asks.push_back({.serial = first_serial_ + i, .hash = slot.hash, .attempt = slot.attempt});
  }
  return asks;
}

PendingBodies::Slot* PendingBodies::find(std::uint64_t serial) {
  if (serial < first_serial_ || serial - first_serial_ >= slots_.size()) return nullptr;
  Slot& slot = slots_[static_cast<std::size_t>(serial - first_serial_)];
  return slot.state == State::asked ? &slot : nullptr;
}

void PendingBodies::known(std::uint64_t serial, std::string_view transaction_json) {
  Slot* const slot = find(serial);
  if (slot == nullptr) return;
  slot->state = State::known;
  slot->json = as_pending(transaction_json);
  --asked_;
  ++known_;
}

bool PendingBodies::failed(std::uint64_t serial) {
  Slot* const slot = find(serial);
  if (slot == nullptr) return false;
  --asked_;
  const bool is_over = ++slot->attempt >= limits_.attempts_max;
  slot->state = is_over ? State::over : State::waiting;
  if (!is_over) ++waiting_;
  return is_over;
}

bool PendingBodies::is_passed(const Slot& slot, Instant now) const {
  const bool was_asked = slot.state == State::asked || slot.attempt > 0;
  return was_asked && now - slot.asked_at >= limits_.order_wait;
}

std::vector<PendingBodies::Body> PendingBodies::take(Instant now) {
  std::vector<Body> bodies;
  for (std::size_t i = 0; i < slots_.size() && known_ > 0; ++i) {
    Slot& slot = slots_[i];
    if (slot.state == State::known) {
      slot.state = State::over;
      --known_;
      bodies.push_back({.hash = std::move(slot.hash), .transaction_json = std::move(slot.json)});
    } else if (slot.state != State::over && !is_passed(slot, now)) {
      break;
    }
  }
  while (!slots_.empty() && slots_.front().state == State::over) {
    slots_.pop_front();
    ++first_serial_;
  }
  return bodies;
}

std::optional<Instant> PendingBodies::next_timer() const {
  if (known_ == 0) return std::nullopt;
  // Bodies that take() left wait until every earlier one is passed. They were requested in order.
  std::optional<Instant> all_passed;
  for (const Slot& slot : slots_) {
    if (slot.state == State::known) break;
    if (slot.state == State::over) continue;
    if (slot.state == State::waiting && slot.attempt == 0)
      return std::nullopt;  // requested once a call is free
    all_passed = slot.asked_at + limits_.order_wait;
  }
  return all_passed;
}

void PendingBodies::clear() {
  first_serial_ += slots_.size();
  slots_.clear();
  waiting_ = asked_ = known_ = 0;
}

}  // namespace fanfare::eth

#include "session/dial_race.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace fanfare::session {
namespace {

Duration delay_for(Duration time, std::size_t addresses) {
  const Duration share = time / static_cast<Duration::rep>(addresses);
  return std::clamp(share, kConnectionAttemptDelayMin, kConnectionAttemptDelay);
}

// Errors that say nothing about the other addresses.
bool is_of_this_address(const ClientError& error) {
  return !error.was_connected &&
         (error.failure == ClientFailure::connect_failed || error.failure == ClientFailure::timed_out);
}

}  // namespace

std::vector<net::Address> interleaved(const std::vector<net::Address>& addresses) {
  std::vector<net::Address> first;
  std::vector<net::Address> other;
  for (const net::Address& address : addresses) {
    (address.family() == addresses.front().family() ? first : other).push_back(address);
  }
  std::vector<net::Address> turns;
  turns.reserve(addresses.size());
  for (std::size_t i = 0; i < std::max(first.size(), other.size()); ++i) {
    if (i < first.size()) turns.push_back(first[i]);
    if (i < other.size()) turns.push_back(other[i]);
  }
  return turns;
}

DialRace::DialRace(net::Loop& loop, const std::vector<net::Address>& addresses, Instant deadline, Dial dial,
                   Lost lost)
    : loop_(loop),
      addresses_(interleaved(addresses)),
      deadline_(deadline),
      delay_(delay_for(std::max(deadline - loop.now(), Duration::zero()),
                       std::max<std::size_t>(1, addresses.size()))),
      dial_(std::move(dial)),
      lost_(std::move(lost)) {
  FANFARE_CHECK(!addresses_.empty());
}

DialRace::~DialRace() {
  finish();
}

void DialRace::start_next() {
  while (next_ < addresses_.size() && (next_ == 0 || loop_.now() < deadline_)) {
    const net::Address& address = addresses_[next_++];
    dialling_ = true;
    const auto dialled = dial_(address, std::max(deadline_ - loop_.now(), Duration::zero()));
    dialling_ = false;
    if (dialled) {
      if (over_) return;
      running_.push_back(*dialled);
      if (next_ < addresses_.size()) start_next_at(saturating_add(loop_.now(), delay_));
      return;
    }
    if (over_ || !is_of_this_address(dialled.error())) return lose(dialled.error());
    note(dialled.error());
  }
  if (running_.empty()) lose(last_error_);
}

void DialRace::start_next_at(Instant when) {
  loop_.cancel(timer_);
  timer_ = loop_.call_at(when, [this] { start_next(); });
}

bool DialRace::connected(const DialAttempt& dial) {
  const auto found = std::ranges::find(running_, &dial);
  if (over_ || (found == running_.end() && !dialling_)) return false;
  if (found != running_.end()) running_.erase(found);
  over_ = true;
  finish();
  return true;
}

bool DialRace::failed(const DialAttempt& dial, const ClientError& error) {
  const auto found = std::ranges::find(running_, &dial);
  if (found == running_.end()) return false;
  running_.erase(found);
  if (!is_of_this_address(error)) {
    lose(error);
    return true;
  }
  note(error);
  if (next_ < addresses_.size() && loop_.now() < deadline_) {
    // Not from here: the loop is still processing the failed one.
    start_next_at(loop_.now());
  } else if (running_.empty()) {
    lose(last_error_);
  }
  return true;
}

void DialRace::note(const ClientError& error) {
  failures_ += error.text + "; ";
  last_error_ = error;
}

void DialRace::lose(ClientError error) {
  over_ = true;
  finish();
  // The last error is already in the list, unless it ended the race by itself.
  if (is_of_this_address(error)) {
    error.text = failures_.substr(0, failures_.size() - 2);
  } else {
    error.text.insert(0, failures_);
  }
  const std::size_t left = addresses_.size() - next_;
  if (left > 0 && error.failure == ClientFailure::timed_out) {
    error.text += "; " + std::to_string(left) + " more addresses were not tried in time";
  }
  // Moved out first: the call may destroy the race, and the callback must survive that.
  Lost lost = std::move(lost_);
  lost(error);
}

void DialRace::finish() {
  loop_.cancel(timer_);
  for (DialAttempt* dial : std::exchange(running_, {})) dial->close();
}

}  // namespace fanfare::session

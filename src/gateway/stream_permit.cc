#include "gateway/stream_permit.h"

#include <utility>

#include "rpc/methods.h"

namespace fanfare::gateway {
namespace {

streams::Permit::Refusal refusal_of(const access::Exhausted& exhausted) {
  return {.message = rpc::limit_reached(access::name_of(exhausted.limit), exhausted.retry_after).message,
          .retry_after = exhausted.retry_after};
}

}  // namespace

StreamPermit::StreamPermit(AccessGate& gate, std::shared_ptr<CredentialTerms> terms,
                           const AdmittedCaller& caller, std::string peer)
    : gate_(gate),
      principal_(caller.principal),
      payer_(caller.payer),
      peer_(std::move(peer)),
      terms_(std::move(terms)),
      term_(*terms_, *this) {}

void StreamPermit::begin(streams::PermitHolder& holder) {
  holder_ = &holder;
  term_.start(gate_.clock().wall_now());
}

// A loop that is busy may be late to end the connection: what has expired grants nothing meanwhile.
bool StreamPermit::may_read(std::string_view stream) const {
  if (principal_->expires_at && principal_->is_expired(gate_.clock().wall_now())) return false;
  return principal_->may({.stream = stream});
}

void StreamPermit::count_refused() {
  gate_.cells(*principal_).refused[AccessRefusal::permission].add();
}

std::optional<streams::Permit::Refusal> StreamPermit::take_message() {
  RoleCells& cells = gate_.cells(*principal_);
  cells.calls.add();
  const auto exhausted = payer_->take_call(1, gate_.clock().now());
  if (!exhausted) return std::nullopt;
  cells.refused[AccessRefusal::limit].add();
  return refusal_of(*exhausted);
}

std::optional<streams::Permit::Refusal> StreamPermit::take_subscription() {
  const auto exhausted = payer_->take_subscription(gate_.clock().now());
  if (!exhausted) return std::nullopt;
  gate_.cells(*principal_).refused[AccessRefusal::limit].add();
  return refusal_of(*exhausted);
}

void StreamPermit::give_back_subscriptions(std::uint32_t count) {
  payer_->give_back_subscriptions(count);
}

void StreamPermit::charge_bytes(std::size_t count) {
  payer_->charge_bytes(count, gate_.clock().now());
}

std::expected<void, streams::Permit::Refusal> StreamPermit::authenticate(std::string_view token) {
  // Apart from the other messages, as long as there are not too many.
  if (!payer_->take_renewal(gate_.clock().now())) {
    if (auto refused = take_message()) return std::unexpected(*std::move(refused));
  }
  auto principal = gate_.renew(token, peer_, *principal_, *payer_);
  if (!principal) {
    return std::unexpected(
        Refusal{.message = principal.error().message, .retry_after = principal.error().retry_after});
  }
  principal_ = *std::move(principal);
  if (holder_ != nullptr) term_.start(gate_.clock().wall_now());
  return {};
}

void StreamPermit::on_credentials_ended(std::string_view reason) {
  if (principal_->name == kUnauthenticated) gate_.note_silence(peer_);
  holder_->on_permit_ended(reason);
}

void StreamPermit::on_reloaded(const access::Caller& now) {
  principal_ = now.principal;
  gate_.set_limits(*payer_, now);
  term_.start(gate_.clock().wall_now());
  holder_->on_permit_changed();
}

}  // namespace fanfare::gateway

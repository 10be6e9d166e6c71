#include "gateway/canvas_permit.h"

#include <utility>

#include "rpc/methods.h"

namespace fanfare::gateway {

CanvasPermit::CanvasPermit(AccessGate& gate, std::shared_ptr<CredentialTerms> terms,
                           const AdmittedCaller& caller, std::string peer)
    : gate_(gate),
      principal_(caller.principal),
      payer_(caller.payer),
      peer_(std::move(peer)),
      terms_(std::move(terms)),
      term_(*terms_, *this) {}

void CanvasPermit::begin(canvasserver::PermitHolder& holder) {
  holder_ = &holder;
  term_.start(gate_.clock().wall_now());
}

// A loop that is busy may be late to end the connection: what has expired grants nothing meanwhile.
bool CanvasPermit::is_valid() const {
  return !principal_->expires_at || !principal_->is_expired(gate_.clock().wall_now());
}

bool CanvasPermit::may_view(std::string_view room) const {
  return is_valid() && principal_->may({.canvas_view = room});
}

canvas::Rights CanvasPermit::rights(std::string_view room) const {
  if (!is_valid()) return {.draw = false, .moderate = false};
  return {.draw = principal_->may({.canvas_draw = room}),
          .moderate = principal_->may({.canvas_moderate = room})};
}

std::string CanvasPermit::identity() const {
  if (principal_->is_shared() || principal_->name == kUnauthenticated) return "";
  return principal_->name;
}

void CanvasPermit::count_refused() {
  gate_.cells(*principal_).refused[AccessRefusal::permission].add();
}

std::optional<canvasserver::Permit::Refusal> CanvasPermit::take_message() {
  RoleCells& cells = gate_.cells(*principal_);
  cells.calls.add();
  const auto exhausted = payer_->take_call(1, gate_.clock().now());
  if (!exhausted) return std::nullopt;
  cells.refused[AccessRefusal::limit].add();
  return Refusal{
      .message = rpc::limit_reached(access::name_of(exhausted->limit), exhausted->retry_after).message,
      .retry_after = exhausted->retry_after};
}

void CanvasPermit::charge_bytes(std::size_t count) {
  payer_->charge_bytes(count, gate_.clock().now());
}

std::expected<void, canvasserver::Permit::Refusal> CanvasPermit::authenticate(std::string_view token) {
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

void CanvasPermit::on_credentials_ended(std::string_view reason) {
  if (principal_->name == kUnauthenticated) gate_.note_silence(peer_);
  holder_->on_permit_ended(reason);
}

void CanvasPermit::on_reloaded(const access::Caller& now) {
  principal_ = now.principal;
  gate_.set_limits(*payer_, now);
  term_.start(gate_.clock().wall_now());
  holder_->on_permit_changed();
}

}  // namespace fanfare::gateway

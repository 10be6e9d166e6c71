#pragma once
// The permit of a connection whose caller access control has admitted: its quotas pay for its messages and bytes, and it
// ends with its credentials. Loop thread.
//
// FeaturePermit: a feature's interface, derived from ConnectionPermit; the class that derives from this one says what the
// caller's roles grant of the feature.

#include <memory>
#include <string>
#include <utility>

#include "base/permit.h"
#include "gateway/access_gate.h"
#include "gateway/admitted_caller.h"
#include "gateway/credential_term.h"
#include "rpc/methods.h"

namespace fanfare::gateway {

template <typename FeaturePermit>
class CredentialPermit : public FeaturePermit, private CredentialHolder {
 public:
  using Refusal = ConnectionPermit::Refusal;

  // `peer`: the client's address. The gate must outlive it.
  CredentialPermit(AccessGate& gate, std::shared_ptr<CredentialTerms> terms, const AdmittedCaller& caller,
                   std::string peer)
      : gate_(gate),
        principal_(caller.principal),
        payer_(caller.payer),
        peer_(std::move(peer)),
        terms_(std::move(terms)),
        term_(*terms_, *this) {}

  void begin(PermitHolder& holder) final {
    holder_ = &holder;
    term_.start(gate_.clock().wall_now());
  }
  std::string_view holder_name() const final { return principal_->name; }
  void count_refused() final { gate_.cells(*principal_).refused[AccessRefusal::permission].add(); }
  std::optional<Refusal> take_message() final {
    gate_.cells(*principal_).calls.add();
    return refusal_of(payer_->take_call(1, gate_.clock().now()));
  }
  void charge_bytes(std::size_t count) final { payer_->charge_bytes(count, gate_.clock().now()); }
  std::expected<void, Refusal> authenticate(std::string_view token) final {
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

 protected:
  // A loop that is busy may be late to end the connection: what has expired grants nothing meanwhile.
  bool is_valid() const {
    return !principal_->expires_at || !principal_->is_expired(gate_.clock().wall_now());
  }
  // What a quota has refused, counted; empty if it has not.
  std::optional<Refusal> refusal_of(const std::optional<access::Exhausted>& exhausted) {
    if (!exhausted) return std::nullopt;
    gate_.cells(*principal_).refused[AccessRefusal::limit].add();
    return Refusal{
        .message = rpc::limit_reached(access::name_of(exhausted->limit), exhausted->retry_after).message,
        .retry_after = exhausted->retry_after};
  }
  const access::Principal& principal() const final { return *principal_; }
  access::Payer& payer() { return *payer_; }
  Instant now() const { return gate_.clock().now(); }

 private:
  void on_credentials_ended(std::string_view reason) final {
    if (principal_->name == kUnauthenticated) gate_.note_silence(peer_);
    holder_->on_permit_ended(reason);
  }
  void on_reloaded(const access::Caller& caller) final {
    principal_ = caller.principal;
    gate_.set_limits(*payer_, caller);
    term_.start(gate_.clock().wall_now());
    holder_->on_permit_changed();
  }
  std::string peer_address() const final { return peer_; }

  AccessGate& gate_;
  access::PrincipalPtr principal_;
  const std::shared_ptr<access::Payer> payer_;
  const std::string peer_;
  PermitHolder* holder_ = nullptr;
  const std::shared_ptr<CredentialTerms> terms_;
  CredentialTerm term_;
};

}  // namespace fanfare::gateway

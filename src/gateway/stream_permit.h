#pragma once
// What a client of the streams may do: its roles grant streams by name, its quotas pay for its messages, subscriptions
// and bytes, and its connection ends with its credentials. Loop thread.

#include <memory>
#include <string>

#include "gateway/access_gate.h"
#include "gateway/admitted_caller.h"
#include "gateway/credential_term.h"
#include "streams/permit.h"

namespace fanfare::gateway {

class StreamPermit final : public streams::Permit, private CredentialHolder {
 public:
  // `peer`: the client's address. The gate must outlive it.
  StreamPermit(AccessGate& gate, std::shared_ptr<CredentialTerms> terms, const AdmittedCaller& caller,
               std::string peer);

  void begin(streams::PermitHolder& holder) override;
  bool may_read(std::string_view stream) const override;
  void count_refused() override;
  std::optional<Refusal> take_message() override;
  std::optional<Refusal> take_subscription() override;
  void give_back_subscriptions(std::uint32_t count) override;
  void charge_bytes(std::size_t count) override;
  std::expected<void, Refusal> authenticate(std::string_view token) override;

 private:
  void on_credentials_ended(std::string_view reason) override;
  void on_reloaded(const access::Caller& now) override;
  const access::Principal& principal() const override { return *principal_; }
  std::string peer_address() const override { return peer_; }

  AccessGate& gate_;
  access::PrincipalPtr principal_;
  const std::shared_ptr<access::Payer> payer_;
  const std::string peer_;
  streams::PermitHolder* holder_ = nullptr;
  const std::shared_ptr<CredentialTerms> terms_;
  CredentialTerm term_;
};

}  // namespace fanfare::gateway

#pragma once
// What a client of a room may do: its roles grant rooms by name, its quotas pay for its messages and bytes, and its
// connection ends with its credentials. Loop thread.

#include <memory>
#include <string>

#include "canvasserver/permit.h"
#include "gateway/access_gate.h"
#include "gateway/admitted_caller.h"
#include "gateway/credential_term.h"

namespace fanfare::gateway {

class CanvasPermit final : public canvasserver::Permit, private CredentialHolder {
 public:
  // `peer`: the client's address. The gate must outlive it.
  CanvasPermit(AccessGate& gate, std::shared_ptr<CredentialTerms> terms, const AdmittedCaller& caller,
               std::string peer);

  void begin(canvasserver::PermitHolder& holder) override;
  bool may_view(std::string_view room) const override;
  canvas::Rights rights(std::string_view room) const override;
  std::string identity() const override;
  void count_refused() override;
  std::optional<Refusal> take_message() override;
  void charge_bytes(std::size_t count) override;
  std::expected<void, Refusal> authenticate(std::string_view token) override;

 private:
  void on_credentials_ended(std::string_view reason) override;
  void on_reloaded(const access::Caller& now) override;
  const access::Principal& principal() const override { return *principal_; }
  std::string peer_address() const override { return peer_; }
  bool is_valid() const;

  AccessGate& gate_;
  access::PrincipalPtr principal_;
  const std::shared_ptr<access::Payer> payer_;
  const std::string peer_;
  canvasserver::PermitHolder* holder_ = nullptr;
  const std::shared_ptr<CredentialTerms> terms_;
  CredentialTerm term_;
};

}  // namespace fanfare::gateway

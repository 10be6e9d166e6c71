#pragma once
// What a client of the streams may do: its roles grant streams by name, its quotas pay for its messages, subscriptions
// and bytes, and its connection ends with its credentials. Loop thread.

#include <memory>
#include <string>

#include "gateway/access_gate.h"
#include "gateway/credential_term.h"
#include "net/loop.h"
#include "streams/permit.h"

namespace fanfare::gateway {

class StreamPermit final : public streams::Permit, private CredentialHolder {
 public:
  // `peer`: the client's address. The gate and the loop must outlive it.
  StreamPermit(AccessGate& gate, net::Loop& loop, const AdmittedCaller& caller, std::string peer);

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

  AccessGate& gate_;
  access::PrincipalPtr principal_;
  const std::shared_ptr<access::Payer> payer_;
  const std::string peer_;
  streams::PermitHolder* holder_ = nullptr;
  CredentialTerm term_;
};

}  // namespace fanfare::gateway

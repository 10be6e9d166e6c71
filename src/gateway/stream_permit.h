#pragma once
// What a client of the streams may do: its roles grant streams by name.

#include "gateway/credential_permit.h"
#include "streams/permit.h"

namespace fanfare::gateway {

class StreamPermit final : public CredentialPermit<streams::Permit> {
 public:
  using CredentialPermit::CredentialPermit;

  bool may_read(std::string_view stream) const override {
    return is_valid() && principal().may({.stream = stream});
  }
  std::optional<Refusal> take_subscription() override { return refusal_of(payer().take_subscription(now())); }
  void give_back_subscriptions(std::uint32_t count) override { payer().give_back_subscriptions(count); }
};

}  // namespace fanfare::gateway

#pragma once
// A caller that the gateway's access control admitted, as its mounts see it.

#include <memory>
#include <utility>

#include "access/authenticator.h"
#include "access/quota.h"
#include "base/check.h"
#include "server/admission.h"

namespace fanfare::gateway {

class AdmittedCaller final : public server::Admitted {
 public:
  AdmittedCaller(access::PrincipalPtr who, std::shared_ptr<access::Payer> who_pays)
      : principal(std::move(who)), payer(std::move(who_pays)) {}

  // Null without access control. Every mount of the gateway is admitted by its AccessGate only: another class is a bug
  // of ours, and ends the process. Valid as long as `admitted`.
  static const AdmittedCaller* of(const server::Admitted* admitted) {
    if (admitted == nullptr) return nullptr;
    const auto* const caller = dynamic_cast<const AdmittedCaller*>(admitted);
    FANFARE_CHECK(caller != nullptr);
    return caller;
  }

  const access::PrincipalPtr principal;
  const std::shared_ptr<access::Payer> payer;
};

}  // namespace fanfare::gateway

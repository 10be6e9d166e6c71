#pragma once
// What a client of a room may do: its roles grant rooms by name.

#include "canvasserver/permit.h"
#include "gateway/credential_permit.h"

namespace fanfare::gateway {

class CanvasPermit final : public CredentialPermit<canvasserver::Permit> {
 public:
  using CredentialPermit::CredentialPermit;

  bool may_view(std::string_view room) const override {
    return is_valid() && principal().may({.canvas_view = room});
  }
  canvas::Rights rights(std::string_view room) const override {
    if (!is_valid()) return {.draw = false, .moderate = false};
    return {.draw = principal().may({.canvas_draw = room}),
            .moderate = principal().may({.canvas_moderate = room})};
  }
  std::string identity() const override {
    if (principal().is_shared() || principal().name == kUnauthenticated) return "";
    return principal().name;
  }
};

}  // namespace fanfare::gateway

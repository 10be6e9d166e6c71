#include "gateway/canvas_mounts.h"

#include "base/check.h"
#include "canvasserver/mounts.h"
#include "gateway/admitted_caller.h"
#include "gateway/canvas_permit.h"

namespace fanfare::gateway {
namespace {

canvasserver::MakePermit permits_of(const RouterContext& context) {
  if (context.gate == nullptr) return {};
  return [gate = context.gate, services = context.services](const session::HttpConnection& session,
                                                            const server::Target& target) {
    // The mount is guarded: without an admission nobody comes so far.
    const AdmittedCaller* const admitted = AdmittedCaller::of(target.admitted.get());
    FANFARE_CHECK(admitted != nullptr);
    return std::make_unique<CanvasPermit>(*gate, std::shared_ptr<CredentialTerms>(services, &services->terms),
                                          *admitted, session.peer());
  };
}

// Frames of the canvas are compressed already, or shared by all. With access control, a browser offers its token as a
// subprotocol.
ws::UpgradePolicy upgrade_policy(bool has_access) {
  std::vector<std::string> others;
  if (has_access) others.emplace_back(access::kSubprotocol);
  return {.subprotocols = canvasserver::canvas_subprotocols(std::move(others)),
          .origins = {},
          .deflate = {.enabled = false}};
}

}  // namespace

std::shared_ptr<server::Mount> make_canvas_mount(const CanvasFeature& feature, const RouterContext& context) {
  canvasserver::MountContext shared{.loop = context.services->canvas, .make_permit = permits_of(context)};
  switch (feature.part) {
    case CanvasFeature::Part::socket:
      return std::make_shared<canvasserver::WebSocketMount>(std::move(shared),
                                                            upgrade_policy(context.gate != nullptr));
    case CanvasFeature::Part::image:
      return std::make_shared<canvasserver::ImageMount>(std::move(shared));
    case CanvasFeature::Part::info:
      return std::make_shared<canvasserver::InfoMount>(std::move(shared));
  }
  return nullptr;
}

}  // namespace fanfare::gateway

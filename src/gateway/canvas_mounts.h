#pragma once
// The mounts of the canvas on a listener of the gateway, with its access control.

#include <memory>

#include "gateway/mounts.h"
#include "gateway/serve_plan.h"
#include "server/mount.h"

namespace fanfare::gateway {

std::shared_ptr<server::Mount> make_canvas_mount(const CanvasFeature& feature, const RouterContext& context);

}  // namespace fanfare::gateway

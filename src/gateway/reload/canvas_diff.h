#pragma once
// How the rooms of two plans differ, for PlanDiff.

#include <optional>
#include <vector>

#include "gateway/reload/plan_diff.h"

namespace fanfare::gateway {

// Whether a room can become the other one while it runs: only its limits differ.
bool is_same_room(const canvasserver::RoomPlan& present, const canvasserver::RoomPlan& wanted);

// Those that are served after a reload, in the wanted order. Empty: none.
std::optional<CanvasPlan> diff_rooms(const std::optional<CanvasPlan>& running,
                                     const std::optional<CanvasPlan>& wanted,
                                     std::vector<PlanChange>& changes);

}  // namespace fanfare::gateway

#pragma once
// server.accessLog, server.requestIds, tracing and logFormat of the configuration (docs/operations.md).

#include "gateway/config_fields.h"
#include "gateway/observe/plan.h"

namespace fanfare::gateway {

// The maps at these keys of `server`, if there are any.
void read_observe(const ReadContext& context, const MapFields& server, ObservePlan& out);
// And those of the whole file.
void read_tracing(const ReadContext& context, const MapFields& file, ObservePlan& out);

}  // namespace fanfare::gateway

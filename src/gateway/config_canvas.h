#pragma once
// `canvas:` of the configuration file: docs/configuration.md and docs/canvas.md.

#include "gateway/config_fields.h"
#include "gateway/config_yaml.h"
#include "gateway/serve_plan.h"

namespace fanfare::gateway {

struct CanvasConfig {
  CanvasPlan plan;
};

void read_canvas(const ReadContext& context, const YamlNode& node, CanvasConfig& out);

// Shared rooms need a broker. `node`: of `canvas`.
void check_relayed_rooms(const ReadContext& context, const YamlNode& node, const CanvasConfig& canvas,
                         bool has_relay);

// The canvas of a server that was started without a configuration: the room `main`, in memory or in this file.
CanvasPlan default_canvas(std::string file = {});

}  // namespace fanfare::gateway

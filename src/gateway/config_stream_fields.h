#pragma once
// The fields and calls of one stream in the configuration file.

#include <string>
#include <vector>

#include "gateway/config_fields.h"
#include "gateway/config_yaml.h"
#include "streams/spec.h"

namespace fanfare::gateway {

// `path` names the map in messages.
void read_stream_calls(const ReadContext& context, const YamlNode& node, const std::string& path,
                       std::vector<streams::CallSpec>& out);
void read_stream_fields(const ReadContext& context, const YamlNode& node, const std::string& path,
                        std::vector<streams::FieldSpec>& out);

// A YAML value as JSON: true, false, null and numbers without quotes, otherwise text; lists and maps.
streams::Json json_of(const YamlNode& node);

}  // namespace fanfare::gateway

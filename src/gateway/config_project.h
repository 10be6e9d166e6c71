#pragma once
// The projects of the configuration: their networks, their upstreams, and which upstream serves which
// network.

#include <string_view>
#include <vector>

#include "gateway/config.h"
#include "gateway/config_fields.h"

namespace fanfare::gateway {

// Ids appear in URLs, logs and metric labels.
bool is_config_id(std::string_view text);
inline constexpr std::string_view kConfigIdExpected =
    "1 to 64 letters, digits, '-', '_' or '.', not starting with '.'";

// Reads the key `projects` of the file. After a reported problem `out` may be incomplete.
void read_projects(const ReadContext& context, const MapFields& file, std::vector<ProjectConfig>& out);

// Reads the key `headers` of an upstream.
void read_headers(const ReadContext& context, const MapFields& upstream, UpstreamPlan& out);
// Key "httpClient" of an upstream; after its endpoint and headers.
void read_http_client(const MapFields& fields, UpstreamPlan& out);

}  // namespace fanfare::gateway

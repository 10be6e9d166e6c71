#pragma once
// The JSON of what the admin API shows. docs/admin.md describes the members, openapi.cc their types.

#include "admin/connection_search.h"
#include "admin/drain.h"
#include "admin/json.h"
#include "admin/model.h"

namespace fanfare::admin {

void write(Json& json, const ConnectionInfo& connection);
void write(Json& json, const ConnectionPage& page, bool is_sorted);
void write(Json& json, const UpstreamInfo& upstream);
void write(Json& json, const NetworkInfo& network);
void write(Json& json, const StreamInfo& stream);
void write(Json& json, const RoomInfo& room);
void write(Json& json, const DrainStatus& drain);
void write(Json& json, const ProcessInfo& process, const DrainStatus& drain);
void write(Json& json, const ReloadInfo& reload);
void write(Json& json, const UpgradeInfo& upgrade);

// {"NAME": [ ... ]}
template <typename Item>
std::string list_of(std::string_view name, const std::vector<Item>& items) {
  Json json;
  json.object([&] {
    json.key(name).array([&] {
      for (const Item& item : items) write(json, item);
    });
  });
  return json.take();
}

template <typename Item, typename... More>
std::string text_of(const Item& item, const More&... more) {
  Json json;
  write(json, item, more...);
  return json.take();
}

}  // namespace fanfare::admin

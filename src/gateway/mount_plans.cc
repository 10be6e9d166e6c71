#include "gateway/mount_plans.h"

#include <algorithm>
#include <utility>

namespace fanfare::gateway {
namespace {

template <typename Feature, typename Fits>
bool has(const ListenerPlan& listener, Fits fits) {
  return std::ranges::any_of(listener.mounts, [&](const MountPlan& mount) {
    const auto* feature = std::get_if<Feature>(&mount.feature);
    return feature != nullptr && fits(*feature);
  });
}

void add_pages(std::vector<MountPlan>& mounts, bool has_metrics) {
  for (MountPlan& page : page_mounts(has_metrics)) mounts.push_back(std::move(page));
}

}  // namespace

std::vector<MountPlan> routed_mounts(bool has_metrics, bool has_keys) {
  std::vector<MountPlan> mounts{{.path = "/{project}/evm/{chainId}", .feature = RpcFeature{}},
                                {.path = "/{project}/evm/{chainId}/", .feature = RpcFeature{}}};
  if (has_keys) mounts.push_back({.path = "/{project}/evm/{chainId}/{key}", .feature = RpcFeature{}});
  add_pages(mounts, has_metrics);
  return mounts;
}

std::vector<MountPlan> http_port_mounts(bool has_metrics) {
  std::vector<MountPlan> mounts{{.path = "/", .feature = RpcFeature{.network = 0}}};
  add_pages(mounts, has_metrics);
  return mounts;
}

std::vector<MountPlan> websocket_port_mounts() {
  return {{.path = "/{any...}", .feature = RpcFeature{.network = 0, .http = false}}};
}

std::vector<MountPlan> stream_mounts() {
  return {{.path = "/streams", .feature = StreamsFeature{}},
          {.path = "/streams/sse", .feature = StreamEventsFeature{}}};
}

std::vector<MountPlan> canvas_mounts() {
  using Part = CanvasFeature::Part;
  return {{.path = "/canvas/{room}", .feature = CanvasFeature{.part = Part::socket}},
          {.path = "/canvas/{room}/image.png", .feature = CanvasFeature{.part = Part::image}},
          {.path = "/canvas/{room}/info", .feature = CanvasFeature{.part = Part::info}}};
}

std::vector<MountPlan> admin_mounts() {
  return {{.path = "/admin/v1/{any...}", .feature = AdminFeature{}}};
}

std::vector<MountPlan> stream_port_mounts() {
  return {{.path = "/{any...}", .feature = StreamsFeature{}}};
}

std::vector<MountPlan> page_mounts(bool has_metrics, bool is_own_port) {
  std::vector<MountPlan> mounts{{.path = "/healthz", .feature = HealthFeature{}},
                                {.path = "/readyz", .feature = ReadyFeature{}}};
  if (has_metrics) mounts.push_back({.path = "/metrics", .feature = MetricsFeature{.is_open = is_own_port}});
  return mounts;
}

std::vector<MountPlan> web_mounts(std::string directory, std::string version) {
  return {{.path = "/fanfare.json", .feature = AboutFeature{.version = std::move(version)}},
          {.path = "/{file...}", .feature = WebFeature{.directory = std::move(directory)}}};
}

bool is_routed(const ListenerPlan& listener) {
  return has<RpcFeature>(listener, [](const RpcFeature& rpc) { return !rpc.network; });
}

bool serves_http(const ListenerPlan& listener) {
  return has<RpcFeature>(listener, [](const RpcFeature& rpc) { return rpc.http; });
}

bool serves_websocket(const ListenerPlan& listener) {
  return has<RpcFeature>(listener, [](const RpcFeature& rpc) { return rpc.websocket; });
}

bool serves_metrics(const ListenerPlan& listener) {
  return has<MetricsFeature>(listener, [](const MetricsFeature&) { return true; });
}

bool serves_web(const ListenerPlan& listener) {
  return has<WebFeature>(listener, [](const WebFeature&) { return true; });
}

bool serves_streams(const ListenerPlan& listener) {
  return has<StreamsFeature>(listener, [](const StreamsFeature&) { return true; });
}

bool serves_admin(const ListenerPlan& listener) {
  return has<AdminFeature>(listener, [](const AdminFeature&) { return true; });
}

bool serves_canvas(const ListenerPlan& listener) {
  return has<CanvasFeature>(listener, [](const CanvasFeature&) { return true; });
}

bool serves_only_streams(const ListenerPlan& listener) {
  return listener.mounts == stream_port_mounts();
}

}  // namespace fanfare::gateway

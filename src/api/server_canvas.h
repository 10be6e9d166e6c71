#pragma once
// The canvas of a public server: what all loops share. Lives as long as the server. Behind an interface, so that
// programs without a canvas do not link its code.

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/loop.h"
#include "server/mount.h"
#include "server/path_pattern.h"

namespace fanfare {
struct CanvasDraw;
namespace canvasserver {
struct RoomPlan;
struct StorageOpener;
}  // namespace canvasserver
}  // namespace fanfare

namespace fanfare::api {

class ServerCanvas {
 public:
  using Check = std::function<std::optional<std::string>(const CanvasDraw&)>;

  virtual ~ServerCanvas() = default;
  // `opener` may be null. Error: for people.
  virtual std::expected<void, std::string> add(const canvasserver::RoomPlan& plan,
                                               const canvasserver::StorageOpener* opener, Check check) = 0;
  // The mounts of one loop. On its thread.
  virtual std::vector<std::pair<server::PathPattern, std::shared_ptr<server::Mount>>> make_mounts(
      net::Loop& loop) = 0;
};

}  // namespace fanfare::api

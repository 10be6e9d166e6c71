#include <memory>

#include "canvasserver/storage.h"
#include "canvasstore/disk_room.h"
#include "fanfare/store.h"

namespace fanfare {

CanvasDisk canvas_disk() {
  return CanvasDisk(std::make_shared<const canvasserver::StorageOpener>(
      canvasserver::StorageOpener{.open = &canvasstore::DiskRoom::open}));
}

}  // namespace fanfare

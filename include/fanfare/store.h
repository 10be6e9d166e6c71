#pragma once
// History on disk: topics of a hub whose events survive a restart of the program, also one after kill -9
// (docs/hub.md, "On disk").
//
//   fanfare::Server server({.port = 9001});
//   fanfare::Hub hub(server);
//   auto store = fanfare::Store::open({.path = "/var/lib/node/events"});
//   if (!store) return fail(store.error());                       // no such folder, no permission, in use, ...
//   hub.set_store(*store);
//   const auto blocks = *hub.add_topic("newblock", {.history = {.messages_max = 1000},
//                                                   .stored = {.messages_max = 100'000, .bytes_max = 256 << 20}});
//
// Subscribers get an event after it was written, so a client never knows a position that the disk does not. A topic
// goes on after a restart with its epoch and its next offset, and a client's position of before is valid. If the disk
// fails, the topic goes on in memory with another epoch, and says so in the log and in TopicMetrics::unstored.
//
// Rooms of the canvas keep their files through it as well (fanfare/canvas.h). Link with fanfare::store.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "fanfare/canvas.h"
#include "fanfare/error.h"
#include "fanfare/expected.h"
#include "fanfare/export.h"

namespace fanfare {

namespace pubsub {
class EventStore;
}  // namespace pubsub

// What survives if the machine stops: a loss of power, a crash of the kernel. All of them survive the end of the
// process, however it ends.
enum class StoreSync : std::uint8_t {
  // Every event that a subscriber has seen: fsync before it is passed on. Costs one fsync for the events that come
  // while the last one runs.
  each,
  // What is older than StoreOptions::sync_interval. After such a stop all topics begin with a new epoch.
  interval,
  // What the system has written by then. After such a stop all topics begin with a new epoch.
  none,
};

struct StoreOptions {
  // The file; its folder must exist. Two more lie beside it: PATH-wal and PATH-mark. On a local file system. One
  // program at a time.
  std::string path;
  StoreSync sync = StoreSync::interval;
  std::chrono::milliseconds sync_interval = std::chrono::milliseconds(200);  // 1 or more
  // Of the file, without PATH-wal. Where it ends, topics go on in memory. At least 64 KiB.
  std::uint64_t file_bytes_max = std::uint64_t{4} << 30;
  // An event that waits longer for the disk goes on in memory, and its topic with it.
  std::chrono::milliseconds stall_max = std::chrono::seconds(5);
  // How often a topic that goes on in memory tries the disk again, when it has an event.
  std::chrono::milliseconds retry_interval = std::chrono::seconds(5);
};

// Totals since open().
struct StoreMetrics {
  std::uint64_t stored = 0;    // events
  std::uint64_t commits = 0;   // each for all events that waited
  std::uint64_t failures = 0;  // commits and reads that failed
  std::uint64_t waiting = 0;   // now: events and reads that the store's thread has not come to
};

// A file with the events of topics, and the thread that writes it. A handle that can be copied; the file is closed
// when the last handle and the servers that use it are gone. Any thread.
class FANFARE_EXPORT Store {
 public:
  // Creates the file if there is none. Reads and checks all of it, which takes seconds for a large file. A damaged file is
  // moved to PATH.damaged-TIME, logged as an error, and a new one begins. Errors: bad_option, also if the path names a
  // file of another program or of a newer version; and system with its errno: ENOENT, EACCES, ENOSPC, EBUSY if
  // another process has the file open, and so on.
  [[nodiscard]] static Expected<Store, Error> open(StoreOptions options);

  StoreMetrics metrics() const;

 private:
  friend class Hub;
  std::shared_ptr<pubsub::EventStore> store_;
};

// For CanvasRoom::disk: the room's file, and its past. Any thread.
FANFARE_EXPORT CanvasDisk canvas_disk();

}  // namespace fanfare

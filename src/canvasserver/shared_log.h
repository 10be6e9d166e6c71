#pragma once
// What a room that several instances share needs of the broker (decision 0587): its log, its snapshots, and messages that are not
// stored. src/gateway implements it on the relay; this room knows no broker.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/shared_bytes.h"
#include "fanfare/topic.h"
#include "fanfare/unique_function.h"

namespace fanfare::canvasserver {

// Of a part of a snapshot. An entry has at most 640 KiB; the broker must take messages of 512 bytes more.
inline constexpr std::size_t kSnapshotPartBytes = std::size_t{256} << 10;

// The room. Called on the broker's threads: in order within the log and within the snapshots.
class SharedLogReader {
 public:
  // False: the room takes no more at the moment. It is offered again, before any later one.
  virtual bool on_entry(Position position, SharedBytes entry) = 0;
  // What has not come up to there is gone for good. Another epoch: the log begins again behind `until`.
  virtual void on_lost(Position until) = 0;
  // All that the broker had when read() was called has come.
  virtual void on_current() = 0;
  virtual bool on_snapshot_part(SharedBytes part) = 0;
  // All parts that the broker had when read_snapshots() was called have come.
  virtual void on_snapshots_read() = 0;
  virtual void on_up(bool is_up) = 0;
  // Another instance, or this one, has called tell().
  virtual void on_told(SharedBytes message) = 0;

 protected:
  ~SharedLogReader() = default;
};

// Any thread.
class SharedLog {
 public:
  SharedLog() = default;
  virtual ~SharedLog() = default;
  SharedLog(const SharedLog&) = delete;
  SharedLog& operator=(const SharedLog&) = delete;

  // Once. No call to the reader is under way when stop() returns, and none follows.
  virtual void start(SharedLogReader& reader) = 0;
  virtual void stop() = 0;
  // Entries behind this position are wanted, and no others; epoch 0: from the oldest one on. Some of what was read before may still come.
  virtual void read(Position after) = 0;
  // All parts of snapshots that the broker keeps, the oldest first. Not again before on_snapshots_read().
  virtual void read_snapshots() = 0;
  // `done`: the entry is stored, or nobody knows (empty). Called once, on any thread, not within the call; or destroyed by stop(). False:
  // not now.
  using Done = UniqueFunction<void(bool is_stored)>;
  virtual bool append(SharedBytes entry, Done done) = 0;
  virtual bool append_snapshot_part(SharedBytes part, Done done) = 0;
  // To all instances that read the log at this moment; may be lost.
  virtual void tell(SharedBytes message) = 0;
};
// Makes the log of the room with this name.
using OpenSharedLog = std::function<std::unique_ptr<SharedLog>(const std::string& room)>;

}  // namespace fanfare::canvasserver

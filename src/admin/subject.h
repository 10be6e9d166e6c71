#pragma once
// The running server as the admin API sees it. The gateway implements it. Everything may be called on any thread,
// and must not block.

#include <string>
#include <string_view>
#include <vector>

#include "admin/model.h"
#include "fanfare/unique_function.h"
#include "session/server.h"

namespace fanfare::admin {

class Subject {
 public:
  Subject() = default;
  virtual ~Subject() = default;
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  // The server whose connections are shown.
  virtual session::Server& server() = 0;
  virtual ProcessInfo process() const = 0;
  // Asks the threads that know it. `done` runs on one of them, with those networks that answered.
  virtual void networks(UniqueFunction<void(std::vector<NetworkInfo>)> done) = 0;
  virtual std::vector<StreamInfo> streams() const = 0;
  virtual std::vector<RoomInfo> rooms() const = 0;
  // The configuration in effect as a JSON object, without secrets.
  virtual std::string configuration() const = 0;

  enum class Switched : std::uint8_t {
    done,
    unknown,   // there is no such network or upstream
    fixed,     // the network has no upstreams that could be disabled: its chain is built in
    last_one,  // it is the last one in use, and this was not forced
  };
  // `done` runs once, or is destroyed unrun when the server stops.
  virtual void set_upstream(std::string_view network, std::string_view upstream, bool enabled, bool forced,
                            UniqueFunction<void(Switched)> done) = 0;

  // While it drains, the server reports that it is not ready, and refuses upgrades.
  virtual void set_draining(bool draining) = 0;
  // The same for `done`.
  virtual void reload(UniqueFunction<void(ReloadInfo)> done) = 0;
  virtual void upgrade(UniqueFunction<void(UpgradeInfo)> done) = 0;
};

}  // namespace fanfare::admin

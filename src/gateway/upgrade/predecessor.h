#pragma once
// The process that started this one in order to be replaced by it. Its listening sockets come first; it says when to accept
// connections. If it has ended meanwhile, this process goes on without it.

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "gateway/upgrade/channel.h"
#include "gateway/upgrade/passed_sockets.h"

namespace fanfare::gateway {

class Predecessor {
 public:
  // How long the sockets are waited for; and how long the last word after the take-over.
  static constexpr Duration kWaitMax = std::chrono::seconds(10);

  // Empty: nobody has started this process for an upgrade. Removes the variable from the environment. The error is for the
  // operator.
  static std::expected<std::optional<Predecessor>, std::string> of_environment();
  // `variable`: its text.
  static std::expected<Predecessor, std::string> of(const std::string& variable);

  const std::vector<PassedSocket>& sockets() const { return sockets_; }
  // They must be ready before this process takes over, if it has them at all.
  const std::vector<std::string>& networks() const { return networks_; }
  int pid() const { return pid_; }

  // Whether it has ended; waits so long for that.
  bool is_gone(Duration wait_max) const;
  // This process is ready. Returns when it should accept connections.
  void wait_for_turn() const;
  // This process accepts connections. Returns when the predecessor has told the service manager. Standard error is the
  // predecessor's from here on.
  void take_over();
  // Closes the sockets that no listener of the plan has taken: nobody would accept the connections to them. Returns their number.
  std::size_t close_unwanted(const ServePlan& plan);
  // Before the stop: whoever connects is refused from then on.
  void close_sockets() { descriptors_.clear(); }

 private:
  explicit Predecessor(UpgradeChannel channel, net::Descriptor error)
      : channel_(std::move(channel)), error_(std::move(error)) {}
  std::expected<void, std::string> receive_sockets();

  UpgradeChannel channel_;
  net::Descriptor error_;
  std::vector<PassedSocket> sockets_;
  std::vector<net::Descriptor> descriptors_;  // of the sockets that are ours
  std::vector<std::string> networks_;
  int pid_ = 0;
};

}  // namespace fanfare::gateway

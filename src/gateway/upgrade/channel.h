#pragma once
// Messages between two processes during a binary upgrade: short texts over a pair of Unix sockets, each of them with at most one
// descriptor. A process that ends closes its side.

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"
#include "net/socket.h"

namespace fanfare::gateway {

class UpgradeChannel {
 public:
  static constexpr std::size_t kTextBytesMax = 4096;

  struct Message {
    std::string text;
    net::Descriptor descriptor;  // not valid: none was sent with it
  };

  explicit UpgradeChannel(net::Descriptor side) : side_(std::move(side)) {}
  // Both sides. They are closed on exec.
  static std::expected<std::pair<UpgradeChannel, UpgradeChannel>, net::OsError> make();

  // `descriptor`: -1 for none; the caller keeps its own.
  std::expected<void, net::OsError> send(std::string_view text, int descriptor = -1) const;
  // Empty: nothing has come in this time. The error: the other process has ended, or closed its side.
  std::expected<std::optional<Message>, net::OsError> receive(Duration wait_max) const;

  int fd() const { return side_.get(); }

 private:
  net::Descriptor side_;
};

}  // namespace fanfare::gateway

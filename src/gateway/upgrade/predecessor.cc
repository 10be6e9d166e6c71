#include "gateway/upgrade/predecessor.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <set>
#include <string_view>
#include <utility>

#include "gateway/upgrade/program.h"

namespace fanfare::gateway {
namespace {

constexpr std::string_view kSocket = "socket ";
constexpr std::string_view kNetwork = "network ";
constexpr std::string_view kEnd = "end ";

std::optional<int> whole_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace

std::expected<std::optional<Predecessor>, std::string> Predecessor::of_environment() {
  const char* const variable = std::getenv(kUpgradeVariable);
  if (variable == nullptr || *variable == '\0') return std::nullopt;
  const std::string text = variable;
  ::unsetenv(kUpgradeVariable);
  auto made = of(text);
  if (!made) return std::unexpected(std::move(made.error()));
  return *std::move(made);
}

std::expected<Predecessor, std::string> Predecessor::of(const std::string& variable) {
  const std::size_t first = variable.find(':');
  const std::size_t second = variable.find(':', first + 1);
  const std::string_view text = variable;
  const auto channel = first == std::string::npos || second == std::string::npos
                           ? std::nullopt
                           : whole_number(text.substr(first + 1, second - first - 1));
  const auto error = channel ? whole_number(text.substr(second + 1)) : std::nullopt;
  if (!error || !text.starts_with("1:")) {
    return std::unexpected(
        "FANFARE_UPGRADE is \"" + variable +
        "\", expected 1:CHANNEL:STDERR. It is set by the process that is upgraded; if that is of a build "
        "that upgrades in another way, restart it instead");
  }
  for (const int fd : {*channel, *error}) {
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
      return std::unexpected("FANFARE_UPGRADE is \"" + variable + "\", but descriptor " + std::to_string(fd) +
                             " is not open");
    }
  }
  Predecessor made{UpgradeChannel{net::Descriptor{*channel}}, net::Descriptor{*error}};
  if (auto received = made.receive_sockets(); !received) return std::unexpected(std::move(received.error()));
  return made;
}

std::expected<void, std::string> Predecessor::receive_sockets() {
  for (;;) {
    auto message = channel_.receive(kWaitMax);
    if (!message)
      return std::unexpected("the process that is upgraded has ended: " + message.error().message());
    if (!*message) return std::unexpected("the process that is upgraded did not pass its sockets in time");
    UpgradeChannel::Message& got = **message;
    const std::string_view text = got.text;
    if (text.starts_with(kSocket) && got.descriptor.valid()) {
      sockets_.push_back({.name = got.text.substr(kSocket.size()), .fd = got.descriptor.get()});
      // Those of a service manager stay open, as if they had come from it.
      if (sockets_.back().name.starts_with("manager ")) {
        got.descriptor.release();
      } else {
        descriptors_.push_back(std::move(got.descriptor));
      }
    } else if (text.starts_with(kNetwork)) {
      networks_.push_back(got.text.substr(kNetwork.size()));
    } else if (text.starts_with(kEnd)) {
      pid_ = whole_number(text.substr(kEnd.size())).value_or(0);
      return {};
    } else {
      return std::unexpected("the process that is upgraded sent \"" + got.text +
                             "\", which this build does not know");
    }
  }
}

bool Predecessor::is_gone(Duration wait_max) const {
  return !channel_.receive(wait_max).has_value();
}

void Predecessor::wait_for_turn() const {
  if (!channel_.send("ready")) return;
  // It ends this process if it changes its mind.
  while (const auto message = channel_.receive(kWaitMax)) {
    if (*message && (*message)->text == "accept") return;
  }
}

void Predecessor::take_over() {
  // First: the predecessor reads the rest of the pipe when it hears of this.
  if (error_.valid()) ::dup2(error_.get(), STDERR_FILENO);
  error_ = net::Descriptor();
  if (!channel_.send("accepting")) return;
  [[maybe_unused]] const auto done = channel_.receive(kWaitMax);
}

std::size_t Predecessor::close_unwanted(const ServePlan& plan) {
  const std::set<int> wanted = sockets_of(plan);
  std::erase_if(descriptors_, [&](const net::Descriptor& one) { return !wanted.contains(one.get()); });
  return std::erase_if(sockets_, [&](const PassedSocket& one) { return !wanted.contains(one.fd); });
}

}  // namespace fanfare::gateway

#pragma once
// Resolves host names without blocking a loop. One helper thread asks the system, one name at a time, and
// posts the result to the requesting loop. The thread starts with the first request.

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fanfare/unique_function.h"
#include "net/loop.h"
#include "net/socket.h"

namespace fanfare::session {

class Resolver {
 public:
  // The addresses in the order to try them, never empty; or an error that names the host.
  using Result = std::expected<std::vector<net::Address>, std::string>;
  // Runs on the helper thread and may block.
  using Lookup = std::function<Result(const std::string& host, std::uint16_t port)>;
  using Answer = UniqueFunction<void(Result)>;

  // getaddrinfo(3): the system's order, RFC 6724.
  static Result system_lookup(const std::string& host, std::uint16_t port);

  explicit Resolver(Lookup lookup = system_lookup);
  // Pending requests are never answered. A running lookup cannot be interrupted: its thread finishes it alone
  // and discards the result.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

 private:
  struct State;
  struct Entry;

 public:
  // A handle held by the caller. Destroying it cancels the request: the callback is destroyed without being
  // called. Use it on the loop's thread only, and destroy it before the loop.
  class PendingLookup {
   public:
    PendingLookup() = default;
    PendingLookup(PendingLookup&&) noexcept = default;
    PendingLookup& operator=(PendingLookup&& other) noexcept;
    PendingLookup(const PendingLookup&) = delete;
    PendingLookup& operator=(const PendingLookup&) = delete;
    ~PendingLookup() { withdraw(); }
    void withdraw();

   private:
    friend class Resolver;
    std::shared_ptr<State> state_;
    std::shared_ptr<Entry> entry_;
  };

  // Call it on the loop's thread. `answer` is called there later, at most once.
  [[nodiscard]] PendingLookup ask(net::Loop& loop, std::string host, std::uint16_t port, Answer answer);

 private:
  static void work(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;
};

}  // namespace fanfare::session

#pragma once
// A server on all cores: one thread a loop, each with its own listening sockets on the same addresses
// (SO_REUSEPORT), sessions and sites. No locks and nothing shared between loops but what the sites share.

#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fanfare/unique_function.h"
#include "net/loop.h"
#include "session/loop_server.h"

namespace fanfare::session {

struct ServerOptions {
  std::size_t loops = 0;  // threads; 0: one a core
  net::LoopOptions loop;
  LoopServerOptions loop_server;
  AcceptLimits accept;  // over all loops; loop_server.gate is set by the server
};

struct Listener {
  net::Address address;
  ListenerOptions options;
  // Of a Unix path: who may connect, as in chmod. Empty: what the umask leaves.
  std::optional<unsigned> unix_mode = {};
  // A socket that listens already (net/inherited_sockets.h), instead of `address`. The loops share it, and it
  // stays open and listening when the server stops.
  std::optional<int> inherited_fd = {};
};

class Server {
 public:
  // The sites of one loop, in the order of the addresses; made on that loop's thread before it accepts
  // anyone.
  using Sites = std::vector<std::unique_ptr<Site>>;
  using MakeSites = std::function<Sites(LoopServer&, std::size_t loop_index)>;

  explicit Server(ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // stop() with no time to drain, if it is still running.
  ~Server();

  // Binds every address and starts the threads. Nothing runs after an error. A Unix path is bound once and
  // shared by the loops; it is removed when the server stops, if it is still the one that was made. "::"
  // takes IPv6 only.
  std::expected<void, net::OsError> start(const std::vector<net::Address>& addresses, MakeSites make_sites);
  std::expected<void, net::OsError> start(const std::vector<Listener>& listeners, MakeSites make_sites);

  // The addresses bound, with the ports the system chose for port 0.
  const std::vector<net::Address>& addresses() const { return addresses_; }
  // Who is here and who was turned away. Any thread.
  const AcceptGate& gate() const { return gate_; }
  std::string_view loop_name() const { return loop_name_; }
  std::size_t loop_count() const { return threads_.size(); }

  // Any thread, from start() to the end of this object; after stop() the task is never run: the task gets its
  // loop's server, on its thread.
  void post(std::size_t loop_index, UniqueFunction<void(LoopServer&)> task);
  void post_to_all(const std::function<void(LoopServer&)>& task);

  // Refuses new connections, closes the open ones with the code, and returns when all are gone or the time is
  // up; then whoever is left is dropped. Returns how many were dropped.
  std::size_t stop(std::uint16_t code, std::string_view reason, Duration deadline);

 private:
  struct Thread;

  struct UnixPath {  // of ours, and which file it was when we made it
    std::string path;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
  };
  void remember_unix_paths(const std::vector<Listener>& listeners);
  void remove_unix_paths();

  ServerOptions options_;
  AcceptGate gate_;
  std::vector<net::Address> addresses_;
  std::vector<UnixPath> unix_paths_;
  std::string_view loop_name_;
  std::vector<std::unique_ptr<Thread>> threads_;
  bool stopped_ = false;
};

}  // namespace fanfare::session

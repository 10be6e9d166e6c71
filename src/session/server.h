#pragma once
// A server on all cores: one thread a loop, each with its own listening sockets on the same addresses
// (SO_REUSEPORT), sessions and sites. No locks and nothing shared between loops but what the sites share.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
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

// What the sessions of all loops have done so far.
struct SessionTotals {
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t turn_shares_spent = 0;
};

class Server {
 public:
  // The sites of one loop, in the order of the addresses; made on that loop's thread before it accepts
  // anyone.
  using Sites = std::vector<std::unique_ptr<Site>>;
  using MakeSites = std::function<Sites(LoopServer&, std::size_t loop_index)>;
  // On a loop's thread, with its server.
  using ServerTask = UniqueFunction<void(LoopServer&)>;

  explicit Server(ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // stop() with no time to drain, if it is still running.
  ~Server();

  // Binds every address and starts the threads. Nothing runs after an error. A Unix path is bound once and
  // shared by the loops; it is removed when the server stops, if it is still the one that was made. "::"
  // takes IPv6 only. Nobody is accepted before every loop has its sites; `before_accepting` is called in
  // between, on the calling thread.
  std::expected<void, net::OsError> start(const std::vector<net::Address>& addresses,
                                          const MakeSites& make_sites);
  std::expected<void, net::OsError> start(const std::vector<Listener>& listeners, const MakeSites& make_sites,
                                          const std::function<void()>& before_accepting = {});

  // The addresses bound, with the ports the system chose for port 0.
  const std::vector<net::Address>& addresses() const { return addresses_; }
  // Who is here and who was turned away. Any thread.
  const AcceptGate& gate() const { return gate_; }
  // From start() to the end of this object, any thread. Of loops that have ended: as they were then.
  SessionTotals totals() const;
  std::string_view loop_name() const { return loop_name_; }
  std::size_t loop_count() const { return threads_.size(); }

  // Any thread, from start() to the end of this object. A task may name what lives as long as its loop's
  // sites: it is run before they go, or destroyed: on the loop's thread when the loop ends, in the call when
  // the loop has ended already (false).
  bool post(std::size_t loop_index, ServerTask task);
  void post_to_all(const std::function<void(LoopServer&)>& task);
  // As post(), within the limits of the loop's mailbox (LoopOptions::mailbox).
  net::PostResult offer(std::size_t loop_index, std::size_t bytes, ServerTask task);
  // Room for a task of so many bytes on every loop but `except`, or on none of them. After `accepted` each is
  // given its task by post_reserved().
  net::PostResult reserve_on_all(std::size_t bytes, std::size_t except = kNoLoop);
  bool post_reserved(std::size_t loop_index, std::size_t bytes, ServerTask task);
  static constexpr std::size_t kNoLoop = SIZE_MAX;

  // Refuses new connections, closes the open ones with the code, and returns when all are gone or the time is
  // up; then the rest is dropped. Returns how many were dropped. What was posted before is run before;
  // without time (zero), it is dropped as well. A connection counts as gone, too, once the peer's system has
  // everything including our FIN. Not on a loop's thread; any number of threads.
  std::size_t stop(std::uint16_t code, std::string_view reason, Duration deadline);
  // The two halves of it. begin_stop() does not wait, on any thread, the loops' too; a second one can only
  // make the deadline an earlier one. finish_stop() waits, after begin_stop(); not on a loop's thread.
  void begin_stop(std::uint16_t code, std::string_view reason, Duration deadline);
  std::size_t finish_stop();

 private:
  struct Thread;

  struct UnixPath {  // of ours, and which file it was when we made it
    std::string path;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
  };
  std::expected<void, net::OsError> start_threads(std::vector<std::vector<net::Descriptor>> listening,
                                                  const std::vector<Listener>& listeners,
                                                  const MakeSites& make_sites,
                                                  const std::function<void()>& before_accepting);
  void remember_unix_paths(const std::vector<Listener>& listeners);
  void remove_unix_paths();

  ServerOptions options_;
  AcceptGate gate_;
  std::vector<net::Address> addresses_;
  std::vector<UnixPath> unix_paths_;
  std::string_view loop_name_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::mutex paths_mutex_;    // guards unix_paths_ after start()
  std::mutex joining_mutex_;  // held while a thread is joined; never on a loop's thread
};

}  // namespace fanfare::session

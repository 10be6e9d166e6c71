#pragma once
// A server on all cores: one thread per loop, each with its own listening sockets on the same addresses
// (SO_REUSEPORT), sessions and sites. Loops use no locks and share only what the sites share.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fanfare/unique_function.h"
#include "net/loop.h"
#include "session/listening.h"
#include "session/loop_server.h"
#include "session/unix_paths.h"

namespace fanfare::session {

struct ServerOptions {
  std::size_t loops = 0;  // threads; 0: one per core
  net::LoopOptions loop;
  LoopServerOptions loop_server;
  AcceptLimits accept;  // over all loops; the server sets loop_server.gate
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
  // The sites of one loop, in the order of the addresses. Created on that loop's thread before it accepts
  // connections.
  using HttpServices = std::vector<std::unique_ptr<HttpService>>;
  using MakeHttpServices = std::function<HttpServices(LoopServer&, std::size_t loop_index)>;
  // Runs on a loop's thread with that loop's server.
  using ServerTask = UniqueFunction<void(LoopServer&)>;

  explicit Server(ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // Calls stop() without time to drain if the server is still running.
  ~Server();

  // Binds every address and starts the threads. After an error nothing is running. A Unix path is bound once
  // and shared by the loops; a stop removes it if it is still the same file. "::" accepts IPv6 only. No
  // connection is accepted before every loop has its sites; `before_accepting` is called just before, on the
  // calling thread.
  std::expected<void, net::OsError> start(const std::vector<net::Address>& addresses,
                                          const MakeHttpServices& make_http_services);
  std::expected<void, net::OsError> start(const std::vector<Listener>& listeners,
                                          const MakeHttpServices& make_http_services,
                                          const std::function<void()>& before_accepting = {});

  // Before start(): it binds and runs, but accepts no connection before begin_accepting(). Unix paths of sockets that it was given
  // stay if it stops before that.
  void accept_later() { accepts_later_ = true; }
  void begin_accepting();

  // Other listeners while it runs, from the thread of start(), and not between copy_sockets() and accept_again(). First a new one is
  // bound, which may fail and changes nothing. Its index is listener_count() at add_listener(); the site is made on each loop's
  // thread. After remove_listener() it accepts no connection, and those that it has continue (LoopServer::remove_listener()). When none
  // of them needs the site any more, it is destroyed on each loop.
  struct Bound {
    Listener listener;
    net::Address address;
    std::vector<LoopListening> sockets;
    BoundPath path = {};
  };
  std::expected<Bound, net::OsError> bind_listener(const Listener& listener) const;
  using MakeHttpService = std::function<std::unique_ptr<HttpService>(LoopServer&, std::size_t loop_index)>;
  void add_listener(Bound bound, const MakeHttpService& make_http_service);
  // HTTP connections of a removed listener end after their next response, or those without a request at once.
  enum class HttpEnd : std::uint8_t { after_next_response, after_current_response };
  void remove_listener(std::size_t index, HttpEnd http_end = HttpEnd::after_next_response);
  // Returns when every loop has done what was asked of it before: the sockets of removed listeners are closed. False: a loop did
  // not answer.
  bool wait_for_loops(Duration wait_max = kLoopAnswerWait);
  std::size_t listener_count() const { return addresses_.size(); }
  // The file that was bound for the listener, which may be gone, or of somebody else by now. Empty: it has none, or the file belongs to
  // a service manager.
  std::optional<UnixFile> unix_file_of(std::size_t index) const { return unix_paths_.file_of(index); }

  // To pass the listening sockets on to another process, from one thread, not a loop's, before any stop:
  // copies of them, for each loop; then stop_accepting(), which returns when no loop accepts any more. What the
  // loops have accepted until then is served, and the sockets stay open as long as somebody holds copies. After
  // that the process either stops, or accept_again() continues.
  struct Passed {
    std::size_t listener = 0;  // its index in start()
    std::size_t loop = 0;
    std::size_t number = 0;  // of its listen() call on the loop
    net::Descriptor socket;
    bool is_repeated = false;  // a socket that several loops share, and that came before
  };
  // How long a loop may take to answer, unless the caller says otherwise: one that does not is stuck.
  static constexpr Duration kLoopAnswerWait = std::chrono::seconds(2);
  std::expected<std::vector<Passed>, net::OsError> copy_sockets(Duration wait_max = kLoopAnswerWait);
  // False: a loop did not answer.
  bool stop_accepting(Duration wait_max = kLoopAnswerWait);
  void accept_again(std::vector<Passed> sockets);
  // The other process removes the Unix paths from now on.
  void give_up_paths();

  // The bound addresses, with the ports that the system chose for port 0, by index; also of listeners that were removed.
  const std::vector<net::Address>& addresses() const { return addresses_; }
  // For connections that come from now on, on all loops. Any thread.
  void set_accept_limits(const AcceptLimits& limits) { gate_.set_limits(limits); }
  // Counts of admitted and rejected connections. Any thread.
  const AcceptGate& gate() const { return gate_; }
  // From start() to the end of this object, any thread. Of loops that have ended: as they were then.
  SessionTotals totals() const;
  std::string_view loop_name() const { return loop_name_; }
  std::size_t loop_count() const { return threads_.size(); }

  // Any thread, from start() to the end of this object. A task may refer to objects that live as long as its
  // loop's sites. It runs before they are destroyed, or is destroyed itself: on the loop's thread when the
  // loop ends, or in the call if the loop has already ended (false).
  bool post(std::size_t loop_index, ServerTask task);
  void post_to_all(const std::function<void(LoopServer&)>& task);
  // As post(), within the limits of the loop's mailbox (LoopOptions::mailbox).
  net::PostResult offer(std::size_t loop_index, std::size_t bytes, ServerTask task);
  // Reserves space for a task of `bytes` bytes on every loop except `except`, or on none of them. After
  // `accepted`, give each loop its task with post_reserved().
  net::PostResult reserve_on_all(std::size_t bytes, std::size_t except = kNoLoop);
  bool post_reserved(std::size_t loop_index, std::size_t bytes, ServerTask task);
  static constexpr std::size_t kNoLoop = SIZE_MAX;

  // Rejects new connections, closes open ones with the code, and waits until all have ended or the time is
  // up; the rest are dropped. Returns the number of dropped connections. Earlier posts run first; with a
  // deadline of zero they are dropped as well. A connection also counts as ended once the peer's system has
  // received everything including our FIN. May be called on any number of threads, but not on a loop's.
  std::size_t stop(std::uint16_t code, std::string_view reason, Duration deadline);
  // The two halves of stop(). begin_stop() does not wait; it may be called on any thread, including the
  // loops'. A second call can only make the deadline earlier. finish_stop() waits; call it after
  // begin_stop(), not on a loop's thread.
  void begin_stop(std::uint16_t code, std::string_view reason, Duration deadline);
  std::size_t finish_stop();

 private:
  struct Thread;

  std::expected<void, net::OsError> start_threads(std::vector<LoopListening> listening,
                                                  const std::vector<Listener>& listeners,
                                                  const MakeHttpServices& make_http_services,
                                                  const std::function<void()>& before_accepting);
  // What the loop answers; empty: nothing in time.
  template <typename Result>
  std::optional<Result> ask(std::size_t loop_index, Duration wait_max,
                            UniqueFunction<Result(LoopServer&)> task);

  ServerOptions options_;
  AcceptGate gate_;
  bool accepts_later_ = false;
  std::vector<net::Address> addresses_;
  std::vector<bool> is_shut_down_;  // at its removal: a socket that an earlier process of ours has made
  UnixPaths unix_paths_;
  std::string_view loop_name_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::mutex joining_mutex_;  // held while a thread is joined; never on a loop's thread
};

}  // namespace fanfare::session

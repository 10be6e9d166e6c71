#pragma once
// What a loop keeps of each connection for an operator who looks at it: when it was accepted, the client's
// program, and how many messages it sent and received. Kept only if LoopServerOptions::keeps_facts is set, so
// other servers pay neither memory nor time for it. By slot of the SessionTable. Loop thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/time.h"

namespace fanfare::session {

struct ConnectionFacts {
  Instant opened_at{};
  std::uint64_t messages_received = 0;  // WebSocket messages, and HTTP requests
  std::uint64_t messages_sent = 0;      // WebSocket messages
  std::uint64_t bytes_received = 0;     // of a WebSocket
  std::uint64_t bytes_sent = 0;         // of a WebSocket's messages, as frames
  // Of the last HTTP request: the upgrade, for a WebSocket. Null: it had none.
  std::shared_ptr<const std::string> user_agent = {};
};

class ConnectionFactsTable {
 public:
  // A longer User-Agent is cut.
  static constexpr std::size_t kUserAgentBytesMax = 256;
  // Connections with the same User-Agent share its text, as long as there are at most so many different ones.
  static constexpr std::size_t kSharedAgentsMax = 1024;

  // A new connection has this slot.
  void begin(std::uint32_t slot, Instant now);
  // The connection has ended.
  void end(std::uint32_t slot) { facts_[slot].user_agent.reset(); }
  // No connection has this slot or a later one.
  void drop_from(std::size_t slot);
  void note_request(std::uint32_t slot, std::string_view user_agent);
  ConnectionFacts& of(std::uint32_t slot) { return facts_[slot]; }
  const ConnectionFacts& of(std::uint32_t slot) const { return facts_[slot]; }
  std::size_t shared_agents() const { return agents_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    std::size_t operator()(const std::shared_ptr<const std::string>& text) const { return (*this)(*text); }
  };
  struct Equal {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return view(a) == view(b);
    }
    static std::string_view view(std::string_view text) { return text; }
    static std::string_view view(const std::shared_ptr<const std::string>& text) { return *text; }
  };
  std::shared_ptr<const std::string> shared(std::string_view user_agent);

  std::deque<ConnectionFacts> facts_;
  std::unordered_set<std::shared_ptr<const std::string>, Hash, Equal> agents_;
};

}  // namespace fanfare::session

#include "session/connection_facts.h"

namespace fanfare::session {

void ConnectionFactsTable::begin(std::uint32_t slot, Instant now) {
  if (slot >= facts_.size()) facts_.resize(slot + 1);
  facts_[slot] = {.opened_at = now};
}

void ConnectionFactsTable::drop_from(std::size_t slot) {
  if (slot >= facts_.size()) return;
  facts_.resize(slot);
  facts_.shrink_to_fit();
}

void ConnectionFactsTable::note_request(std::uint32_t slot, std::string_view user_agent) {
  ConnectionFacts& facts = facts_[slot];
  ++facts.messages_received;
  user_agent = user_agent.substr(0, kUserAgentBytesMax);
  if (facts.user_agent != nullptr && *facts.user_agent == user_agent) return;
  facts.user_agent = user_agent.empty() ? nullptr : shared(user_agent);
}

std::shared_ptr<const std::string> ConnectionFactsTable::shared(std::string_view user_agent) {
  if (const auto found = agents_.find(user_agent); found != agents_.end()) return *found;
  auto text = std::make_shared<const std::string>(user_agent);
  if (agents_.size() >= kSharedAgentsMax) {
    // Forgets those of connections that have ended. If all are in use, this one is not shared.
    std::erase_if(agents_, [](const auto& agent) { return agent.use_count() == 1; });
    if (agents_.size() >= kSharedAgentsMax) return text;
  }
  agents_.insert(text);
  return text;
}

}  // namespace fanfare::session

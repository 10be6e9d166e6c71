// The third part of the subscription manager: sends the logs of a block to the matching filters.

#include <limits>
#include <utility>

#include "eth/subscription_manager.h"

namespace fanfare::eth {

bool SubscriptionManager::wants_late_logs(const Header& header) const {
  return filters_.size() > 0 && !(logs_trail_.number() >= header.number);
}

bool SubscriptionManager::may_have_told_logs(const Header& header) const {
  return !logs_trail_.number() || logs_trail_.number() >= header.number;
}

bool SubscriptionManager::miss_logs(const Header& header) {
  if (!wants_late_logs(header)) return false;
  logs_trail_.move_to(header);
  return true;
}

std::vector<std::pair<ConnectionKey, std::string>> SubscriptionManager::take_ready() {
  std::vector<std::pair<ConnectionKey, std::string>> ready;
  std::erase_if(waiting_for_logs_, [&](WaitsForLogs& one) {
    if (logs_trail_.number() && *logs_trail_.number() < one.number) return false;
    ready.emplace_back(one.connection, std::move(one.id));
    return true;
  });
  return ready;
}

std::size_t SubscriptionManager::publish_late_logs(const Header& header, const BlockLogs& logs) {
  return wants_late_logs(header) ? publish_logs(header, logs, false) : 0;
}

std::size_t SubscriptionManager::publish_logs(const Header& header, const BlockLogs& logs, bool removed) {
  // Borrowed for the call.
  LogsPass pass{.header = HeaderPtr(HeaderPtr(), &header),
                .logs = BlockLogsPtr(BlockLogsPtr(), &logs),
                .removed = removed};
  while (!publish_some_logs(pass, std::numeric_limits<std::size_t>::max())) {
  }
  return pass.taken;
}

bool SubscriptionManager::publish_some_logs(LogsPass& pass, std::size_t work_max) {
  if (!std::exchange(pass.begun, true)) {
    pass.trail = logs_trail_;
    pass.trail.move_to(*pass.header);
  }
  const std::size_t count = pass.logs->entries.size();
  std::size_t work = 0;
  while (pass.entry < count) {
    const std::size_t index = pass.removed ? count - 1 - pass.entry : pass.entry;
    if (pass.next_match == 0) begin_log(pass, index, work);
    for (; pass.next_match < pass.matching.size(); ++pass.next_match, ++work) {
      if (work >= work_max && pass.next_match > 0) return false;
      publish_match(pass, index);
    }
    pass.next_match = 0;
    if (++pass.entry < count && work >= work_max) return false;
  }
  // For a removed block, note_removed() follows.
  if (!pass.removed) logs_trail_ = pass.trail;
  return true;
}

void SubscriptionManager::begin_log(LogsPass& pass, std::size_t index, std::size_t& work) {
  const BlockLogs::Entry& entry = pass.logs->entries[index];
  pass.matching.clear();
  pass.generations.clear();
  if (filters_.size() == 0) return;
  work += 1 + filters_.match(entry.key, pass.matching);
  if (pass.matching.empty()) return;
  for (const auto group : pass.matching) pass.generations.push_back(groups_[group].generation);
  pass.result.clear();
  pass.cursor.clear();
  BlockLogs::append_json(entry, pass.removed, pass.result);
}

void SubscriptionManager::publish_match(LogsPass& pass, std::size_t index) {
  const std::uint32_t group_index = pass.matching[pass.next_match];
  // A delivery may have dropped the group, and its slot may hold another filter by now.
  Group& group = groups_[group_index];
  if (group.generation != pass.generations[pass.next_match]) return;
  if (group.has_cursors && pass.cursor.empty()) {
    pass.cursor =
        to_cursor(pass.trail.position(static_cast<std::uint32_t>(pass.removed ? index : index + 1)));
  }
  group.last_told = pass.header->number;
  const std::string_view its_cursor = group.has_cursors ? std::string_view(pass.cursor) : std::string_view();
  pass.taken +=
      publish_to_group(group_index, {.member = "result", .json = pass.result, .cursor = its_cursor});
}

}  // namespace fanfare::eth

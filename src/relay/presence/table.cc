#include "relay/presence/table.h"

#include <algorithm>
#include <utility>

namespace fanfare::relay {
namespace {

std::vector<std::string> missing_in(const NameSet& some, const NameSet& others) {
  std::vector<std::string> missing;
  std::ranges::set_difference(some, others, std::back_inserter(missing));
  return missing;
}

// Takes names while they fit. False: one did not.
bool add_names(const NameSet& from, std::vector<std::string>& to, std::size_t& room, std::size_t names_max) {
  for (const std::string& name : from) {
    if (to.size() >= names_max) return true;
    if (name.size() + kNameOverhead > room) return false;
    room -= name.size() + kNameOverhead;
    to.push_back(name);
  }
  return true;
}

}  // namespace

void PresenceTable::count(RecordLog& log, std::uint64_t sequence, const PresenceRecord& record) {
  log.last = sequence;
  if (log.base == 0) log.base = sequence;
  ++log.records;
  log.names += record.change.joined.size() + record.change.left.size();
}

bool PresenceTable::add_part(Base& base, RecordLog& log, std::uint64_t sequence,
                             const PresenceRecord& record) {
  if (record.kind != PresenceRecord::Kind::base || (record.part != 0 && record.part != base.next)) {
    base = Base();
    return false;
  }
  if (record.part == 0) base = Base{.first = sequence, .next = 0, .names = {}};
  base.next = record.part + 1;
  base.names.insert(record.change.joined.begin(), record.change.joined.end());
  if (base.next < record.parts) return false;
  log.base = base.first;
  log.names = 0;
  log.records = 0;
  return true;
}

void PresenceTable::take(MemberLog log, std::uint64_t sequence, const PresenceRecord& record) {
  if (is_gone(log)) return;
  Instance& instance = instances_[log];
  count(instance.log, sequence, record);
  instance.has_left = record.kind == PresenceRecord::Kind::bye;
  if (add_part(instance.base, instance.log, sequence, record)) {
    const NameSet whole = std::exchange(instance.base, Base()).names;
    return replace(log, instance, whole);
  }
  if (record.kind != PresenceRecord::Kind::change) return;
  for (const std::string& name : record.change.joined) set_in(log, instance, name, true);
  for (const std::string& name : record.change.left) set_in(log, instance, name, false);
}

void PresenceTable::take_told(std::uint64_t sequence, const PresenceRecord& record) {
  count(told_log_, sequence, record);
  const bool is_whole = add_part(told_base_, told_log_, sequence, record);
  for (const MemberLog& log : record.gone) drop(log);
  switch (record.kind) {
    case PresenceRecord::Kind::tell:
      open_ = record;
      for (const std::string& name : record.change.joined) set_told(name, true);
      for (const std::string& name : record.change.left) set_told(name, false);
      return;
    case PresenceRecord::Kind::done:
      open_.reset();
      return;
    case PresenceRecord::Kind::base: {
      open_.reset();
      if (!is_whole) return;
      const NameSet whole = std::exchange(told_base_, Base()).names;
      const NameSet before = told_names();
      for (const std::string& name : missing_in(before, whole)) set_told(name, false);
      for (const std::string& name : missing_in(whole, before)) set_told(name, true);
      return;
    }
    case PresenceRecord::Kind::change:
    case PresenceRecord::Kind::bye:
    case PresenceRecord::Kind::gone:
      return;
  }
}

void PresenceTable::replace(MemberLog log, Instance& instance, const NameSet& names) {
  for (const std::string& name : missing_in(instance.names, names)) set_in(log, instance, name, false);
  for (const std::string& name : missing_in(names, instance.names)) set_in(log, instance, name, true);
}

void PresenceTable::drop(MemberLog log) {
  if (is_gone(log)) return;
  gone_.push_back(log);
  if (gone_.size() > kGoneKept) gone_.pop_front();
  const auto found = instances_.find(log);
  if (found == instances_.end()) return;
  replace(log, found->second, {});
  instances_.erase(log);
}

bool PresenceTable::is_gone(MemberLog log) const {
  return std::ranges::find(gone_, log) != gone_.end();
}

void PresenceTable::begin_again() {
  self_.turn += 1;
  const NameSet& names = own_names();
  unwritten_.clear();
  for (const std::string& name : missing_in(wished_, names)) unwritten_.insert(name);
  for (const std::string& name : missing_in(names, wished_)) unwritten_.insert(name);
}

void PresenceTable::set_in(MemberLog log, Instance& instance, const std::string& name, bool is_in) {
  const bool has_changed = is_in ? instance.names.insert(name).second : instance.names.erase(name) > 0;
  if (!has_changed) return;
  names_[name].logs += is_in ? 1U : -1U;
  if (log == self_) review_own(name);
  review(name);
}

void PresenceTable::set_told(const std::string& name, bool is_told) {
  Name& entry = names_[name];
  if (entry.is_told != is_told) {
    entry.is_told = is_told;
    told_count_ += is_told ? 1U : std::size_t{0} - 1U;
    if (const auto found = news_.find(name); found != news_.end()) {
      news_.erase(found);
    } else {
      news_.emplace(name, !is_told);
    }
  }
  review(name);
}

void PresenceTable::review(const std::string& name) {
  const auto found = names_.find(name);
  const Name entry = found->second;
  if (entry.logs > 0 && !entry.is_told) {
    to_join_.insert(name);
  } else {
    to_join_.erase(name);
  }
  if (entry.logs == 0 && entry.is_told) {
    to_leave_.insert(name);
  } else {
    to_leave_.erase(name);
  }
  if (entry.logs == 0 && !entry.is_told) names_.erase(found);
}

void PresenceTable::wish(std::string_view name, bool is_in) {
  const std::string key(name);
  if (is_in) {
    wished_.insert(key);
  } else {
    wished_.erase(key);
  }
  review_own(key);
}

void PresenceTable::review_own(const std::string& name) {
  if (wished_.contains(name) == own_names().contains(name)) {
    unwritten_.erase(name);
  } else {
    unwritten_.insert(name);
  }
}

std::vector<PresenceTable::KnownLog> PresenceTable::logs() const {
  std::vector<KnownLog> all;
  for (const auto& [log, instance] : instances_)
    all.push_back({.log = log, .members = instance.names.size(), .has_left = instance.has_left});
  return all;
}

const RecordLog& PresenceTable::own_log() const {
  static const RecordLog none;
  const auto found = instances_.find(self_);
  return found == instances_.end() ? none : found->second.log;
}

const NameSet& PresenceTable::own_names() const {
  static const NameSet none;
  const auto found = instances_.find(self_);
  return found == instances_.end() ? none : found->second.names;
}

NameSet PresenceTable::told_names() const {
  NameSet all;
  for (const auto& [name, entry] : names_) {
    if (entry.is_told) all.insert(name);
  }
  return all;
}

PresenceChange PresenceTable::untold(std::size_t members_max) const {
  PresenceChange change;
  std::size_t room = kRecordNameBytesMax;
  if (!add_names(to_leave_, change.left, room, SIZE_MAX)) return change;
  const std::size_t left = told_count_ - change.left.size();
  add_names(to_join_, change.joined, room, members_max - std::min(left, members_max));
  return change;
}

PresenceChange PresenceTable::unwritten() const {
  PresenceChange change;
  std::size_t room = kRecordNameBytesMax;
  for (const std::string& name : unwritten_) {
    if (name.size() + kNameOverhead > room) break;
    room -= name.size() + kNameOverhead;
    (wished_.contains(name) ? change.joined : change.left).push_back(name);
  }
  return change;
}

PresenceChange PresenceTable::take_news() {
  PresenceChange change;
  for (const auto& [name, was_told] : std::exchange(news_, {}))
    (was_told ? change.left : change.joined).push_back(name);
  return change;
}

}  // namespace fanfare::relay

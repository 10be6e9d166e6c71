#include "relay/presence/log_writer.h"

namespace fanfare::relay {
namespace {

std::vector<PresenceRecord> base_of(const NameSet& names, const std::vector<MemberLog>& gone) {
  std::vector<PresenceRecord> parts(1);
  std::size_t room = kRecordNameBytesMax;
  for (const std::string& name : names) {
    if (name.size() + kNameOverhead > room) {
      parts.emplace_back();
      room = kRecordNameBytesMax;
    }
    room -= name.size() + kNameOverhead;
    parts.back().change.joined.push_back(name);
  }
  parts[0].gone = gone;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].kind = PresenceRecord::Kind::base;
    parts[i].part = static_cast<std::uint32_t>(i);
    parts[i].parts = static_cast<std::uint32_t>(parts.size());
  }
  return parts;
}

}  // namespace

Progress LogWriter::append(const PresenceSubject& subject, const RecordLog& log, const PresenceRecord& record,
                           Instant now) {
  return note(broker_.append(subject, encode(record), log.last), log.last, now);
}

Progress LogWriter::note(PresenceBroker::Stored stored, std::uint64_t after, Instant now) {
  switch (stored.put) {
    case PresenceBroker::Put::stored:
      state_ = {.awaited = stored.sequence, .read_until = saturating_add(now, kReadWithin)};
      return Progress::good;
    case PresenceBroker::Put::refused:
    case PresenceBroker::Put::impossible:
      // Another record is there, which is about to be read; or the log was deleted.
      state_.retry_at = saturating_add(now, kRetryAfter);
      state_.refusals = state_.refused_after == after ? state_.refusals + 1 : 1;
      state_.refused_after = after;
      return state_.refusals > kRefusalsMax ? Progress::reload : Progress::good;
    case PresenceBroker::Put::unknown:
      state_.retry_at = saturating_add(now, kRetryAfter);
      return Progress::no_answer;
  }
  return Progress::good;
}

Progress LogWriter::write_base(const PresenceSubject& subject, const RecordLog& log, const NameSet& names,
                               const std::vector<MemberLog>& gone, Instant now) {
  std::uint64_t first = 0;
  std::uint64_t after = log.last;
  for (const PresenceRecord& part : base_of(names, gone)) {
    const auto stored = broker_.append(subject, encode(part), after);
    const Progress step = note(stored, after, now);
    if (stored.put != PresenceBroker::Put::stored) return step;
    after = stored.sequence;
    if (first == 0) first = after;
  }
  broker_.purge(subject, first);
  return Progress::good;
}

}  // namespace fanfare::relay

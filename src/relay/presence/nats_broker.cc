#include "relay/presence/nats_broker.h"

#include <nats/nats.h>

#include <algorithm>

#include "base/text.h"
#include "relay/names.h"
#include "relay/nats_parts.h"

namespace fanfare::relay {
namespace {

using ConsumerInfoHandle = Handle<jsConsumerInfo, jsConsumerInfo_Destroy>;
using MessageHandle = Handle<natsMsg, natsMsg_Destroy>;
using AckHandle = Handle<jsPubAck, jsPubAck_Destroy>;

// Shorter than the silence after which others count an instance as gone.
constexpr std::int64_t kWaitMs = 1000;
constexpr int kWrongPlace = 10'071;  // the broker's error: another message is the last one
constexpr std::int64_t kNanosecondsInMs = 1'000'000;
constexpr std::size_t kHeaderBytesMax = 512;
constexpr std::string_view kNotConnected = "the broker is away";

jsOptions wait_options() {
  jsOptions options;
  jsOptions_Init(&options);
  options.Wait = kWaitMs;
  return options;
}

std::string event_id(std::uint64_t event) {
  return "presence-" + std::to_string(event);
}

}  // namespace

NatsPresenceBroker::NatsPresenceBroker(Link& link, const NatsOptions& options)
    : link_(link), options_(options), prefix_(joined({options.name, "=presence"})), topics_(link, options) {}

std::string NatsPresenceBroker::subject_of_log(const PresenceSubject& subject) const {
  const std::string token = token_of(subject.topic).value_or("");
  if (!subject.log) return joined({prefix_, ".log.", token, ".told"});
  return joined({prefix_, ".log.", token, ".m.", to_text(*subject.log)});
}

std::optional<NatsPresenceBroker::Source> NatsPresenceBroker::source_of(std::string_view subject) const {
  const std::string start = joined({prefix_, ".log."});
  if (!subject.starts_with(start)) return std::nullopt;
  subject.remove_prefix(start.size());
  const std::size_t dot = subject.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  Source source{.token = std::string(subject.substr(0, dot)), .log = {}};
  subject.remove_prefix(dot + 1);
  if (subject == "told") return source;
  if (!subject.starts_with("m.")) return std::nullopt;
  source.log = member_log_of(subject.substr(2));
  return source.log ? std::optional(std::move(source)) : std::nullopt;
}

std::expected<OpenedStream, std::string> NatsPresenceBroker::open() {
  const std::string subject = prefix_ + ".log.>";
  const char* subjects = subject.c_str();
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = prefix_.c_str();
  config.Subjects = &subjects;
  config.SubjectsLen = 1;
  config.Storage = options_.in_memory ? js_MemoryStorage : js_FileStorage;
  config.Replicas = options_.replicas;
  return open_stream(link_, known_, config, kWaitMs);
}

std::expected<NatsPresenceBroker::Consumer, std::string> NatsPresenceBroker::consume(
    const std::string& topic, std::uint64_t from, const std::string& deliver_to) {
  const std::string filter = joined({prefix_, ".log.", token_of(topic).value_or(""), ".>"});
  const auto session = link_.parts().session();
  if (session == nullptr) return std::unexpected(std::string(kNotConnected));
  jsConsumerConfig config;
  jsConsumerConfig_Init(&config);
  config.DeliverPolicy = js_DeliverByStartSequence;
  config.OptStartSeq = from;
  config.AckPolicy = js_AckNone;
  config.MaxDeliver = 1;
  config.FlowControl = true;
  config.Heartbeat = options_.heartbeat.count() * kNanosecondsInMs;
  config.FilterSubject = filter.c_str();
  config.DeliverSubject = deliver_to.c_str();
  config.Replicas = 1;
  config.MemoryStorage = true;
  jsOptions options = wait_options();
  jsConsumerInfo* raw_info = nullptr;
  jsErrCode code{};
  const natsStatus status =
      js_AddConsumer(&raw_info, session->context, prefix_.c_str(), &config, &options, &code);
  const ConsumerInfoHandle info(raw_info);
  if (status != NATS_OK) return std::unexpected(joined({"a consumer of presence: ", words_for(status)}));
  return Consumer{.name = raw_info->Name, .pending = raw_info->NumPending};
}

std::expected<std::uint64_t, std::string> NatsPresenceBroker::time_of(std::uint64_t sequence) {
  const auto session = link_.parts().session();
  if (session == nullptr) return std::unexpected(std::string(kNotConnected));
  jsOptions options = wait_options();
  natsMsg* raw_message = nullptr;
  const natsStatus status =
      js_GetMsg(&raw_message, session->context, prefix_.c_str(), sequence, &options, nullptr);
  const MessageHandle message(raw_message);
  if (status == NATS_NOT_FOUND) return 0;
  if (status != NATS_OK) return std::unexpected(joined({"a record of presence: ", words_for(status)}));
  return static_cast<std::uint64_t>(natsMsg_GetTime(raw_message));
}

std::expected<bool, std::string> NatsPresenceBroker::is_deleted(std::uint64_t sequence) {
  const auto deleted = deleted_of(link_, prefix_, kWaitMs);
  if (!deleted) return std::unexpected(deleted.error());
  return std::ranges::binary_search(*deleted, sequence);
}

PresenceBroker::Stored NatsPresenceBroker::put(const std::string& subject, Bytes payload,
                                               const std::vector<Header>& headers) {
  const auto session = link_.parts().session();
  if (session == nullptr) return {};
  if (payload.size() + kHeaderBytesMax > link_.payload_bytes_max()) {
    link_.want_larger_payloads();
    return {.put = Put::impossible};
  }
  natsMsg* raw_message = nullptr;
  if (natsMsg_Create(&raw_message, subject.c_str(), nullptr, reinterpret_cast<const char*>(payload.data()),
                     static_cast<int>(payload.size())) != NATS_OK) {
    return {};
  }
  const MessageHandle message(raw_message);
  for (const Header& header : headers) natsMsgHeader_Set(raw_message, header.name, header.value.c_str());
  jsPubOptions options;
  jsPubOptions_Init(&options);
  options.MaxWait = kWaitMs;
  jsPubAck* raw_ack = nullptr;
  jsErrCode code{};
  const natsStatus status = js_PublishMsg(&raw_ack, session->context, raw_message, &options, &code);
  const AckHandle ack(raw_ack);
  if (status == NATS_OK) return {.put = Put::stored, .sequence = raw_ack->Sequence};
  // Without a stream for the subject, there is nobody who could have stored it.
  const bool is_refused = static_cast<int>(code) == kWrongPlace || status == NATS_NO_RESPONDERS;
  return {.put = is_refused ? Put::refused : Put::unknown};
}

PresenceBroker::Stored NatsPresenceBroker::append(const PresenceSubject& subject, const std::string& record,
                                                  std::uint64_t after) {
  const Stored stored =
      put(subject_of_log(subject), as_bytes(record),
          {{.name = "Nats-Expected-Last-Subject-Sequence", .value = std::to_string(after)}});
  if (stored.put == Put::stored && on_stored) on_stored(subject.topic, stored.sequence);
  return stored;
}

bool NatsPresenceBroker::purge(const PresenceSubject& subject, std::uint64_t before) {
  const std::string text = subject_of_log(subject);
  const auto session = link_.parts().session();
  if (session == nullptr) return false;
  jsOptions options = wait_options();
  options.Stream.Purge.Subject = text.c_str();
  options.Stream.Purge.Sequence = before;
  return js_PurgeStream(session->context, prefix_.c_str(), &options, nullptr) == NATS_OK;
}

std::optional<StreamState> NatsPresenceBroker::state_of(const std::string& topic) {
  const StreamAddress address{.name = options_.name, .token = token_of(topic).value_or("")};
  std::uint64_t epoch = 0;
  while (epoch == 0) epoch = random_.next_u64() >> 11U;
  const auto state = topics_.open(address, epoch);
  return state ? std::optional(*state) : std::nullopt;
}

// The leader is asked: a follower may not have yet what it has.
std::optional<PresenceBroker::Searched> NatsPresenceBroker::search(const std::string& topic,
                                                                   std::uint64_t event, std::uint64_t after,
                                                                   std::uint64_t until) {
  const std::string stream = stream_of(options_.name, token_of(topic).value_or(""));
  const std::string id = event_id(event);
  const auto session = link_.parts().session();
  if (session == nullptr) return std::nullopt;
  Searched searched{.until = std::min(until, after + kSearchedMax)};
  jsOptions options = wait_options();
  for (std::uint64_t sequence = after + 1; sequence <= searched.until; ++sequence) {
    natsMsg* raw_message = nullptr;
    const natsStatus status =
        js_GetMsg(&raw_message, session->context, stream.c_str(), sequence, &options, nullptr);
    const MessageHandle message(raw_message);
    if (status == NATS_NOT_FOUND) continue;  // dropped by now
    if (status != NATS_OK) return std::nullopt;
    const char* found = nullptr;
    searched.is_found = natsMsgHeader_Get(raw_message, "Nats-Msg-Id", &found) == NATS_OK && id == found;
    if (searched.is_found) break;
  }
  return searched;
}

PresenceBroker::Stored NatsPresenceBroker::publish(const std::string& topic, const SharedBytes& payload,
                                                   std::uint64_t event, std::uint64_t epoch,
                                                   std::optional<std::uint64_t> after) {
  std::vector<Header> headers = {{.name = "Nats-Msg-Id", .value = event_id(event)}};
  if (after) headers.push_back({.name = "Nats-Expected-Last-Sequence", .value = std::to_string(*after)});
  return put(subject_of(options_.name, token_of(topic).value_or(""), epoch), payload.view(), headers);
}

}  // namespace fanfare::relay

#include "relay/jet_stream.h"

#include <nats/nats.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/text.h"
#include "relay/nats_parts.h"
#include "relay/record_stream.h"

namespace fanfare::relay {
namespace {

using StreamInfoHandle = Handle<jsStreamInfo, jsStreamInfo_Destroy>;
using MessageHandle = Handle<natsMsg, natsMsg_Destroy>;
using ConsumerInfoHandle = Handle<jsConsumerInfo, jsConsumerInfo_Destroy>;

constexpr int64_t kNanosecondsPerMs = 1'000'000;
// The broker recognises an event that is sent again for so long (NatsOptions::publish_timeout is shorter).
constexpr int64_t kDuplicateWindowMs = 120'000;

std::string failure_of(std::string_view what, natsStatus status, jsErrCode code) {
  if (status == NATS_NO_RESPONDERS || code == JSNotEnabledErr)
    return joined({what, ": the broker stores nothing: start it with -js"});
  std::string text = joined({what, ": ", words_for(status)});
  if (code != 0) text += " (" + std::to_string(static_cast<int>(code)) + ")";
  return text;
}

constexpr std::string_view kNoConnection = "no connection";

// The subjects of a stream. The broker compares subjects under the lock with which it adds a stream, but looks for its name before that:
// without a subject in common, two instances that create the stream at once could both succeed, and what one of them publishes would
// be acknowledged and in no stream that anybody reads.
class Subjects {
 public:
  Subjects(const StreamAddress& address, std::uint64_t epoch)
      : texts_{subject_of(address.name, address.token, epoch), subject_of(address.name, address.token, 0)} {}

  void put_into(jsStreamConfig& config) {
    config.Subjects = pointers_.data();
    config.SubjectsLen = static_cast<int>(pointers_.size());
  }

 private:
  const std::array<std::string, 2> texts_;
  std::array<const char*, 2> pointers_{texts_[0].c_str(), texts_[1].c_str()};
};

// Zero: it is no stream of a relay.
std::uint64_t epoch_in(const jsStreamConfig& config) {
  if (config.SubjectsLen != 2 || epoch_of(config.Subjects[1]) != 0U) return 0;
  return epoch_of(config.Subjects[0]).value_or(0);
}

std::expected<StreamState, std::string> state_of(const jsStreamInfo& info) {
  const jsStreamConfig& config = *info.Config;
  const std::uint64_t epoch = epoch_in(config);
  if (epoch == 0) {
    return std::unexpected(joined(
        {"stream ", config.Name,
         " is not one of a relay: it should have two subjects, that of its epoch and that of epoch 0"}));
  }
  StreamState state{.epoch = epoch, .first = info.State.FirstSeq, .last = info.State.LastSeq};
  if (info.State.Msgs == 0) state.first = state.last + 1;
  return state;
}

}  // namespace

void JetStream::keep_at_least(std::uint64_t messages, std::uint64_t bytes) {
  messages_kept_ = std::max(messages_kept_.load(), messages);
  bytes_kept_ = std::max(bytes_kept_.load(), bytes);
}

std::expected<std::optional<StreamState>, std::string> JetStream::find(const StreamAddress& address) {
  const auto session = link_.parts().session();
  if (session == nullptr) return std::unexpected(std::string(kNoConnection));
  jsStreamInfo* raw_info = nullptr;
  jsErrCode code{};
  const natsStatus status =
      js_GetStreamInfo(&raw_info, session->context, address.stream().c_str(), nullptr, &code);
  const StreamInfoHandle info(raw_info);
  if (code == JSStreamNotFoundErr) return std::nullopt;
  if (status != NATS_OK) return std::unexpected(failure_of("asking for a stream", status, code));
  known_.seen(address.stream());
  return state_of(*info);
}

std::expected<bool, std::string> JetStream::has(const StreamAddress& address, std::uint64_t sequence) {
  const auto session = link_.parts().session();
  if (session == nullptr) return std::unexpected(std::string(kNoConnection));
  natsMsg* raw_message = nullptr;
  jsErrCode code{};
  const natsStatus status =
      js_GetMsg(&raw_message, session->context, address.stream().c_str(), sequence, nullptr, &code);
  const MessageHandle message(raw_message);
  if (status == NATS_OK) return true;
  if (status == NATS_NOT_FOUND || code == JSStreamNotFoundErr) return false;
  return std::unexpected(failure_of("asking for a message", status, code));
}

std::expected<std::vector<std::uint64_t>, std::string> JetStream::deleted(const StreamAddress& address) {
  return deleted_of(link_, address.stream(), kRequestTimeoutMs);
}

std::expected<StreamState, std::string> JetStream::create(const StreamAddress& address, std::uint64_t epoch) {
  const auto session = link_.parts().session();
  if (session == nullptr) return std::unexpected(std::string(kNoConnection));
  const std::string stream = address.stream();
  Subjects subjects(address, epoch);
  const int64_t age_ms = options_.limits.age_max.count();
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = stream.c_str();
  subjects.put_into(config);
  config.MaxMsgs = static_cast<int64_t>(std::max(options_.limits.messages_max, messages_kept_.load()));
  config.MaxBytes = static_cast<int64_t>(std::max(options_.limits.bytes_max, bytes_kept_.load()));
  config.MaxAge = age_ms * kNanosecondsPerMs;
  config.Duplicates =
      (age_ms == 0 ? kDuplicateWindowMs : std::min(age_ms, kDuplicateWindowMs)) * kNanosecondsPerMs;
  config.Storage = options_.in_memory ? js_MemoryStorage : js_FileStorage;
  config.Replicas = options_.replicas;
  config.AllowDirect = true;  // for PastReads
  jsStreamInfo* raw_info = nullptr;
  jsErrCode code{};
  const natsStatus status = js_AddStream(&raw_info, session->context, &config, nullptr, &code);
  const StreamInfoHandle info(raw_info);
  if (status != NATS_OK) return std::unexpected(failure_of("creating a stream", status, code));
  known_.seen(stream);
  return state_of(*info);
}

std::expected<StreamState, std::string> JetStream::open(const StreamAddress& address,
                                                        std::uint64_t new_epoch) {
  auto found = find(address);
  if (!found) return std::unexpected(std::move(found.error()));
  if (*found) return **found;
  if (!known_.may_create(address.stream(), system_clock().now()))
    return std::unexpected(joined({"stream ", address.stream(), ": ", KnownStreams::kIsGone}));
  if (auto created = create(address, new_epoch)) return created;
  // Another instance has created it meanwhile, with an epoch of its own.
  found = find(address);
  if (!found) return std::unexpected(std::move(found.error()));
  if (*found) return **found;
  return create(address, new_epoch);
}

std::expected<StreamState, std::string> JetStream::change_epoch(const StreamAddress& address,
                                                                std::uint64_t from, std::uint64_t to) {
  const auto session = link_.parts().session();
  if (session == nullptr) return std::unexpected(std::string(kNoConnection));
  jsStreamInfo* raw_info = nullptr;
  jsErrCode code{};
  jsCtx* const context = session->context;
  natsStatus status = js_GetStreamInfo(&raw_info, context, address.stream().c_str(), nullptr, &code);
  const StreamInfoHandle before(raw_info);
  if (status != NATS_OK) return std::unexpected(failure_of("asking for a stream", status, code));
  const auto state = state_of(*before);
  if (!state || state->epoch != from) return state;
  Subjects subjects(address, to);
  jsStreamConfig config = *before->Config;
  subjects.put_into(config);
  raw_info = nullptr;
  status = js_UpdateStream(&raw_info, context, &config, nullptr, &code);
  const StreamInfoHandle after(raw_info);
  if (status != NATS_OK) return std::unexpected(failure_of("changing a stream", status, code));
  return state_of(*after);
}

std::expected<std::string, std::string> JetStream::consume(const StreamAddress& address, std::uint64_t from,
                                                           const std::string& deliver_to) {
  const auto session = link_.parts().session();
  if (session == nullptr) return std::unexpected(std::string(kNoConnection));
  const int64_t heartbeat_ms = options_.heartbeat.count();
  jsConsumerConfig config;
  jsConsumerConfig_Init(&config);
  config.DeliverPolicy = js_DeliverByStartSequence;
  config.OptStartSeq = from;
  config.AckPolicy = js_AckNone;
  config.MaxDeliver = 1;
  config.FlowControl = true;
  config.Heartbeat = heartbeat_ms * kNanosecondsPerMs;
  config.DeliverSubject = deliver_to.c_str();
  config.Replicas = 1;
  config.MemoryStorage = true;
  jsConsumerInfo* raw_info = nullptr;
  jsErrCode code{};
  const natsStatus status =
      js_AddConsumer(&raw_info, session->context, address.stream().c_str(), &config, nullptr, &code);
  const ConsumerInfoHandle info(raw_info);
  if (status != NATS_OK) return std::unexpected(failure_of("creating a consumer", status, code));
  return std::string(info->Name);
}

}  // namespace fanfare::relay

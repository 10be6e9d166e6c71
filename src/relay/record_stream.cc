#include "relay/record_stream.h"

#include <nats/nats.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "base/text.h"
#include "relay/nats_parts.h"
#include "relay/records.h"

namespace fanfare::relay {
namespace {

using StreamInfoHandle = Handle<jsStreamInfo, jsStreamInfo_Destroy>;

constexpr std::int64_t kNanosecondsOfMs = 1'000'000;
constexpr std::int64_t kRecordWindowMs = 1000;  // not used: records have no ids

}  // namespace

std::expected<std::vector<std::uint64_t>, std::string> deleted_of(Link& link, const std::string& stream,
                                                                  std::int64_t wait_ms) {
  const auto session = link.parts().session();
  if (session == nullptr) return std::unexpected(std::string("no connection"));
  jsOptions options;
  jsOptions_Init(&options);
  options.Wait = wait_ms;
  options.Stream.Info.DeletedDetails = true;
  jsStreamInfo* raw_info = nullptr;
  const natsStatus status = js_GetStreamInfo(&raw_info, session->context, stream.c_str(), &options, nullptr);
  const StreamInfoHandle info(raw_info);
  if (status != NATS_OK)
    return std::unexpected(joined({"what was deleted of the stream ", stream, ": ", words_for(status)}));
  const std::span listed(info->State.Deleted, static_cast<std::size_t>(info->State.DeletedLen));
  std::vector<std::uint64_t> sequences(listed.begin(), listed.end());
  std::ranges::sort(sequences);
  return sequences;
}

std::expected<OpenedStream, std::string> open_stream(Link& link, KnownStreams& known, jsStreamConfig& config,
                                                     std::int64_t wait_ms) {
  const auto session = link.parts().session();
  if (session == nullptr) return std::unexpected(std::string("no connection"));
  jsCtx* const context = session->context;
  jsOptions options;
  jsOptions_Init(&options);
  options.Wait = wait_ms;
  jsStreamInfo* raw_info = nullptr;
  jsErrCode code{};
  natsStatus status = js_GetStreamInfo(&raw_info, context, config.Name, &options, &code);
  if (code == JSStreamNotFoundErr && !known.may_create(config.Name, system_clock().now()))
    return std::unexpected(joined({"the stream ", config.Name, ": ", KnownStreams::kIsGone}));
  if (code == JSStreamNotFoundErr) status = js_AddStream(&raw_info, context, &config, &options, nullptr);
  const std::string problem = status == NATS_OK ? "" : words_for(status);
  // Another instance may have created it at this moment.
  if (status != NATS_OK && code == JSStreamNotFoundErr)
    status = js_GetStreamInfo(&raw_info, context, config.Name, &options, nullptr);
  const StreamInfoHandle info(raw_info);
  if (status != NATS_OK) return std::unexpected(joined({"the stream ", config.Name, ": ", problem}));
  known.seen(config.Name);
  // A broker that has it answers, although most of the others are gone.
  const jsClusterInfo* const cluster = raw_info->Cluster;
  if (cluster != nullptr && std::string_view(cluster->Leader == nullptr ? "" : cluster->Leader).empty())
    return std::unexpected(
        joined({"the stream ", config.Name, ": too few brokers of the cluster are there"}));
  return OpenedStream{.created = raw_info->Created, .last = raw_info->State.LastSeq};
}

std::expected<OpenedStream, std::string> open_record_stream(Link& link, KnownStreams& known,
                                                            const NatsOptions& options,
                                                            const std::string& stream,
                                                            const RecordOptions& records) {
  const std::string subject = joined({stream, ".k.*"});
  const char* subjects = subject.c_str();
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = stream.c_str();
  config.Subjects = &subjects;
  config.SubjectsLen = 1;
  config.MaxMsgsPerSubject = 1;
  config.MaxBytes = static_cast<std::int64_t>(records.bytes_max);
  config.MaxAge = records.age_max.count() * kNanosecondsOfMs;
  config.Duplicates = std::min<std::int64_t>(records.age_max.count(), kRecordWindowMs) * kNanosecondsOfMs;
  config.Discard = js_DiscardNew;
  config.Storage = options.in_memory ? js_MemoryStorage : js_FileStorage;
  config.Replicas = options.replicas;
  return open_stream(link, known, config, kRequestTimeoutMs);
}

}  // namespace fanfare::relay

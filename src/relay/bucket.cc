#include "relay/bucket.h"

#include <nats/nats.h>

#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/text.h"
#include "relay/nats_parts.h"

namespace fanfare::relay {

namespace {

using EntryHandle = Handle<kvEntry, kvEntry_Destroy>;

// What the broker says of a key that has another revision.
constexpr std::string_view kOtherRevision = "wrong last sequence";

}  // namespace

struct Bucket::Parts {
  std::shared_ptr<Session> session;  // of the store
  Handle<kvStore, kvStore_Destroy> store;
};

Bucket::Bucket(Link& link, std::string name, const NatsOptions& options)
    : link_(link), name_(std::move(name)), options_(options), parts_(std::make_unique<Parts>()) {}

Bucket::~Bucket() = default;

std::expected<void, std::string> Bucket::open() {
  auto session = link_.parts().session();
  if (session == nullptr) return std::unexpected(std::string());
  if (parts_->store != nullptr && !is_doubtful_ && parts_->session == session) return {};
  jsCtx* const context = session->context;
  kvStore* store = nullptr;
  natsStatus status = js_KeyValue(&store, context, name_.c_str());
  if (status == NATS_NOT_FOUND) {
    if (!known_.may_create(name_, system_clock().now())) return std::unexpected(std::string());
    kvConfig config;
    kvConfig_Init(&config);
    config.Bucket = name_.c_str();
    config.History = 1;
    config.Replicas = options_.replicas;
    config.StorageType = options_.in_memory ? js_MemoryStorage : js_FileStorage;
    status = js_CreateKeyValue(&store, context, &config);
    // Perhaps because another instance creates it at this moment.
    if (status == NATS_ERR && js_KeyValue(&store, context, name_.c_str()) == NATS_OK) status = NATS_OK;
  }
  if (status == NATS_NO_RESPONDERS || status == NATS_ERR) return std::unexpected(words_for(status));
  if (status != NATS_OK) return std::unexpected(std::string());
  known_.seen(name_);
  parts_->store.reset(store);
  parts_->session = std::move(session);
  is_doubtful_ = false;
  return {};
}

std::expected<std::optional<Bucket::Entry>, std::string> Bucket::get(const std::string& key) {
  kvEntry* raw_entry = nullptr;
  const natsStatus status = kvStore_Get(&raw_entry, parts_->store.get(), key.c_str());
  const EntryHandle entry(raw_entry);
  if (status == NATS_NOT_FOUND) return std::nullopt;
  if (status != NATS_OK) {
    is_doubtful_ = true;
    return std::unexpected(words_for(status));
  }
  return Entry{.value = std::string(static_cast<const char*>(kvEntry_Value(raw_entry)),
                                    static_cast<std::size_t>(kvEntry_ValueLen(raw_entry))),
               .revision = kvEntry_Revision(raw_entry)};
}

std::expected<std::uint64_t, std::string> Bucket::put(const std::string& key, const std::string& value,
                                                      std::uint64_t after) {
  std::uint64_t revision = 0;
  const int size = static_cast<int>(value.size());
  kvStore* const store = parts_->store.get();
  const natsStatus status = after == 0
                                ? kvStore_Create(&revision, store, key.c_str(), value.data(), size)
                                : kvStore_Update(&revision, store, key.c_str(), value.data(), size, after);
  if (status == NATS_OK) return revision;
  // Somebody else was first, or the bucket is not there any more.
  is_doubtful_ = true;
  std::string words;
  if (status == NATS_ERR) words = words_for(status);
  if (words.contains(kOtherRevision)) words.clear();
  // To an event that the user may not publish there is no answer.
  if (status == NATS_TIMEOUT)
    words = joined({"the broker does not answer: may the user publish to $KV.", name_, ".>?"});
  return std::unexpected(std::move(words));
}

void Bucket::put_blindly(const std::string& key, std::string_view value, std::uint64_t after) {
  link_.publish(joined({"$KV.", name_, ".", key}), {}, as_bytes(value),
                {{.name = "Nats-Expected-Last-Subject-Sequence", .value = std::to_string(after)}});
}

}  // namespace fanfare::relay

#pragma once
// A bucket of keys and values at the broker (JetStream KV), for leases. Each function waits for the broker's answer, for two
// seconds at most. One thread.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "relay/known_streams.h"
#include "relay/link.h"

namespace fanfare::relay {

class Bucket {
 public:
  struct Entry {
    std::string value;
    std::uint64_t revision = 0;
  };

  // `name`: as NatsOptions::name. The link outlives the bucket.
  Bucket(Link& link, std::string name, const NatsOptions& options);
  Bucket(const Bucket&) = delete;
  Bucket& operator=(const Bucket&) = delete;
  ~Bucket();

  // Creates the bucket if there is none. One that was deleted is created again only after a pause (KnownStreams). Call it again after an
  // error. The error says why the broker refuses; it is empty if the broker does not answer, or during the pause.
  std::expected<void, std::string> open();
  // Empty: there is no such key. The error is for people.
  std::expected<std::optional<Entry>, std::string> get(const std::string& key);
  // The new revision. The error is empty if the key exists, or has another revision than `after` (zero: there is no such key); otherwise
  // it says why the broker stores nothing.
  std::expected<std::uint64_t, std::string> put(const std::string& key, const std::string& value,
                                                std::uint64_t after);
  // As put(), without waiting: nobody knows whether it was stored.
  void put_blindly(const std::string& key, std::string_view value, std::uint64_t after);

 private:
  struct Parts;
  Link& link_;
  const std::string name_;
  const NatsOptions& options_;
  std::unique_ptr<Parts> parts_;
  KnownStreams known_;
  bool is_doubtful_ = false;
};

}  // namespace fanfare::relay

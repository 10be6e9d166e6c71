#include "gateway/config_limits.h"

#include <cstdint>
#include <string>

namespace fanfare::gateway {
namespace {

constexpr std::uint64_t kRateMax = 1'000'000'000;
constexpr std::uint64_t kBytesRateMax = std::uint64_t{1} << 40;
constexpr std::uint64_t kCountMax = 10'000'000;

void read_rate(const MapFields& fields, std::string_view rate_key, std::string_view burst_key,
               std::uint64_t max, access::Rate& out) {
  fields.read(rate_key, out.per_second, 1, max);
  const bool has_burst = fields.read(burst_key, out.burst, 1, max);
  if (!has_burst) return;
  if (!out.is_limited()) {
    fields.report(fields.find(burst_key)->location, burst_key,
                  "has no effect without " + std::string(rate_key), "", "both, or neither");
  } else if (out.burst / out.per_second > 60) {
    fields.report(fields.find(burst_key)->location, burst_key, "is more than a minute brings", "",
                  "at most 60 times " + std::string(rate_key));
  }
}

}  // namespace

void read_limits(const ReadContext& context, const MapFields& parent, std::string_view key,
                 access::Limits& out) {
  const YamlNode* const node = parent.find(key);
  if (node == nullptr) return;
  const MapFields fields(context, *node, parent.path_of(key),
                         {"requestsPerSecond", "requestsBurst", "subscriptionsPerSecond",
                          "subscriptionsBurst", "subscriptionsMax", "connectionsPerSecond",
                          "connectionsBurst", "connectionsMax", "bytesPerSecond", "bytesBurst"},
                         MapFields::Empty::refused);
  read_rate(fields, "requestsPerSecond", "requestsBurst", kRateMax, out.requests);
  read_rate(fields, "subscriptionsPerSecond", "subscriptionsBurst", kRateMax, out.subscriptions);
  read_rate(fields, "connectionsPerSecond", "connectionsBurst", kRateMax, out.connections);
  read_rate(fields, "bytesPerSecond", "bytesBurst", kBytesRateMax, out.bytes);
  fields.read("subscriptionsMax", out.subscriptions_max, 1, kCountMax);
  fields.read("connectionsMax", out.connections_max, 1, kCountMax);
}

}  // namespace fanfare::gateway

#include "gateway/config_defence.h"

#include <string>

namespace fanfare::gateway {
namespace {

constexpr std::uint64_t kCeilingMin = std::uint64_t{32} << 20;
constexpr std::uint64_t kCeilingMax = std::uint64_t{1} << 44;

void read_memory(const ReadContext& context, const YamlNode& node, MemoryPlan& out) {
  const MapFields fields(context, node, "server.memory", {"maxBytes", "softPercent", "hardPercent"});
  fields.read("maxBytes", out.bytes_max, kCeilingMin, kCeilingMax);
  const bool has_soft = fields.read("softPercent", out.soft_percent, 20, 95);
  const bool has_hard = fields.read("hardPercent", out.hard_percent, 25, 99);
  // Each level ends that far below its mark.
  if (out.soft_percent + 5 <= out.hard_percent || (!has_soft && !has_hard)) return;
  const std::string_view key = has_hard ? "hardPercent" : "softPercent";
  fields.report(fields.find(key)->location, key, "leaves less than 5 between softPercent and hardPercent", "",
                "softPercent at least 5 below hardPercent; they are " + std::to_string(out.soft_percent) +
                    " and " + std::to_string(out.hard_percent) + ", by default 80 and 90");
}

void read_overload(const ReadContext& context, const YamlNode& node, DefencePlan& out) {
  const MapFields fields(context, node, "server.overload",
                         {"enabled", "delayTarget", "delayInterval", "retryAfter"});
  fields.read("enabled", out.overload.enabled);
  fields.read("delayTarget", out.overload.delay_target, std::chrono::milliseconds(1),
              std::chrono::seconds(10));
  fields.read("delayInterval", out.overload.delay_interval, std::chrono::milliseconds(50),
              std::chrono::minutes(1));
  fields.read("retryAfter", out.retry_after, std::chrono::seconds(1), std::chrono::hours(1));
}

}  // namespace

void read_defence(const ReadContext& context, const MapFields& server, DefencePlan& out) {
  if (const YamlNode* memory = server.find("memory")) read_memory(context, *memory, out.memory);
  if (const YamlNode* overload = server.find("overload")) read_overload(context, *overload, out);
}

}  // namespace fanfare::gateway

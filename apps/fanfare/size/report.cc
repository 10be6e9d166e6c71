#include "size/report.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "size/numbers.h"
#include "size/settings.h"

namespace fanfare::app {
namespace {

struct Row {
  std::string label;
  std::string value;
};

std::string per_second(double count) {
  return decimal_text(count) + " a second";
}

const ResourcePlan& decider(const SizePlan& plan) {
  return *std::ranges::max_element(plan.resources, {}, &ResourcePlan::instances);
}

std::string machines_text(const SizePlan& plan) {
  return whole_text(plan.instances) + " (" + whole_text(plan.instances - plan.instances_spare) + " + " +
         whole_text(plan.instances_spare) + " spare)";
}

// One instance is enough for everything: nothing decides.
std::string decider_text(const SizePlan& plan) {
  const ResourcePlan& first = decider(plan);
  return first.instances <= 1 ? "nothing: one is enough" : name_of(first.resource);
}

std::string limit_text(const SizePlan& plan, std::size_t place) {
  if (place >= plan.resources.size()) return "-";
  const ResourcePlan& limit = plan.resources[place];
  return std::string(name_of(limit.resource)) + ", at " + whole_text(limit.clients_max) + " clients";
}

std::string broker_text(const SizePlan& plan) {
  if (plan.broker_streams == 0) return "not needed";
  return whole_text(plan.broker_streams) + " streams; " + bits_text(plan.broker_in_bits) + " in, " +
         bits_text(plan.broker_out_bits) + " to the instances, " + bits_text(plan.broker_replication_bits) +
         " between three brokers";
}

std::vector<Row> rows_of(const SizeArguments& arguments, const SizePlan& plan) {
  return {
      {"machines", machines_text(plan)},
      {"decided by", decider_text(plan)},
      {"connections of an instance", whole_text(plan.clients_each)},
      {"memory of an instance: ours", storage_text(plan.ours_bytes)},
      {"memory of an instance: the kernel's", storage_text(plan.kernel_bytes)},
      {"cores that an instance uses", decimal_text(plan.cpu_cores) + " of " + whole_text(arguments.cores)},
      {"an event to the last subscriber", duration_text(plan.fan_out_s)},
      {"deliveries, all instances", per_second(plan.deliveries_per_second)},
      {"network, an instance", bits_text(plan.network_bits)},
      {"network, all instances", bits_text(plan.network_bits_all)},
      {"broker", broker_text(plan)},
      {"upstream calls", decimal_text(plan.upstream_calls_per_minute) + " a minute"},
      {"a lost instance: clients are back after", duration_text(plan.reconnect_s)},
      {"rolling deploy: closes of one instance", per_second(plan.closes_per_second)},
      {"rolling deploy: all instances", duration_text(plan.deploy_s)},
      {"addresses of proxies, if there are any", whole_text(plan.proxy_addresses)},
      {"breaks first", limit_text(plan, 0)},
      {"then", limit_text(plan, 1)},
  };
}

std::string json_number(double number) {
  std::array<char, 512> text{};  // 1e308 written out fits
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  return {text.data(), end.ptr};
}

std::string json_object(const std::vector<std::pair<const char*, double>>& members) {
  std::string text;
  for (const auto& [name, value] : members) {
    text += std::string(text.empty() ? "" : ",") + "\"" + name + "\":" + json_number(value);
  }
  return text;
}

std::string json_of(const SizePlan& plan) {
  std::string resources;
  for (const ResourcePlan& each : plan.resources) {
    resources += std::string(resources.empty() ? "" : ",") + R"({"name":")" + name_of(each.resource) +
                 R"(",)" + json_object({{"instances", each.instances}, {"clients_max", each.clients_max}}) +
                 "}";
  }
  return "{" +
         json_object({{"clients", plan.load.clients},
                      {"subscriptions_per_client", plan.load.subscriptions},
                      {"topics", plan.load.topics},
                      {"chains", plan.load.chains},
                      {"events_per_second", plan.load.events_per_second},
                      {"instances", plan.instances},
                      {"instances_spare", plan.instances_spare},
                      {"clients_per_instance", plan.clients_each},
                      {"own_bytes_per_instance", plan.ours_bytes},
                      {"kernel_bytes_per_instance", plan.kernel_bytes},
                      {"cores_per_instance", plan.cpu_cores},
                      {"fan_out_seconds", plan.fan_out_s},
                      {"network_bits_per_instance", plan.network_bits},
                      {"network_bits", plan.network_bits_all},
                      {"handshakes_per_second_per_instance", plan.handshakes_per_second},
                      {"descriptors_per_instance", plan.descriptors},
                      {"deliveries_per_second", plan.deliveries_per_second},
                      {"reconnect_seconds", plan.reconnect_s},
                      {"closes_per_second", plan.closes_per_second},
                      {"deploy_seconds", plan.deploy_s},
                      {"upstream_calls_per_minute", plan.upstream_calls_per_minute},
                      {"broker_streams", plan.broker_streams},
                      {"broker_in_bits", plan.broker_in_bits},
                      {"broker_out_bits", plan.broker_out_bits},
                      {"broker_replication_bits", plan.broker_replication_bits},
                      {"proxy_addresses", plan.proxy_addresses}}) +
         R"(,"decided_by":")" + name_of(decider(plan).resource) + R"(","resources":[)" + resources + "]}";
}

std::string indented(const std::string& title, const std::vector<std::string>& lines) {
  std::string text = "\n" + title + "\n";
  for (const std::string& line : lines) text += "  " + line + "\n";
  return text;
}

}  // namespace

std::string size_text(const SizeArguments& arguments, const SizePlan& plan) {
  const SizeLoad& load = plan.load;
  std::string text = whole_text(load.clients) + " clients, " + (load.tls ? "TLS" : "no TLS") +
                     "; subscriptions of each: " + decimal_text(load.subscriptions) +
                     "; events of a subscription: " + decimal_text(load.events_per_second) +
                     " a second, of " + whole_text(arguments.event_bytes) + " bytes" +
                     (arguments.deflate ? ", compressed" : "") + "\n\n";
  const std::vector<Row> rows = rows_of(arguments, plan);
  const std::size_t width =
      std::ranges::max(rows, {}, [](const Row& row) { return row.label.size(); }).label.size();
  for (const Row& row : rows)
    text += row.label + std::string(width + 2 - row.label.size(), ' ') + row.value + "\n";
  std::vector<std::string> effects;
  for (std::size_t i = 0; i < std::min<std::size_t>(2, plan.resources.size()); ++i) {
    const Resource resource = plan.resources[i].resource;
    effects.push_back(std::string(name_of(resource)) + ": " + effect_of(resource));
  }
  text += indented("What breaks, and what to do", effects);
  text += indented("The kernel of each instance's machine", kernel_settings(plan));
  return text + indented("The configuration of each instance", configuration_settings(arguments, plan));
}

std::string size_markdown(const SizeArguments& arguments, const std::vector<SizePlan>& plans) {
  std::string head = "| clients |";
  std::string rule = "|---|";
  std::vector<std::string> lines;
  for (const SizePlan& plan : plans) {
    head += " " + whole_text(plan.load.clients) + " |";
    rule += "---|";
    const std::vector<Row> rows = rows_of(arguments, plan);
    lines.resize(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (lines[i].empty()) lines[i] = "| " + rows[i].label + " |";
      lines[i] += " " + rows[i].value + " |";
    }
  }
  std::string text = head + "\n" + rule + "\n";
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::string size_json(const std::vector<SizePlan>& plans) {
  std::string text;
  for (const SizePlan& plan : plans) text += (text.empty() ? "" : ",") + json_of(plan);
  return R"({"plans":[)" + text + "]}\n";
}

}  // namespace fanfare::app

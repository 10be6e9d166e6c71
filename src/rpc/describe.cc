#include "rpc/describe.h"

#include <utility>

namespace fanfare::rpc {
namespace {

Json parameter_json(const Parameter& parameter) {
  std::string schema = parameter.schema;
  if (!parameter.fallback_json.empty() && schema.starts_with('{')) {
    schema.pop_back();
    schema += (schema.size() > 1 ? ",\"default\":" : "\"default\":") + parameter.fallback_json + "}";
  }
  return JsonObject()
      .add("name", parameter.name)
      .add("description", parameter.description)
      .add("required", parameter.required)
      .add("schema", Json{.text = std::move(schema)})
      .json();
}

Json method_json(const MethodEntry& entry) {
  std::vector<Json> parameters;
  for (const Parameter& parameter : entry.parameters) parameters.push_back(parameter_json(parameter));
  JsonObject method;
  method.add("name", entry.name)
      .add("description", entry.about.description)
      .add("paramStructure", "either")
      .add("params", parameters)
      .add("result",
           JsonObject().add("name", "result").add("schema", Json{.text = entry.result_schema}).json());
  if (!entry.about.permission.empty()) method.add("x-permission", entry.about.permission);
  if (entry.about.cost != 1) method.add("x-cost", entry.about.cost);
  return method.json();
}

Json event_json(const std::string& name, const EventEntry& entry) {
  JsonObject event;
  event.add("name", name)
      .add("description", entry.about.description)
      .add("broadcast", entry.about.broadcast)
      .add("schema", Json{.text = entry.schema});
  if (!entry.about.permission.empty()) event.add("x-permission", entry.about.permission);
  return event.json();
}

std::string usage(const MethodEntry& entry) {
  std::string line = entry.name;
  for (const Parameter& parameter : entry.parameters) {
    line += parameter.required ? " " + parameter.name : " [" + parameter.name + "]";
  }
  return line;
}

}  // namespace

std::string open_rpc_document(const Registry& registry) {
  std::vector<Json> methods;
  for (const auto& [name, entry] : registry.methods()) methods.push_back(method_json(entry));
  std::vector<Json> events;
  for (const auto& [name, entry] : registry.events()) events.push_back(event_json(name, entry));
  JsonObject document;
  document.add("openrpc", "1.3.2")
      .add("info", JsonObject()
                       .add("title", registry.options().title)
                       .add("version", registry.options().version)
                       .json())
      .add("methods", methods);
  if (!events.empty()) document.add("x-notifications", events);
  return document.text();
}

std::optional<std::string> help_text(const Registry& registry, std::string_view method) {
  std::string text;
  if (method.empty()) {
    for (const auto& [name, entry] : registry.methods()) text += usage(entry) + "\n";
    return text;
  }
  const MethodEntry* const entry = registry.find(method);
  if (entry == nullptr) return std::nullopt;
  text = usage(*entry) + "\n\n" + entry->about.description + "\n";
  if (!entry->parameters.empty()) text += "\nParameters:\n";
  for (const Parameter& parameter : entry->parameters) {
    text += "  " + parameter.name + "  " + parameter.schema;
    if (!parameter.fallback_json.empty()) text += ", default " + parameter.fallback_json;
    if (!parameter.description.empty()) text += "  " + parameter.description;
    text += "\n";
  }
  text += "\nResult: " + entry->result_schema + "\n";
  if (!entry->about.permission.empty()) text += "Permission: " + entry->about.permission + "\n";
  return text;
}

}  // namespace fanfare::rpc

#include "serve/page.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "gateway/config_yaml.h"
#include "gateway/mount_plans.h"
#include "serve/web_directory.h"

namespace fanfare::app {

std::expected<std::optional<std::string>, std::string> page_directory(
    std::string_view setting, const std::optional<std::string>& named,
    const std::optional<std::string>& own_page) {
  if (named && !is_web_directory(*named)) {
    return std::unexpected(std::string(setting) + " has no index.html (" +
                           gateway::quoted_for_message(*named) +
                           "), expected the directory of the built page");
  }
  return named ? named : own_page;
}

void mount_page(gateway::ServePlan& plan, const std::string& directory) {
  for (gateway::ListenerPlan& listener : plan.listeners) {
    if (!gateway::serves_http(listener)) continue;
    for (gateway::MountPlan& mount : gateway::web_mounts(directory, FANFARE_VERSION)) {
      listener.mounts.push_back(std::move(mount));
    }
  }
  if (plan.admin) plan.admin->web_directory = directory;
}

std::expected<gateway::ServePlan, std::string> plan_with_page(const gateway::Config& config,
                                                              const std::string& file,
                                                              const std::optional<std::string>& own_page,
                                                              const PageFlags& flags) {
  gateway::ServePlan plan = gateway::plan_from(config);
  std::error_code failed;
  if (const std::string& log = plan.observe.access_log.path; std::filesystem::equivalent(log, file, failed)) {
    return std::unexpected("server.accessLog.path is the configuration file itself (" +
                           gateway::quoted_for_message(log) + "), expected another file");
  }
  if (flags.no_web || !(config.web.enabled || flags.web_dir)) return plan;
  const bool in_file = !flags.web_dir && !config.web.directory.empty();
  const auto directory = page_directory(in_file ? "web.directory" : "--web-dir",
                                        in_file ? config.web.directory : flags.web_dir, own_page);
  if (!directory) return std::unexpected(directory.error());
  if (!*directory) {
    return std::unexpected("the dashboard's files are not beside the program, expected web.directory in " +
                           file + ", or --web-dir");
  }
  mount_page(plan, **directory);
  return plan;
}

}  // namespace fanfare::app

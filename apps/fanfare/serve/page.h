#pragma once
// The dashboard of a plan. `serve`, its reloads and `check` use the same functions, so that they agree.

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/config.h"
#include "gateway/serve_plan.h"

namespace fanfare::app {

// `named`, the directory that the user gave as `setting`, or else the program's own (`own_page`). Nothing if there is neither. The error
// names the setting.
std::expected<std::optional<std::string>, std::string> page_directory(
    std::string_view setting, const std::optional<std::string>& named,
    const std::optional<std::string>& own_page);

// Mounts it on every listener that serves JSON-RPC over HTTP, and on the port of the admin API.
void mount_page(gateway::ServePlan& plan, const std::string& directory);

// On the command line. They count more than the file.
struct PageFlags {
  std::optional<std::string> web_dir = {};  // asks for the page, too
  bool no_web = false;
};

// The plan of the configuration in `file`, with its dashboard if that or a flag asks for one. The error names the setting.
std::expected<gateway::ServePlan, std::string> plan_with_page(const gateway::Config& config,
                                                              const std::string& file,
                                                              const std::optional<std::string>& own_page,
                                                              const PageFlags& flags = {});

}  // namespace fanfare::app

#pragma once
// The gateway's settings that decide about hosts and pages, as an answer 403 names them.

#include "server/browser_rules.h"

namespace fanfare::gateway {

inline constexpr server::BrowserSettingNames kBrowserSettingNames{
    .hosts = "server.allowedHosts, or --allowed-host",
    .origins = "allowedOrigins of server or project, or --allowed-origin"};

}  // namespace fanfare::gateway

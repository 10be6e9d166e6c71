#pragma once
// The dashboard: the built files of web/app, served beside JSON-RPC, and what they need to know of this server.

#include <memory>
#include <string>
#include <string_view>

#include "gateway/serve_plan.h"
#include "server/mount.h"

namespace fanfare::gateway {

// The page may load only files of this server, run no inline code and be framed by nobody.
inline constexpr std::string_view kWebPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

// Files under assets/ change their names with their content and are cached for a year; all others are
// revalidated. If the directory cannot be opened, every path is 404 and the reason is logged.
std::shared_ptr<server::Mount> make_web_page(const std::string& directory);

// JSON for the page at /fanfare.json: version, networks with their paths, the paths of streams and metrics (null: not on
// the listeners that serve the page), and whether calls without credentials are possible (null: there is no access control).
std::string about_text(const ServePlan& plan, std::string_view version);

}  // namespace fanfare::gateway

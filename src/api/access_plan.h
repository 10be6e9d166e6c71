#pragma once
// The options of a program's access control (fanfare/access.h) as the plan of the authenticator. Reads the files.

#include <expected>
#include <string>

#include "access/plan.h"
#include "fanfare/access.h"

namespace fanfare::api {

// The error names the member that is wrong, never its value if that may be a secret.
std::expected<access::AccessPlan, std::string> plan_from(const AccessOptions& options);

}  // namespace fanfare::api

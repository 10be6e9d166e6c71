#pragma once
// Plans as text, as a table in Markdown, and as JSON.

#include <string>
#include <vector>

#include "size/plan.h"

namespace fanfare::app {

// Of one plan, with the settings to raise.
std::string size_text(const SizeArguments& arguments, const SizePlan& plan);

// A column for each plan.
std::string size_markdown(const SizeArguments& arguments, const std::vector<SizePlan>& plans);

// One line: {"plans":[{...}]}. Bytes, bits a second, seconds and counts, unrounded.
std::string size_json(const std::vector<SizePlan>& plans);

}  // namespace fanfare::app

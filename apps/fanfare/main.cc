// The fanfare program: serve, check, connect, bench, canvas, admin, top, size.

#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <system_error>
#include <variant>

#include "admin/command.h"
#include "admin/top.h"
#include "arguments.h"
#include "bench/command.h"
#include "canvas/command.h"
#include "check/against.h"
#include "check/command.h"
#include "connect/command.h"
#include "gateway/gateway.h"
#include "output.h"
#include "serve/flags.h"
#include "serve/log_flags.h"
#include "serve/web_directory.h"
#include "size/command.h"

namespace {

constexpr int kStatusUsage = 2;

std::optional<std::string> own_page() {
  std::error_code ignored;  // the path is then empty, and nothing is found
  return fanfare::app::web_directory_beside(std::filesystem::read_symlink("/proc/self/exe", ignored));
}

int run_serve(const fanfare::app::ServeArguments& arguments) {
  fanfare::gateway::hold_signals();
  const auto page = own_page();
  const auto format = fanfare::app::log_format_of(arguments, fanfare::gateway::process_environment);
  const auto read = [&] {
    auto plan = fanfare::app::plan_of(arguments, fanfare::gateway::process_environment, page);
    // A flag or a variable is above the file, also in a reload.
    if (plan && format && *format) plan->observe.log_format = **format;
    return plan;
  };
  const auto plan = read();
  if (!plan) {
    std::cerr << plan.error() << "\n";
    return kStatusUsage;
  }
  if (!format) {
    std::cerr << format.error() << "\n";
    return kStatusUsage;
  }
  fanfare::log::set_format(plan->observe.log_format);
  return fanfare::gateway::run(*plan, read);
}

int run_command(const fanfare::app::Command& command) {
  if (const auto* check = std::get_if<fanfare::app::CheckArguments>(&command)) {
    const fanfare::app::PageFlags page{.web_dir = check->web_dir, .no_web = check->no_web};
    if (check->against) {
      return fanfare::app::run_check_against(check->file, *check->against,
                                             fanfare::gateway::process_environment, std::cout, std::cerr,
                                             own_page(), page);
    }
    return fanfare::app::run_check(check->file, fanfare::gateway::process_environment, std::cout, std::cerr,
                                   check->system, own_page(), page);
  }
  if (const auto* connect = std::get_if<fanfare::app::ConnectArguments>(&command)) {
    return fanfare::app::run_connect(*connect, std::cout, std::cerr);
  }
  if (const auto* bench = std::get_if<fanfare::app::BenchArguments>(&command)) {
    return fanfare::app::run_bench(*bench, std::cout, std::cerr);
  }
  if (const auto* canvas_export = std::get_if<fanfare::app::CanvasExportArguments>(&command)) {
    return fanfare::app::run_canvas_export(*canvas_export, std::cout, std::cerr);
  }
  if (const auto* admin = std::get_if<fanfare::app::AdminArguments>(&command)) {
    return fanfare::app::run_admin(*admin, std::cout, std::cerr);
  }
  if (const auto* top = std::get_if<fanfare::app::TopArguments>(&command)) {
    return fanfare::app::run_top(*top, std::cout, std::cerr);
  }
  if (const auto* size = std::get_if<fanfare::app::SizeArguments>(&command)) {
    return fanfare::app::run_size(*size, std::cout, std::cerr);
  }
  return run_serve(std::get<fanfare::app::ServeArguments>(command));
}

}  // namespace

int main(int argc, char** argv) {
  const auto command = fanfare::app::parse_arguments(argc, argv);
  int status = 0;
  if (command) {
    status = run_command(*command);
  } else {
    status = command.error().status;
    (status == 0 ? std::cout : std::cerr) << command.error().text;
  }
  // `serve` keeps running if its standard output cannot be written.
  if (command && std::holds_alternative<fanfare::app::ServeArguments>(*command)) return status;
  return fanfare::app::finish_output(std::cout, std::cerr, status);
}

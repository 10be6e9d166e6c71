#include "gateway/upstream_threads.h"

#include <algorithm>

#include "base/check.h"

namespace fanfare::gateway {
namespace {

struct Project {
  std::string_view name;
  std::size_t networks = 0;
  std::size_t threads = 1;
  std::size_t first_thread = 0;
  std::size_t placed = 0;  // networks that already have a thread
};

std::vector<Project> projects_of(std::span<const std::string_view> names) {
  std::vector<Project> projects;
  for (const std::string_view name : names) {
    const auto found = std::ranges::find(projects, name, &Project::name);
    if (found == projects.end()) {
      projects.push_back({.name = name, .networks = 1});
    } else {
      ++found->networks;
    }
  }
  return projects;
}

// Each project has its own threads. Remaining threads go where most networks share one.
void give_own_threads(std::vector<Project>& projects, std::size_t threads) {
  for (std::size_t left = threads - projects.size(); left > 0; --left) {
    const auto most = std::ranges::max_element(projects, [](const Project& a, const Project& b) {
      return a.networks * b.threads < b.networks * a.threads;
    });
    ++most->threads;
  }
  std::size_t next = 0;
  for (Project& project : projects) {
    project.first_thread = next;
    next += project.threads;
  }
}

// Each project has one thread and shares it: a project goes to the thread with the fewest networks so far.
void share_between_projects(std::vector<Project>& projects, std::size_t threads) {
  std::vector<std::size_t> networks(threads);
  for (Project& project : projects) {
    const auto emptiest = std::ranges::min_element(networks);
    *emptiest += project.networks;
    project.first_thread = static_cast<std::size_t>(emptiest - networks.begin());
  }
}

}  // namespace

std::vector<std::size_t> share_threads(std::span<const std::string_view> names, std::size_t threads_max) {
  FANFARE_CHECK(threads_max > 0);
  std::vector<Project> projects = projects_of(names);
  const std::size_t threads = std::min(names.size(), threads_max);
  if (projects.size() <= threads) {
    give_own_threads(projects, threads);
  } else {
    share_between_projects(projects, threads);
  }
  std::vector<std::size_t> threads_of_networks;
  for (const std::string_view name : names) {
    Project& project = *std::ranges::find(projects, name, &Project::name);
    threads_of_networks.push_back(project.first_thread + project.placed++ % project.threads);
  }
  return threads_of_networks;
}

}  // namespace fanfare::gateway

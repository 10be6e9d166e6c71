#pragma once
// The command lines of `fanfare admin` and `fanfare top` as plain data.

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace fanfare::app {

// Where the admin API is, and for whom.
struct AdminAddress {
  std::string address;  // a path of a Unix socket, or http://HOST:PORT; empty: the default socket
  std::string token;    // empty: none
};

struct AdminArguments {
  AdminAddress to;
  std::string command;  // "connections"
  bool json = false;    // print the answer as it came

  // connections, and close without ids. Empty: any.
  std::string text, kind, address, agent, principal, service, project, network, stream, room;
  std::string sort;
  std::uint64_t limit = 0;  // 0: not given
  std::uint64_t behind_min = 0;
  std::uint64_t age_min = 0;

  std::vector<std::string> ids;  // close
  std::uint32_t code = 1012;
  std::string reason;  // close, drain

  std::string upstream;  // enable, disable: PROJECT/CHAIN/NAME
  bool force = false;
  double spread_s = 30;  // drain
  std::string level;     // log-level; empty: show it
  std::int32_t pid = 0;  // upgrade: it gets a signal; 0: the server at the address is asked
};

struct TopArguments {
  AdminAddress to;
  double interval_s = 2;
  std::string sort = "behind";
  std::uint64_t rows = 0;  // 0: as many as fit
  bool once = false;
  bool json = false;
};

// Adds the commands to the program's.
CLI::App* add_admin(CLI::App& root, AdminArguments& out);
CLI::App* add_top(CLI::App& root, TopArguments& out);
// 'fanfare upgrade', and 'fanfare drain' as a short form of 'fanfare admin drain'.
CLI::App* add_upgrade(CLI::App& root, AdminArguments& out);
CLI::App* add_drain(CLI::App& root, AdminArguments& out);

}  // namespace fanfare::app

#include "admin/top.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <expected>
#include <optional>
#include <string_view>
#include <utility>

#include "admin/client.h"
#include "admin/columns.h"
#include "admin/table.h"
#include "jsonrpc/value.h"

namespace fanfare::app {
namespace {

constexpr std::size_t kRowsDefault = 20;
constexpr std::size_t kRowsMax = 1000;  // of the server's list
// Between the two looks of --once, if no interval is given that is shorter.
constexpr double kOnceSecondsMax = 1;
constexpr char kInterrupt = '\003';  // Ctrl-C

double number_in(std::string_view object, std::string_view name) {
  const auto raw = jsonrpc::member(object, name);
  return raw ? std::strtod(std::string(*raw).c_str(), nullptr) : 0;
}

std::string text_in(std::string_view object, std::string_view name) {
  const auto raw = jsonrpc::member(object, name);
  return raw ? line_text(jsonrpc::string_copy(*raw).value_or("")) : "";
}

std::string_view list_in(std::string_view object, std::string_view name) {
  return jsonrpc::member(object, name).value_or("[]");
}

double sum_in(std::string_view list, std::string_view name) {
  double sum = 0;
  for (const std::string_view object : jsonrpc::array_elements(list)) sum += number_in(object, name);
  return sum;
}

// The frame's lines, one part after the other.
class Frame {
 public:
  Frame(const TopSample& now, const TopSample* before, const TopView& view)
      : now_(now), before_(before), view_(view) {}

  std::vector<std::string> lines() {
    add_head();
    add_list("networks", now_.networks, kNetworks);
    add_upstreams();
    add_list("streams", now_.streams, kStreamColumns);
    add_list("rooms", now_.rooms, kRoomColumns);
    add_connections();
    return std::move(lines_);
  }

 private:
  inline static const std::vector<Column> kNetworks{{"NETWORK", "name"},
                                                    {"READY", "ready", Show::yes_no},
                                                    {"HEAD", "head", Show::number},
                                                    {"AGE", "head_age_s", Show::seconds},
                                                    {"CONNECTIONS", "connections", Show::number},
                                                    {"SUBSCRIPTIONS", "subscriptions", Show::number},
                                                    {"SLOW CLOSED", "slow_closed", Show::number},
                                                    {"NOTE", "reason", Show::text, 60}};
  inline static const std::vector<Column> kUpstreams{{"UPSTREAM", "name"},
                                                     {"NETWORK", "network"},
                                                     {"USED", "used", Show::yes_no},
                                                     {"HEAD", "head", Show::number},
                                                     {"LAG", "lag", Show::number},
                                                     {"LATENCY", "latency_s", Show::seconds},
                                                     {"CALLS", "calls", Show::number},
                                                     {"ERRORS", "errors", Show::number},
                                                     {"NOTE", "reason", Show::text, 80}};
  inline static const std::vector<Column> kConnections{{"CONNECTION", "id"},
                                                       {"ADDRESS", "address"},
                                                       {"AGE", "age_s", Show::seconds},
                                                       {"BEHIND", "bytes_behind", Show::bytes},
                                                       {"SUBS", "subscriptions", Show::number},
                                                       {"IN", "messages_received", Show::number},
                                                       {"OUT", "messages_sent", Show::number},
                                                       {"PRINCIPAL", "principal", Show::text, 20},
                                                       {"NETWORK", "network", Show::text, 20},
                                                       {"AGENT", "user_agent", Show::text, 30}};

  void add(std::string line) {
    if (view_.rows > 0 && lines_.size() >= view_.rows) return;
    lines_.push_back(view_.columns > 0 && width_of(line) > view_.columns ? fitted(line, view_.columns)
                                                                         : std::move(line));
  }

  std::string rate(double now, double before) const {
    if (before_ == nullptr || view_.seconds <= 0) return "-";
    return count_text(std::max(0.0, now - before) / view_.seconds) + "/s";
  }
  std::string rate_of_status(std::string_view name) const {
    return rate(number_in(now_.status, name), before_ == nullptr ? 0 : number_in(before_->status, name));
  }
  std::string rate_of_networks(std::string_view name) const {
    return rate(sum_in(list_in(now_.networks, "networks"), name),
                before_ == nullptr ? 0 : sum_in(list_in(before_->networks, "networks"), name));
  }

  void add_head() {
    const std::string_view networks = list_in(now_.networks, "networks");
    const std::string_view drain = jsonrpc::member(now_.status, "drain").value_or("{}");
    add("fanfare " + text_in(now_.status, "version") + " at " + line_text(view_.address) + ", up " +
        seconds_text(number_in(now_.status, "uptime_s")) + ", " +
        count_text(number_in(now_.status, "loops")) + " loops (" + text_in(now_.status, "loop_kind") +
        "), memory " + bytes_text(number_in(now_.status, "memory_bytes")) + ", log level " +
        text_in(now_.status, "log_level"));
    add("connections " + count_text(number_in(now_.status, "connections")) + "  subscriptions " +
        count_text(sum_in(networks, "subscriptions")) + "  messages in " +
        rate_of_status("messages_received") + ", out " + rate_of_status("messages_sent") + "  requests " +
        rate_of_networks("requests") + "  notifications " + rate_of_networks("notifications"));
    if (const std::string state = text_in(drain, "state"); !state.empty() && state != "off") {
      add("DRAIN: " + state + " since " + seconds_text(number_in(drain, "since_s")) + ", " +
          count_text(number_in(drain, "closed")) + " closed, " + count_text(number_in(drain, "open")) +
          " to close");
    }
  }

  void add_list(std::string_view name, std::string_view answer, const std::vector<Column>& columns) {
    const std::string_view list = list_in(answer, name);
    if (jsonrpc::element_count(list) == 0) return;
    add("");
    for (std::string& line : table_lines(list, columns)) add(std::move(line));
  }

  void add_upstreams() {
    std::string all = "[";
    for (const std::string_view network : jsonrpc::array_elements(list_in(now_.networks, "networks"))) {
      for (const std::string_view one : jsonrpc::array_elements(list_in(network, "upstreams"))) {
        all += (all.size() > 1 ? "," : "") + std::string(one);
      }
    }
    add_list("upstreams", "{\"upstreams\":" + all + "]}", kUpstreams);
  }

  void add_connections() {
    add("");
    add("The first of " + count_text(number_in(now_.connections, "matched")) + " connections by " +
        view_.sort + ":");
    for (std::string& line : table_lines(list_in(now_.connections, "connections"), kConnections))
      add(std::move(line));
  }

  const TopSample& now_;
  const TopSample* before_;
  const TopView& view_;
  std::vector<std::string> lines_;
};

std::expected<TopSample, std::string> look(AdminClient& client, const std::string& sort, std::size_t rows) {
  TopSample sample;
  const std::array<std::pair<std::string, std::string*>, 5> parts{
      {{"/v1/status", &sample.status},
       {"/v1/networks", &sample.networks},
       {"/v1/streams", &sample.streams},
       {"/v1/rooms", &sample.rooms},
       {"/v1/connections?sort=" + sort + "&limit=" + std::to_string(std::min(rows, kRowsMax)),
        &sample.connections}}};
  for (const auto& [target, to] : parts) {
    auto reply = client.request("GET", target);
    if (!reply) return std::unexpected(reply.error());
    *to = std::move(reply->body);
    while (to->ends_with('\n')) to->pop_back();
  }
  return sample;
}

std::string json_of(const TopSample& sample) {
  const auto inside = [](std::string_view answer, std::string_view name) {
    return std::string(list_in(answer, name));
  };
  return "{\"status\":" + sample.status + ",\"networks\":" + inside(sample.networks, "networks") +
         ",\"streams\":" + inside(sample.streams, "streams") + ",\"rooms\":" + inside(sample.rooms, "rooms") +
         ",\"connections\":" + inside(sample.connections, "connections") + "}";
}

using SteadyTime = std::chrono::steady_clock::time_point;

double seconds_between(SteadyTime from, SteadyTime to) {
  return std::chrono::duration<double>(to - from).count();
}

// The terminal without echo and line editing, on its second screen. As before at the end.
class Screen {
 public:
  Screen() {
    ::tcgetattr(STDIN_FILENO, &before_);
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    write("\033[?1049h\033[?25l");
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen() {
    write("\033[?25h\033[?1049l");
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }

  static void measure(TopView& view) {
    winsize size{};
    const bool is_known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
    view.columns = is_known ? size.ws_col : 80;
    view.rows = is_known ? size.ws_row : 24;
  }
  static void draw(const std::vector<std::string>& lines) {
    std::string text = "\033[H";
    for (std::size_t i = 0; i < lines.size(); ++i) text += (i == 0 ? "" : "\r\n") + lines[i] + "\033[K";
    write(text + "\033[J");
  }
  // The key that was pressed within this time; 0: none; 'q' at the end of the input.
  static char key_within(double seconds) {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&input, 1, static_cast<int>(seconds * 1000));
    if (ready <= 0) return ready < 0 ? 'q' : '\0';
    char key = 0;
    return ::read(STDIN_FILENO, &key, 1) == 1 ? key : 'q';
  }

 private:
  static void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t done = ::write(STDOUT_FILENO, text.data(), text.size());
      if (done <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(done));
    }
  }
  termios before_{};
};

std::string sort_of_key(char key, const std::string& before) {
  switch (key) {
    case 'b':
      return "behind";
    case 'a':
      return "age";
    case 'r':
      return "received";
    case 's':
      return "sent";
    case 'n':
      return "subscriptions";
    default:
      return before;
  }
}

// SIGINT is a key here, so that the screen is restored.
int watch(AdminClient& client, const TopArguments& arguments) {
  TopView view{.address = client.address(), .sort = arguments.sort};
  std::optional<TopSample> before;
  SteadyTime looked;
  const Screen screen;
  for (;;) {
    Screen::measure(view);
    const std::size_t rows = arguments.rows > 0 ? arguments.rows : std::max<std::size_t>(view.rows, 1);
    auto now = look(client, view.sort, rows);
    const SteadyTime at = std::chrono::steady_clock::now();
    if (now) {
      view.seconds = before ? seconds_between(looked, at) : 0;
      Screen::draw(top_lines(*now, before ? &*before : nullptr, view));
      before = *std::move(now);
      looked = at;
    } else {
      Screen::draw({fitted(now.error(), view.columns), "", "Tried again; q leaves."});
      before.reset();
    }
    const char key = Screen::key_within(arguments.interval_s);
    if (key == 'q' || key == 'Q' || key == kInterrupt) return 0;
    view.sort = sort_of_key(key, view.sort);
  }
}

int look_once(AdminClient& client, const TopArguments& arguments, std::ostream& out,
              std::ostream& complaints) {
  const std::size_t rows = arguments.rows > 0 ? arguments.rows : kRowsDefault;
  const auto fail = [&](const std::string& error) {
    complaints << "fanfare top: " << error << "\n";
    return 1;
  };
  const auto first = look(client, arguments.sort, rows);
  if (!first) return fail(first.error());
  if (arguments.json) {
    out << json_of(*first) << "\n";
    return 0;
  }
  const SteadyTime begun = std::chrono::steady_clock::now();
  ::poll(nullptr, 0, static_cast<int>(std::min(arguments.interval_s, kOnceSecondsMax) * 1000));
  const auto second = look(client, arguments.sort, rows);
  if (!second) return fail(second.error());
  const TopView view{.address = client.address(),
                     .sort = arguments.sort,
                     .seconds = seconds_between(begun, std::chrono::steady_clock::now())};
  for (const std::string& line : top_lines(*second, &*first, view)) out << line << "\n";
  return 0;
}

}  // namespace

std::vector<std::string> top_lines(const TopSample& now, const TopSample* before, const TopView& view) {
  return Frame(now, before, view).lines();
}

int run_top(const TopArguments& arguments, std::ostream& out, std::ostream& complaints) {
  AdminClient client(arguments.to);
  const bool has_terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  if (arguments.once || arguments.json || !has_terminal) return look_once(client, arguments, out, complaints);
  return watch(client, arguments);
}

}  // namespace fanfare::app

// The load of ./dev bench --relay-peers: a publisher of one server and the readers of another one, on one thread.
//
//   peers_load fanfare|socketio|nchan PORT_OF_THE_PUBLISHER PORT_OF_THE_READERS READERS EVERY_US WARM_UP_SECONDS SECONDS steady|reconnect PID...
//
// Before the measurement it publishes as fast as it goes, so that no server is measured while it compiles itself.
// EVERY_US 0: as soon as fewer than kInFlightMax events are between the publisher and the readers. An event has its number, and the time of
// its sending. reconnect: after half of the time all readers are cut off, and come back a moment later, each at its place. Prints one
// line of JSON; cpu_ns has the time that each process used, in order.

#include <dirent.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "connection.h"

namespace peers {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::uint64_t kInFlightMax = 256;
constexpr std::size_t kPayloadBytes = 100;  // the time, the number, and padding
constexpr std::size_t kDigits = 16;
constexpr auto kPatience = std::chrono::seconds(30);
constexpr auto kQuiet = std::chrono::seconds(2);  // nothing comes for so long: the rest is lost
constexpr auto kAway = milliseconds(200);         // between the cut and the return
constexpr auto kWarmUpEvery = milliseconds(10);

struct Options {
  Protocol protocol;
  std::uint16_t publisher_port;
  std::uint16_t reader_port;
  std::size_t readers;
  std::chrono::microseconds every;
  std::chrono::duration<double> warm_up;
  std::chrono::duration<double> length;
  bool reconnects;
  std::vector<std::string> pids;
};

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count());
}

std::string payload_of(std::uint64_t number) {
  std::array<char, kPayloadBytes + 1> text{};
  std::snprintf(text.data(), text.size(), "%016llx%016llx%0*d", static_cast<unsigned long long>(now_ns()),
                static_cast<unsigned long long>(number), static_cast<int>(kPayloadBytes - 2 * kDigits), 0);
  return text.data();
}

std::uint64_t hexadecimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) give_up("this is not an event");
  return value;
}

// All threads of a process, to the nanosecond.
std::uint64_t cpu_ns(const std::string& pid) {
  const std::string folder = "/proc/" + pid + "/task";
  DIR* tasks = ::opendir(folder.c_str());
  if (tasks == nullptr) give_up("a server has ended");
  std::uint64_t sum = 0;
  while (const dirent* task = ::readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    std::uint64_t used = 0;
    std::ifstream(folder + "/" + task->d_name + "/schedstat") >> used;
    sum += used;
  }
  ::closedir(tasks);
  return sum;
}

double own_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

struct Reader {
  Place place;
  std::unique_ptr<Connection> connection;
  std::uint64_t next = 0;  // after the highest number that has come; zero: nothing has come
  std::vector<bool> has;   // of what is measured: the first one is at 0
};

class Load {
 public:
  explicit Load(Options options);
  void warm_up();
  void measure();
  void print();

 private:
  void connect_readers();
  void wait_until_served();
  void count_from_here();
  void cut_readers();
  void publish(std::uint64_t count);
  void publish_what_is_due(Clock::time_point begun);
  void fill_window();
  void take_turn(int wait_ms);
  void take_event(Reader& reader, std::string_view payload);
  bool count(Reader& reader, std::size_t place);
  std::uint64_t due() const;  // deliveries
  bool all_have(std::uint64_t number) const;
  void cut_and_return(Clock::time_point begun);
  bool is_waiting_for_return() const;
  void note_return();
  void wait_for_the_rest();

  const Options options_;
  const int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  Place publisher_place_;
  std::unique_ptr<Connection> publisher_;
  std::vector<Reader> readers_;
  std::vector<std::uint64_t> latencies_;
  std::uint64_t published_ = 0;       // the number of the last one
  std::uint64_t first_ = UINT64_MAX;  // from this one on it is measured
  std::uint64_t progress_ = 0;        // over all readers: the events up to their place
  std::uint64_t delivered_ = 0;
  std::uint64_t doubled_ = 0;
  std::uint64_t overtaken_ = 0;
  // Of the reconnect.
  bool is_cut_ = false;
  Clock::time_point returned_ = {};
  std::uint64_t published_at_return_ = 0;
  double back_ms_ = 0;  // until every reader has what was published before the return
  // Of the whole measurement.
  double seconds_ = 0;
  double own_share_ = 0;
  std::vector<std::uint64_t> cpu_ns_;
  Clock::time_point last_event_ = {};
};

Load::Load(Options options)
    : options_(std::move(options)),
      publisher_(
          std::make_unique<Connection>(options_.protocol, options_.publisher_port, true, publisher_place_)),
      readers_(options_.readers) {
  epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, publisher_->fd(), &event);
  connect_readers();
}

void Load::connect_readers() {
  for (Reader& reader : readers_) {
    reader.connection =
        std::make_unique<Connection>(options_.protocol, options_.reader_port, false, reader.place);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &reader}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, reader.connection->fd(), &event) != 0) give_up("epoll_ctl");
  }
}

void Load::cut_readers() {
  for (Reader& reader : readers_) reader.connection.reset();
}

void Load::publish(std::uint64_t count) {
  std::string bytes;
  for (std::uint64_t i = 0; i < count; ++i)
    bytes += Connection::frame(publish_message(options_.protocol, payload_of(++published_)), '\x81');
  if (count > 0) publisher_->send_bytes(bytes);
}

void Load::take_turn(int wait_ms) {
  std::array<epoll_event, 256> events;  // NOLINT(*-member-init): epoll_wait() fills it
  const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms);
  for (int i = 0; i < count; ++i) {
    auto* const reader = static_cast<Reader*>(events[static_cast<std::size_t>(i)].data.ptr);
    if (reader == nullptr) {
      publisher_->read([](std::string_view) {});
    } else {
      reader->connection->read([&](std::string_view payload) { take_event(*reader, payload); });
    }
  }
}

void Load::take_event(Reader& reader, std::string_view payload) {
  if (payload.size() != kPayloadBytes) give_up("this is not an event");
  const std::uint64_t number = hexadecimal(payload.substr(kDigits, kDigits));
  last_event_ = Clock::now();
  // Before the measurement nobody promises anything: an instance may not have reached its broker.
  if (number >= first_) {
    if (!count(reader, number - first_)) return;
    latencies_.push_back(now_ns() - hexadecimal(payload.substr(0, kDigits)));
  }
  if (number < reader.next) return;
  progress_ += number + 1 - reader.next;
  reader.next = number + 1;
}

// False: the reader has it already.
bool Load::count(Reader& reader, std::size_t place) {
  if (reader.has.size() <= place) reader.has.resize(std::max(place + 1, 2 * reader.has.size()));
  if (reader.has[place]) {
    ++doubled_;
    return false;
  }
  reader.has[place] = true;
  ++delivered_;
  if (first_ + place < reader.next) ++overtaken_;
  return true;
}

std::uint64_t Load::due() const {
  return (published_ + 1 - first_) * readers_.size();
}

bool Load::all_have(std::uint64_t number) const {
  return std::ranges::all_of(readers_, [&](const Reader& reader) { return reader.next > number; });
}

// Until an event has reached every reader, and every reader has the last one.
void Load::wait_until_served() {
  const auto end = Clock::now() + kPatience;
  Clock::time_point due = Clock::now();
  while (published_ == 0 || !all_have(0)) {
    if (Clock::now() > end) give_up("the events do not come");
    const bool is_open = publisher_->is_open() && std::ranges::all_of(readers_, [](const Reader& each) {
                           return each.connection->is_open();
                         });
    if (is_open && Clock::now() >= due) {
      publish(1);
      due = Clock::now() + kWarmUpEvery;
    }
    take_turn(1);
  }
  while (!all_have(published_)) {
    if (Clock::now() > end) give_up("the events do not come");
    take_turn(1);
  }
}

void Load::count_from_here() {
  first_ = published_ + 1;
  delivered_ = doubled_ = overtaken_ = 0;
  latencies_.clear();
  for (Reader& reader : readers_) reader.has.clear();
}

void Load::warm_up() {
  wait_until_served();
  count_from_here();
  for (const auto begun = Clock::now(); Clock::now() - begun < options_.warm_up;) {
    fill_window();
    take_turn(1);
  }
  wait_for_the_rest();
}

void Load::publish_what_is_due(Clock::time_point begun) {
  // A reader that is away does not delay the others.
  if (options_.every.count() > 0) {
    const auto due = static_cast<std::uint64_t>((Clock::now() - begun) / options_.every);
    publish(due - std::min(due, published_ + 1 - first_));
  } else {
    fill_window();
  }
}

void Load::fill_window() {
  const std::uint64_t passed = progress_ / readers_.size();
  const std::uint64_t in_flight = published_ + 1 - std::min(passed, published_ + 1);
  publish(kInFlightMax - std::min(in_flight, kInFlightMax));
}

void Load::cut_and_return(Clock::time_point begun) {
  const auto now = Clock::now();
  if (!is_cut_ && now - begun > options_.length / 2) {
    is_cut_ = true;
    returned_ = now + kAway;
    cut_readers();
  } else if (is_cut_ && !readers_.front().connection && now >= returned_) {
    published_at_return_ = published_;
    returned_ = now;
    connect_readers();
  }
  note_return();
}

// Events go on until every reader is back, also on a slow machine. So a reader that does not get what it missed gets a later event, which shows the gap.
bool Load::is_waiting_for_return() const {
  if (!options_.reconnects || back_ms_ != 0) return false;
  if (is_cut_ && Clock::now() - returned_ > kPatience) give_up("the readers do not come back");
  return true;
}

void Load::note_return() {
  if (published_at_return_ != 0 && back_ms_ == 0 && all_have(published_at_return_))
    back_ms_ = std::chrono::duration<double, std::milli>(Clock::now() - returned_).count();
}

void Load::wait_for_the_rest() {
  last_event_ = Clock::now();
  while (delivered_ < due() && Clock::now() - last_event_ < kQuiet) {
    take_turn(1);
    note_return();
  }
  note_return();
}

void Load::measure() {
  count_from_here();
  std::vector<std::uint64_t> before;
  for (const std::string& pid : options_.pids) before.push_back(cpu_ns(pid));
  const double own_before = own_seconds();
  const auto begun = Clock::now();
  while (Clock::now() - begun < options_.length || is_waiting_for_return()) {
    publish_what_is_due(begun);
    take_turn(1);
    if (options_.reconnects) cut_and_return(begun);
  }
  wait_for_the_rest();
  seconds_ = std::chrono::duration<double>(last_event_ - begun).count();
  own_share_ = (own_seconds() - own_before) / seconds_;
  for (std::size_t i = 0; i < before.size(); ++i) cpu_ns_.push_back(cpu_ns(options_.pids[i]) - before[i]);
}

double percentile_us(std::vector<std::uint64_t>& all, double part) {
  if (all.empty()) give_up("nothing was delivered");
  const auto place = static_cast<std::ptrdiff_t>(part * static_cast<double>(all.size() - 1));
  std::ranges::nth_element(all, all.begin() + place);
  return static_cast<double>(all[static_cast<std::size_t>(place)]) * 1e-3;
}

void Load::print() {
  std::string cpu;
  for (const std::uint64_t used : cpu_ns_) {
    if (!cpu.empty()) cpu += ',';
    cpu += std::to_string(used);
  }
  std::printf(
      R"({"publishes_per_s":%.0f,"deliveries_per_s":%.0f,"delivered":%llu,"lost":%llu,"doubled":%llu,"overtaken":%llu,"p50_us":%.1f,)"
      R"("p99_us":%.1f,"back_ms":%.1f,"own_share":%.3f,"cpu_ns":[%s]})"
      "\n",
      static_cast<double>(published_ + 1 - first_) / seconds_, static_cast<double>(delivered_) / seconds_,
      static_cast<unsigned long long>(delivered_), static_cast<unsigned long long>(due() - delivered_),
      static_cast<unsigned long long>(doubled_), static_cast<unsigned long long>(overtaken_),
      percentile_us(latencies_, 0.5), percentile_us(latencies_, 0.99), back_ms_, own_share_, cpu.c_str());
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Options options_of(const std::vector<std::string>& words) {
  const auto protocol = words.size() < 8 ? std::nullopt : protocol_of(words[0]);
  if (!protocol)
    give_up(
        "usage: peers_load fanfare|socketio|nchan PUBLISHER_PORT READER_PORT READERS EVERY_US "
        "WARM_UP_SECONDS SECONDS steady|reconnect PID...");
  return {.protocol = *protocol,
          .publisher_port = static_cast<std::uint16_t>(std::stoul(words[1])),
          .reader_port = static_cast<std::uint16_t>(std::stoul(words[2])),
          .readers = std::stoul(words[3]),
          .every = std::chrono::microseconds(std::stol(words[4])),
          .warm_up = std::chrono::duration<double>(std::stod(words[5])),
          .length = std::chrono::duration<double>(std::stod(words[6])),
          .reconnects = words[7] == "reconnect",
          .pids = {words.begin() + 8, words.end()}};
}

}  // namespace
}  // namespace peers

int main(int argc, char** argv) {
  peers::raise_descriptor_limit();
  peers::Load load(peers::options_of({argv + 1, argv + argc}));
  load.warm_up();
  load.measure();
  load.print();
}

#include "canvas/command.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>

#include "canvas/animation.h"
#include "canvas/source.h"
#include "canvasstore/file_checks.h"
#include "gateway/duration.h"

namespace fanfare::app {

using canvas::Area;

namespace {

constexpr std::uint64_t kFramesMax = 100'000;
constexpr std::uint32_t kRateDefault = 25;
constexpr std::string_view kStandardOutput = "-";
constexpr int kStatusFailed = 1;
constexpr int kStatusUsage = 2;

struct Plan {
  Area area;
  std::vector<std::int64_t> moments;
  std::uint32_t delay_ms = 40;
};
struct Failure {
  int status = kStatusFailed;
  std::string text;
};
std::unexpected<Failure> wrong(std::string text) {
  return std::unexpected(Failure{.status = kStatusUsage, .text = std::move(text)});
}

// "X,Y,WIDTH,HEIGHT"
std::optional<Area> parse_area(std::string_view text) {
  std::array<std::uint32_t, 4> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), numbers[i]);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const bool is_last = i + 1 == numbers.size();
    if (is_last != text.empty() || (!is_last && text.front() != ',')) return std::nullopt;
    if (!is_last) text.remove_prefix(1);
  }
  return Area{.x = numbers[0], .y = numbers[1], .width = numbers[2], .height = numbers[3]};
}

std::expected<std::int64_t, Failure> moment_or(const std::optional<std::string>& text, std::string_view flag,
                                               std::int64_t otherwise) {
  if (!text) return otherwise;
  const auto moment = parse_moment(*text);
  if (!moment) return wrong(std::string(flag) + " " + moment.error());
  return *moment;
}

// Flags that would have no effect together with others are refused.
std::optional<std::string> flags_problem(const CanvasExportArguments& arguments) {
  if (!arguments.token.empty() && !is_url(arguments.source)) {
    return "--token is for a server, and " + arguments.source + " is a file";
  }
  const bool is_many = arguments.every || arguments.frames;
  const bool has_span = arguments.from_time || arguments.to_time;
  const std::string span = arguments.from_time ? "--from" : "--to";
  if (arguments.every && arguments.frames) {
    return "--every and --frames both say how many pictures: give either";
  }
  if (arguments.at && is_many) return "--at is one moment, --every and --frames are many: give either";
  if (arguments.at && has_span) {
    return "--at is one moment, and " + span + " limits many: give either";
  }
  if (has_span && !is_many) {
    return span + " needs --every or --frames; --at is for one moment";
  }
  if (!arguments.rate) return std::nullopt;
  if (!is_many) return "--rate is for an animated PNG: give --every or --frames, too";
  if (!numbered(arguments.output, 0).empty()) {
    return "--rate is for an animated PNG, and --output \"" + arguments.output + "\" names single pictures";
  }
  return std::nullopt;
}

// Of a time that ends before it begins. What was not given is the first or the last pixel.
std::string span_problem(const CanvasExportArguments& arguments, const PictureSource& source) {
  if (arguments.from_time && arguments.to_time) return "--from is after --to";
  const bool has_begin = arguments.from_time.has_value();
  if (source.last_ms() == 0) return "--from needs --to, too: nobody has drawn yet";
  if (has_begin) return "--from is after the last pixel, which is of " + std::to_string(source.last_ms());
  if (source.is_complete()) {
    return "--to is before the first pixel, which is of " + std::to_string(source.first_ms());
  }
  return "--to is before the log begins: the first moment is " + std::to_string(source.first_ms());
}

std::expected<Plan, Failure> plan_of(const CanvasExportArguments& arguments, const PictureSource& source) {
  Plan plan{.area = Area::whole(source.spec())};
  if (arguments.area) {
    const auto area = parse_area(*arguments.area);
    if (!area) return wrong("--area is not X,Y,WIDTH,HEIGHT (\"" + *arguments.area + "\")");
    plan.area = *area;
  }
  if (const auto problem = canvasserver::picture_problem(source.spec(), plan.area))
    return wrong("--area: " + *problem);
  const auto at = moment_or(arguments.at, "--at", source.last_ms());
  const auto first = moment_or(arguments.from_time, "--from", source.first_ms());
  const auto last = moment_or(arguments.to_time, "--to", source.last_ms());
  for (const auto& moment : {at, first, last}) {
    if (!moment) return std::unexpected(moment.error());
  }
  const bool is_one = !arguments.every && !arguments.frames;
  if (const std::int64_t earliest = is_one ? *at : *first;
      !source.is_complete() && earliest < source.first_ms()) {
    return wrong(std::string(is_one ? "--at" : "--from") + " is before the log begins: the first moment is " +
                 std::to_string(source.first_ms()));
  }
  if (is_one) {
    plan.moments = {*at};
    return plan;
  }
  if (*first > *last) return wrong(span_problem(arguments, source));
  std::int64_t every_ms = 0;
  if (arguments.every) {
    const auto every = gateway::parse_duration(*arguments.every);
    if (!every || *every < std::chrono::milliseconds(1))
      return wrong("--every is not a duration such as 10s");
    every_ms = std::chrono::duration_cast<std::chrono::milliseconds>(*every).count();
    if (static_cast<std::uint64_t>((*last - *first) / every_ms) >= kFramesMax) {
      return wrong("--every makes more than " + std::to_string(kFramesMax) + " frames");
    }
  }
  plan.moments = moments_of(*first, *last, every_ms, arguments.frames.value_or(0));
  plan.delay_ms = 1000 / arguments.rate.value_or(kRateDefault);
  return plan;
}

bool write_file(const std::string& path, std::string_view bytes, std::ostream& out) {
  if (path == kStandardOutput) {
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush();
    return !out.fail();
  }
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  return !file.fail();
}

// SQLite's files of a room, and the mark beside them.
bool is_of_room(const std::string& source, const std::string& output) {
  std::error_code ignored;
  if (std::filesystem::equivalent(source, output, ignored)) return true;
  return std::ranges::any_of(canvasstore::kCompanionEndings, [&](std::string_view end) {
    return std::filesystem::equivalent(source + std::string(end), output, ignored);
  });
}

Failure cannot_write(const std::string& path) {
  return {.text = "cannot write " + (path == kStandardOutput ? "to standard output" : path)};
}

// One line that is written again and again, at most ten times a second.
class Progress {
 public:
  Progress(std::ostream& out, std::size_t count) : out_(out), count_(count) {}
  void show(std::size_t done) {
    const auto now = std::chrono::steady_clock::now();
    if (count_ < 2 || (done < count_ && now - shown_ < std::chrono::milliseconds(100))) return;
    shown_ = now;
    out_ << "\rframe " << done << " of " << count_ << (done == count_ ? "\n" : "") << std::flush;
  }

 private:
  std::ostream& out_;
  const std::size_t count_;
  std::chrono::steady_clock::time_point shown_;
};

std::expected<void, Failure> write_all(PictureSource& source, const Plan& plan, const std::string& output,
                                       std::ostream& out, std::ostream& progress_out) {
  const bool is_numbered = !numbered(output, 0).empty();
  const bool is_one = plan.moments.size() == 1 && !is_numbered;
  Animation animation(source.spec(), plan.area);
  Progress progress(progress_out, plan.moments.size());
  for (std::size_t i = 0; i < plan.moments.size(); ++i) {
    const auto picture = source.at(plan.area, plan.moments[i]);
    if (!picture) return std::unexpected(Failure{.text = picture.error()});
    if (is_one || is_numbered) {
      const std::string path = is_one ? output : numbered(output, i);
      if (!write_file(path, canvasserver::png_of(source.spec(), *picture, 6), out))
        return std::unexpected(cannot_write(path));
    } else {
      animation.add(*picture, plan.delay_ms);
    }
    progress.show(i + 1);
  }
  if (!is_one && !is_numbered && !write_file(output, animation.finish(), out))
    return std::unexpected(cannot_write(output));
  // Beside a picture on standard output, the summary is one of the complaints.
  std::ostream& summary = output == kStandardOutput ? progress_out : out;
  summary << output << ": " << plan.area.width << " x " << plan.area.height << " pixels, "
          << plan.moments.size() << (plan.moments.size() == 1 ? " picture\n" : " pictures\n");
  return {};
}

}  // namespace

std::expected<std::int64_t, std::string> parse_moment(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= 0) return number;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
  const std::string copy(text);
  const auto is_whole = [&] { return static_cast<std::size_t>(used) == copy.size(); };
  // NOLINTNEXTLINE(cert-err34-c): the whole text must match, and the ranges are checked
  const bool has_time = std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &year, &month, &day, &hour,
                                    &minute, &second, &used) == 6 &&
                        is_whole();
  if (!has_time) {
    hour = minute = second = used = 0;
    // NOLINTNEXTLINE(cert-err34-c): as above
    if (std::sscanf(copy.c_str(), "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3 || !is_whole()) year = 0;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (year < 1970 || !date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 59) {
    return std::unexpected("is not a time (\"" + copy +
                           "\"), expected 2026-11-27T08:00:00Z or milliseconds since 1970");
  }
  const auto time = std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
                    std::chrono::seconds(second);
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::vector<std::int64_t> moments_of(std::int64_t first, std::int64_t last, std::int64_t every_ms,
                                     std::uint64_t frames) {
  std::vector<std::int64_t> moments;
  if (every_ms > 0) {
    for (std::int64_t at = first; at < last; at += every_ms) moments.push_back(at);
  } else {
    const auto steps = static_cast<std::int64_t>(frames) - 1;
    for (std::int64_t i = 0; i < steps; ++i)
      moments.push_back(first + (last - first) / steps * i + (last - first) % steps * i / steps);
  }
  moments.push_back(last);
  return moments;
}

std::string numbered(std::string_view pattern, std::uint64_t number) {
  const std::size_t start = pattern.find('%');
  if (start == std::string_view::npos) return "";
  std::size_t end = start + 1;
  while (end < pattern.size() && pattern[end] >= '0' && pattern[end] <= '9') ++end;
  if (end == pattern.size() || pattern[end] != 'd') return "";
  std::size_t width = 0;
  std::from_chars(pattern.data() + start + 1, pattern.data() + end, width);
  std::string digits = std::to_string(number);
  if (digits.size() < std::min<std::size_t>(width, 20))
    digits.insert(0, std::min<std::size_t>(width, 20) - digits.size(), '0');
  return std::string(pattern.substr(0, start)) + digits + std::string(pattern.substr(end + 1));
}

int run_canvas_export(const CanvasExportArguments& arguments, std::ostream& out, std::ostream& complaints) {
  const auto fail = [&](const Failure& failure) {
    complaints << "fanfare canvas export: " << failure.text << "\n";
    return failure.status;
  };
  if (auto problem = flags_problem(arguments)) {
    return fail({.status = kStatusUsage, .text = *std::move(problem)});
  }
  if (is_of_room(arguments.source, arguments.output)) {
    return fail(
        {.status = kStatusUsage,
         .text = "--output " + arguments.output + " is a file of the room itself: give another name"});
  }
  // Over the line of the progress, which is written again after it.
  const auto source = open_source(arguments.source, arguments.token,
                                  [&](const std::string& text) { complaints << "\r" << text << "\n"; });
  if (!source) return fail({.text = source.error()});
  const auto plan = plan_of(arguments, **source);
  if (!plan) return fail(plan.error());
  const auto written = write_all(**source, *plan, arguments.output, out, complaints);
  return written ? 0 : fail(written.error());
}

}  // namespace fanfare::app

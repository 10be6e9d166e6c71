#include "canvas/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <set>
#include <sstream>

#include "base/random.h"
#include "canvas/animation.h"
#include "canvas/source.h"
#include "canvasstore/disk_room.h"

namespace fanfare::app {
namespace {

using canvasserver::Picture;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t kStart = 1'700'000'000'000;

TEST(CanvasExport, MomentsAreMillisecondsOrDates) {
  EXPECT_EQ(parse_moment("1700000000000"), kStart);
  EXPECT_EQ(parse_moment("2023-11-14T22:13:20Z"), kStart);
  EXPECT_EQ(parse_moment("1970-01-02"), 86'400'000);
  for (const char* const text :
       {"", "yesterday", "-5", "2023-02-30", "2023-11-14T25:00:00Z", "2023-11-14T22:13:20", "1e3"}) {
    EXPECT_THAT(parse_moment(text).error(), HasSubstr("is not a time")) << text;
  }
}

TEST(CanvasExport, TheFirstAndTheLastMomentAreIncluded) {
  EXPECT_THAT(moments_of(100, 200, 40, 0), ElementsAre(100, 140, 180, 200));
  EXPECT_THAT(moments_of(100, 200, 50, 0), ElementsAre(100, 150, 200));
  EXPECT_THAT(moments_of(100, 200, 0, 3), ElementsAre(100, 150, 200));
  EXPECT_THAT(moments_of(100, 200, 0, 1), ElementsAre(200));
  EXPECT_THAT(moments_of(100, 100, 0, 2), ElementsAre(100, 100));
}

TEST(CanvasExport, FilesAreNumbered) {
  EXPECT_EQ(numbered("a-%05d.png", 42), "a-00042.png");
  EXPECT_EQ(numbered("%d", 42), "42");
  EXPECT_EQ(numbered("a.png", 42), "");
  EXPECT_EQ(numbered("100%.png", 42), "");
}

TEST(Animation, HasOnlyWhatChanged) {
  const canvas::RoomSpec spec{.width = 4, .height = 4, .background = 0};
  const canvas::Area all = canvas::Area::whole(spec);
  Animation animation(spec, all);
  Picture picture = canvasserver::blank_picture(spec, all);
  animation.add(picture, 40);
  animation.add(picture, 40);  // the first one lasts longer
  canvasserver::draw(picture, spec, 1, 2, 0xff0000);
  canvasserver::draw(picture, spec, 3, 3, 0x0000ff);
  animation.add(picture, 40);
  EXPECT_EQ(animation.frames(), 2U);
  const std::string png = animation.finish();
  EXPECT_THAT(png, HasSubstr(std::string("acTL\0\0\0\x02\0\0\0\0", 12)));
  EXPECT_THAT(
      png, HasSubstr(std::string("fcTL\0\0\0\0\0\0\0\x04\0\0\0\x04\0\0\0\0\0\0\0\0\0\x50\x03\xe8\0\0", 30)));
  EXPECT_THAT(png, HasSubstr(std::string(
                       "fcTL\0\0\0\x01\0\0\0\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02\0\x28\x03\xe8\0\0", 30)));
  EXPECT_THAT(png, HasSubstr(std::string("fdAT\0\0\0\x02", 8)));
}

class ExportTest : public testing::Test {
 protected:
  ExportTest() {
    folder_ = std::filesystem::temp_directory_path() /
              ("fanfare-export-" + std::to_string(SystemRandom().next_u64()));
    std::filesystem::create_directory(folder_);
    auto room =
        canvasstore::DiskRoom::open({.path = file(), .spec = {.width = 20, .height = 10}, .new_epoch = 1});
    for (std::uint64_t i = 1; i <= 3; ++i) {
      (*room)->append(
          {.tick = i,
           .time_ms = kStart + static_cast<std::int64_t>(i) * 1000,
           .chunks = {{.version = i,
                       .pixels = {{.index = 5, .user = 1, .colour = static_cast<canvas::Colour>(i)}}}}});
    }
  }
  ~ExportTest() override {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }
  std::string file() const { return folder_ / "main.canvas"; }
  std::string path(const char* name) const { return folder_ / name; }
  int run(CanvasExportArguments arguments) {
    if (arguments.source.empty()) arguments.source = file();
    out_.str("");
    complaints_.str("");
    return run_canvas_export(arguments, out_, complaints_);
  }
  canvas::Colour colour_in(const std::string& name) {
    std::ifstream stream(name, std::ios::binary);
    std::stringstream bytes;
    bytes << stream.rdbuf();
    const canvas::RoomSpec spec{.width = 20, .height = 10};
    const auto pixels = pixels_of_png(bytes.str(), spec, canvas::Area::whole(spec));
    if (!pixels) return ~0U;
    return (*pixels)[15] << 16U | (*pixels)[16] << 8U | (*pixels)[17];
  }

  std::filesystem::path folder_;
  std::ostringstream out_;
  std::ostringstream complaints_;
};

TEST_F(ExportTest, APictureOfAMoment) {
  EXPECT_EQ(run({.output = path("now.png")}), 0) << complaints_.str();
  EXPECT_EQ(colour_in(path("now.png")), 3U);
  EXPECT_THAT(out_.str(), HasSubstr("now.png: 20 x 10 pixels, 1 picture\n"));
  EXPECT_EQ(run({.output = path("then.png"), .at = std::to_string(kStart + 1999)}), 0);
  EXPECT_EQ(colour_in(path("then.png")), 1U);
}

TEST_F(ExportTest, TheFilesOfTheRoomAreNotOverwritten) {
  const auto bytes = std::filesystem::file_size(file());
  for (const std::string& name : {file(), file() + "-mark", folder_.string() + "/./main.canvas"}) {
    EXPECT_EQ(run({.output = name}), 2);
    EXPECT_THAT(complaints_.str(), HasSubstr("is a file of the room itself: give another name"));
  }
  EXPECT_EQ(std::filesystem::file_size(file()), bytes);
  EXPECT_EQ(run({.output = path("now.png")}), 0) << complaints_.str();
}

TEST_F(ExportTest, ASequenceAndAnAnimation) {
  EXPECT_EQ(run({.output = path("f%02d.png"), .every = "1s"}), 0) << complaints_.str();
  EXPECT_EQ(colour_in(path("f00.png")), 1U);
  EXPECT_EQ(colour_in(path("f01.png")), 2U);
  EXPECT_EQ(colour_in(path("f02.png")), 3U);
  EXPECT_THAT(complaints_.str(), HasSubstr("frame 3 of 3\n"));
  EXPECT_EQ(run({.output = path("all.png"), .frames = 3}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("3 pictures"));
  EXPECT_EQ(colour_in(path("all.png")), 1U) << "programs that know no animations show its first frame";
}

// Every pair of flags with every kind of output either has its effect or is refused, and the message names the flags.
TEST_F(ExportTest, NoPairOfFlagsIsIgnored) {
  struct Flag {
    std::string name;
    void (*set)(CanvasExportArguments&);
  };
  const std::vector<Flag> flags{
      {"--at", [](CanvasExportArguments& to) { to.at = std::to_string(kStart + 1000); }},
      {"--every", [](CanvasExportArguments& to) { to.every = "1s"; }},
      {"--frames", [](CanvasExportArguments& to) { to.frames = 3; }},
      {"--from", [](CanvasExportArguments& to) { to.from_time = std::to_string(kStart + 1000); }},
      {"--to", [](CanvasExportArguments& to) { to.to_time = std::to_string(kStart + 3000); }},
      {"--rate", [](CanvasExportArguments& to) { to.rate = 5; }},
      {"--area", [](CanvasExportArguments& to) { to.area = "0,0,20,10"; }},
  };
  const std::set<std::string> refused{"--at --every",  "--at --frames",    "--at --from", "--at --to",
                                      "--at --rate",   "--every --frames", "--from --to", "--from --rate",
                                      "--from --area", "--to --rate",      "--to --area", "--rate --area"};
  int runs = 0;
  for (std::size_t first = 0; first < flags.size(); ++first) {
    for (std::size_t second = first + 1; second < flags.size(); ++second) {
      const std::string pair = flags[first].name + " " + flags[second].name;
      for (const std::string& output : {path("one.png"), path("many-%d.png"), std::string("-")}) {
        SCOPED_TRACE(pair + " -o " + output);
        CanvasExportArguments arguments{.output = output};
        flags[first].set(arguments);
        flags[second].set(arguments);
        const bool is_numbered = output.ends_with("%d.png");
        const bool is_refused = refused.contains(pair) || (is_numbered && flags[second].name == "--rate");
        ASSERT_EQ(run(arguments), is_refused ? 2 : 0) << complaints_.str();
        ++runs;
        const std::string first_file = is_numbered ? numbered(output, 0) : output;
        if (is_refused) {
          const bool is_named =
              complaints_.str().contains(flags[first].name) || complaints_.str().contains(flags[second].name);
          EXPECT_TRUE(is_named) << complaints_.str();
          EXPECT_EQ(out_.str(), "");
        } else if (output == "-") {
          EXPECT_TRUE(out_.str().starts_with("\x89PNG")) << "the picture";
          EXPECT_TRUE(out_.str().ends_with("IEND\xae\x42\x60\x82")) << "and nothing else";
          EXPECT_THAT(complaints_.str(), HasSubstr("20 x 10 pixels"));
        } else {
          EXPECT_TRUE(std::filesystem::remove(first_file));
        }
        EXPECT_FALSE(std::filesystem::exists(first_file));
      }
    }
  }
  EXPECT_EQ(runs, 21 * 3);
}

TEST_F(ExportTest, AStandardOutputThatIsClosedIsAnError) {
  std::ostringstream complaints;
  std::ostream broken(nullptr);
  EXPECT_EQ(run_canvas_export({.source = file(), .output = "-"}, broken, complaints), 1);
  EXPECT_THAT(complaints.str(), HasSubstr("cannot write to standard output"));
}

// Ticks with so many pixels that the log is cut.
TEST_F(ExportTest, ALogThatWasCutIsExportedFromItsFirstMomentOn) {
  const canvas::RoomSpec spec{.width = 256, .height = 256};
  const std::string cut = path("cut.canvas");
  std::int64_t first_ms = 0;
  {
    auto room = canvasstore::DiskRoom::open(
        {.path = cut, .spec = spec, .history_bytes_max = 400'000, .new_epoch = 1});
    ASSERT_TRUE(room.has_value()) << room.error();
    for (std::uint64_t tick = 1; tick <= 400 && first_ms == 0; ++tick) {
      canvasserver::LoggedTick next{
          .tick = tick, .time_ms = kStart + static_cast<std::int64_t>(tick), .chunks = {}};
      auto& chunk = next.chunks.emplace_back();
      chunk.version = tick;
      for (std::uint32_t k = 0; k < 1000; ++k) {
        chunk.pixels.push_back({.index = static_cast<std::uint16_t>(k * 65 + tick), .user = 1, .colour = 3});
      }
      (*room)->append(std::move(next));
      std::promise<std::int64_t> from;
      (*room)->read_past(
          [&](canvasserver::PastLog& log) {
            const auto span = log.span();
            from.set_value(span && !span->is_complete ? span->first_ms : 0);
          },
          canvasserver::RoomStorage::PastUse::moderation, nullptr);
      first_ms = from.get_future().get();
    }
    ASSERT_GT(first_ms, kStart);
  }
  // The last commit may have cut more.
  EXPECT_EQ(run({.source = cut, .output = path("a.png"), .frames = 3}), 0) << complaints_.str();
  EXPECT_EQ(run({.source = cut, .output = path("b.png"), .from_time = std::to_string(kStart), .frames = 3}),
            2);
  EXPECT_THAT(complaints_.str(), HasSubstr("--from is before the log begins: the first moment is 17000000"));
  EXPECT_EQ(run({.source = cut, .output = path("b.png"), .at = std::to_string(kStart)}), 2);
  EXPECT_THAT(complaints_.str(), HasSubstr("--at is before the log begins"));
  EXPECT_EQ(run({.source = cut, .output = path("b.png"), .to_time = std::to_string(kStart), .frames = 3}), 2);
  EXPECT_THAT(complaints_.str(), HasSubstr("--to is before the log begins: the first moment is 17000000"));
}

TEST(ExportRetry, ABusyServerIsAskedAgainForAWhile) {
  using std::chrono::seconds;
  EXPECT_EQ(retry_wait(429, seconds(7), seconds(0)), seconds(7));
  EXPECT_EQ(retry_wait(503, seconds(0), seconds(0)), seconds(1)) << "at least a second";
  EXPECT_EQ(retry_wait(429, seconds(20), seconds(100)), seconds(20)) << "kRetryWaitMax in all";
  EXPECT_EQ(retry_wait(429, seconds(20), seconds(101)), std::nullopt);
  EXPECT_EQ(retry_wait(429, seconds(121), seconds(0)), std::nullopt);
  EXPECT_EQ(retry_wait(429, std::nullopt, seconds(0)), std::nullopt) << "it does not say when";
  EXPECT_EQ(retry_wait(404, seconds(1), seconds(0)), std::nullopt);
}

TEST_F(ExportTest, WrongArgumentsSayWhatIsWrong) {
  EXPECT_EQ(run({.output = "x", .token = "unused"}), 2);
  EXPECT_THAT(complaints_.str(), HasSubstr("--token is for a server, and " + file() + " is a file"));
  EXPECT_EQ(run({.source = path("none"), .output = "x"}), 1);
  EXPECT_THAT(complaints_.str(), HasSubstr("unable to open database file"));
  EXPECT_EQ(run({.output = "x", .area = "1,2,3"}), 2);
  EXPECT_THAT(complaints_.str(), HasSubstr("--area is not X,Y,WIDTH,HEIGHT (\"1,2,3\")"));
  EXPECT_EQ(run({.output = "x", .area = "0,0,21,1"}), 2);
  EXPECT_THAT(complaints_.str(), HasSubstr("the canvas has 20 x 10 pixels"));
  EXPECT_EQ(run({.output = "x", .at = "soon"}), 2);
  EXPECT_EQ(run({.output = "x", .at = "5", .frames = 2}), 2);
  EXPECT_EQ(run({.output = "x", .from_time = "2030-01-01", .to_time = "2029-01-01", .frames = 2}), 2);
  EXPECT_THAT(complaints_.str(), HasSubstr("--from is after --to"));
  EXPECT_EQ(run({.output = "x", .from_time = "2030-01-01", .frames = 2}), 2);
  EXPECT_THAT(complaints_.str(), HasSubstr("--from is after the last pixel, which is of 17000000"));
  EXPECT_EQ(run({.output = "x", .to_time = "1970-01-02", .frames = 2}), 2);
  EXPECT_THAT(complaints_.str(), HasSubstr("--to is before the first pixel, which is of 17000000"));
  EXPECT_EQ(run({.output = "x", .every = "5"}), 2);
  EXPECT_EQ(run({.output = path("no/such/folder.png")}), 1);
  EXPECT_THAT(complaints_.str(), HasSubstr("cannot write"));
}

}  // namespace
}  // namespace fanfare::app

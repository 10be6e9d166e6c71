// Files of rooms that are not what was written: other names, other configurations, damage. They are refused, and nothing
// of them is changed.
#include <gmock/gmock.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "canvasstore/file_checks.h"
#include "canvasstore/storage_for_tests.h"

namespace fanfare::canvasstore {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class RoomDamageTest : public testing::Test {
 protected:
  StorageOptions options() { return {.path = folder_.file(), .full_sync = true, .new_epoch = 7}; }

  Folder folder_;
};

// SQLite's own names for a file go by its path.
TEST_F(RoomDamageTest, OneProgramAtATimeWhateverTheFileIsCalled) {
  const std::string by_symbolic_link = folder_.file() + ".symbolic";
  const std::string by_hard_link = folder_.file() + ".hard";
  StorageOptions other = options();
  {
    TestStorage first(options());
    std::filesystem::create_symlink(folder_.file(), by_symbolic_link);
    other.path = by_symbolic_link;
    EXPECT_THAT(TestStorage(other).error, HasSubstr("another program uses it"));
    std::filesystem::create_hard_link(folder_.file(), by_hard_link);
    other.path = by_hard_link;
    EXPECT_THAT(TestStorage(other).error, HasSubstr("a hard link"));
    first.storage->append(tick_of(1, kStart, 5, 1));
  }
  EXPECT_THAT(TestStorage(options()).error, HasSubstr("a hard link"));
  std::filesystem::remove(by_hard_link);
  other.path = by_symbolic_link;
  EXPECT_EQ(TestStorage(other).loaded.last_tick, 1U) << "the same file with the same mark";
}

// A link to a file that does not exist yet is a second name of it.
TEST_F(RoomDamageTest, TheLinkToAFileThatItMakesIsTheFile) {
  StorageOptions other = options();
  other.path = folder_.file() + ".link";
  std::filesystem::create_symlink(folder_.file(), other.path);
  {
    TestStorage first(other);
    first.storage->append(tick_of(1, kStart, 5, 1));
    EXPECT_FALSE(std::filesystem::exists(other.path + "-mark"));
    EXPECT_THAT(TestStorage(options()).error, HasSubstr("another program uses it"));
  }
  EXPECT_EQ(TestStorage(options()).loaded.last_tick, 1U);
}

// As with a file that is mounted under two names: the lock beside each name does not find it.
TEST_F(RoomDamageTest, TwoRoomsOfAProgramHaveNotOneFile) {
  std::ofstream(folder_.file());
  const auto first = FileClaim::make(folder_.file());
  ASSERT_TRUE(first);
  EXPECT_THAT(FileClaim::make(folder_.file()).error().message, HasSubstr("the file of another room"));
  EXPECT_THAT(TestStorage(options()).error, HasSubstr("the file of another room"));
}

TEST_F(RoomDamageTest, ANameThatIsTooLongIsRefusedBeforeAnythingIsMade) {
  const auto folder = std::filesystem::path(folder_.file()).parent_path();
  StorageOptions named = options();
  named.path = folder / std::string(kFileNameBytesMax + 1, 'x');
  EXPECT_THAT(TestStorage(named).error, HasSubstr("expected at most 247"));
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  named.path = folder / std::string(kFileNameBytesMax, 'x');
  EXPECT_EQ(TestStorage(named).error, "");
  auto deep = folder;
  while (deep.string().size() < 400) deep /= std::string(100, 'd');
  std::filesystem::create_directories(deep);
  named.path = deep / std::string(kFilePathBytesMax - deep.string().size() - 1, 'x');
  ASSERT_EQ(named.path.size(), kFilePathBytesMax);
  EXPECT_EQ(TestStorage(named).error, "");
  named.path += "x";
  EXPECT_THAT(TestStorage(named).error, HasSubstr("505 bytes, expected at most 504"));
}

TEST_F(RoomDamageTest, APaletteCannotBeAddedAndTheFileStaysAsItWas) {
  {
    TestStorage room(options());
    room.storage->append(tick_of(1, kStart, 5, 0xff0000));
  }
  StorageOptions wrong = options();
  wrong.spec.palette = {0xffffff, 0x000000};
  EXPECT_THAT(TestStorage(wrong).error, HasSubstr("has another canvas"));
  const TestStorage room(options());
  ASSERT_THAT(room.loaded.chunks, SizeIs(1));
  EXPECT_EQ(room.loaded.chunks.front().pixels.colours[5], 0xff0000U);
}

TEST_F(RoomDamageTest, AFileThatIsGoneOrEmptyIsNotANewRoom) {
  {
    TestStorage room(options());
    room.storage->append(tick_of(1, kStart, 5, 1));
  }
  std::filesystem::resize_file(folder_.file(), 0);
  EXPECT_THAT(TestStorage(options()).error, HasSubstr("is empty or gone"));
  std::filesystem::remove(folder_.file());
  EXPECT_THAT(TestStorage(options()).error, HasSubstr("delete that file to begin an empty room"));
  std::filesystem::remove(folder_.file() + "-mark");
  std::filesystem::remove(folder_.file());
  EXPECT_EQ(TestStorage(options()).error, "");
}

// Without its write-ahead log the file of a room that was not closed may lack all or its end.
TEST_F(RoomDamageTest, ALostWriteAheadLogIsNoticed) {
  StorageOptions lost = options();
  lost.path = folder_.file() + ".lost";
  const auto copy_without_log = [&] {
    for (const std::string end : {"", "-mark"}) {
      std::filesystem::copy_file(folder_.file() + end, lost.path + end,
                                 std::filesystem::copy_options::overwrite_existing);
    }
  };
  const auto show = [](TestStorage& room, std::uint64_t tick) {
    room.storage->append(
        tick_of(tick, kStart + static_cast<std::int64_t>(tick), 5, static_cast<canvas::Colour>(tick)));
    ASSERT_TRUE(room.wait_committed(tick));
    room.storage->mark_shown(tick);
  };
  {
    TestStorage room(options());
    show(room, 1);
    copy_without_log();
    EXPECT_THAT(TestStorage(lost).error, HasSubstr("is empty or gone"));
  }
  {
    TestStorage room(options());
    show(room, 2);
    copy_without_log();
  }
  lost.new_epoch = 8;
  const TestStorage room(lost);
  EXPECT_EQ(room.loaded.epoch, 8U) << "what was shown is not in the file";
  EXPECT_EQ(room.loaded.last_tick, 2U) << "the number is not used again";
}

void copy_room(const std::string& from, const std::string& to) {
  std::filesystem::copy_file(from, to);
  std::filesystem::copy_file(from + "-mark", to + "-mark");
}

// Runs a statement on a file that no program has open.
void change(const std::string& file, const char* statement) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, statement, nullptr, nullptr, nullptr), SQLITE_OK);
  const int changes = sqlite3_changes(database);
  sqlite3_close(database);
  ASSERT_GT(changes, 0) << statement;
}

TEST_F(RoomDamageTest, AMissingRowIsDamage) {
  {
    TestStorage room(options());
    for (std::uint64_t tick = 1; tick <= 3; ++tick) {
      room.storage->append(tick_of(tick, kStart + static_cast<std::int64_t>(tick), 5, 1));
    }
  }
  change(folder_.file(), "DELETE FROM changes WHERE tick = 2");
  EXPECT_THAT(TestStorage(options()).error, HasSubstr("a row of the log is missing"));
}

TEST_F(RoomDamageTest, AMissingLastRowIsDamage) {
  for (const char* const statement :
       {"DELETE FROM changes WHERE tick = 3", "DELETE FROM changes WHERE tick = 4",
        "DELETE FROM changes WHERE chunk = 1", "DELETE FROM chunks WHERE chunk = 1",
        "DELETE FROM changes WHERE tick IN (2, 3)"}) {
    const Folder folder;
    StorageOptions own = options();
    own.path = folder.file();
    {
      TestStorage room(own);
      for (std::uint64_t tick = 1; tick <= 3; ++tick) {
        room.storage->append(tick_of(tick, kStart + static_cast<std::int64_t>(tick), 5, 1));
      }
      room.storage->append(tick_of(4, kStart + 4, 5, 1, 1, kSecond, 1));
    }
    EXPECT_THAT(TestStorage(own).loaded.chunks, SizeIs(2)) << "it is sound";
    change(own.path, statement);
    EXPECT_THAT(TestStorage(own).error, HasSubstr("the newest row of a chunk is missing")) << statement;
  }
}

// Of every kind of row. Nothing of the room is loaded.
TEST_F(RoomDamageTest, ARowThatIsNotWhatWasWrittenIsDamage) {
  {
    TestStorage room(options());
    LoggedTick large = tick_of(1, kStart, 5, 1);
    for (std::uint16_t index = 6; index < 6 + kSnapshotPixels; ++index) {
      large.chunks[0].pixels.push_back({.index = index, .user = 1, .colour = 2});
    }
    room.storage->append(std::move(large));
    room.at(kStart);  // so that the snapshot is made meanwhile
    room.storage->append(tick_of(2, kStart + 1, 5, 3));
  }
  struct Case {
    const char* statement;
    const char* error;
  };
  for (const Case& damage :
       {Case{"UPDATE changes SET data = zeroblob(length(data)) WHERE tick = 2", "damaged: a row of the log"},
        Case{"UPDATE snapshots SET colours = zeroblob(length(colours))", "damaged: a snapshot"},
        Case{"UPDATE snapshots SET users = zeroblob(length(users))", "damaged: a snapshot"},
        Case{"UPDATE snapshots SET version = version - 1", "damaged: a snapshot"},
        Case{"UPDATE snapshots SET checksum = checksum + 1", "damaged: a snapshot"}}) {
    const Folder other;
    copy_room(folder_.file(), other.file());
    StorageOptions own = options();
    own.path = other.file();
    EXPECT_EQ(TestStorage(own).error, "") << "it is sound";
    change(own.path, damage.statement);
    const TestStorage room(own);
    EXPECT_THAT(room.error, HasSubstr(other.file() + ": the file of the room is ")) << damage.statement;
    EXPECT_THAT(room.error, HasSubstr(damage.error));
    EXPECT_THAT(room.error, HasSubstr("restore a copy of it"));
    EXPECT_EQ(room.storage, nullptr);
  }
}

// Before, a file had no such number. It gets one with the first tick that is written.
TEST_F(RoomDamageTest, AFileOfAnOlderProgramIsReadAndThenChecked) {
  {
    TestStorage room(options());
    room.storage->append(tick_of(1, kStart, 5, 1));
    room.storage->append(tick_of(2, kStart, 5, 2));
  }
  change(folder_.file(), "DELETE FROM state WHERE key = 'versions'");
  {
    TestStorage room(options());
    EXPECT_EQ(room.error, "");
    room.storage->append(tick_of(3, kStart, 5, 3));
  }
  EXPECT_EQ(TestStorage(options()).error, "");
  change(folder_.file(), "DELETE FROM changes WHERE tick = 3");
  EXPECT_THAT(TestStorage(options()).error, HasSubstr("the newest row of a chunk is missing"));
}

// Wherever random bytes hit the file: it is refused, or has the right pixels.
TEST_F(RoomDamageTest, DamageAnywhereIsNeverAnotherPicture) {
  const std::string original = folder_.file();
  std::vector<canvas::Colour> expected(canvas::kChunkPixels, 0xffffff);
  {
    TestStorage room(options());
    for (std::uint64_t tick = 1; tick <= 1500; ++tick) {
      const auto index = static_cast<std::uint16_t>(tick * 37);
      expected[index] = static_cast<canvas::Colour>(tick);
      room.storage->append(tick_of(tick, kStart + static_cast<std::int64_t>(tick), index, expected[index]));
    }
  }
  const auto size = std::filesystem::file_size(original);
  SeededRandom random(5);
  int refused = 0;
  for (int i = 0; i < 30; ++i) {
    const Folder other;
    copy_room(original, other.file());
    {
      std::fstream file(other.file(), std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(random.below(size - 64)));
      for (int k = 0; k < 64; ++k) file.put(static_cast<char>(random.below(256)));
    }
    StorageOptions damaged = options();
    damaged.path = other.file();
    const TestStorage room(damaged);
    if (!room.error.empty()) {
      ++refused;
      continue;
    }
    ASSERT_THAT(room.loaded.chunks, SizeIs(1)) << i;
    EXPECT_TRUE(room.loaded.chunks.front().pixels.colours == expected) << i;
  }
  EXPECT_GT(refused, 10);
}

}  // namespace
}  // namespace fanfare::canvasstore

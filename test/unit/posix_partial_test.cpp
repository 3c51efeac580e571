// Files on their way: written, read back, published, left behind by a killed writer, met by sweepers.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <atomic>
#include <random>
#include <thread>

#include "posix_test_support.hpp"

namespace snapback::test {
namespace {

using PosixPartial = PosixTest;
TEST_F(PosixPartial, WrittenPublishedRead) {
  const std::string data = pattern(100000);
  auto file = location->create_partial("a.json");
  EXPECT_EQ(file->size(), 0U);
  file->append(data.data(), 1);
  file->append(data.data() + 1, 0);
  file->append(data.data() + 1, data.size() - 1);
  EXPECT_EQ(file->size(), data.size());
  EXPECT_FALSE(location->exists("a.json"));
  file->sync(no_interrupts);
  EXPECT_EQ(file->open_uncached()->name(), "a.json");
  EXPECT_TRUE(file->publish("a.json"));
  EXPECT_EQ(names(), std::vector<std::string>{"a.json"});
  EXPECT_TRUE(location->exists("a.json"));

  auto reader = location->open("a.json");
  EXPECT_EQ(reader->size(), data.size());
  EXPECT_EQ(reader->name(), "a.json");
  EXPECT_EQ(read_whole(*reader), data);
  EXPECT_STREQ(raised([&] { file->append("x", 1); }).sqlstate(), "XX000");
  EXPECT_STREQ(raised([&] { file->sync(no_interrupts); }).sqlstate(), "XX000");
  EXPECT_STREQ(raised([&] { file->publish("b"); }).sqlstate(), "XX000");
  file.reset();
  EXPECT_TRUE(location->exists("a.json"));
  EXPECT_TRUE(location->remove("a.json"));
  EXPECT_FALSE(location->remove("a.json"));
  EXPECT_EQ(read_whole(*reader), data);  // an open file stays readable
}

TEST_F(PosixPartial, ModeDoesNotDependOnTheUmask) {
  const mode_t before = ::umask(0077);
  auto shared = open_posix_location(directory, 0640, setting_name);
  auto file = shared->create_partial("a");
  shared->write_small("b", "x");
  ::umask(before);
  struct stat status;
  for (const char* name : {"a.partial", "b"}) {
    ASSERT_EQ(::stat(in(name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0640U) << name;
  }
  location->write_small("b", "x");
  ASSERT_EQ(::stat(in("b").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(PosixPartial, UnpublishedIsRemoved) {
  written("a", "abc").reset();
  EXPECT_TRUE(names().empty());
}

TEST_F(PosixPartial, OnlyDurableContentsArePublished) {
  auto file = location->create_partial("a");
  EXPECT_STREQ(raised([&] { file->publish("a"); }).sqlstate(), "XX000");
  file->append("abc", 3);
  EXPECT_STREQ(raised([&] { file->open_uncached(); }).sqlstate(), "XX000");
  file->sync(no_interrupts);
  file->append("d", 1);
  EXPECT_STREQ(raised([&] { file->publish("a"); }).sqlstate(), "XX000");
  file->sync(no_interrupts);
  EXPECT_TRUE(file->publish("a"));
  EXPECT_EQ(contents_of(in("a")), "abcd");
}

TEST_F(PosixPartial, PublishClash) {
  put(in("taken"), "old");
  std::filesystem::create_symlink("/nowhere", in("link"));
  auto file = written("a", "abc");
  EXPECT_FALSE(file->publish("taken"));
  EXPECT_FALSE(file->publish("link"));
  EXPECT_EQ(contents_of(in("taken")), "old");
  EXPECT_TRUE(file->publish("free"));
  EXPECT_EQ(contents_of(in("free")), "abc");
}

TEST_F(PosixPartial, ReplacedWhileWritten) {
  auto file = written("a", "abc");
  ::unlink(in("a.partial").c_str());
  EXPECT_STREQ(raised([&] { file->publish("a"); }).sqlstate(), "58030");
  put(in("a.partial"), "swapped");
  EXPECT_STREQ(raised([&] { file->open_uncached(); }).sqlstate(), "58030");
  EXPECT_STREQ(raised([&] { file->publish("a"); }).sqlstate(), "58030");
  EXPECT_FALSE(there("a"));
  file.reset();
  EXPECT_EQ(contents_of(in("a.partial")), "swapped");  // not ours to remove
}

TEST_F(PosixPartial, CancelledInSync) {
  const std::string data = pattern(20 * mib);
  for (int at : {1, 2, 3}) {
    auto file = location->create_partial("a");
    file->append(data.data(), data.size());
    CancelAt interrupts(at);
    EXPECT_THROW(file->sync(interrupts), Cancelled);
    EXPECT_STREQ(raised([&] { file->publish("a"); }).sqlstate(), "XX000");
    CancelAt never(1000);
    file->sync(never);  // a cancel is no failure of the disk
    EXPECT_LE(never.checks, 4);
    EXPECT_EQ(read_whole(*file->open_uncached()), data);
  }
  EXPECT_TRUE(names().empty());
}

TEST_F(PosixPartial, ReadPastTheCache) {
  std::mt19937 random(3);
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4095}, std::size_t{4096}, std::size_t{4097}, mib - 1, mib, mib + 1, 3 * mib + 123}) {
    const std::string data = pattern(size);
    auto file = written("a", data);
    auto reader = file->open_uncached();
    ASSERT_EQ(reader->size(), size);
    EXPECT_EQ(read_whole(*reader), data);
    std::string part;
    for (int i = 0; i < 200 && size > 0; ++i) {
      const std::size_t from = random() % size, count = random() % std::min<std::size_t>(size - from, i % 10 == 0 ? size : 5000) + 1;
      part.assign(std::min(count, size - from), '\0');
      reader->read_at(from, part.data(), part.size());
      ASSERT_EQ(part, data.substr(from, part.size())) << from << " " << count;
    }
    char byte;
    EXPECT_STREQ(raised([&] { reader->read_at(size, &byte, 1); }).sqlstate(), "XX001");
  }
}

TEST_F(PosixPartial, ReadBackLeavesNothingInTheCache) {
  auto file = written("a", pattern(16 * mib));
  read_whole(*file->open_uncached());
  const int fd = ::open(in("a.partial").c_str(), O_RDONLY | O_CLOEXEC);
  void* map = ::mmap(nullptr, 16 * mib, PROT_READ, MAP_SHARED, fd, 0);
  std::vector<unsigned char> resident(16 * mib / 4096);
  ASSERT_EQ(::mincore(map, 16 * mib, resident.data()), 0);
  ::munmap(map, 16 * mib);
  ::close(fd);
  const auto left = std::count_if(resident.begin(), resident.end(), [](unsigned char page) { return (page & 1) != 0; });
  if (left == static_cast<std::ptrdiff_t>(resident.size())) GTEST_SKIP() << "a file system in memory";
  EXPECT_LT(left, 64);
}

TEST_F(PosixPartial, TruncatedWhileRead) {
  auto file = written("a", pattern(3 * mib));
  auto uncached = file->open_uncached();
  ASSERT_TRUE(file->publish("a"));
  auto plain = location->open("a");
  std::filesystem::resize_file(in("a"), 5000);
  std::string out(100, '\0');
  for (ReadableFile* reader : {plain.get(), uncached.get()}) {
    reader->read_at(4900, out.data(), 100);
    EXPECT_EQ(out, pattern(3 * mib).substr(4900, 100));
    const error e = raised([&] { reader->read_at(4950, out.data(), 100); });
    EXPECT_STREQ(e.sqlstate(), "XX001");
    EXPECT_EQ(e.message(), "file \"a\" ends too early");
    EXPECT_EQ(e.detail(), "It ends at byte 5000, more was expected.");
    EXPECT_STREQ(raised([&] { reader->read_at(2 * mib, out.data(), 100); }).sqlstate(), "XX001");
    EXPECT_STREQ(raised([&] { reader->read_at(~std::uint64_t{0}, out.data(), 100); }).sqlstate(), "XX001");
  }
}

TEST_F(PosixPartial, SameNameTwice) {
  auto first = location->create_partial("a");
  EXPECT_STREQ(raised([&] { location->create_partial("a"); }).sqlstate(), "55006");
  first.reset();
  put(in("a.partial"), "the rest of a crash");
  auto second = location->create_partial("a");
  EXPECT_EQ(contents_of(in("a.partial")), "");
}

TEST_F(PosixPartial, KilledWriter) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto file = location->create_partial("a");
    file->append("abc", 3);
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(location->list().size(), 1U);
  EXPECT_TRUE(location->list()[0].being_written);
  EXPECT_EQ(location->sweep(), 0);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(there("a.partial"));
  EXPECT_TRUE(location->list().empty());
  EXPECT_EQ(location->sweep(), 1);
  EXPECT_TRUE(names().empty());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(PosixPartial, KilledAnywhere) {
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (int i = 0;; ++i) {
        const std::string name = std::to_string(round) + "_" + std::to_string(i);
        auto file = written(name, pattern(50000, static_cast<unsigned>(i)));
        if (!file->publish(name)) ::_exit(1);
        location->write_small("state", pattern(5000, static_cast<unsigned>(i)));
      }
    }
    ::usleep(random() % 30000);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_LE(location->sweep(), 2);
    for (const auto& file : location->list()) {
      const std::size_t underscore = file.name.find('_');
      EXPECT_FALSE(file.being_written);
      if (underscore == std::string::npos) {
        EXPECT_EQ(file.name, "state");
        EXPECT_EQ(file.size, 5000U);
        continue;
      }
      EXPECT_EQ(location->read_small(file.name), pattern(50000, static_cast<unsigned>(std::stoul(file.name.substr(underscore + 1)))));
      location->remove(file.name);
    }
    for (const std::string& name : names()) EXPECT_EQ(name, "state");
  }
}

TEST_F(PosixPartial, TwoSweepersAtOnce) {
  constexpr int count = 500;
  for (int i = 0; i < count; ++i) put(in(std::to_string(i) + (i % 2 == 0 ? ".partial" : ".1-1.tmp")), "x");
  std::atomic<int> removed{0};
  std::vector<std::thread> sweepers;
  for (int i = 0; i < 2; ++i)
    sweepers.emplace_back([&] {
      for (int round = 0; round < 20; ++round) removed += open_posix_location(directory, 0600, setting_name)->sweep();
    });
  for (auto& sweeper : sweepers) sweeper.join();
  EXPECT_EQ(removed, count);
  EXPECT_TRUE(names().empty());
}

TEST_F(PosixPartial, SweepAndListNeverHurtWriters) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> others;
  for (int i = 0; i < 2; ++i)
    others.emplace_back([&, i] {
      auto mine = open_posix_location(directory, 0600, setting_name);
      while (!stop) i == 0 ? static_cast<void>(mine->sweep()) : static_cast<void>(mine->list());
    });
  for (int i = 0; i < 50; ++i) {
    const std::string name = "file" + std::to_string(i);
    auto file = written(name, name);
    EXPECT_TRUE(file->publish(name));
    location->write_small("state", name);
    EXPECT_EQ(location->read_small("state"), name);
  }
  stop = true;
  for (auto& other : others) other.join();
  EXPECT_EQ(location->list().size(), 51U);
  for (const auto& file : location->list())
    if (file.name != "state") {
      EXPECT_EQ(location->read_small(file.name), file.name);
    }
}

TEST_F(PosixPartial, PublishRace) {
  // many writers want one name: exactly one gets it
  std::atomic<int> winners{0};
  std::vector<std::thread> writers;
  for (int i = 0; i < 8; ++i)
    writers.emplace_back([&, i] {
      NoInterrupts none;
      auto file = location->create_partial("writer" + std::to_string(i));
      const std::string text = pattern(1000, static_cast<unsigned>(i));
      file->append(text.data(), text.size());
      file->sync(none);
      winners += file->publish("wanted") ? 1 : 0;
    });
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(winners, 1);
  EXPECT_EQ(names(), std::vector<std::string>{"wanted"});
}

}  // namespace
}  // namespace snapback::test

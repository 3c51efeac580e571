// What the tests of the POSIX location share.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/storage/posix_location.hpp"

namespace snapback::test {

inline constexpr std::size_t mib = std::size_t{1} << 20;
inline constexpr char setting_name[] = "pg_snapback.storage_location";

template <typename Call>
error raised(Call call) {
  try {
    call();
  } catch (const error& e) {
    return e;
  }
  ADD_FAILURE() << "nothing was raised";
  return error("00000", "nothing was raised");
}

// Interrupts that cancel at the nth check.
struct Cancelled {};
class CancelAt final : public Interrupts {
 public:
  explicit CancelAt(int check) : left_(check) {}
  void check() override {
    ++checks;
    if (--left_ == 0) throw Cancelled{};
  }
  int checks = 0;

 private:
  int left_;
};

// While it lives, root's process acts as the user nobody, for whom permissions count.
class AsNobody {
 public:
  AsNobody() : root_(::getuid() == 0) {
    if (root_) {
      EXPECT_EQ(::setresuid(65534, 65534, 0), 0);
    }
  }
  ~AsNobody() {
    if (root_) {
      EXPECT_EQ(::setresuid(0, 0, 0), 0);
    }
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  bool root_;
};

inline std::string contents_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

inline void put(const std::string& path, std::string_view contents) { std::ofstream(path, std::ios::binary) << contents; }

// Text in which every place can be told from its neighbours.
inline std::string pattern(std::size_t size, unsigned seed = 1) {
  std::string text(size, '\0');
  unsigned state = seed;
  for (char& c : text) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

inline std::string read_whole(ReadableFile& file) {
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read_at(0, text.data(), text.size());
  return text;
}

// A directory of its own for every test, and a location in it.
class PosixTest : public testing::Test {
 protected:
  PosixTest() {
    std::string name = (std::filesystem::temp_directory_path() / "snapback_unit_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    base = name;
    ::chmod(base.c_str(), 0755);
    directory = base + "/backups";
    location = open_posix_location(directory, 0600, setting_name);
    location->prepare_for_writing();
  }
  ~PosixTest() override { std::filesystem::remove_all(base); }

  std::string in(const std::string& name) const { return directory + "/" + name; }
  bool there(const std::string& name) const { return std::filesystem::exists(std::filesystem::symlink_status(in(name))); }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) found.push_back(entry.path().filename().string());
    std::sort(found.begin(), found.end());
    return found;
  }
  std::unique_ptr<PartialFile> written(const std::string& name, const std::string& contents) {
    auto file = location->create_partial(name);
    file->append(contents.data(), contents.size());
    file->sync(no_interrupts);
    return file;
  }

  std::string base, directory;
  std::unique_ptr<Location> location;
  NoInterrupts no_interrupts;
};

}  // namespace snapback::test

// content_without_types FOLDER FILE SHA256: checks a backup as backup_verify() does at level content, but converts no value to its type. Prints the seconds.
#include <chrono>
#include <cstdio>

#include "core/error.hpp"
#include "core/format/backup_reader.hpp"
#include "core/storage/posix_location.hpp"

int main(int count, char** arguments) {
  using namespace snapback;
  if (count != 4) return 2;
  try {
    NoInterrupts interrupts;
    const auto location = open_posix_location(arguments[1], 0600, "");
    const auto begin = std::chrono::steady_clock::now();
    BackupReader reader(location->open(arguments[2]));
    auto problems = reader.check_files(arguments[3], interrupts);
    if (problems.empty()) problems = reader.check_content({}, interrupts);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    if (!problems.empty()) throw error(sqlstate::data_corrupted, problems[0].message);
    std::printf("%.3f\n", seconds.count());
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}

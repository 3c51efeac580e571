#include <algorithm>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "core/format/backup_reader.hpp"
#include "core/format/document_check.hpp"
#include "core/format/reader_state.hpp"
#include "core/format/utf8_check.hpp"

namespace snapback {
namespace {

constexpr std::size_t max_problems = 100;
constexpr std::size_t read_size = std::size_t{1} << 20;

// Problems of one check; once it is full the check may stop.
class Report {
 public:
  explicit Report(const Manifest& manifest) : manifest_(manifest) {}

  bool full() const { return problems.size() >= max_problems; }

  void add(const char* code, std::string message) { put(Problem{code, std::move(message), -1, -1, 0, 0}); }

  void add_frame(const char* code, std::string message, std::size_t frame) {
    Problem problem{code, std::move(message), -1, static_cast<long>(frame), 1, 0};
    locate(frame, problem);
    put(std::move(problem));
  }

  void add_row(const char* code, std::string message, std::size_t table, std::size_t frame, std::uint64_t row) {
    put(Problem{code, std::move(message), static_cast<long>(table), static_cast<long>(frame), row, row});
  }

  void add_table(const char* code, std::string message, std::size_t table) { put(Problem{code, std::move(message), static_cast<long>(table), -1, 1, 0}); }

  // A visitor may have added more than the report holds.
  std::vector<Problem> take() {
    problems.resize(std::min(problems.size(), max_problems));
    return std::move(problems);
  }

  std::vector<Problem> problems;

 private:
  void put(Problem&& problem) {
    if (!full()) problems.push_back(std::move(problem));
  }

  // Table and rows that a frame holds.
  void locate(std::size_t frame, Problem& problem) const {
    for (std::size_t i = 0; i < manifest_.tables.size(); ++i) {
      const TableEntry& table = manifest_.tables[i];
      if (frame < table.first_frame || frame - table.first_frame >= table.frame_count) continue;
      problem.table_index = static_cast<long>(i);
      std::uint64_t before = 0;
      for (std::size_t f = table.first_frame; f < frame; ++f) before += manifest_.frames[f].rows;
      const FrameEntry& entry = manifest_.frames[frame];
      // a frame that stands for rows of which nothing is known says nothing about their numbers
      if (!entry.has_rows || (entry.rows == 0 && !entry.continues)) return;
      problem.first_row = entry.continues ? before - 1 : before;
      problem.last_row = entry.continues ? before - 1 : before + entry.rows - 1;
      return;
    }
  }

  const Manifest& manifest_;
};

// The primary key of the next row of a parser as a JSON array text; empty when a column is missing.
std::string key_of_row(RowParser& parser, const std::vector<std::string>& columns) {
  std::vector<std::string> values(columns.size());
  std::string_view key;
  parser.next_row();
  while (parser.next_key(key)) {
    const auto column = std::find(columns.begin(), columns.end(), key);
    if (column == columns.end())
      parser.skip_value();
    else
      parser.read_raw(values[static_cast<std::size_t>(column - columns.begin())]);
  }
  std::string text;
  for (const std::string& value : values) {
    if (value.empty()) return {};
    text += text.empty() ? '[' : ',';
    text += value;
  }
  text += ']';
  return text;
}

std::vector<std::string> key_columns(const TableEntry& table) {
  std::vector<std::string> columns;
  const Json head = table.head.json();
  if (const auto key = head.find("key"); key != head.end() && key->is_array())
    for (const Json& name : *key) {
      if (!name.is_string()) return {};
      columns.push_back(name.get<std::string>());
    }
  return columns;
}

// Frames of a table from a given one on; compares what a parser found in each with the manifest when the parser asks for the next.
class CheckedSource final : public TextSource {
 public:
  CheckedSource(BackupReader::State& state, Report& report, std::size_t table, std::size_t first, Interrupts& interrupts)
      : state_(state), report_(report), end_(state.manifest.tables[table].first_frame + state.manifest.tables[table].frame_count),
        frames_(state, first, end_, interrupts), keys_(key_columns(state.manifest.tables[table])) {}

  void watch(const RowParser& parser) { parser_ = &parser; }
  std::size_t current() const { return frames_.current(); }

  std::string_view next() override {
    if (begun_) settle();
    begun_ = false;
    const std::string_view text = frames_.next();
    if (text.empty()) {
      if (!utf8_.complete()) report_.add_frame("frame_content", state_.frame_message(current(), "its text is not UTF-8"), current());
      utf8_.reset();
      return text;
    }
    begun_ = true;
    rows_ = parser_->rows_begun();
    fingerprint_ = parser_->fingerprint();
    if (!utf8_.update(text)) report_.add_frame("frame_content", state_.frame_message(current(), "its text is not UTF-8"), current());
    check_keys(text);
    return text;
  }

 private:
  void settle() {
    const FrameEntry& frame = state_.manifest.frames[current()];
    if (parser_->rows_begun() - rows_ != frame.rows)
      report_.add_frame("row_count", state_.frame_message(current(), "it holds another number of rows than the manifest says"), current());
    Fingerprint found = parser_->fingerprint();
    found.subtract(fingerprint_);
    if (found != frame.fingerprint) report_.add_frame("fingerprint", state_.frame_message(current(), "its rows have another fingerprint than the manifest says"), current());
  }

  // First and last key of a frame of whole rows.
  void check_keys(std::string_view text) {
    const FrameEntry& frame = state_.manifest.frames[current()];
    const bool cut = current() + 1 < end_ && state_.manifest.frames[current() + 1].continues;
    if (keys_.empty() || !frame.has_rows || frame.continues || cut) return;
    const std::size_t line = text.rfind('\n');
    if (!same_key(text, frame.first_key) || !same_key(text.substr(line == std::string_view::npos ? 0 : line + 1), frame.last_key))
      report_.add_frame("manifest", state_.frame_message(current(), "its keys are not those that the manifest says"), current());
  }

  // A malformed row is found by the parser of the rows; a key that is not recorded is none to compare.
  bool same_key(std::string_view text, const std::string& recorded) const {
    if (recorded.empty()) return true;
    SingleTextSource source(text);
    RowParser parser(source);
    try {
      return key_of_row(parser, keys_) == recorded;
    } catch (const error&) {
      return true;
    }
  }

  BackupReader::State& state_;
  Report& report_;
  std::size_t end_;
  FrameSource frames_;
  std::vector<std::string> keys_;
  const RowParser* parser_ = nullptr;
  Utf8Check utf8_;
  bool begun_ = false;
  std::uint64_t rows_ = 0;
  Fingerprint fingerprint_;
};

class ContentCheck {
 public:
  ContentCheck(BackupReader::State& state, const BackupReader::RowVisitor& visitor, Interrupts& interrupts)
      : state_(state), manifest_(state.manifest), visitor_(visitor), interrupts_(interrupts), report_(state.manifest), document_(state.manifest) {}

  std::vector<Problem> run() {
    fault_point("check.content");
    std::size_t table = 0;
    for (std::size_t frame = 0; frame < manifest_.frames.size() && !report_.full();) {
      while (table < manifest_.tables.size() && manifest_.tables[table].frame_count == 0) ++table;
      if (table < manifest_.tables.size() && manifest_.tables[table].first_frame == frame) {
        document_problem(document_.rows(table), frame);
        check_table(table);
        frame += manifest_.tables[table].frame_count;
        ++table;
      } else {
        check_structure(frame++);
      }
    }
    if (!report_.full()) document_problem(document_.end(), manifest_.frames.size() - 1);
    check_empty_tables();
    return report_.take();
  }

 private:
  void document_problem(const char* what, std::size_t frame) {
    if (what != nullptr) report_.add_frame("document", std::string("document is damaged: ") + what, frame);
  }

  // Calls `step`; damage that it raises becomes a problem of the frame. False then.
  template <typename Step>
  bool guard(std::size_t frame, Step&& step) {
    try {
      step();
      return true;
    } catch (const FrameError& e) {
      report_.add_frame(e.code, e.message(), frame);
      return false;
    }
  }

  void check_structure(std::size_t frame) {
    interrupts_.check();
    const bool good = guard(frame, [&] {
      const std::string_view text = state_.frame_text(frame);
      if (!utf8_.update(text)) report_.add_frame("frame_content", state_.frame_message(frame, "its text is not UTF-8"), frame);
      document_problem(document_.text(text), frame);
    });
    if (good) return;
    document_.give_up();
    utf8_.reset();
  }

  void check_table(std::size_t index) {
    const TableEntry& table = manifest_.tables[index];
    std::size_t frame = table.first_frame;
    const std::size_t end = frame + table.frame_count;
    bool first = true, good = true;
    std::uint64_t row = 0;
    while (frame < end && !report_.full()) {
      const std::size_t failed = check_rows(index, frame, row, first ? visitor_ : BackupReader::RowVisitor());
      first = false;
      if (failed == end) break;
      good = false;
      // on with the next frame that begins a row
      for (; frame <= failed; ++frame) row += manifest_.frames[frame].rows;
      for (; frame < end && manifest_.frames[frame].rows == 0; ++frame) guard(frame, [&] { state_.frame_text(frame); });
    }
    if (good && !report_.full()) compare_totals(index);
    fault_point("check.table");
  }

  // Reads the rows from a frame on; returns the frame at which it failed, or the end of the table's frames.
  std::size_t check_rows(std::size_t index, std::size_t first, std::uint64_t first_row, const BackupReader::RowVisitor& visitor) {
    const TableEntry& table = manifest_.tables[index];
    CheckedSource source(state_, report_, index, first, interrupts_);
    RowParser parser(source, first_row);
    source.watch(parser);
    try {
      if (visitor) {
        visitor(index, parser, report_.problems);
        parser.skip_row();
      }
      while (!report_.full() && parser.next_row()) parser.skip_row();
    } catch (const FrameError& e) {
      report_.add_frame(e.code, e.message(), source.current());
      return source.current();
    } catch (const error& e) {
      if (!is_damage(e)) throw;
      report_.add_row("row", e.message(), index, source.current(), parser.place());
      return source.current();
    }
    rows_ = parser.rows_begun();
    bytes_ = parser.logical_bytes();
    fingerprint_ = parser.fingerprint();
    return table.first_frame + table.frame_count;
  }

  void compare_totals(std::size_t index) {
    const TableEntry& table = manifest_.tables[index];
    std::uint64_t stored = 0;
    for (std::size_t i = 0; i < table.frame_count; ++i)
      if (manifest_.frames[table.first_frame + i].has_rows) stored += manifest_.frames[table.first_frame + i].size;
    if (rows_ != table.row_count)
      report_.add_table("row_count", "table holds " + std::to_string(rows_) + " rows, the manifest says " + std::to_string(table.row_count), index);
    if (fingerprint_ != table.fingerprint) report_.add_table("fingerprint", "table has another fingerprint than the manifest says", index);
    if (bytes_ != table.logical_bytes || stored != table.stored_bytes) report_.add_table("manifest", "table has other sizes than the manifest says", index);
  }

  // Tables without frames were passed over by run().
  void check_empty_tables() {
    for (std::size_t i = 0; i < manifest_.tables.size() && !report_.full(); ++i) {
      const TableEntry& table = manifest_.tables[i];
      if (table.frame_count != 0) continue;
      if (table.row_count != 0) report_.add_table("row_count", "table holds 0 rows, the manifest says " + std::to_string(table.row_count), i);
      if (table.fingerprint != Fingerprint{}) report_.add_table("fingerprint", "table has another fingerprint than the manifest says", i);
      if (table.logical_bytes != 0 || table.stored_bytes != 0 || table.first_frame != 0)
        report_.add_table("manifest", "table has other sizes than the manifest says", i);
      if (visitor_) visit_empty(i);
    }
  }

  void visit_empty(std::size_t index) {
    SingleTextSource nothing{{}};
    RowParser parser(nothing);
    visitor_(index, parser, report_.problems);
  }

  BackupReader::State& state_;
  const Manifest& manifest_;
  const BackupReader::RowVisitor& visitor_;
  Interrupts& interrupts_;
  Report report_;
  DocumentCheck document_;
  Utf8Check utf8_;
  std::uint64_t rows_ = 0, bytes_ = 0;  // of the table read last
  Fingerprint fingerprint_;
};

}  // namespace

namespace {

// Of a file that was salvaged: its frames lie anywhere.
std::vector<Problem> check_salvaged(BackupReader::State& state, Interrupts& interrupts) {
  Report report(state.manifest);
  report.add("unreadable", state.salvaged);
  for (std::size_t i = 0; i < state.manifest.frames.size() && !report.full(); ++i) {
    interrupts.check();
    try {
      state.frame_text(i);
    } catch (const FrameError& e) {
      report.add_frame(e.code, e.message(), i);
    }
  }
  return report.take();
}

}  // namespace

std::vector<Problem> BackupReader::check_files(const std::string& expected_sha256, Interrupts& interrupts) {
  State& s = *state_;
  if (!s.salvaged.empty()) return check_salvaged(s, interrupts);
  Report report(s.manifest);
  Sha256 whole, part;
  std::unique_ptr<char[]> buffer = std::make_unique_for_overwrite<char[]>(read_size);
  std::size_t frame = 0;
  std::uint64_t frame_left = s.manifest.frames.front().size;
  BackgroundWork hashing;  // last: its destructor waits for the thread that uses the others
  // the manifest and the seek table were checked when the file was opened
  const std::uint64_t end = expected_sha256.empty() ? s.tiled : s.file_size;
  for (std::uint64_t offset = 0; offset < end;) {
    interrupts.check();
    fault_point("check.files");
    const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(read_size, end - offset));
    try {
      s.file->read_at(offset, buffer.get(), size);
    } catch (const error& e) {
      if (!is_damage(e)) throw;
      report.add("truncated", e.message());
      return report.take();
    }
    if (!expected_sha256.empty()) hashing.start([&whole, &buffer, size] { whole.update(buffer.get(), size); });
    for (std::size_t at = 0; at < size && frame < s.manifest.frames.size();) {
      const std::size_t piece = static_cast<std::size_t>(std::min<std::uint64_t>(size - at, frame_left));
      part.update(buffer.get() + at, piece);
      at += piece;
      frame_left -= piece;
      if (frame_left != 0) continue;
      if (part.finish() != s.manifest.frames[frame].sha256 && !digest_checks_disabled())
        report.add_frame("frame_digest", s.frame_message(frame, "its SHA-256 does not match"), frame);
      if (++frame < s.manifest.frames.size()) frame_left = s.manifest.frames[frame].size;
    }
    hashing.wait();
    offset += size;
  }
  Sha256Value expected;
  if (!expected_sha256.empty() && (!from_hex(expected_sha256, expected.data(), expected.size()) || whole.finish() != expected) && !digest_checks_disabled())
    report.problems.insert(report.problems.begin(), Problem{"file_digest", "SHA-256 of the file is not the recorded one", -1, -1, 0, 0});
  return report.take();
}

std::vector<Problem> BackupReader::check_content(const RowVisitor& rows, Interrupts& interrupts) { return ContentCheck(*state_, rows, interrupts).run(); }

}  // namespace snapback

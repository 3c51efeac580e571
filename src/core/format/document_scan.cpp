// Makes a manifest out of the document, for a file that has lost its own. The document has all that a manifest says about a table: its head before the rows, their number and
// fingerprint behind them (docs/format.md).
#include <charconv>
#include <map>
#include <utility>

#include "core/error.hpp"
#include "core/format/frame_scan.hpp"
#include "core/format/json_builder.hpp"
#include "core/format/row_parser.hpp"
#include "core/format/salvage.hpp"

namespace snapback {
namespace {

constexpr std::string_view between_frames = ",\n";
constexpr std::string_view after_rows = "\n],\"row_count\":";
constexpr std::string_view after_no_rows = "],\"row_count\":";
constexpr std::string_view before_rows = ",\"rows\":[";

// The frames of one table as one text.
class TableText final : public TextSource {
 public:
  TableText(FrameScan& scan, const Manifest& manifest, std::size_t first) : scan_(scan), manifest_(manifest), next_(first) {}
  std::string_view next() override { return next_ == manifest_.frames.size() ? std::string_view() : scan_.text_of(manifest_.frames[next_++]); }

 private:
  FrameScan& scan_;
  const Manifest& manifest_;
  std::size_t next_;
};

class DocumentScan {
 public:
  DocumentScan(ReadableFile& file, Interrupts& interrupts) : scan_(file, interrupts) {}

  std::optional<Salvage> run() {
    while (part_ != Part::end && scan_.next()) {
      if (scan_.after_gap()) pass_gap();
      if (part_ == Part::unknown && manifest().backup.is_null()) return std::nullopt;
      take(scan_.text());
    }
    if (manifest().backup.is_null()) return std::nullopt;
    if (in_table_) lose_table();
    return std::move(result_);
  }

 private:
  // What the next frame belongs to. `unknown`: after a gap, until rows end, for then a line tells what comes.
  enum class Part { head, rows, between, unknown, end };

  Manifest& manifest() { return result_.manifest; }

  // Whole tables may have stood there.
  void pass_gap() {
    if (is_in_rows()) {
      table_is_whole_ = after_row_frame_ = false;
      return;
    }
    part_ = Part::unknown;
    if (in_table_) lose_table();
  }

  // A frame with rows begins where a line of the document ends.
  bool is_in_rows() const { return part_ == Part::rows && buffer_.empty(); }

  void take(std::string_view text) {
    if (part_ == Part::unknown) {
      if (!text.starts_with(after_rows)) return;
      // the line says how the rows end of a table that is not known
      const std::size_t line_end = text.find('\n', 1);
      text.remove_prefix(line_end == std::string_view::npos ? text.size() : line_end + 1);
      part_ = Part::between;
      buffer_.clear();
    } else if (is_in_rows() && !text.starts_with(after_rows) && !(table_frames() == 0 && text.starts_with(after_no_rows))) {
      return add_rows(text);
    } else if (part_ == Part::head) {
      add_frame(false);
    }
    buffer_ += text;
    read_lines();
  }

  std::size_t table_frames() const { return result_.manifest.frames.size() - table_.first_frame; }

  FrameEntry& add_frame(bool has_rows) {
    manifest().frames.push_back(scan_.frame());
    result_.lost.push_back(false);
    manifest().frames.back().has_rows = has_rows;
    return manifest().frames.back();
  }

  // A row frame begins with a row, unless the one before it is a row frame too: then it continues a row that was cut.
  void add_rows(std::string_view text) {
    if (text == between_frames) {
      add_frame(false);
      after_row_frame_ = false;
      return;
    }
    FrameEntry& frame = add_frame(true);
    frame.continues = after_row_frame_;
    if (!frame.continues) {
      frame.rows = 1;
      for (std::size_t at = 0; (at = text.find(between_frames, at)) != std::string_view::npos; ++at) ++frame.rows;
    }
    table_.stored_bytes += frame.size;
    after_row_frame_ = true;
  }

  // The lines of the document outside of rows, as far as they are whole.
  void read_lines() {
    std::size_t from = 0;
    for (std::size_t end; part_ != Part::end && part_ != Part::unknown && (end = buffer_.find('\n', from)) != std::string::npos; from = end + 1)
      read_line(std::string_view(buffer_).substr(from, end - from));
    buffer_.erase(0, from);
  }

  void read_line(std::string_view line) {
    if (part_ == Part::head) return read_head_line(line);
    if (line.empty()) return;
    if (line.starts_with(after_no_rows)) return end_table(line.substr(after_no_rows.size()));
    if (line == "],") {
      part_ = Part::end;
      return;
    }
    begin_table(line);
  }

  void read_head_line(std::string_view line) {
    constexpr std::string_view first = "{\"format\":\"pg_snapback\",\"version\":", second = "\"backup\":";
    ++lines_;
    const bool expected = lines_ == 1   ? line == std::string(first) + std::to_string(format_version) + ","
                          : lines_ == 2 ? line.starts_with(second) && line.ends_with(',')
                          : lines_ == 4 ? line == "\"tables\":["
                                        : true;
    if (!expected) {
      part_ = Part::unknown;
      return;
    }
    if (lines_ == 2) read_description(line.substr(second.size(), line.size() - second.size() - 1));
    if (lines_ == 4) part_ = Part::between;
  }

  void read_description(std::string_view text) {
    try {
      Json description = parse_bounded("document", text, max_json_members);
      if (description.is_object()) manifest().backup = std::move(description);
    } catch (const error&) {
    }
    if (manifest().backup.is_null()) part_ = Part::unknown;
  }

  // What looks like no head stays unknown, up to the end of the rows that follow.
  void begin_table(std::string_view line) {
    part_ = Part::unknown;
    if (!line.ends_with(before_rows)) return;
    table_ = TableEntry{};
    try {
      table_.head = read_table_head("document", parse_bounded("document", std::string(line.substr(0, line.size() - before_rows.size())) + "}", max_json_members));
    } catch (const error&) {
      return;
    }
    part_ = Part::rows;
    in_table_ = table_is_whole_ = true;
    after_row_frame_ = false;
    table_.first_frame = manifest().frames.size();
  }

  // `line`: what follows "row_count":
  void end_table(std::string_view line) {
    constexpr std::string_view before_fingerprint = ",\"fingerprint\":\"";
    part_ = Part::between;
    if (!in_table_) return;
    const auto [number_end, failure] = std::from_chars(line.data(), line.data() + line.size(), table_.row_count);
    line.remove_prefix(static_cast<std::size_t>(number_end - line.data()));
    const bool is_read = failure == std::errc() && line.starts_with(before_fingerprint) && Fingerprint::from_hex(line.substr(before_fingerprint.size(), 32), table_.fingerprint);
    if (!is_read || !table_is_whole_ || !is_proven()) return lose_table();
    finish_table(true);
  }

  bool is_proven() {
    TableText text(scan_, manifest(), table_.first_frame);
    RowParser parser(text);
    try {
      while (parser.next_row()) parser.skip_row();
    } catch (const error&) {
      return false;
    }
    table_.logical_bytes = parser.logical_bytes();
    return parser.rows_begun() == table_.row_count && parser.fingerprint() == table_.fingerprint;
  }

  // A frame that is not there stands for what is missing of its rows.
  void lose_table() {
    FrameEntry missing;
    missing.has_rows = true;
    manifest().frames.push_back(missing);
    result_.lost.push_back(true);
    finish_table(false);
  }

  // A table that stands in the file twice is that one which is whole.
  void finish_table(bool is_whole) {
    in_table_ = false;
    table_.frame_count = table_frames();
    if (table_.frame_count == 0) table_.first_frame = 0;
    const auto [known, is_new] = tables_.try_emplace({table_.schema(), table_.name()}, manifest().tables.size(), is_whole);
    if (is_new) {
      manifest().tables.push_back(std::move(table_));
    } else if (!known->second.second && is_whole) {
      known->second.second = true;
      manifest().tables[known->second.first] = std::move(table_);
    }
  }

  FrameScan scan_;
  Salvage result_{{}, {}, true};
  Part part_ = Part::head;
  std::string buffer_;
  int lines_ = 0;  // of the document's head
  std::map<std::pair<std::string, std::string>, std::pair<std::size_t, bool>> tables_;  // by schema and name: index in the manifest, and whether it is whole
  TableEntry table_;
  bool in_table_ = false, table_is_whole_ = false, after_row_frame_ = false;
};

}  // namespace

std::optional<Salvage> scan_document(ReadableFile& file, Interrupts& interrupts) { return DocumentScan(file, interrupts).run(); }

}  // namespace snapback

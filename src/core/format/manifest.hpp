// What a backup's manifest and sidecar hold, and their JSON (docs/format.md).
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"

namespace snapback {

using Json = nlohmann::ordered_json;

inline constexpr int format_version = 1;

// What a reader accepts, so that a crafted file cannot ask for more memory than its own size justifies. A writer stays below.
inline constexpr std::uint64_t max_frame_text = std::uint64_t{64} << 20;
inline constexpr std::uint64_t max_manifest_size = std::uint64_t{2} << 30;   // JSON text
inline constexpr std::uint64_t max_schema_text = std::uint64_t{256} << 20;   // the document before the first table

struct FrameEntry {
  std::uint64_t offset = 0;     // of the compressed frame in the file
  std::uint64_t size = 0;       // compressed
  std::uint64_t text_size = 0;  // decompressed
  bool has_rows = false;        // false: a piece of the document between rows
  std::uint64_t rows = 0;
  bool continues = false;
  std::string first_key, last_key;  // of the first and last row that END in the frame: JSON arrays, empty when there is none
  Sha256Value sha256{};
  Fingerprint fingerprint;
};

// What stands in the document before a table's "rows": schema, name, columns, ... It is kept as text, which takes a tenth of the memory of a tree.
class TableHead {
 public:
  TableHead() = default;
  // Raises XX000 when `head` is no object, holds text that is not UTF-8, lacks schema, name or columns, or holds what comes behind it: rows, row_count or fingerprint.
  TableHead(const Json& head);

  const std::string& text() const { return text_; }
  const std::string& schema() const { return schema_; }
  const std::string& name() const { return name_; }
  const std::string& kind() const { return kind_; }  // empty where it has none
  std::uint32_t oid() const { return oid_; }         // of the table when it was backed up; 0 where it has none
  Json json() const { return Json::parse(text_); }

 private:
  std::string text_, schema_, name_, kind_;
  std::uint32_t oid_ = 0;
};

// The head that a file holds; `document`: what messages call the text. Raises XX001 when it is none.
TableHead read_table_head(const char* document, const Json& head);

struct TableEntry {
  TableHead head;
  std::uint64_t row_count = 0;
  Fingerprint fingerprint;
  std::uint64_t logical_bytes = 0;  // text of the rows, separators not counted
  std::uint64_t stored_bytes = 0;   // compressed row frames
  std::size_t first_frame = 0;      // index into Manifest::frames of the first frame with rows; 0 when there is none
  std::size_t frame_count = 0;      // frames from first_frame on that hold this table's rows and the separators between them

  const std::string& schema() const { return head.schema(); }
  const std::string& name() const { return head.name(); }
};

struct Manifest {
  Json backup;  // the document's "backup" object
  std::vector<TableEntry> tables;
  std::vector<FrameEntry> frames;  // tile the file from 0 to the manifest's own frame

  std::uint64_t rows() const;
  std::uint64_t logical_bytes() const;
};

// A JSON object in one line of UTF-8. Raises XX000, naming `what`, when it holds text that is not UTF-8 or is no object.
std::string dump_object(const Json& object, const char* what);

// Raises 54000 when the text of a "schema" object is longer than a reader takes.
void check_schema_size(std::uint64_t size);

// Reads the text of a "schema" object: `visitor` gets every element of its lists "types", "sequences" and "tables", in their order, and may move it away. Raises XX001 when the text is
// no JSON object, one of these is no list of objects, or an element is beyond the bounds of json_builder.hpp.
using SchemaVisitor = std::function<void(const std::string& list, Json& element)>;
void parse_schema(std::string_view text, const SchemaVisitor& visitor);

// What a table adds to the document around its rows: {"schema":...,"rows":[ and its end of line; then the end of line after the last row, if there is one,
// and ],"row_count":...}. Between tables stands ",\n".
std::string table_head_text(const TableHead& head);
std::string table_tail_text(const TableEntry& table);
// The document before the "schema" object, between it and the first table, and behind the last table.
std::string document_start_text(const Json& backup);
std::string document_tables_text();
std::string document_end_text(const Manifest& manifest);

// Manifest to JSON text and back. Parsing raises XX001 with what is wrong; 0A000 when the major format version is newer.
std::string dump_manifest(const Manifest& manifest);
Manifest parse_manifest(std::string_view text);

// The sidecar <id>.state.json.
struct Sidecar {
  std::string id;
  std::string sha256;       // of the whole stored file, hex
  std::uint64_t size = 0;   // of the whole stored file
  Json backup;              // the document's "backup" object
  std::uint64_t tables = 0, rows = 0, logical_bytes = 0;
  double seconds = 0;       // from call to the published file
  std::string verified = "none";  // none, files, content, restore
  std::string verified_at;        // UTC, empty when never
  bool pinned = false;
  std::string problem;            // what the last failed verification found; empty when none
};

std::string dump_sidecar(const Sidecar& sidecar);
// Raises XX001 when the text is no sidecar.
Sidecar parse_sidecar(std::string_view text);

}  // namespace snapback

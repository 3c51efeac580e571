#include <utility>

#include "core/format/json_builder.hpp"

namespace snapback {

void fields::check_version(const char* document, const Json& object, const char* format) {
  if (text(document, object, "format") != format) damaged(document, std::string("\"format\" is not ") + format);
  const std::uint64_t version = number(document, object, "version");
  if (version > static_cast<std::uint64_t>(format_version))
    throw error(sqlstate::feature_not_supported, "backup has format version " + std::to_string(version) + ", this pg_snapback reads up to " + std::to_string(format_version),
                {}, "Upgrade pg_snapback to read it.");
  if (version == 0) damaged(document, "\"version\" is 0");
}

namespace {

constexpr char document[] = "manifest";

FrameEntry to_frame(const Json& json) {
  if (!json.is_object()) fields::damaged(document, "an entry of \"frames\" is no object");
  FrameEntry frame;
  frame.offset = fields::number(document, json, "offset");
  frame.size = fields::number(document, json, "size");
  frame.text_size = fields::number(document, json, "text_size");
  if (!from_hex(fields::text(document, json, "sha256"), frame.sha256.data(), frame.sha256.size())) fields::damaged(document, "\"sha256\" is malformed");
  frame.has_rows = fields::find(json, "rows") != nullptr;
  if (!frame.has_rows) return frame;
  frame.rows = fields::number(document, json, "rows");
  frame.continues = fields::flag(document, json, "continues");
  frame.first_key = fields::text_or_empty(document, json, "first_key");
  frame.last_key = fields::text_or_empty(document, json, "last_key");
  if (!Fingerprint::from_hex(fields::text(document, json, "fingerprint"), frame.fingerprint)) fields::damaged(document, "\"fingerprint\" is malformed");
  return frame;
}

TableEntry to_table(Json& json) {
  if (!json.is_object()) fields::damaged(document, "an entry of \"tables\" is no object");
  TableEntry table;
  const Json& head = fields::object(document, json, "head");
  fields::text(document, head, "schema");
  fields::text(document, head, "name");
  if (!fields::member(document, head, "columns").is_array()) fields::damaged(document, "\"columns\" is no array");
  for (const char* reserved : {"rows", "row_count", "fingerprint"})
    if (fields::find(head, reserved) != nullptr) fields::damaged(document, std::string("\"") + reserved + "\" in a table's head");
  table.row_count = fields::number(document, json, "row_count");
  if (!Fingerprint::from_hex(fields::text(document, json, "fingerprint"), table.fingerprint)) fields::damaged(document, "\"fingerprint\" is malformed");
  table.logical_bytes = fields::number(document, json, "logical_bytes");
  table.stored_bytes = fields::number(document, json, "stored_bytes");
  table.first_frame = fields::number(document, json, "first_frame");
  table.frame_count = fields::number(document, json, "frame_count");
  table.head = std::move(json["head"]);
  return table;
}

// Takes one table or frame at a time, so that memory is that of the entries and not of a tree of the whole text; members it does not know are not built at all.
class ManifestHandler final : public nlohmann::json_sax<Json> {
 public:
  explicit ManifestHandler(Manifest& manifest) : manifest_(manifest) {}

  Json header = Json::object();
  bool has_tables = false, has_frames = false;

  bool null() override { return scalar(nullptr); }
  bool boolean(bool value) override { return scalar(value); }
  bool number_integer(number_integer_t value) override { return scalar(value); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(value); }
  bool number_float(number_float_t value, const string_t&) override { return scalar(value); }
  bool string(string_t& value) override { return scalar(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // GCOVR_EXCL_LINE: never called for JSON text
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (depth_ == 1) {
      has_tables |= name == "tables";
      has_frames |= name == "frames";
      section_ = name == "tables"                                                   ? Section::tables
                 : name == "frames"                                                 ? Section::frames
                 : name == "format" || name == "version" || name == "backup" ? Section::header
                                                                                    : Section::unknown;
      section_name_ = std::move(name);
    } else if (section_ != Section::unknown) {
      builder_.key(std::move(name));
    }
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  enum class Section { header, tables, frames, unknown };

  // Depth at which this section's values begin: its member, or the elements of its array.
  std::size_t value_depth() const { return section_ == Section::header ? 1 : 2; }

  bool open(Json&& empty) {
    ++depth_;
    if (depth_ == 1) {
      if (!empty.is_object()) fields::damaged(document, "it is no JSON object");
    } else if (section_ != Section::unknown) {
      if (depth_ > value_depth())
        builder_.open(std::move(empty));
      else if (!empty.is_array())
        not_a_list();
    }
    return true;
  }

  bool close() {
    if (depth_ > 1 && section_ != Section::unknown && depth_ > value_depth()) {
      builder_.close();
      if (builder_.complete()) finish_value();
    }
    --depth_;
    return true;
  }

  template <typename Value>
  bool scalar(Value&& value) {
    if (depth_ == 0) fields::damaged(document, "it is no JSON object");
    if (section_ == Section::unknown) return true;
    if (depth_ < value_depth()) not_a_list();
    builder_.put(Json(std::forward<Value>(value)));
    if (builder_.complete()) finish_value();
    return true;
  }

  [[noreturn]] void not_a_list() const { fields::damaged(document, "\"" + section_name_ + "\" is no array"); }

  void finish_value() {
    Json& value = builder_.value();
    if (section_ == Section::tables) {
      manifest_.tables.push_back(to_table(value));
    } else if (section_ == Section::frames) {
      manifest_.frames.push_back(to_frame(value));
    } else {
      header[section_name_] = std::move(value);
      // before anything of a newer version is looked at
      if (section_name_ == "version" && fields::find(header, "format") != nullptr) fields::check_version(document, header, "pg_snapback");
    }
  }

  Manifest& manifest_;
  JsonBuilder builder_{document, max_json_members};
  Section section_ = Section::unknown;
  std::string section_name_;
  std::size_t depth_ = 0;
};

}  // namespace

Manifest parse_manifest(std::string_view text) {
  Manifest manifest;
  ManifestHandler handler(manifest);
  if (!Json::sax_parse(text.begin(), text.end(), &handler)) fields::damaged(document, "it is no JSON");
  fields::check_version(document, handler.header, "pg_snapback");
  if (!handler.has_tables) fields::damaged(document, "\"tables\" is missing");
  if (!handler.has_frames) fields::damaged(document, "\"frames\" is missing");
  manifest.backup = fields::object(document, handler.header, "backup");
  return manifest;
}

}  // namespace snapback

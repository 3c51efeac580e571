// Profiles: which tables make up one exportable thing, such as a course, and how each is treated (docs/course.md, "The profile").
//
//   logical name   what the document and the profile call a table or column, whatever a database calls it: `courses`, `module_id`
//   physical name  what a database calls it: `courses` or `"Course"`, `module_id` or `"moduleId"`
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/format/json_builder.hpp"

namespace snapback::graph {

enum class TableClass { root, own, link, ref, bank, context, exclude };
const char* class_name(TableClass table_class);

// `automatic` is what a profile says that does not mention the matter.
enum class MissingPolicy { automatic, error, null, create, skip_row };
enum class IdGenerator { automatic, sequence, column_default, uuid, cuid, expression };
enum class UniquePolicy { suffix, regenerate, null, error };
const char* policy_name(MissingPolicy policy);
const char* policy_name(UniquePolicy policy);
const char* generator_name(IdGenerator generator);

// Foreign keys that the catalog knows need no entry; what it does not know is one of these.
enum class ReferenceKind { foreign_key, polymorphic, array, json, text };
const char* kind_name(ReferenceKind kind);

// One step of a JSON path: a member's name, every element of an array ([*]), or any depth (**).
struct PathStep {
  enum class Kind { member, elements, any_depth };
  Kind kind = Kind::member;
  std::string name;
  bool operator==(const PathStep&) const = default;
};

struct Reference {
  ReferenceKind kind = ReferenceKind::foreign_key;
  std::vector<std::string> columns;  // foreign_key: its columns; otherwise the one that holds ids, arrays, JSON or text
  std::string table;                 // the table that ids point into; empty for polymorphic
  std::vector<std::string> to;       // its columns; empty: its key
  std::string type_column;                                    // polymorphic: the column that names the table
  std::vector<std::pair<std::string, std::string>> types;     // polymorphic: its value -> table
  std::vector<PathStep> path;                                 // json: where ids stand
  std::string path_text;                                      // as it was written
  std::string before, after;                                  // text: what stands around the id
};

// The row is taken when the column holds one of the values; null stands for SQL NULL, and false includes NULL.
struct RowFilter {
  std::string column;
  std::vector<Json> values;
};

struct ColumnValue {
  std::string column;
  Json value;  // null, boolean, number or string
};

// All names of columns and of other tables are logical ones.
struct TableProfile {
  std::string name;
  TableClass table_class = TableClass::own;
  std::vector<std::string> names;  // physical names to look for, in order, "schema.name" or "name", taken as written; never empty
  std::vector<std::pair<std::string, std::vector<std::string>>> columns;  // logical -> physical names to look for; others: see logical_column()
  std::vector<std::string> key;                       // empty: the primary key, else a unique key
  std::vector<std::string> order;                     // those that exist are used
  std::vector<std::vector<std::string>> owned_by;     // foreign keys along which rows are collected; empty: by the rule of docs/course.md
  std::vector<std::vector<std::string>> natural_key;  // ref and bank: the first whose columns all exist
  std::vector<std::string> display;                   // ref: columns exported besides the natural key
  bool whole = false;                                 // ref: every column is exported
  MissingPolicy missing = MissingPolicy::automatic;   // ref
  std::vector<std::string> hash;                      // bank: columns of the content hash; empty: all content
  std::vector<std::string> omit;                      // neither exported nor imported
  std::vector<RowFilter> filter;                      // all must hold
  std::vector<ColumnValue> force, reset, fill;        // fill: for a column that has no value; the string "now" is the time of the import
  std::vector<std::pair<std::string, std::string>> context;  // column -> member of the import's `context`
  IdGenerator id = IdGenerator::automatic;
  std::string id_expression;                                // SQL, IdGenerator::expression
  std::vector<std::pair<std::string, UniquePolicy>> unique;
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, std::string>>>> enum_map;  // column -> label -> label
  std::vector<Reference> references;

  // Logical name of a physical column: the one `columns` gives it, else to_snake_case() of it.
  std::string logical_column(std::string_view physical) const;
};

struct Profile {
  std::string name;
  std::string root;    // logical name of the table of class root
  bool strict = true;  // a table with a foreign key into the closure and no class is an error; otherwise it is a warning
  std::vector<TableProfile> tables;

  const TableProfile* table(std::string_view logical_name) const;
};

inline constexpr int profile_version = 1;

// Checks and reads a profile. `name` is what messages call it. Raises 22023 with every problem and its place in DETAIL, up to twenty; an unknown member is one.
Profile parse_profile(const std::string& name, const Json& definition);
// The same from JSON text.
Profile parse_profile(const std::string& name, std::string_view text);
// The JSON that reads back as the same profile: members that say nothing are left out.
Json profile_to_json(const Profile& profile);

// `definition` over `base`: members of a table replace those of the base, a table that is null goes away, and so for members of the profile itself.
Json extend_profile(const Json& base, const Json& definition);

// The definition of the profile `course` that comes with the extension.
const Json& shipped_course_profile();

// moduleId and ModuleID -> module_id; names in snake_case stay as they are.
std::string to_snake_case(std::string_view name);

// $.blocks[*].lessonId, $.**.lessonId, $."a b"; nothing when it is no such path.
std::optional<std::vector<PathStep>> parse_path(std::string_view text);

}  // namespace snapback::graph

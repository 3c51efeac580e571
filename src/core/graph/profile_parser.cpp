// JSON to Profile: every problem is collected with its place before anything is raised.
#include <algorithm>
#include <functional>

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "core/graph/profile.hpp"

namespace snapback::graph {

namespace {

constexpr std::size_t problems_shown = 20;

class Reader {
 public:
  explicit Reader(std::string name) : name_(std::move(name)) {}

  Profile profile(const Json& definition);

 private:
  using Member = std::function<void(const std::string& path, const Json& value)>;
  using Members = std::vector<std::pair<const char*, Member>>;

  void problem(const std::string& path, const std::string& what) { problems_.push_back(path + ": " + what); }
  // Calls the reader of each member; what has none is a problem.
  void members(const std::string& path, const Json& object, const Members& known);
  bool is_object(const std::string& path, const Json& value);
  std::string text(const std::string& path, const Json& value);
  bool flag(const std::string& path, const Json& value, bool otherwise);
  // A string stands for a list of one.
  std::vector<std::string> list(const std::string& path, const Json& value);
  std::vector<std::vector<std::string>> lists(const std::string& path, const Json& value);
  std::vector<ColumnValue> values(const std::string& path, const Json& value);
  std::vector<RowFilter> filter(const std::string& path, const Json& value);
  std::vector<std::pair<std::string, std::string>> texts(const std::string& path, const Json& value);
  template <class Enum>
  Enum choice(const std::string& path, const Json& value, std::initializer_list<std::pair<const char*, Enum>> choices);
  void table(TableProfile& table, const std::string& path, const Json& value);
  void id(TableProfile& table, const std::string& path, const Json& value);
  Reference reference(const std::string& path, const Json& value);
  void pattern(Reference& reference, const std::string& path, const Json& value);
  void check_reference(const Reference& reference, const std::string& path);
  void check_whole(const Profile& profile);

  std::string name_;
  std::vector<std::string> problems_;
};

void Reader::members(const std::string& path, const Json& object, const Members& known) {
  for (const auto& [name, value] : object.items()) {
    const auto found = std::find_if(known.begin(), known.end(), [&, &name = name](const auto& member) { return name == member.first; });
    if (found == known.end())
      problem(path, "unknown member \"" + printable(name) + "\"");
    else
      found->second(path + "." + name, value);
  }
}

bool Reader::is_object(const std::string& path, const Json& value) {
  if (!value.is_object()) problem(path, "must be an object");
  return value.is_object();
}

std::string Reader::text(const std::string& path, const Json& value) {
  if (value.is_string() && !value.get_ref<const std::string&>().empty()) return value.get<std::string>();
  problem(path, "must be a string that is not empty");
  return {};
}

bool Reader::flag(const std::string& path, const Json& value, bool otherwise) {
  if (value.is_boolean()) return value.get<bool>();
  problem(path, "must be true or false");
  return otherwise;
}

std::vector<std::string> Reader::list(const std::string& path, const Json& value) {
  if (value.is_string()) return {text(path, value)};
  std::vector<std::string> items;
  if (!value.is_array()) {
    problem(path, "must be a list of names");
    return items;
  }
  for (std::size_t i = 0; i < value.size(); ++i) items.push_back(text(path + "[" + std::to_string(i) + "]", value[i]));
  return items;
}

std::vector<std::vector<std::string>> Reader::lists(const std::string& path, const Json& value) {
  std::vector<std::vector<std::string>> items;
  if (!value.is_array()) {
    problem(path, "must be a list of lists of names");
    return items;
  }
  for (std::size_t i = 0; i < value.size(); ++i) items.push_back(list(path + "[" + std::to_string(i) + "]", value[i]));
  return items;
}

std::vector<ColumnValue> Reader::values(const std::string& path, const Json& value) {
  std::vector<ColumnValue> items;
  if (!is_object(path, value)) return items;
  for (const auto& [column, item] : value.items()) {
    if (item.is_structured()) problem(path + "." + column, "must be null, a boolean, a number or a string");
    items.push_back({column, item});
  }
  return items;
}

std::vector<RowFilter> Reader::filter(const std::string& path, const Json& value) {
  std::vector<RowFilter> items;
  if (!is_object(path, value)) return items;
  for (const auto& [column, item] : value.items()) {
    RowFilter one{column, {}};
    if (item.is_array())
      one.values.assign(item.begin(), item.end());
    else
      one.values.push_back(item);
    if (one.values.empty()) problem(path + "." + column, "must name a value");
    for (const auto& allowed : one.values)
      if (allowed.is_structured()) problem(path + "." + column, "must be a value or a list of values");
    items.push_back(std::move(one));
  }
  return items;
}

std::vector<std::pair<std::string, std::string>> Reader::texts(const std::string& path, const Json& value) {
  std::vector<std::pair<std::string, std::string>> items;
  if (!is_object(path, value)) return items;
  for (const auto& [name, item] : value.items()) items.emplace_back(name, text(path + "." + name, item));
  return items;
}

template <class Enum>
Enum Reader::choice(const std::string& path, const Json& value, std::initializer_list<std::pair<const char*, Enum>> choices) {
  const std::string word = value.is_string() ? value.get<std::string>() : std::string();
  std::string allowed;
  for (const auto& [name, meaning] : choices) {
    if (word == name) return meaning;
    allowed += (allowed.empty() ? "" : ", ") + std::string(name);
  }
  problem(path, "must be one of " + allowed);
  return choices.begin()->second;
}

void Reader::id(TableProfile& table, const std::string& path, const Json& value) {
  if (value.is_object()) {
    members(path, value, {{"expression", [&](auto& at, auto& v) { table.id_expression = text(at, v); }}});
    table.id = IdGenerator::expression;
    if (!value.contains("expression")) problem(path, "must be a generator's name or {\"expression\": \"SQL\"}");
    return;
  }
  table.id = choice<IdGenerator>(path, value,
                                 {{"sequence", IdGenerator::sequence}, {"default", IdGenerator::column_default}, {"uuid", IdGenerator::uuid}, {"cuid", IdGenerator::cuid}});
}

void Reader::pattern(Reference& reference, const std::string& path, const Json& value) {
  const std::string written = text(path, value);
  const std::size_t at = written.find("{id}");
  if (at == std::string::npos || written.find("{id}", at + 1) != std::string::npos) {
    problem(path, "must hold {id} once, as in \"/lessons/{id}\"");
    return;
  }
  reference.before = written.substr(0, at);
  reference.after = written.substr(at + 4);
  if (reference.before.empty()) problem(path, "must have some text before {id}");
}

Reference Reader::reference(const std::string& path, const Json& value) {
  Reference reference;
  if (!is_object(path, value)) return reference;
  const auto kind = value.find("kind");
  if (kind != value.end())
    reference.kind = choice<ReferenceKind>(path + ".kind", *kind,
                                           {{"foreign_key", ReferenceKind::foreign_key},
                                            {"polymorphic", ReferenceKind::polymorphic},
                                            {"array", ReferenceKind::array},
                                            {"json", ReferenceKind::json},
                                            {"text", ReferenceKind::text}});
  const auto columns = [&](auto& at, auto& v) { reference.columns = list(at, v); };
  Members known{{"kind", [](auto&, auto&) {}}, {"columns", columns}, {"column", columns}};
  if (reference.kind == ReferenceKind::polymorphic) {
    known.push_back({"type_column", [&](auto& at, auto& v) { reference.type_column = text(at, v); }});
    known.push_back({"types", [&](auto& at, auto& v) { reference.types = texts(at, v); }});
  } else {
    known.push_back({"table", [&](auto& at, auto& v) { reference.table = text(at, v); }});
    known.push_back({"to", [&](auto& at, auto& v) { reference.to = list(at, v); }});
  }
  if (reference.kind == ReferenceKind::json)
    known.push_back({"path", [&](auto& at, auto& v) {
                       reference.path_text = text(at, v);
                       if (auto steps = parse_path(reference.path_text))
                         reference.path = std::move(*steps);
                       else
                         problem(at, "must be a path of names, [*] and **, as in $.blocks[*].lessonId");
                     }});
  if (reference.kind == ReferenceKind::text) known.push_back({"pattern", [&](auto& at, auto& v) { pattern(reference, at, v); }});
  members(path, value, known);
  check_reference(reference, path);
  return reference;
}

void Reader::check_reference(const Reference& reference, const std::string& path) {
  const bool many = reference.kind == ReferenceKind::foreign_key;
  if (reference.columns.empty() || (!many && reference.columns.size() != 1)) problem(path, many ? "needs \"columns\"" : "needs \"column\"");
  if (reference.kind == ReferenceKind::polymorphic) {
    if (reference.type_column.empty()) problem(path, "needs \"type_column\"");
    if (reference.types.empty()) problem(path, "needs \"types\", as in {\"Lesson\": \"lessons\"}");
    return;
  }
  if (reference.table.empty()) problem(path, "needs \"table\"");
  if (!reference.to.empty() && reference.to.size() != reference.columns.size()) problem(path + ".to", "must name as many columns as the reference has");
  if (reference.kind == ReferenceKind::json && reference.path_text.empty()) problem(path, "needs \"path\"");
  if (reference.kind == ReferenceKind::text && reference.before.empty()) problem(path, "needs \"pattern\"");
}

void Reader::table(TableProfile& table, const std::string& path, const Json& value) {
  table.names = {table.name};
  if (!is_object(path, value)) return;
  members(path, value,
          {{"class", [&](auto& at, auto& v) {
              table.table_class = choice<TableClass>(at, v,
                                                     {{"root", TableClass::root},
                                                      {"own", TableClass::own},
                                                      {"link", TableClass::link},
                                                      {"ref", TableClass::ref},
                                                      {"bank", TableClass::bank},
                                                      {"context", TableClass::context},
                                                      {"exclude", TableClass::exclude}});
            }},
           {"names", [&](auto& at, auto& v) {
              table.names = list(at, v);
              if (table.names.empty()) problem(at, "must name a table");
            }},
           {"columns", [&](auto& at, auto& v) {
              if (!is_object(at, v)) return;
              for (const auto& [column, names] : v.items()) table.columns.emplace_back(column, list(at + "." + column, names));
            }},
           {"key", [&](auto& at, auto& v) { table.key = list(at, v); }},
           {"order", [&](auto& at, auto& v) { table.order = list(at, v); }},
           {"owned_by", [&](auto& at, auto& v) { table.owned_by = lists(at, v); }},
           {"natural_key", [&](auto& at, auto& v) { table.natural_key = lists(at, v); }},
           {"display", [&](auto& at, auto& v) { table.display = list(at, v); }},
           {"whole", [&](auto& at, auto& v) { table.whole = flag(at, v, false); }},
           {"missing", [&](auto& at, auto& v) {
              table.missing = choice<MissingPolicy>(at, v,
                                                    {{"error", MissingPolicy::error},
                                                     {"null", MissingPolicy::null},
                                                     {"create", MissingPolicy::create},
                                                     {"skip_row", MissingPolicy::skip_row}});
            }},
           {"hash", [&](auto& at, auto& v) { table.hash = list(at, v); }},
           {"omit", [&](auto& at, auto& v) { table.omit = list(at, v); }},
           {"filter", [&](auto& at, auto& v) { table.filter = filter(at, v); }},
           {"force", [&](auto& at, auto& v) { table.force = values(at, v); }},
           {"reset", [&](auto& at, auto& v) { table.reset = values(at, v); }},
           {"fill", [&](auto& at, auto& v) { table.fill = values(at, v); }},
           {"context", [&](auto& at, auto& v) { table.context = texts(at, v); }},
           {"id", [&](auto& at, auto& v) { id(table, at, v); }},
           {"unique", [&](auto& at, auto& v) {
              if (!is_object(at, v)) return;
              for (const auto& [column, policy] : v.items())
                table.unique.emplace_back(column, choice<UniquePolicy>(at + "." + column, policy,
                                                                       {{"suffix", UniquePolicy::suffix},
                                                                        {"regenerate", UniquePolicy::regenerate},
                                                                        {"null", UniquePolicy::null},
                                                                        {"error", UniquePolicy::error}}));
            }},
           {"enum_map", [&](auto& at, auto& v) {
              if (!is_object(at, v)) return;
              for (const auto& [column, labels] : v.items()) table.enum_map.emplace_back(column, texts(at + "." + column, labels));
            }},
           {"references", [&](auto& at, auto& v) {
              if (!v.is_array()) return problem(at, "must be a list");
              for (std::size_t i = 0; i < v.size(); ++i) table.references.push_back(reference(at + "[" + std::to_string(i) + "]", v[i]));
            }},
           // notes of graph_profile_suggest()
           {"reason", [&](auto& at, auto& v) { text(at, v); }},
           {"rows", [](auto&, auto&) {}}});
  if (!value.contains("class")) problem(path, "needs \"class\"");
  if (table.missing == MissingPolicy::create) table.whole = true;
}

void Reader::check_whole(const Profile& profile) {
  const auto known = [&](const std::string& path, const std::string& table) {
    if (!table.empty() && profile.table(table) == nullptr) problem(path, "table \"" + printable(table) + "\" is not in the profile");
  };
  if (profile.root.empty()) {
    problem("$", "needs \"root\", the name of the table of class root");
  } else if (const auto* root = profile.table(profile.root)) {
    if (root->table_class != TableClass::root) problem("$.tables." + profile.root, "must be of class root");
  } else {
    known("$.root", profile.root);
  }
  for (const auto& table : profile.tables) {
    const std::string path = "$.tables." + table.name;
    if (table.table_class == TableClass::root && table.name != profile.root) problem(path, "only \"" + printable(profile.root) + "\" may be of class root");
    if (table.table_class != TableClass::ref && (table.missing != MissingPolicy::automatic || table.whole || !table.display.empty()))
      problem(path, "\"missing\", \"whole\" and \"display\" are for tables of class ref");
    for (const auto& reference : table.references) {
      known(path + ".references", reference.table);
      for (const auto& [type, target] : reference.types) known(path + ".references.types." + type, target);
    }
  }
}

Profile Reader::profile(const Json& definition) {
  Profile profile;
  profile.name = name_;
  if (is_object("$", definition))
    members("$", definition,
            {{"format", [&](auto& at, auto& v) {
                if (v != "pg_snapback_profile") problem(at, "must be pg_snapback_profile");
              }},
             {"version", [&](auto& at, auto& v) {
                if (!v.is_number_integer() || v.template get<std::int64_t>() < 1) return problem(at, "must be a natural number");
                if (v.template get<std::int64_t>() > profile_version) problem(at, "is newer than this version of pg_snapback reads");
              }},
             {"name", [&](auto& at, auto& v) {
                if (text(at, v) != name_) problem(at, "must be \"" + printable(name_) + "\"");
              }},
             {"root", [&](auto& at, auto& v) { profile.root = text(at, v); }},
             {"strict", [&](auto& at, auto& v) { profile.strict = flag(at, v, true); }},
             {"tables", [&](auto& at, auto& v) {
                if (!is_object(at, v)) return;
                for (const auto& [name, value] : v.items()) {
                  TableProfile one;
                  one.name = name;
                  table(one, at + "." + name, value);
                  profile.tables.push_back(std::move(one));
                }
              }}});
  check_whole(profile);
  if (problems_.empty()) return profile;
  std::string detail;
  for (std::size_t i = 0; i < problems_.size() && i < problems_shown; ++i) detail += (i > 0 ? "\n" : "") + printable(problems_[i]);
  if (problems_.size() > problems_shown) detail += "\nand " + std::to_string(problems_.size() - problems_shown) + " more";
  throw error(sqlstate::invalid_parameter_value, "profile \"" + printable(name_) + "\" is not valid", detail,
              "docs/course.md describes profiles; SELECT jsonb_pretty(course_profile_suggest('courses')) drafts one from the catalog.");
}

}  // namespace

Profile parse_profile(const std::string& name, const Json& definition) { return Reader(name).profile(definition); }

Profile parse_profile(const std::string& name, std::string_view text) {
  Json definition;
  try {
    definition = parse_bounded("profile", text, max_json_members);
  } catch (const error& problem) {
    throw error(sqlstate::invalid_parameter_value, "profile \"" + printable(name) + "\" is not valid", problem.message());
  }
  return parse_profile(name, definition);
}

Json extend_profile(const Json& base, const Json& definition) {
  Json extended = base;
  for (const auto& [name, value] : definition.items()) {
    if (name == "extends") continue;
    if (name != "tables" || !value.is_object()) {
      extended[name] = value;
      continue;
    }
    for (const auto& [table, members] : value.items()) {
      Json& tables = extended["tables"];
      if (members.is_null()) {
        tables.erase(table);
      } else if (members.is_object() && tables.contains(table) && tables[table].is_object()) {
        for (const auto& [member, setting] : members.items()) {
          if (setting.is_null())
            tables[table].erase(member);
          else
            tables[table][member] = setting;
        }
      } else {
        tables[table] = members;
      }
    }
  }
  return extended;
}

}  // namespace snapback::graph

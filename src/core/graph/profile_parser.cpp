// JSON to Profile: every problem is collected with its place before anything is raised.
#include <span>

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
  // What reads one member of an object into what the object describes.
  template <class Subject>
  struct Member {
    const char* name;
    void (*read)(Reader& reader, Subject& subject, const std::string& path, const Json& value);
  };

  void problem(const std::string& path, const std::string& what) { problems_.push_back(path + ": " + what); }
  // Reads every member of the object into `subject`; one that is not known is a problem.
  template <class Subject>
  void members(const std::string& path, const Json& object, Subject& subject, std::span<const Member<Subject>> known);
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
  void format(const std::string& path, const Json& value);
  void version(const std::string& path, const Json& value);
  void own_name(const std::string& path, const Json& value);
  void tables(Profile& profile, const std::string& path, const Json& value);
  void table(TableProfile& table, const std::string& path, const Json& value);
  TableClass table_class(const std::string& path, const Json& value);
  MissingPolicy missing(const std::string& path, const Json& value);
  std::vector<std::string> names(const std::string& path, const Json& value);
  void columns(TableProfile& table, const std::string& path, const Json& value);
  void unique(TableProfile& table, const std::string& path, const Json& value);
  void enum_map(TableProfile& table, const std::string& path, const Json& value);
  void references(TableProfile& table, const std::string& path, const Json& value);
  void id(TableProfile& table, const std::string& path, const Json& value);
  Reference reference(const std::string& path, const Json& value);
  static std::vector<Member<Reference>> known_members(ReferenceKind kind);
  void json_path(Reference& reference, const std::string& path, const Json& value);
  void pattern(Reference& reference, const std::string& path, const Json& value);
  void check_reference(const Reference& reference, const std::string& path);
  void check_whole(const Profile& profile);

  std::string name_;
  std::vector<std::string> problems_;
};

template <class Subject>
void Reader::members(const std::string& path, const Json& object, Subject& subject, std::span<const Member<Subject>> known) {
  for (const auto& [name, value] : object.items()) {
    const Member<Subject>* found = nullptr;
    for (const auto& member : known)
      if (name == member.name) found = &member;
    if (found == nullptr)
      problem(path, "unknown member \"" + printable(name) + "\"");
    else
      found->read(*this, subject, path + "." + name, value);
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
    static constexpr Member<TableProfile> known[] = {{"expression", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.id_expression = r.text(at, v); }}};
    members<TableProfile>(path, value, table, known);
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

// Members of a reference of this kind. A definition that names one of another kind is wrong.
std::vector<Reader::Member<Reference>> Reader::known_members(ReferenceKind kind) {
  using One = Member<Reference>;
  static constexpr auto columns = [](Reader& r, Reference& reference, const std::string& at, const Json& v) { reference.columns = r.list(at, v); };
  static constexpr One every[] = {{"kind", [](Reader&, Reference&, const std::string&, const Json&) {}}, {"columns", columns}, {"column", columns}};
  static constexpr One polymorphic[] = {{"type_column", [](Reader& r, Reference& reference, const std::string& at, const Json& v) { reference.type_column = r.text(at, v); }},
                                        {"types", [](Reader& r, Reference& reference, const std::string& at, const Json& v) { reference.types = r.texts(at, v); }}};
  static constexpr One one_table[] = {{"table", [](Reader& r, Reference& reference, const std::string& at, const Json& v) { reference.table = r.text(at, v); }},
                                      {"to", [](Reader& r, Reference& reference, const std::string& at, const Json& v) { reference.to = r.list(at, v); }}};
  static constexpr One json{"path", [](Reader& r, Reference& reference, const std::string& at, const Json& v) { r.json_path(reference, at, v); }};
  static constexpr One text{"pattern", [](Reader& r, Reference& reference, const std::string& at, const Json& v) { r.pattern(reference, at, v); }};
  std::vector<One> known(std::begin(every), std::end(every));
  if (kind == ReferenceKind::polymorphic)
    known.insert(known.end(), std::begin(polymorphic), std::end(polymorphic));
  else
    known.insert(known.end(), std::begin(one_table), std::end(one_table));
  if (kind == ReferenceKind::json) known.push_back(json);
  if (kind == ReferenceKind::text) known.push_back(text);
  return known;
}

void Reader::json_path(Reference& reference, const std::string& path, const Json& value) {
  reference.path_text = text(path, value);
  if (auto steps = parse_path(reference.path_text))
    reference.path = std::move(*steps);
  else
    problem(path, "must be a path of names, [*] and **, as in $.blocks[*].lessonId");
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
  members<Reference>(path, value, reference, known_members(reference.kind));
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
  static constexpr Member<TableProfile> known[] = {
      {"class", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.table_class = r.table_class(at, v); }},
      {"names", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.names = r.names(at, v); }},
      {"columns", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { r.columns(t, at, v); }},
      {"key", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.key = r.list(at, v); }},
      {"order", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.order = r.list(at, v); }},
      {"owned_by", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.owned_by = r.lists(at, v); }},
      {"natural_key", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.natural_key = r.lists(at, v); }},
      {"display", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.display = r.list(at, v); }},
      {"whole", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.whole = r.flag(at, v, false); }},
      {"missing", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.missing = r.missing(at, v); }},
      {"hash", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.hash = r.list(at, v); }},
      {"omit", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.omit = r.list(at, v); }},
      {"filter", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.filter = r.filter(at, v); }},
      {"force", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.force = r.values(at, v); }},
      {"reset", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.reset = r.values(at, v); }},
      {"fill", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.fill = r.values(at, v); }},
      {"context", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { t.context = r.texts(at, v); }},
      {"id", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { r.id(t, at, v); }},
      {"unique", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { r.unique(t, at, v); }},
      {"enum_map", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { r.enum_map(t, at, v); }},
      {"references", [](Reader& r, TableProfile& t, const std::string& at, const Json& v) { r.references(t, at, v); }},
      // notes of graph_profile_suggest()
      {"reason", [](Reader& r, TableProfile&, const std::string& at, const Json& v) { r.text(at, v); }},
      {"rows", [](Reader&, TableProfile&, const std::string&, const Json&) {}},
  };
  table.names = {table.name};
  if (!is_object(path, value)) return;
  members<TableProfile>(path, value, table, known);
  if (!value.contains("class")) problem(path, "needs \"class\"");
  if (table.missing == MissingPolicy::create) table.whole = true;
}

TableClass Reader::table_class(const std::string& path, const Json& value) {
  return choice<TableClass>(path, value,
                            {{"root", TableClass::root},
                             {"own", TableClass::own},
                             {"link", TableClass::link},
                             {"ref", TableClass::ref},
                             {"bank", TableClass::bank},
                             {"context", TableClass::context},
                             {"exclude", TableClass::exclude}});
}

MissingPolicy Reader::missing(const std::string& path, const Json& value) {
  return choice<MissingPolicy>(path, value,
                               {{"error", MissingPolicy::error}, {"null", MissingPolicy::null}, {"create", MissingPolicy::create}, {"skip_row", MissingPolicy::skip_row}});
}

std::vector<std::string> Reader::names(const std::string& path, const Json& value) {
  auto names = list(path, value);
  if (names.empty()) problem(path, "must name a table");
  return names;
}

void Reader::columns(TableProfile& table, const std::string& path, const Json& value) {
  if (!is_object(path, value)) return;
  for (const auto& [column, names] : value.items()) table.columns.emplace_back(column, list(path + "." + column, names));
}

void Reader::unique(TableProfile& table, const std::string& path, const Json& value) {
  if (!is_object(path, value)) return;
  for (const auto& [column, policy] : value.items())
    table.unique.emplace_back(
        column, choice<UniquePolicy>(
                    path + "." + column, policy,
                    {{"suffix", UniquePolicy::suffix}, {"regenerate", UniquePolicy::regenerate}, {"null", UniquePolicy::null}, {"error", UniquePolicy::error}}));
}

void Reader::enum_map(TableProfile& table, const std::string& path, const Json& value) {
  if (!is_object(path, value)) return;
  for (const auto& [column, labels] : value.items()) table.enum_map.emplace_back(column, texts(path + "." + column, labels));
}

void Reader::references(TableProfile& table, const std::string& path, const Json& value) {
  if (!value.is_array()) return problem(path, "must be a list");
  for (std::size_t i = 0; i < value.size(); ++i) table.references.push_back(reference(path + "[" + std::to_string(i) + "]", value[i]));
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

void Reader::format(const std::string& path, const Json& value) {
  if (value != "pg_snapback_profile") problem(path, "must be pg_snapback_profile");
}

void Reader::version(const std::string& path, const Json& value) {
  if (!value.is_number_integer() || value.get<std::int64_t>() < 1) return problem(path, "must be a natural number");
  if (value.get<std::int64_t>() > profile_version) problem(path, "is newer than this version of pg_snapback reads");
}

void Reader::own_name(const std::string& path, const Json& value) {
  if (text(path, value) != name_) problem(path, "must be \"" + printable(name_) + "\"");
}

void Reader::tables(Profile& profile, const std::string& path, const Json& value) {
  if (!is_object(path, value)) return;
  for (const auto& [name, described] : value.items()) {
    TableProfile one;
    one.name = name;
    table(one, path + "." + name, described);
    profile.tables.push_back(std::move(one));
  }
}

Profile Reader::profile(const Json& definition) {
  static constexpr Member<Profile> known[] = {
      {"format", [](Reader& r, Profile&, const std::string& at, const Json& v) { r.format(at, v); }},
      {"version", [](Reader& r, Profile&, const std::string& at, const Json& v) { r.version(at, v); }},
      {"name", [](Reader& r, Profile&, const std::string& at, const Json& v) { r.own_name(at, v); }},
      {"root", [](Reader& r, Profile& p, const std::string& at, const Json& v) { p.root = r.text(at, v); }},
      {"strict", [](Reader& r, Profile& p, const std::string& at, const Json& v) { p.strict = r.flag(at, v, true); }},
      {"tables", [](Reader& r, Profile& p, const std::string& at, const Json& v) { r.tables(p, at, v); }},
  };
  Profile profile;
  profile.name = name_;
  if (is_object("$", definition)) members<Profile>("$", definition, profile, known);
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

}  // namespace snapback::graph

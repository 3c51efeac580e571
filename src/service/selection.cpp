#include "service/selection.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/settings.hpp"
#include "pg/spi.hpp"
#include "service/catalog.hpp"
#include "service/schema_json.hpp"

extern "C" {
#include "access/relation.h"
#include "utils/rls.h"
}

namespace snapback::service {

namespace {

std::string fold(const std::string& text) {
  std::string folded = text;
  for (auto& c : folded)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return folded;
}

// Iterative glob: * any run, ? one byte of a name (a multi-byte character needs as many).
bool glob(const std::string& pattern, const std::vector<bool>& literal, const std::string& name) {
  std::size_t p = 0, n = 0, star = std::string::npos, retry = 0;
  while (n < name.size()) {
    bool wild = p < pattern.size() && !literal[p];
    if (wild && pattern[p] == '*') {
      star = p++;
      retry = n;
    } else if (p < pattern.size() && ((wild && pattern[p] == '?') || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string::npos) {
      p = star + 1;
      n = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && !literal[p] && pattern[p] == '*') ++p;
  return p == pattern.size();
}

[[noreturn]] void invalid_pattern(const std::string& text, const char* why) {
  throw snapback::error(sqlstate::invalid_parameter_value, "invalid table name or pattern \"" + printable(text) + "\"", why,
                        "Write a name, schema.name, or a pattern such as public.quiz_*; put names with capitals or dots in double quotes.");
}

struct Candidate {
  Oid oid;
  std::string schema, name;
  char kind;
  bool user_table;  // belongs to "all tables"
  bool in_path;
  int path_position;
  bool is_partition;
};

std::vector<Candidate> candidates(CatalogMoment moment) {
  std::vector<Candidate> found;
  for (auto& row : (moment == CatalogMoment::now ? pg::query : pg::query_active)(R"(
      SELECT c.oid, n.nspname, c.relname, c.relkind,
             c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
               AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                                WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
                                  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_extension e WHERE e.oid = d.refobjid AND c.oid = ANY (e.extconfig))),
             pg_catalog.array_position($1::pg_catalog.text[], n.nspname::pg_catalog.text), c.relispartition
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
         AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'snapback')
         AND (c.relpersistence <> 't' OR n.oid = pg_catalog.pg_my_temp_schema())
       ORDER BY n.nspname, c.relname)",
                                                                                 {pg::array_literal(pg::search_path())}, 0)) {
    Candidate candidate;
    candidate.oid = static_cast<Oid>(std::stoul(*row[0]));
    candidate.schema = *row[1];
    candidate.name = *row[2];
    candidate.kind = (*row[3])[0];
    candidate.user_table = *row[4] == "t";
    candidate.in_path = row[5].has_value();
    candidate.path_position = row[5] ? std::stoi(*row[5]) : 0;
    candidate.is_partition = *row[6] == "t";
    found.push_back(std::move(candidate));
  }
  return found;
}

bool is_exact(const NamePattern& pattern) { return !pattern.name.wild && !(pattern.schema && pattern.schema->wild); }

[[noreturn]] void nothing_matches(const NamePattern& pattern, const std::string& where) {
  if (is_exact(pattern))
    throw snapback::error(sqlstate::undefined_table, "table \"" + printable(pattern.source) + "\" does not exist" + where, "",
                          "Names are looked up in the search path unless a schema is given; a name with capitals matches as it is written.");
  throw snapback::error(sqlstate::invalid_parameter_value, "no table matches the pattern \"" + printable(pattern.source) + "\"" + where);
}

// An exact name without schema means the first relation of that name in the search path, as in SQL; the spelling as written goes before the folded one.
std::vector<const Candidate*> matches(const NamePattern& pattern, const std::vector<Candidate>& all) {
  std::vector<const Candidate*> found;
  for (auto& candidate : all) {
    if (pattern.everything() ? candidate.user_table : pattern.matches(candidate.schema, candidate.name, candidate.in_path)) {
      if (!is_exact(pattern) && !candidate.user_table) continue;
      found.push_back(&candidate);
    }
  }
  if (is_exact(pattern) && found.size() > 1) {
    auto better = [&](const Candidate* a, const Candidate* b) {
      bool exact_a = a->name == pattern.name.text, exact_b = b->name == pattern.name.text;
      if (exact_a != exact_b) return exact_a;
      return a->path_position < b->path_position;
    };
    found = {*std::min_element(found.begin(), found.end(), better)};
  }
  return found;
}

void refuse_unreadable_kind(const Candidate& candidate) {
  if (candidate.kind == RELKIND_SEQUENCE)
    throw snapback::error(sqlstate::wrong_object_type, "\"" + candidate.schema + "." + candidate.name + "\" is not a table", "It is a sequence.",
                          "The sequences of a table's columns are backed up with the table.");
}

// Views are read with their owner's rights, as SQL does; one that asks for its caller's would let its owner's code run with them.
void refuse_invoker_view(Oid oid) {
  bool invoker = pg::call([&] {
    if (get_rel_relkind(oid) != RELKIND_VIEW) return false;
    Relation view = relation_open(oid, AccessShareLock);
    bool found = RelationHasSecurityInvoker(view);
    relation_close(view, NoLock);
    return found;
  });
  if (!invoker) return;
  const char* name = pg::call([&] { return get_rel_name(oid); });
  throw snapback::error(sqlstate::feature_not_supported, std::string("cannot back up view \"") + (name ? name : "?") + "\"", "It runs with the rights of its caller (security_invoker).",
                        "Back up the tables below it.");
}

}  // namespace

bool NamePattern::Part::matches(const std::string& candidate) const {
  if (!wild) return candidate == text || (!quoted && candidate == fold(text));
  return glob(text, literal, candidate) || (!quoted && glob(fold(text), literal, candidate));
}

bool NamePattern::everything() const { return !schema && name.wild && name.text == "*"; }

bool NamePattern::matches(const std::string& schema_name, const std::string& relation_name, bool in_path) const {
  if (schema ? !schema->matches(schema_name) : !in_path) return false;
  return name.matches(relation_name);
}

NamePattern parse_pattern(const std::string& text) {
  std::vector<NamePattern::Part> parts(1);
  bool in_quotes = false;
  bool after_quote = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    auto& part = parts.back();
    if (c == '"') {
      if (in_quotes && i + 1 < text.size() && text[i + 1] == '"') {
        part.text += '"';
        part.literal.push_back(true);
        ++i;
      } else {
        in_quotes = !in_quotes;
        part.quoted = true;
        after_quote = !in_quotes;
      }
      continue;
    }
    if (!in_quotes && c == '.') {
      parts.emplace_back();
      after_quote = false;
      continue;
    }
    if (after_quote) invalid_pattern(text, "Something follows a closing double quote.");
    part.text += c;
    part.literal.push_back(in_quotes);
    if (!in_quotes && (c == '*' || c == '?')) part.wild = true;
  }
  if (in_quotes) invalid_pattern(text, "A double quote is not closed.");
  if (parts.size() > 2) invalid_pattern(text, "It has more than one dot.");
  for (auto& part : parts)
    if (part.text.empty()) invalid_pattern(text, "A name is empty.");
  NamePattern pattern;
  pattern.source = text;
  pattern.name = parts.back();
  if (parts.size() == 2) pattern.schema = parts.front();
  return pattern;
}

std::vector<std::string> split_pattern_list(const std::string& text) {
  std::vector<std::string> list;
  std::string item;
  bool in_quotes = false;
  auto flush = [&] {
    auto first = item.find_first_not_of(" \t\n"), last = item.find_last_not_of(" \t\n");
    if (first != std::string::npos) list.push_back(item.substr(first, last - first + 1));
    item.clear();
  };
  for (char c : text) {
    if (c == '"') in_quotes = !in_quotes;
    if (c == ',' && !in_quotes)
      flush();
    else
      item += c;
  }
  flush();
  return list;
}

namespace {

// `moment` of the snapshot: names that mean nothing there are passed over, and the result may be empty.
Selection select_at(CatalogMoment moment, const std::optional<std::vector<std::string>>& tables, const std::vector<std::string>& exclude) {
  const bool strict = moment == CatalogMoment::now;
  Selection selection;
  std::vector<std::string> names;
  if (tables) {
    if (tables->empty())
      throw snapback::error(sqlstate::invalid_parameter_value, "the list of tables is empty", "", "Leave the argument out to take all user tables.");
    names = *tables;
  } else {
    names = split_pattern_list(pg::settings.tables ? pg::settings.tables : "");
    selection.wide = true;
    if (names.empty()) names = {"*"};
  }
  auto all = candidates(moment);
  std::map<Oid, const Candidate*> chosen;
  for (auto& name : names) {
    auto pattern = parse_pattern(name);
    auto found = matches(pattern, all);
    if (strict && found.empty() && !pattern.everything()) nothing_matches(pattern, "");
    if (pattern.everything()) selection.wide = true;
    for (auto* candidate : found) {
      if (strict) refuse_unreadable_kind(*candidate);
      chosen.emplace(candidate->oid, candidate);
    }
  }
  auto exclude_matches = [&](const NamePattern& pattern) {
    auto found = matches(pattern, all);
    if (strict && found.empty() && is_exact(pattern)) nothing_matches(pattern, "");
    return found;
  };
  std::set<Oid> excluded;
  for (auto& name : exclude)
    for (auto* candidate : exclude_matches(parse_pattern(name))) excluded.insert(candidate->oid);
  std::vector<Oid> roots, excluded_roots;
  for (auto& [oid, candidate] : chosen)
    if (candidate->kind == RELKIND_PARTITIONED_TABLE && !excluded.count(oid)) roots.push_back(oid);
  for (auto& candidate : all)
    if (excluded.count(candidate.oid) && candidate.kind == RELKIND_PARTITIONED_TABLE) excluded_roots.push_back(candidate.oid);
  for (auto oid : excluded_roots.empty() ? std::vector<Oid>{} : partitions_of(excluded_roots, moment)) excluded.insert(oid);
  auto partitions = roots.empty() ? std::vector<Oid>{} : partitions_of(roots, moment);
  std::set<Oid> along(partitions.begin(), partitions.end());
  std::set<Oid> result;
  for (auto& [oid, candidate] : chosen) {
    if (excluded.count(oid)) continue;
    result.insert(oid);
    if (!along.count(oid)) selection.checked.push_back(oid);
  }
  for (auto oid : partitions)
    if (!excluded.count(oid)) result.insert(oid);
  selection.tables.assign(result.begin(), result.end());
  if (strict && selection.tables.empty() && (tables || !exclude.empty()))
    throw snapback::error(sqlstate::invalid_parameter_value, "no table is left to back up");
  if (!exclude.empty()) selection.wide = false;
  return selection;
}

}  // namespace

Selection select_tables(const std::optional<std::vector<std::string>>& tables, const std::vector<std::string>& exclude) {
  return select_at(CatalogMoment::now, tables, exclude);
}

void refuse_missed_tables(const std::optional<std::vector<std::string>>& tables, const std::vector<std::string>& exclude, const Selection& selection) {
  if (!IsolationUsesXactSnapshot()) return;
  auto then = select_at(CatalogMoment::of_snapshot, tables, exclude).tables;
  std::vector<Oid> missed;
  std::set_difference(then.begin(), then.end(), selection.tables.begin(), selection.tables.end(), std::back_inserter(missed));
  if (missed.empty()) return;
  auto names = pg::query_active("SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid",
                                {std::to_string(missed[0])});
  throw snapback::error(sqlstate::serialization_failure, "could not read table \"" + names.at(0)[0].value_or("?") + "\" as of this transaction's snapshot",
                        "The table was dropped, renamed or moved after the snapshot was taken.", "Start a new transaction, or use READ COMMITTED.");
}

void check_readable(const std::vector<Oid>& tables) {
  std::vector<std::string> denied, hidden;
  Oid user = GetUserId();
  for (auto oid : tables) {
    refuse_invoker_view(oid);
    enum Verdict { fine, no_right, row_security };
    Verdict verdict = pg::call([&] {
      if (pg_class_aclcheck(oid, user, ACL_SELECT) != ACLCHECK_OK &&
          pg_attribute_aclcheck_all(oid, user, ACL_SELECT, ACLMASK_ALL) != ACLCHECK_OK)
        return no_right;
      return check_enable_rls(oid, InvalidOid, true) == RLS_ENABLED ? row_security : fine;
    });
    if (verdict == fine) continue;
    const char* schema = pg::call([&] { return get_namespace_name(get_rel_namespace(oid)); });
    const char* name = pg::call([&] { return get_rel_name(oid); });
    (verdict == no_right ? denied : hidden).push_back(std::string(schema ? schema : "?") + "." + (name ? name : "?"));
  }
  auto list = [](const std::vector<std::string>& names) {
    std::string joined;
    for (std::size_t i = 0; i < names.size() && i < 20; ++i) joined += (i ? ", " : "") + names[i];
    if (names.size() > 20) joined += " and " + std::to_string(names.size() - 20) + " more";
    return joined;
  };
  if (denied.size() == 1)
    throw snapback::error(sqlstate::insufficient_privilege, "permission denied for table \"" + denied[0] + "\"", "A backup needs the SELECT right on every table it takes.",
                          "Grant it, name the tables to take, or leave this one out with exclude.");
  if (!denied.empty())
    throw snapback::error(sqlstate::insufficient_privilege, "permission denied for " + std::to_string(denied.size()) + " tables",
                          "The SELECT right is missing on " + list(denied) + ".", "Grant it, name the tables to take, or leave these out with exclude.");
  if (!hidden.empty())
    throw snapback::error(sqlstate::insufficient_privilege,
                          hidden.size() == 1 ? "row security would hide rows of table \"" + hidden[0] + "\""
                                             : "row security would hide rows of " + std::to_string(hidden.size()) + " tables",
                          "Policies apply to the current role on " + list(hidden) + ".", "Use a role with BYPASSRLS, or leave the tables out with exclude.");
}

namespace {

using Names = std::vector<std::pair<std::string, std::string>>;

// Tables of a backup that a pattern means, as SQL would look a name up in the caller's search path.
std::vector<std::size_t> matches_in(const NamePattern& pattern, const Names& held, const std::map<std::string, int>& path) {
  std::vector<std::size_t> found, outside;
  for (std::size_t i = 0; i < held.size(); ++i) {
    bool in_path = path.count(held[i].first) > 0;
    if (pattern.everything() || pattern.matches(held[i].first, held[i].second, in_path)) found.push_back(i);
    // a schema outside the path may hold the only table of that name in the backup
    else if (!pattern.schema && pattern.matches(held[i].first, held[i].second, true)) outside.push_back(i);
  }
  if (found.empty() && outside.size() == 1) found = outside;
  if (!is_exact(pattern) || found.size() < 2) return found;
  auto rank = [&](std::size_t i) {
    auto it = path.find(held[i].first);
    return it == path.end() ? 1 << 20 : it->second;
  };
  return {*std::min_element(found.begin(), found.end(), [&](auto a, auto b) {
    bool exact_a = held[a].second == pattern.name.text, exact_b = held[b].second == pattern.name.text;
    return exact_a != exact_b ? exact_a : rank(a) < rank(b);
  })};
}

std::map<std::string, int> path_positions() {
  auto path = pg::search_path();
  std::map<std::string, int> positions;
  for (std::size_t i = 0; i < path.size(); ++i) positions.emplace(path[i], static_cast<int>(i));
  return positions;
}

std::vector<NamePattern> parse_list(const std::vector<std::string>& tables) {
  if (tables.empty())
    throw snapback::error(sqlstate::invalid_parameter_value, "the list of tables is empty", "", "Leave the argument out to mean all tables of the backup.");
  std::vector<NamePattern> patterns;
  for (auto& name : tables) patterns.push_back(parse_pattern(name));
  return patterns;
}

}  // namespace

std::vector<std::size_t> pick_tables(const std::optional<std::vector<std::string>>& tables, const std::vector<std::pair<std::string, std::string>>& held,
                                     const std::string& backup_id) {
  std::vector<std::size_t> picked;
  if (!tables) {
    for (std::size_t i = 0; i < held.size(); ++i) picked.push_back(i);
    return picked;
  }
  auto path = path_positions();
  std::set<std::size_t> chosen;
  for (auto& pattern : parse_list(*tables)) {
    auto found = matches_in(pattern, held, path);
    if (found.empty()) nothing_matches(pattern, " in backup \"" + backup_id + "\"");
    chosen.insert(found.begin(), found.end());
  }
  picked.assign(chosen.begin(), chosen.end());
  return picked;
}

BackupInfo choose_backup(Repository& repository, const std::string& id, const std::optional<std::vector<std::string>>& tables) {
  if (id != "latest") return repository.find(id);
  if (!tables) return repository.latest();
  auto patterns = parse_list(*tables);
  auto path = path_positions();
  return repository.latest([&](const Manifest& manifest) {
    Names held;
    for (auto& table : manifest.tables) held.push_back(name_of(table));
    return std::all_of(patterns.begin(), patterns.end(), [&](auto& pattern) { return !matches_in(pattern, held, path).empty(); });
  });
}

}  // namespace snapback::service

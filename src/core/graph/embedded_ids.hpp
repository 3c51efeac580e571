// Ids of rows that stand inside other values: in JSON at a path, in arrays, in texts around known words, and ids that were left where nobody looked for them.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/graph/profile.hpp"

namespace snapback::graph {

// A piece of a text: `offset` and `size` are what the id's replacement takes the place of (without the quotes of a JSON string).
struct EmbeddedId {
  std::size_t offset = 0, size = 0;
  std::string id;
  bool quoted = false;  // it was a JSON string
  bool operator==(const EmbeddedId&) const = default;
};

// Strings and whole numbers of a JSON text that stand at `path`. Everything else of the text is left as it is, to the byte. The text has to be valid JSON; nothing is found in another.
std::vector<EmbeddedId> ids_in_json(std::string_view json, const std::vector<PathStep>& path);

// What stands between `before` and `after` in a text, as far as it is made of letters, digits, '-' and '_'.
std::vector<EmbeddedId> ids_in_text(std::string_view text, const std::string& before, const std::string& after);

// Calls `found` with each longest run of letters, digits, '-' and '_' of at least 16 bytes: what a uuid, cuid or ulid looks like.
void long_words(std::string_view text, const std::function<void(std::string_view)>& found);

// The members of JSON objects whose name says that they hold an id ("lessonId", "lesson_id", "lessonIds", "id") with their strings and whole numbers.
void named_ids_in_json(std::string_view json, const std::function<void(std::string_view member, std::string_view id)>& found);
// lesson_id, lessonId, lesson_ids, lessonIds, id, ids
bool names_an_id(std::string_view name);

// A JSON array of scalars (and arrays of them) as PostgreSQL's array text; elements that are objects become their JSON text. False when it is no array.
bool array_text(std::string_view json, std::string& out);

}  // namespace snapback::graph

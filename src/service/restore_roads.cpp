#include "service/restore_roads.hpp"

#include <algorithm>
#include <cmath>

#include "pg/caches.hpp"
#include "pg/call.hpp"
#include "pg/lock_slots.hpp"
#include "pg/partitioned_table.hpp"
#include "pg/settings.hpp"
#include "pg/snapshot.hpp"
#include "pg/subtransaction.hpp"
#include "pg/table_sample.hpp"
#include "pg/text_forms.hpp"

namespace snapback::service {

namespace {

constexpr std::size_t sampled_frames = 16;
constexpr std::uint64_t sampled_rows = 2000;  // of each frame
constexpr std::uint64_t counted_blocks = 131072;  // 1 GiB

bool keeps_all(const pg::ColumnMapping& mapping, const std::vector<AttrNumber>& columns) {
  return std::all_of(columns.begin(), columns.end(), [&](AttrNumber number) { return std::find(mapping.kept.begin(), mapping.kept.end(), number) != mapping.kept.end(); });
}

// Frames that hold whole rows only.
std::vector<std::size_t> whole_frames(const Manifest& manifest, const TableEntry& table) {
  std::vector<std::size_t> found;
  std::size_t end = table.first_frame + table.frame_count;
  std::size_t last = end;  // the frame with rows before
  for (std::size_t i = table.first_frame; i < end; ++i) {
    auto& frame = manifest.frames[i];
    if (!frame.has_rows) continue;
    if (frame.continues && last != end && !found.empty() && found.back() == last) found.pop_back();
    if (!frame.continues && frame.rows > 0) found.push_back(i);
    last = i;
  }
  return found;
}

pg::Sample take_sample(const RestorePlan& plan, const PlannedTable& table, const pg::TableKey& key) {
  pg::Sample sample;
  auto& manifest = plan.source->reader->manifest();
  auto frames = whole_frames(manifest, *table.backup);
  std::size_t count = std::min(frames.size(), sampled_frames);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t frame = frames[i * frames.size() / count];
    SingleTextSource text(plan.source->reader->frame_text(frame));
    RowParser parser(text);
    std::uint64_t step = std::max<std::uint64_t>(1, manifest.frames[frame].rows / sampled_rows);
    pg::sample_rows(table.live->oid, table.qualified_name(), table.mapping, key, parser, step, sample);
  }
  return sample;
}

// Estimated rows to write, as a share of the larger side.
double differing_share(const RestorePlan& plan, const PlannedTable& table, const pg::TableKey& key) {
  double live = static_cast<double>(pg::about_rows(table.live->oid, counted_blocks));
  double backup = static_cast<double>(table.backup->row_count);
  if (live == 0 || backup == 0) return live == backup ? 0 : 1;
  auto sample = take_sample(plan, table, key);
  if (sample.looked_at == 0) return 0;  // rows too long to be sampled: few, and costly to write
  double looked_at = static_cast<double>(sample.looked_at);
  double found = backup * static_cast<double>(sample.found) / looked_at;
  double surplus = std::max(0.0, live - found);
  double written = backup * (looked_at - static_cast<double>(sample.equal)) / looked_at + surplus;
  return std::min(1.0, written / std::max(live, backup));
}

}  // namespace

Road choose_road(const RestorePlan& plan, const PlannedTable& table) {
  auto decoding = pg::decoding_of(table.live->oid);
  if (decoding.decoded) return decoding.has_identity ? Road::difference : Road::reload;
  auto key = pg::find_table_key(table.live->oid);
  if (!OidIsValid(key.index) || !keeps_all(table.mapping, key.columns)) return Road::reload;
  if (!table.mapping.defaulted.empty()) return Road::difference;
  // a sample may miss what differs; the reload looks at every row first and leaves a table alone that equals the backup
  if (pg::settings.reload_threshold <= 0) return Road::reload;
  return differing_share(plan, table, key) > pg::settings.reload_threshold ? Road::reload : Road::difference;
}

Road choose_road(const RestorePlan& plan, const Repartitioned& table) {
  bool decoded = false, identity = true;
  for (auto& leaf : table.leaves) {
    auto decoding = pg::decoding_of(leaf.oid);
    decoded |= decoding.decoded;
    identity &= decoding.has_identity;
    pg::relation_visited();
  }
  const bool many = table.leaves.size() > pg::PartitionedTable::most_parts || table.sources.size() > pg::PartitionedTable::most_parts;
  if (decoded) return identity && !many ? Road::difference : Road::reload;
  auto& live = *plan.tables[table.root].live;
  const Json head = plan.tables[table.sources.front()].backup->head.json();
  auto in_backup = [&](const std::string& name) {
    return std::any_of(head.at("columns").begin(), head.at("columns").end(), [&](auto& column) { return name_of(column) == name; });
  };
  if (many || live.primary_key.empty() || !std::all_of(live.primary_key.begin(), live.primary_key.end(), in_backup)) return Road::reload;
  for (auto& column : live.columns)
    if (!column.generated && !in_backup(column.name)) return Road::difference;
  double now = 0, then = 0;
  for (auto& leaf : table.leaves) now += static_cast<double>(pg::about_rows(leaf.oid, counted_blocks));
  for (auto source : table.sources) then += static_cast<double>(plan.tables[source].backup->row_count);
  if (pg::settings.reload_threshold <= 0) return Road::reload;
  return std::abs(now - then) > pg::settings.reload_threshold * std::max(now, then) ? Road::reload : Road::difference;
}

std::map<Oid, Road> choose_roads(const std::shared_ptr<RestoreSource>& source, const RestoreRequest& request, pg::Progress& progress) {
  std::map<Oid, Road> roads;
  auto look = [&] {
    std::vector<Oid> planned = make_plan(source, request).live_tables();
    if (planned.empty()) return;
    pg::lock_together(planned, AccessShareLock);
    auto locked = make_plan(source, request);
    pg::TextForms forms;
    progress.phase(pg::Phase::reading);
    for (auto& table : locked.tables) {
      if (!table.live || table.partitioned || table.result.action == "skipped") continue;
      // renamed or recreated while its lock was waited for: the final plan will meet it as one it does not know
      if (!std::binary_search(planned.begin(), planned.end(), table.live->oid)) continue;
      table.mapping = map_columns(locked, table, *table.live, request.allow_loss);
      roads[table.live->oid] = choose_road(locked, table);
      table.mapping = {};
      pg::relation_visited();
    }
    for (auto& table : locked.repartitioned) {
      bool known = std::all_of(table.leaves.begin(), table.leaves.end(), [&](auto& leaf) { return std::binary_search(planned.begin(), planned.end(), leaf.oid); });
      if (!known) continue;
      Road road = choose_road(locked, table);
      for (auto& leaf : table.leaves) roads[leaf.oid] = road;
    }
    forms.close();
  };
  pg::in_subtransaction(look, [](const std::string&) { return false; }, false);
  return roads;
}

}  // namespace snapback::service

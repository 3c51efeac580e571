// Changes a backup file the way a careful forger would: written after docs/format.md, with nothing of src/, so that it is a second reading of the format as well.
//
//   forge frames FILE                       the offset at which each frame begins, and the file's size
//   forge edit FILE OUT LEVEL OLD NEW       replaces the first OLD in the rows by NEW
//   forge remove FILE OUT LEVEL N           removes row N (from 0) of the first table that has rows
//   forge schema FILE OUT POINTER JSON      puts a value into the document's "schema" (POINTER as in RFC 6901: /tables/0/owner; /- appends)
//   forge head FILE OUT POINTER JSON        puts a value into a table's head, in document and manifest; POINTER begins with the table's place (from 0)
//   forge backup FILE OUT POINTER JSON      puts a value into "backup", in document and manifest
//   forge version FILE OUT N                says that the format version is N, in the document, the manifest and its header
//
// LEVEL says how much is recomputed: "sha256" (all SHA-256, sizes and offsets), "rows" (row hashes in the manifest too), "all" (also counts and hashes in the document, so
// that the result is a valid backup with other contents). The three that take a POINTER recompute all.
#include <nlohmann/json.hpp>
#include <openssl/sha.h>
#include <zstd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

using Json = nlohmann::ordered_json;
using Hash = unsigned __int128;

[[noreturn]] static void fail(const std::string& what) {
  std::cerr << "forge: " << what << '\n';
  std::exit(1);
}

static std::string read_file(const char* path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(std::string("cannot read ") + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

static std::uint32_t get_u32(const std::string& data, std::size_t at) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(data.at(at + static_cast<std::size_t>(i)));
  return value;
}

static void put_u32(std::string& data, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) data += static_cast<char>(value >> (8 * i) & 0xff);
}

static std::string sha256(const std::string& data) {
  unsigned char digest[32];
  SHA256(reinterpret_cast<const unsigned char*>(data.data()), data.size(), digest);
  return {reinterpret_cast<char*>(digest), 32};
}

static std::string hex(const std::string& bytes) {
  std::string text;
  for (unsigned char c : bytes) {
    text += "0123456789abcdef"[c >> 4];
    text += "0123456789abcdef"[c & 15];
  }
  return text;
}

static std::string hex(Hash value) {
  std::string bytes;
  for (int i = 15; i >= 0; --i) bytes += static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
  return hex(bytes);
}

static Hash row_hash(const std::string& line) {
  XXH128_hash_t hash = XXH3_128bits(line.data(), line.size());
  return static_cast<Hash>(hash.high64) << 64 | hash.low64;
}

static std::string decompress(const std::string& frame) {
  std::string text(ZSTD_getFrameContentSize(frame.data(), frame.size()) <= (1u << 30) ? ZSTD_getFrameContentSize(frame.data(), frame.size()) : 1u << 26, '\0');
  std::size_t size = ZSTD_decompress(text.data(), text.size(), frame.data(), frame.size());
  if (ZSTD_isError(size)) fail(ZSTD_getErrorName(size));
  text.resize(size);
  return text;
}

static std::string compress(const std::string& text) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  std::string frame(ZSTD_compressBound(text.size()), '\0');
  std::size_t size = ZSTD_compress2(context, frame.data(), frame.size(), text.data(), text.size());
  ZSTD_freeCCtx(context);
  if (ZSTD_isError(size)) fail(ZSTD_getErrorName(size));
  frame.resize(size);
  return frame;
}

static std::vector<std::string> split_rows(const std::string& text) {
  std::vector<std::string> rows;
  std::size_t from = 0;
  for (std::size_t at; (at = text.find(",\n", from)) != std::string::npos; from = at + 2) rows.push_back(text.substr(from, at - from));
  rows.push_back(text.substr(from));
  return rows;
}

static void replace_once(std::string& text, const std::string& before, const std::string& after) {
  std::size_t at = text.find(before);
  if (at == std::string::npos) fail("there is no " + before);
  text.replace(at, before.size(), after);
}

struct Backup {
  std::vector<std::string> frames;  // their text
  Json manifest;
  std::size_t manifest_at = 0, table_at = 0;
  std::uint32_t version = 1;

  explicit Backup(const std::string& file) {
    if (get_u32(file, file.size() - 4) != 0x8F92EAB1) fail("no seek table");
    std::uint32_t count = get_u32(file, file.size() - 9);
    table_at = file.size() - (8 + 8 * std::size_t{count} + 9);
    for (std::uint32_t i = 0; i + 1 < count; ++i) {
      std::size_t size = get_u32(file, table_at + 8 + 8 * i);
      frames.push_back(decompress(file.substr(manifest_at, size)));
      manifest_at += size;
    }
    if (file.substr(manifest_at + 8, 8) != "PGSNAPMF") fail("no manifest");
    version = get_u32(file, manifest_at + 16);
    manifest = Json::parse(file.substr(manifest_at + 52, table_at - manifest_at - 52));
  }

  std::string write() {
    std::string file, table;
    auto entry = [&](std::size_t stored, std::size_t text) {
      put_u32(table, static_cast<std::uint32_t>(stored));
      put_u32(table, static_cast<std::uint32_t>(text));
    };
    for (std::size_t i = 0; i < frames.size(); ++i) {
      std::string frame = compress(frames[i]);
      Json& described = manifest["frames"][i];
      described["offset"] = file.size();
      described["size"] = frame.size();
      described["text_size"] = frames[i].size();
      described["sha256"] = hex(sha256(frame));
      entry(frame.size(), frames[i].size());
      file += frame;
    }
    for (Json& held : manifest["tables"]) {
      std::uint64_t stored = 0, logical = 0;
      for (std::size_t i = held["first_frame"]; i < held["first_frame"].get<std::size_t>() + held["frame_count"].get<std::size_t>(); ++i) {
        if (!manifest["frames"][i].contains("rows")) continue;
        stored += manifest["frames"][i]["size"].get<std::uint64_t>();
        logical += frames[i].size() - 2 * (split_rows(frames[i]).size() - 1);
      }
      held["stored_bytes"] = stored;
      held["logical_bytes"] = logical;
    }
    std::string text = manifest.dump();
    std::string header;
    put_u32(header, 0x184D2A5D);
    put_u32(header, static_cast<std::uint32_t>(8 + 4 + 32 + text.size()));
    header += "PGSNAPMF";
    put_u32(header, version);
    header += sha256(text);
    entry(header.size() + text.size(), 0);
    file += header + text;
    put_u32(file, 0x184D2A5E);
    put_u32(file, static_cast<std::uint32_t>(table.size() + 9));
    file += table;
    put_u32(file, static_cast<std::uint32_t>(frames.size() + 1));
    file += '\0';
    put_u32(file, 0x8F92EAB1);
    return file;
  }

  // Puts another list of rows into a row frame.
  void set_rows(std::size_t frame, const std::vector<std::string>& rows, const std::string& level) {
    std::size_t index = 0;
    for (std::size_t i = 0; i < manifest["tables"].size(); ++i)
      if (manifest["tables"][i]["frame_count"] != 0 && manifest["tables"][i]["first_frame"] <= frame) index = i;
    Json& described = manifest["frames"][frame];
    Json& table = manifest["tables"][index];
    if (table["frame_count"] != 1) fail("only tables of one frame can be forged");
    std::string text;
    Hash sum = 0;
    for (auto& row : rows) {
      text += (text.empty() ? "" : ",\n") + row;
      sum += row_hash(row);
    }
    frames[frame] = text;
    if (level == "sha256") return;
    described["rows"] = rows.size();
    described["fingerprint"] = hex(sum);
    std::string tail = "],\"row_count\":" + table["row_count"].dump() + ",\"fingerprint\":" + table["fingerprint"].dump();
    std::uint64_t before = table["row_count"], bytes = table["logical_bytes"];
    table["row_count"] = rows.size();
    table["fingerprint"] = hex(sum);
    if (level == "rows") return;
    std::string& after = frames[frame + 1];
    replace_once(after, tail, "],\"row_count\":" + table["row_count"].dump() + ",\"fingerprint\":" + table["fingerprint"].dump());
    // the totals stand in the last frame
    std::string& end = frames.back();
    std::size_t at = end.find("\"totals\":");
    std::string totals = end.substr(at + 9, end.find('}', at) - at - 8);
    Json sums = Json::parse(totals);
    sums["rows"] = sums["rows"].get<std::uint64_t>() - before + rows.size();
    sums["logical_bytes"] = sums["logical_bytes"].get<std::uint64_t>() - bytes + text.size() - 2 * (rows.size() - 1);
    replace_once(end, totals, sums.dump());
  }
};

// Puts a new text into the only structure frame that holds the old one.
static void replace_structure(Backup& backup, const std::string& before, const std::string& after) {
  for (std::size_t i = 0; i < backup.frames.size(); ++i) {
    if (backup.manifest["frames"][i].contains("rows") || backup.frames[i].find(before) == std::string::npos) continue;
    replace_once(backup.frames[i], before, after);
    return;
  }
  fail("there is no " + before);
}

static void put(Backup& backup, const std::string& part, const std::string& pointer, const Json& value) {
  if (part == "schema") {
    std::string& text = backup.frames[0];
    std::size_t start = text.find("\n\"schema\":") + 10, end = text.find('\n', start);
    Json schema = Json::parse(text.substr(start, end - start - 1));
    schema[Json::json_pointer(pointer)] = value;
    text.replace(start, end - start - 1, schema.dump());
  } else if (part == "backup") {
    std::string before = backup.manifest["backup"].dump();
    backup.manifest["backup"][Json::json_pointer(pointer)] = value;
    replace_structure(backup, "\"backup\":" + before, "\"backup\":" + backup.manifest["backup"].dump());
  } else {
    std::size_t slash = pointer.find('/', 1);
    Json& head = backup.manifest["tables"][std::stoul(pointer.substr(1, slash - 1))]["head"];
    std::string before = head.dump();
    head[Json::json_pointer(pointer.substr(slash))] = value;
    std::string after = head.dump();
    before.back() = after.back() = ',';
    replace_structure(backup, before, after);
  }
}

int main(int argc, char** argv) {
  if (argc < 3) fail("see the source");
  std::string command = argv[1];
  std::string file = read_file(argv[2]);
  Backup backup(file);
  if (command == "frames") {
    for (auto& frame : backup.manifest["frames"]) std::cout << frame["offset"] << '\n';
    std::cout << backup.manifest_at << '\n' << backup.table_at << '\n' << file.size() << '\n';
    return 0;
  }
  if (argc < 5) fail("see the source");
  if (command == "version") {
    std::string before = "\"version\":" + backup.manifest["version"].dump();
    backup.version = static_cast<std::uint32_t>(std::stoul(argv[4]));
    backup.manifest["version"] = backup.version;
    replace_once(backup.frames[0], before, std::string("\"version\":") + argv[4]);
  } else if (command == "schema" || command == "head" || command == "backup") {
    if (argc < 6) fail("see the source");
    put(backup, command, argv[4], Json::parse(argv[5]));
  } else {
    std::string level = argv[4];
    bool done = false;
    for (std::size_t i = 0; i < backup.frames.size() && !done; ++i) {
      if (!backup.manifest["frames"][i].contains("rows")) continue;
      if (command == "remove") {
        auto rows = split_rows(backup.frames[i]);
        rows.erase(rows.begin() + std::stol(argv[5]));
        backup.set_rows(i, rows, level);
        done = true;
      } else if (backup.frames[i].find(argv[5]) != std::string::npos) {
        std::string text = backup.frames[i];
        replace_once(text, argv[5], argv[6]);
        backup.set_rows(i, split_rows(text), level);
        done = true;
      }
    }
    if (!done) fail("nothing was changed");
  }
  std::ofstream out(argv[3], std::ios::binary | std::ios::trunc);
  std::string data = backup.write();
  out.write(data.data(), static_cast<std::streamsize>(data.size()));
  return out.flush() ? 0 : 1;
}

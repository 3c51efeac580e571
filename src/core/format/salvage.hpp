// Finds what can still be read of a file that does not open as a backup: bytes are missing or were inserted, or its end, which holds the manifest, is gone or damaged.
#pragma once

#include <optional>
#include <vector>

#include "core/format/manifest.hpp"
#include "core/interrupts.hpp"
#include "core/storage/storage.hpp"

namespace snapback {

struct Salvage {
  Manifest manifest;  // with the offsets that frames have in this file
  std::vector<bool> lost;      // for every frame of the manifest: it is not in the file. Each table that is not whole has one
  bool from_document = false;  // the manifest was made from the document: tables may be missing in it
};

// Reads the whole file, more than once. Nothing where too little is left to tell whose backup it is. Raises what reading the file raises, and what `interrupts` does.
std::optional<Salvage> salvage(ReadableFile& file, Interrupts& interrupts);

// The second way: frames and document alone, for a file whose manifest is gone. A table counts as whole when its rows have the number and the fingerprint that stand behind them.
std::optional<Salvage> scan_document(ReadableFile& file, Interrupts& interrupts);

}  // namespace snapback

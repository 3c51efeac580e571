#include "core/format/frame_encoder.hpp"

#include "format_support.hpp"

namespace snapback {
namespace {

using test::FrameCollector;
using test::small_frames;
using test::write_row;

std::string row_text(int i, std::size_t padding = 0) { return "{\"id\":" + std::to_string(i) + ",\"t\":\"" + std::string(padding, 'p') + "\"}"; }

TEST(ZstdCompressor, MakesOneFrameWithItsSizeAndAChecksum) {
  ZstdCompressor compressor(1);
  std::string out = "before";
  const std::string text(100'000, 'x');
  compressor.compress(text, out);
  ASSERT_EQ(out.substr(0, 6), "before");
  const std::string frame = out.substr(6);
  EXPECT_EQ(ZSTD_getFrameContentSize(frame.data(), frame.size()), text.size());
  EXPECT_EQ(ZSTD_findFrameCompressedSize(frame.data(), frame.size()), frame.size());
  EXPECT_NE(static_cast<unsigned char>(frame[4]) & 4, 0) << "content checksum flag";
  EXPECT_EQ(test::decompress_all(frame), text);
  char small[4];
  EXPECT_TRUE(test::raised_text([&] { compressor.compress("does not fit", small, sizeof small); }).starts_with("XX000: could not compress"));
}

TEST(RowFrameEncoder, EndsAFrameAfterTheFirstRowThatReachesItsSize) {
  FrameCollector sink;
  RowFrameEncoder encoder(sink, small_frames(40, 1000));
  for (int i = 0; i < 5; ++i) write_row(encoder, {row_text(i), "[" + std::to_string(i) + "]"});
  encoder.finish();
  ASSERT_EQ(sink.frames.size(), 2u);
  EXPECT_EQ(sink.frames[0].text, row_text(0) + ",\n" + row_text(1) + ",\n" + row_text(2));
  EXPECT_EQ(sink.frames[0].rows, 3u);
  EXPECT_EQ(sink.frames[0].first_key, "[0]");
  EXPECT_EQ(sink.frames[0].last_key, "[2]");
  EXPECT_EQ(sink.frames[1].text, row_text(3) + ",\n" + row_text(4));
  Fingerprint expected = row_hash(row_text(3));
  expected.add(row_hash(row_text(4)));
  EXPECT_EQ(sink.frames[1].fingerprint, expected);
  for (const auto& frame : sink.frames) {
    EXPECT_FALSE(frame.continues);
    EXPECT_EQ(frame.sha256, sha256_of(frame.bytes));
  }
}

TEST(RowFrameEncoder, WithoutRowsMakesNoFrame) {
  FrameCollector sink;
  RowFrameEncoder encoder(sink, small_frames());
  encoder.finish();
  encoder.finish();
  EXPECT_TRUE(sink.frames.empty());
}

TEST(RowFrameEncoder, IsEmptyAndUsableAfterFinish) {
  FrameCollector sink;
  RowFrameEncoder encoder(sink, small_frames());
  write_row(encoder, {"{}", "[1]"});
  encoder.finish();
  write_row(encoder, {"{\"a\":1}", ""});
  encoder.finish();
  ASSERT_EQ(sink.frames.size(), 2u);
  EXPECT_EQ(sink.frames[1].text, "{\"a\":1}");
  EXPECT_EQ(sink.frames[1].first_key, "");
  EXPECT_EQ(sink.frames[1].last_key, "");
}

TEST(RowFrameEncoder, CutsALongRowOverFramesOfItsOwn) {
  FrameCollector sink;
  RowFrameEncoder encoder(sink, small_frames(1000, 100));
  const std::string long_row = row_text(7, 350);
  write_row(encoder, {row_text(1), "[1]"});
  write_row(encoder, {row_text(2), "[2]"});
  write_row(encoder, {long_row, "[7]"});
  write_row(encoder, {row_text(8), "[8]"});
  encoder.finish();
  ASSERT_EQ(sink.frames.size(), 6u);
  EXPECT_EQ(sink.frames[0].text, row_text(1) + ",\n" + row_text(2));
  EXPECT_EQ(sink.frames[0].last_key, "[2]");
  std::string joined;
  for (std::size_t i = 1; i < 5; ++i) {
    joined += sink.frames[i].text;
    EXPECT_EQ(sink.frames[i].continues, i > 1);
    EXPECT_EQ(sink.frames[i].rows, i == 1 ? 1u : 0u);
    EXPECT_LE(sink.frames[i].text.size(), 100u);
    // fingerprint and key stand where the row ends
    EXPECT_EQ(sink.frames[i].fingerprint, i == 4 ? row_hash(long_row) : Fingerprint{});
    EXPECT_EQ(sink.frames[i].first_key, i == 4 ? "[7]" : "");
  }
  EXPECT_EQ(joined, long_row);
  EXPECT_EQ(sink.frames[5].text, row_text(8));
  EXPECT_EQ(sink.frames[5].rows, 1u);
}

TEST(RowFrameEncoder, CutsExactlyAboveTheLimit) {
  for (const std::size_t size : {99u, 100u, 101u, 199u, 200u, 201u, 300u}) {
    FrameCollector sink;
    RowFrameEncoder encoder(sink, small_frames(10'000, 100));
    const std::string row = "{" + std::string(size - 2, ' ') + "}";
    write_row(encoder, {row, ""});
    write_row(encoder, {row, ""});
    encoder.finish();
    if (size <= 100) {
      ASSERT_EQ(sink.frames.size(), 1u) << size;
      EXPECT_EQ(sink.frames[0].rows, 2u);
    } else {
      const std::size_t pieces = (size + 99) / 100;
      ASSERT_EQ(sink.frames.size(), 2 * pieces) << size;
      for (const auto& frame : sink.frames) EXPECT_FALSE(frame.text.empty());
    }
  }
}

TEST(RowFrameEncoder, FramesDoNotDependOnHowARowWasWritten) {
  const std::string big = row_text(1, 3'500'000), middle = row_text(2, 900'000);
  const auto encode = [&](std::size_t piece) {
    FrameCollector sink;
    EncoderOptions options;
    options.frame_text = 1'000'000;
    options.row_cut = 1'200'000;
    RowFrameEncoder encoder(sink, options);
    for (int round = 0; round < 2; ++round)
      for (const std::string& row : {middle, big, row_text(3), middle, middle}) {
        encoder.begin_row();
        for (std::size_t at = 0; at < row.size(); at += piece) encoder.append(std::string_view(row).substr(at, piece));
        encoder.end_row("[1]");
      }
    encoder.finish();
    std::vector<std::pair<std::string, bool>> frames;
    for (const auto& frame : sink.frames) frames.emplace_back(frame.bytes, frame.continues);
    return frames;
  };
  const auto whole = encode(1 << 22);
  EXPECT_EQ(whole.size(), 10u);
  EXPECT_EQ(encode(1), whole);
  EXPECT_EQ(encode(4096), whole);
  EXPECT_EQ(encode(1'048'577), whole);
}

TEST(RowFrameEncoder, MakesTheSameFramesInTheBackgroundAndInTheForeground) {
  const auto encode = [](bool background) {
    FrameCollector sink;
    EncoderOptions options = small_frames(5'000, 20'000);
    options.background = background;
    RowFrameEncoder encoder(sink, options);
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 300; ++i) {
        const std::size_t padding = i % 50 == 49 ? 90'000 : i % 7 == 0 ? 15'000 : 40;
        write_row(encoder, {row_text(i, padding), "[" + std::to_string(i) + "]"});
      }
      encoder.finish();
    }
    std::string all;
    for (const auto& frame : sink.frames)
      all += frame.bytes + frame.first_key + frame.last_key + to_hex(frame.sha256) + frame.fingerprint.to_hex() + std::to_string(frame.rows) + (frame.continues ? "c" : "-");
    return all;
  };
  const std::string foreground = encode(false);
  EXPECT_EQ(encode(true), foreground);
  EXPECT_EQ(encode(true), foreground);
}

// A backup that is cancelled drops its encoder while the thread may be at work.
TEST(RowFrameEncoder, CanBeDroppedWhileAFrameIsBeingCompressed) {
  FrameCollector sink;
  for (int i = 0; i < 50; ++i) {
    RowFrameEncoder encoder(sink, small_frames(1 << 20, 2 << 20));
    write_row(encoder, {row_text(1, 1 << 20), ""});
    encoder.begin_row();
    encoder.append("{");
  }
  EXPECT_TRUE(sink.frames.empty());
}

TEST(RowFrameEncoder, KeepsARowAboveSixteenMebibytesInFramesOfThatSize) {
  FrameCollector sink;
  RowFrameEncoder encoder(sink, EncoderOptions{});
  const std::string row = row_text(1, 40 << 20);
  write_row(encoder, {row, "[1]"});
  encoder.finish();
  ASSERT_EQ(sink.frames.size(), 3u);
  EXPECT_EQ(sink.frames[0].text.size(), std::size_t{16} << 20);
  EXPECT_EQ(sink.frames[2].fingerprint, row_hash(row));
}

TEST(RowFrameEncoder, LeavesOutKeysThatAreTooLong) {
  FrameCollector sink;
  RowFrameEncoder encoder(sink, small_frames());
  write_row(encoder, {"{}", std::string(max_key_size, 'k')});
  write_row(encoder, {"{}", std::string(max_key_size + 1, 'k')});
  encoder.finish();
  ASSERT_EQ(sink.frames.size(), 1u);
  EXPECT_EQ(sink.frames[0].first_key.size(), max_key_size);
  EXPECT_EQ(sink.frames[0].last_key, "");
}

TEST(RowFrameEncoder, RefusesToFinishWithinARowAndFramesNoReaderAccepts) {
  FrameCollector sink;
  RowFrameEncoder encoder(sink, small_frames());
  encoder.begin_row();
  encoder.append("{");
  EXPECT_TRUE(test::raised_text([&] { encoder.finish(); }).starts_with("XX000"));
  EXPECT_TRUE(test::raised_text([&] { RowFrameEncoder(sink, small_frames(64 << 20, 1)); }).starts_with("XX000"));
  EXPECT_TRUE(test::raised_text([&] { RowFrameEncoder(sink, small_frames(10, 0)); }).starts_with("XX000"));
}

// A disk that is full while a row is cut: the encoder is only destroyed afterwards.
TEST(RowFrameEncoder, PassesOnWhatTheSinkRaises) {
  class FullSink final : public FrameSink {
   public:
    void accept(const EncodedFrame&) override { throw error(sqlstate::disk_full, "no space left"); }
  } sink;
  RowFrameEncoder encoder(sink, small_frames(10, 1 << 20));
  encoder.begin_row();
  const std::string text(8 << 20, 'x');
  EXPECT_EQ(test::raised_text([&] { encoder.append(text); }), "53100: no space left");
}

}  // namespace
}  // namespace snapback

#include "png.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace {

using Bytes = std::vector<unsigned char>;

constexpr unsigned char signature[8] = {137, 'P', 'N', 'G', 13, 10, 26, 10};
constexpr size_t most_pixels = size_t{1} << 28;

void need(bool holds, const char* otherwise) {
  if (!holds) throw std::runtime_error(otherwise);
}

// RFC 1951. Bits come lowest first; codes of one length are consecutive, shorter ones first.
class Inflate {
 public:
  Inflate(const Bytes& from, size_t most) : from_(from), most_(most) {}

  Bytes run() {
    at_ = 2;  // zlib's header
    bool last = false;
    while (!last) {
      last = bits(1) != 0;
      const int kind = bits(2);
      need(kind != 3, "the PNG's data are damaged");
      if (kind == 0) {
        stored();
      } else {
        codes(kind == 1);
      }
    }
    return std::move(out_);
  }

 private:
  struct Code {
    std::array<int, 16> count{};
    std::vector<int> symbols;

    explicit Code(const std::vector<int>& lengths) : symbols(lengths.size()) {
      for (int length : lengths) ++count[length];
      count[0] = 0;
      std::array<int, 17> first{};
      for (int length = 1; length < 16; ++length) first[length + 1] = first[length] + count[length];
      for (size_t i = 0; i < lengths.size(); ++i) {
        if (lengths[i]) symbols[first[lengths[i]]++] = static_cast<int>(i);
      }
    }
  };

  int bits(int wanted) {
    while (held_ < wanted) {
      need(at_ < from_.size(), "the PNG's data end too early");
      buffer_ |= static_cast<uint32_t>(from_[at_++]) << held_;
      held_ += 8;
    }
    const int value = static_cast<int>(buffer_ & ((1u << wanted) - 1));
    buffer_ >>= wanted;
    held_ -= wanted;
    return value;
  }

  int symbol(const Code& code) {
    int value = 0, first = 0, index = 0;
    for (int length = 1; length < 16; ++length) {
      value |= bits(1);
      const int count = code.count[length];
      if (value - count < first) return code.symbols[index + value - first];
      index += count;
      first = (first + count) << 1;
      value <<= 1;
    }
    throw std::runtime_error("the PNG's data are damaged");
  }

  void put(unsigned char byte) {
    need(out_.size() < most_, "the PNG holds more than its header says");
    out_.push_back(byte);
  }

  void stored() {
    buffer_ = 0;
    held_ = 0;
    const int length = bits(16);
    bits(16);
    for (int i = 0; i < length; ++i) put(static_cast<unsigned char>(bits(8)));
  }

  void codes(bool fixed) {
    static constexpr int length_base[] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                          15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                          67, 83, 99, 115, 131, 163, 195, 227, 258};
    static constexpr int length_bits[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                          2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static constexpr int back_base[] = {
        1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
        193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    std::vector<int> literal, back;
    if (fixed) {
      literal.assign(288, 8);
      for (int i = 144; i < 280; ++i) literal[i] = i < 256 ? 9 : 7;
      back.assign(30, 5);
    } else {
      read_lengths(&literal, &back);
    }
    const Code literals(literal), distances(back);
    for (int found = symbol(literals); found != 256; found = symbol(literals)) {
      if (found < 256) {
        put(static_cast<unsigned char>(found));
        continue;
      }
      need(found < 286, "the PNG's data are damaged");
      const int length = length_base[found - 257] + bits(length_bits[found - 257]);
      const int code = symbol(distances);
      need(code < 30, "the PNG's data are damaged");
      const size_t distance = back_base[code] + bits(code < 2 ? 0 : code / 2 - 1);
      need(distance <= out_.size(), "the PNG's data are damaged");
      for (int i = 0; i < length; ++i) put(out_[out_.size() - distance]);
    }
  }

  void read_lengths(std::vector<int>* literal, std::vector<int>* back) {
    static constexpr int order[] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                    11, 4,  12, 3, 13, 2, 14, 1, 15};
    const int literals = bits(5) + 257, distances = bits(5) + 1, given = bits(4) + 4;
    std::vector<int> first(19, 0);
    for (int i = 0; i < given; ++i) first[order[i]] = bits(3);
    const Code code(first);
    std::vector<int> all;
    while (static_cast<int>(all.size()) < literals + distances) {
      const int found = symbol(code);
      if (found < 16) {
        all.push_back(found);
      } else {
        need(found != 16 || !all.empty(), "the PNG's data are damaged");
        const int value = found == 16 ? all.back() : 0;
        const int times = found == 16 ? 3 + bits(2) : found == 17 ? 3 + bits(3) : 11 + bits(7);
        all.insert(all.end(), times, value);
      }
    }
    need(static_cast<int>(all.size()) == literals + distances, "the PNG's data are damaged");
    literal->assign(all.begin(), all.begin() + literals);
    back->assign(all.begin() + literals, all.end());
  }

  const Bytes& from_;
  const size_t most_;
  size_t at_ = 0;
  uint32_t buffer_ = 0;
  int held_ = 0;
  Bytes out_;
};

uint32_t big_endian(const unsigned char* from) {
  return uint32_t{from[0]} << 24 | uint32_t{from[1]} << 16 | uint32_t{from[2]} << 8 | from[3];
}

int paeth(int left, int above, int corner) {
  const int guess = left + above - corner;
  const int a = std::abs(guess - left), b = std::abs(guess - above), c = std::abs(guess - corner);
  return a <= b && a <= c ? left : b <= c ? above : corner;
}

// Undoes the filter of every row, whose first byte names it.
void unfilter(const Bytes& rows, Png* png) {
  const int step = png->channels, length = png->width * step;
  need(rows.size() == size_t(length + 1) * png->height, "the PNG's data end too early");
  for (int y = 0; y < png->height; ++y) {
    const unsigned char* from = rows.data() + size_t(length + 1) * y;
    unsigned char* to = png->pixels.data() + size_t(length) * y;
    const int filter = *from++;
    need(filter < 5, "the PNG has an unknown filter");
    for (int i = 0; i < length; ++i) {
      const int left = i >= step ? to[i - step] : 0;
      const int above = y ? to[i - length] : 0;
      const int corner = y && i >= step ? to[i - step - length] : 0;
      const int guesses[] = {0, left, above, (left + above) / 2, paeth(left, above, corner)};
      to[i] = static_cast<unsigned char>(from[i] + guesses[filter]);
    }
  }
}

void put_number(Bytes* to, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    to->push_back(static_cast<unsigned char>(value >> shift));
}

void put_chunk(Bytes* to, const char* name, const Bytes& data) {
  put_number(to, static_cast<uint32_t>(data.size()));
  const size_t first = to->size();
  to->insert(to->end(), name, name + 4);
  to->insert(to->end(), data.begin(), data.end());
  uint32_t crc = ~0u;
  for (size_t i = first; i < to->size(); ++i) {
    crc ^= (*to)[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  put_number(to, ~crc);
}

// zlib's form of bytes that are not compressed.
Bytes stored(const Bytes& raw) {
  Bytes out{0x78, 0x01};
  uint32_t a = 1, b = 0;
  for (unsigned char byte : raw) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  for (size_t from = 0; from < raw.size(); from += 65535) {
    const size_t length = raw.size() - from < 65535 ? raw.size() - from : 65535;
    out.push_back(from + length == raw.size());
    for (size_t word : {length, ~length}) {
      out.push_back(static_cast<unsigned char>(word));
      out.push_back(static_cast<unsigned char>(word >> 8));
    }
    out.insert(out.end(), raw.begin() + from, raw.begin() + from + length);
  }
  put_number(&out, b << 16 | a);
  return out;
}

}  // namespace

Png read_png(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  need(bool(stream), "the PNG cannot be opened");
  const Bytes file{std::istreambuf_iterator<char>(stream), {}};
  need(file.size() >= 33 && std::memcmp(file.data(), signature, 8) == 0, "the file is no PNG");
  const unsigned char* header = file.data() + 16;
  constexpr int channels_of[] = {1, 0, 3, 0, 2, 0, 4};
  const uint32_t width = big_endian(header), height = big_endian(header + 4);
  need(header[9] < 7 && channels_of[header[9]] && header[8] == 8 && header[12] == 0,
       "the PNG must be of 8 bits, grey or RGB, and not interlaced");
  need(width > 0 && height > 0 && width < (1u << 24) && height <= most_pixels / width,
       "the PNG is empty or too large");
  Png png{int(height), int(width), channels_of[header[9]], {}};
  Bytes packed;
  for (size_t at = 33; at + 12 <= file.size();) {
    const size_t length = big_endian(file.data() + at);
    need(length <= file.size() - at - 12, "the PNG ends too early");
    const unsigned char* data = file.data() + at + 8;
    if (std::memcmp(data - 4, "IDAT", 4) == 0) packed.insert(packed.end(), data, data + length);
    at += 12 + length;
  }
  const size_t row = size_t{width} * png.channels;
  const Bytes rows = Inflate(packed, (row + 1) * height).run();
  png.pixels.resize(row * height);
  unfilter(rows, &png);
  return png;
}

void write_png(const std::string& path, const Png& png) {
  const size_t length = size_t(png.width) * png.channels;
  Bytes rows;
  for (int y = 0; y < png.height; ++y) {
    rows.push_back(0);  // no filter
    rows.insert(rows.end(), png.pixels.begin() + length * y, png.pixels.begin() + length * (y + 1));
  }
  constexpr unsigned char colour_types[] = {0, 0, 4, 2, 6};
  Bytes header;
  put_number(&header, png.width);
  put_number(&header, png.height);
  header.insert(header.end(), {8, colour_types[png.channels], 0, 0, 0});
  Bytes file(signature, signature + 8);
  put_chunk(&file, "IHDR", header);
  put_chunk(&file, "IDAT", stored(rows));
  put_chunk(&file, "IEND", {});
  std::ofstream stream(path, std::ios::binary);
  stream.write(reinterpret_cast<const char*>(file.data()),
               static_cast<std::streamsize>(file.size()));
  need(bool(stream.flush()), "the PNG cannot be written");
}

package dev.waymark.cache;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** The elements one after the other: how many there are, then of each its length and its bytes. */
record ListCodec<V>(Codec<V> element) implements Codec<List<V>> {
  @Override
  public byte[] encode(List<V> values) {
    List<byte[]> parts = new ArrayList<>(values.size());
    int length = Integer.BYTES;
    for (V value : values) {
      byte[] part = element.encode(value);
      parts.add(part);
      length = Math.addExact(length, Integer.BYTES + part.length);
    }
    ByteBuffer bytes = ByteBuffer.allocate(length).putInt(parts.size());
    parts.forEach(part -> bytes.putInt(part.length).put(part));
    return bytes.array();
  }

  @Override
  public List<V> decode(byte[] bytes) {
    ByteBuffer rest = ByteBuffer.wrap(bytes);
    int count = rest.getInt();
    // Each element takes at least its length: a count that is made up must not reserve memory.
    if (count < 0 || count > rest.remaining() / Integer.BYTES) {
      throw new IllegalArgumentException(count + " elements do not fit into the bytes");
    }
    List<V> values = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      int length = rest.getInt();
      if (length < 0 || length > rest.remaining()) {
        throw new IllegalArgumentException("An element of " + length + " bytes is cut short");
      }
      byte[] part = new byte[length];
      rest.get(part);
      values.add(element.decode(part));
    }
    if (rest.hasRemaining()) {
      throw new IllegalArgumentException(rest.remaining() + " bytes are left over");
    }
    return List.copyOf(values);
  }

  @Override
  public String fingerprint() {
    return "list of " + element.fingerprint();
  }
}

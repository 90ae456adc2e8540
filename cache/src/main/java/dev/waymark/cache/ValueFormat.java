package dev.waymark.cache;

import dev.waymark.LogPosition;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of one value in Redis: a header, then what the codec made of the value.
 *
 * <pre>
 * magic 'W' | format 1 | CRC-32C of all that follows | flags | fingerprint length, fingerprint
 * | system, timeline, LSN (if the position is known) | payload
 * </pre>
 */
final class ValueFormat<V> {
  private static final byte MAGIC = 'W';
  private static final byte FORMAT = 1;
  private static final byte ABSENT = 1;
  private static final byte POSITIONED = 2;
  private static final int CHECKSUM_AT = 2;
  private static final int MAXIMUM_FINGERPRINT = 255;

  private final Codec<V> codec;
  private final byte[] fingerprint;

  ValueFormat(Codec<V> codec) {
    this.codec = codec;
    this.fingerprint = codec.fingerprint().getBytes(StandardCharsets.UTF_8);
    if (fingerprint.length > MAXIMUM_FINGERPRINT) {
      throw new IllegalArgumentException(
          "A codec's fingerprint may take "
              + MAXIMUM_FINGERPRINT
              + " bytes, not "
              + fingerprint.length);
    }
  }

  /** What bytes stood for. */
  record Stored<V>(@Nullable V value, @Nullable LogPosition position) {}

  /** The bytes of a value, or of its absence. Throws what the codec throws. */
  byte[] encode(@Nullable V value, @Nullable LogPosition position) {
    byte[] payload = value == null ? new byte[0] : codec.encode(value);
    ByteBuffer bytes =
        ByteBuffer.allocate(
            4
                + fingerprint.length
                + (position == null ? 0 : Long.BYTES + Integer.BYTES + Long.BYTES)
                + Integer.BYTES
                + payload.length);
    bytes.put(MAGIC).put(FORMAT).putInt(0);
    bytes.put((byte) ((value == null ? ABSENT : 0) | (position == null ? 0 : POSITIONED)));
    bytes.put((byte) fingerprint.length).put(fingerprint);
    if (position != null) {
      bytes.putLong(position.systemId()).putInt(position.timeline()).putLong(position.lsn());
    }
    bytes.put(payload);
    bytes.putInt(CHECKSUM_AT, checksum(bytes.array()));
    return bytes.array();
  }

  /**
   * What the bytes stand for, or null if they are damaged, of another schema, or not ours at all.
   * Never throws: what stands in Redis must not be able to fail a read.
   */
  @Nullable Stored<V> decode(byte[] stored) {
    try {
      ByteBuffer bytes = ByteBuffer.wrap(stored);
      if (bytes.get() != MAGIC || bytes.get() != FORMAT || bytes.getInt() != checksum(stored)) {
        return null;
      }
      byte flags = bytes.get();
      byte[] writtenWith = new byte[Byte.toUnsignedInt(bytes.get())];
      bytes.get(writtenWith);
      if (!java.util.Arrays.equals(writtenWith, fingerprint)) {
        return null;
      }
      LogPosition position =
          (flags & POSITIONED) == 0
              ? null
              : new LogPosition(bytes.getLong(), bytes.getInt(), bytes.getLong());
      byte[] payload = new byte[bytes.remaining()];
      bytes.get(payload);
      if ((flags & ABSENT) != 0) {
        return new Stored<>(null, position);
      }
      V value = codec.decode(payload);
      return value == null ? null : new Stored<>(value, position);
    } catch (BufferUnderflowException cutShort) {
      return null;
    } catch (RuntimeException | StackOverflowError undecodable) {
      return null;
    }
  }

  /** A name that fits, with a hash for what had to go. */
  static String shortened(String name) {
    return name.length() <= MAXIMUM_FINGERPRINT
        ? name
        : name.substring(0, MAXIMUM_FINGERPRINT - 9) + "#" + Integer.toHexString(name.hashCode());
  }

  /** Of the header too: a flag or a position that flipped would be believed. */
  private static int checksum(byte[] stored) {
    CRC32C checksum = new CRC32C();
    int from = CHECKSUM_AT + Integer.BYTES;
    checksum.update(stored, from, stored.length - from);
    return (int) checksum.getValue();
  }
}

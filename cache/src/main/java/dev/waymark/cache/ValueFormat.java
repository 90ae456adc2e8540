package dev.waymark.cache;

import dev.waymark.LogPosition;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.zip.CRC32C;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of one value in Redis: a header, then what the codec made of the value. Shared between
 * threads.
 *
 * <pre>
 * magic 'W' | format 3 | CRC-32C of all that follows | flags | 64 bits of the fingerprint
 * | system, timeline, LSN (if the position is known) | length before deflating (if deflated) | payload
 * </pre>
 */
final class ValueFormat<V> {
  private static final byte MAGIC = 'W';
  private static final byte FORMAT = 3;
  private static final byte ABSENT = 1;
  private static final byte POSITIONED = 2;
  private static final byte DEFLATED = 4;
  private static final byte UNKEPT = 8;
  private static final byte PUT = 16;
  private static final int CHECKSUM_AT = 2;
  private static final int HEADER = CHECKSUM_AT + Integer.BYTES + 1 + Long.BYTES;
  private static final byte[] NOTHING = {};

  private final Codec<V> codec;
  private final Sizes sizes;
  private final long fingerprint;

  /**
   * How large a value may be, and from where on it is compressed.
   *
   * @param maximumBytes of what the codec makes of a value, before compression: so it bounds what
   *     has to be unpacked as well
   * @param compressFrom bytes; {@link #NEVER} for no compression
   */
  record Sizes(int maximumBytes, int compressFrom) {
    static final int NEVER = Integer.MAX_VALUE;

    static Sizes defaults() {
      return new Sizes(1 << 20, NEVER);
    }
  }

  /** What became of a value. */
  sealed interface Encoded {
    /** For Redis. */
    byte[] bytes();

    /** The value. */
    @SuppressWarnings("ArrayRecordComponent") // Never compared.
    record Whole(byte[] bytes) implements Encoded {}

    /** A word in place of the value, so that nobody waits for another's load of it. */
    @SuppressWarnings("ArrayRecordComponent") // Never compared.
    record Unkept(byte[] bytes) implements Encoded {}

    /**
     * The same word, because the value is too large.
     *
     * @param size what the codec made of the value, in bytes
     */
    @SuppressWarnings("ArrayRecordComponent") // Never compared.
    record TooLarge(byte[] bytes, int size) implements Encoded {}
  }

  /** What bytes stood for. */
  sealed interface Decoded<V> {
    /** A value, or the absence of one. */
    record Value<V>(@Nullable V value, @Nullable LogPosition position, Origin origin)
        implements Decoded<V> {
      /** Where the log had come to when it was read; null if it was put, or nobody knows. */
      @Nullable LogPosition readAt() {
        return origin == Origin.READ ? position : null;
      }
    }

    /** A value that is not kept: to be loaded each time. */
    record Unkept<V>() implements Decoded<V> {}

    /** Nothing that this cache could serve. */
    record Unreadable<V>(Defect defect) implements Decoded<V> {}
  }

  /** How a value came by its position. */
  enum Origin {
    /** It was read at the position, or after. */
    READ,
    /**
     * Its writer brought it, and asked for the position after its COMMIT: what others have
     * committed before that without a word may not be shown.
     */
    PUT
  }

  /** Why bytes cannot be read. */
  enum Defect {
    /** Not written by this library, or by another version of it. */
    NOT_OURS,
    /** Cut short, or changed since. */
    DAMAGED,
    /** Written under another fingerprint: by another version of the class, most likely. */
    OTHER_SCHEMA,
    /** Larger than this cache allows. */
    OVERSIZED,
    /** The codec threw. */
    UNDECODABLE
  }

  ValueFormat(Codec<V> codec, Sizes sizes) {
    this.codec = codec;
    this.sizes = sizes;
    this.fingerprint = hash(codec.fingerprint());
  }

  ValueFormat(Codec<V> codec) {
    this(codec, Sizes.defaults());
  }

  /** The bytes of a value that was read. */
  Encoded encode(@Nullable V value, @Nullable LogPosition position) {
    return encode(value, position, Origin.READ);
  }

  /** The bytes of a value, or of its absence. Throws what the codec throws. */
  Encoded encode(@Nullable V value, @Nullable LogPosition position, Origin origin) {
    byte put = origin == Origin.PUT ? PUT : 0;
    if (value == null) {
      return new Encoded.Whole(bytes((byte) (ABSENT | put), position, NOTHING, 0));
    }
    byte[] payload = codec.encode(value);
    if (payload.length > sizes.maximumBytes) {
      return new Encoded.TooLarge(bytes(UNKEPT, null, NOTHING, 0), payload.length);
    }
    if (payload.length >= sizes.compressFrom) {
      byte[] deflated = deflate(payload);
      if (deflated != null) {
        return new Encoded.Whole(
            bytes((byte) (DEFLATED | put), position, deflated, payload.length));
      }
    }
    return new Encoded.Whole(bytes(put, position, payload, 0));
  }

  /** For a value that is not kept, whatever it is. */
  Encoded unkept() {
    return new Encoded.Unkept(bytes(UNKEPT, null, NOTHING, 0));
  }

  private byte[] bytes(byte kind, @Nullable LogPosition position, byte[] payload, int rawLength) {
    ByteBuffer bytes =
        ByteBuffer.allocate(
            HEADER
                + (position == null ? 0 : Long.BYTES + Integer.BYTES + Long.BYTES)
                + ((kind & DEFLATED) == 0 ? 0 : Integer.BYTES)
                + payload.length);
    bytes.put(MAGIC).put(FORMAT).putInt(0);
    bytes.put((byte) (kind | (position == null ? 0 : POSITIONED))).putLong(fingerprint);
    if (position != null) {
      bytes.putLong(position.systemId()).putInt(position.timeline()).putLong(position.lsn());
    }
    if ((kind & DEFLATED) != 0) {
      bytes.putInt(rawLength);
    }
    bytes.put(payload);
    bytes.putInt(CHECKSUM_AT, checksum(bytes.array()));
    return bytes.array();
  }

  /**
   * What the bytes stand for. Never throws: what stands in Redis must not be able to fail a read.
   */
  Decoded<V> decode(byte[] stored) {
    try {
      ByteBuffer bytes = ByteBuffer.wrap(stored);
      if (bytes.get() != MAGIC || bytes.get() != FORMAT) {
        return unreadable(Defect.NOT_OURS);
      }
      if (bytes.getInt() != checksum(stored)) {
        return unreadable(Defect.DAMAGED);
      }
      byte flags = bytes.get();
      if (bytes.getLong() != fingerprint) {
        return unreadable(Defect.OTHER_SCHEMA);
      }
      if ((flags & UNKEPT) != 0) {
        return new Decoded.Unkept<>();
      }
      LogPosition position =
          (flags & POSITIONED) == 0
              ? null
              : new LogPosition(bytes.getLong(), bytes.getInt(), bytes.getLong());
      Origin origin = (flags & PUT) == 0 ? Origin.READ : Origin.PUT;
      if ((flags & ABSENT) != 0) {
        return new Decoded.Value<>(null, position, origin);
      }
      int rawLength = (flags & DEFLATED) == 0 ? bytes.remaining() : bytes.getInt();
      if (rawLength < 0 || rawLength > sizes.maximumBytes) {
        return unreadable(Defect.OVERSIZED);
      }
      byte[] payload =
          (flags & DEFLATED) == 0
              ? Arrays.copyOfRange(stored, bytes.position(), stored.length)
              : inflate(stored, bytes.position(), rawLength);
      V value = codec.decode(payload);
      return value == null
          ? unreadable(Defect.UNDECODABLE)
          : new Decoded.Value<>(value, position, origin);
    } catch (BufferUnderflowException cutShort) {
      return unreadable(Defect.DAMAGED);
    } catch (DataFormatException | RuntimeException | StackOverflowError undecodable) {
      return unreadable(Defect.UNDECODABLE);
    }
  }

  private static <V> Decoded<V> unreadable(Defect defect) {
    return new Decoded.Unreadable<>(defect);
  }

  /** Null if it would not become smaller by a tenth: not worth the unpacking. */
  private static byte @Nullable [] deflate(byte[] payload) {
    // The fastest level: what it leaves on the table costs less than the time of the next one.
    Deflater deflater = new Deflater(Deflater.BEST_SPEED, true);
    try {
      deflater.setInput(payload);
      deflater.finish();
      byte[] deflated = new byte[payload.length - payload.length / 10];
      int length = deflater.deflate(deflated);
      return deflater.finished() ? Arrays.copyOf(deflated, length) : null;
    } finally {
      deflater.end();
    }
  }

  /**
   * Unpacks to exactly the length that was announced, which is checked before: no bytes can make
   * this take more memory than that, whatever they would unpack to.
   */
  private static byte[] inflate(byte[] stored, int from, int rawLength) throws DataFormatException {
    Inflater inflater = new Inflater(true);
    try {
      inflater.setInput(stored, from, stored.length - from);
      byte[] raw = new byte[rawLength];
      int length = inflater.inflate(raw);
      // Asked once more for a byte that must not be there: this lets the end be seen, too.
      int more = inflater.finished() ? 0 : inflater.inflate(new byte[1]);
      if (length != rawLength || more != 0 || !inflater.finished()) {
        throw new DataFormatException("Unpacks to another length than it was packed from");
      }
      return raw;
    } finally {
      inflater.end();
    }
  }

  private static long hash(String fingerprint) {
    try {
      return ByteBuffer.wrap(
              MessageDigest.getInstance("SHA-256")
                  .digest(fingerprint.getBytes(StandardCharsets.UTF_8)))
          .getLong();
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("Every Java platform has SHA-256", impossible);
    }
  }

  /** Of the header too: a flag or a position that flipped would be believed. */
  private static int checksum(byte[] stored) {
    CRC32C checksum = new CRC32C();
    int from = CHECKSUM_AT + Integer.BYTES;
    checksum.update(stored, from, stored.length - from);
    return (int) checksum.getValue();
  }
}

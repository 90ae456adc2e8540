package dev.waymark.cache;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A value as it stands in Redis: a line that the scripts have written, {@code epoch shard label
 * generation end}, then the bytes of the value. Stands on the way of every hit in Redis, so that
 * nothing is made of the line but what is asked for.
 */
final class StoredValue {
  private static final int WORDS = 5;

  private final byte[] bytes;

  /** Where each word of the line ends. */
  private final int[] ends;

  private StoredValue(byte[] bytes, int[] ends) {
    this.bytes = bytes;
    this.ends = ends;
  }

  /** Null if it is none. */
  static @Nullable StoredValue read(byte[] bytes) {
    int[] ends = new int[WORDS];
    int word = 0;
    for (int i = 0; i < bytes.length; i++) {
      if (bytes[i] == ' ' || bytes[i] == '\n') {
        if (word == WORDS) {
          return null;
        }
        ends[word++] = i;
        if (bytes[i] == '\n') {
          return word == WORDS ? new StoredValue(bytes, ends) : null;
        }
      }
    }
    return null;
  }

  /** What follows the line. */
  static byte[] payloadOf(byte[] bytes) {
    StoredValue stored = read(bytes);
    return stored == null ? new byte[0] : stored.payload();
  }

  private int from(int word) {
    return word == 0 ? 0 : ends[word - 1] + 1;
  }

  private String word(int word) {
    return new String(bytes, from(word), ends[word] - from(word), StandardCharsets.UTF_8);
  }

  String epoch() {
    return word(0);
  }

  String label() {
    return word(2);
  }

  /**
   * Whether it is of an epoch.
   *
   * @param serverAndEpoch with a blank between, as it stands beside a bucket's state
   * @param server the only one whose epoch it is
   */
  boolean isOf(byte[] serverAndEpoch, String server) {
    int blank = server.length();
    if (serverAndEpoch.length <= blank || serverAndEpoch[blank] != ' ') {
      return false;
    }
    for (int i = 0; i < blank; i++) {
      if (serverAndEpoch[i] != server.charAt(i)) {
        return false;
      }
    }
    return Arrays.equals(serverAndEpoch, blank + 1, serverAndEpoch.length, bytes, 0, ends[0]);
  }

  /** Whether it was stored under a generation of its tag. */
  boolean carries(byte[] generation) {
    return Arrays.equals(generation, 0, generation.length, bytes, from(3), ends[3]);
  }

  /** When it is over, by the server's clock; zero if it cannot be read. */
  long endsAtMillis() {
    long millis = 0;
    for (int i = from(4); i < ends[4]; i++) {
      int digit = bytes[i] - '0';
      if (digit < 0 || digit > 9) {
        return 0;
      }
      millis = millis * 10 + digit;
    }
    return millis;
  }

  byte[] payload() {
    return Arrays.copyOfRange(bytes, ends[WORDS - 1] + 1, bytes.length);
  }
}

package dev.waymark.routing;

import dev.waymark.LogPosition;
import java.util.Arrays;

/**
 * The keys that a transaction has written, as far as they are known one by one. Belongs to the
 * transaction.
 */
final class WrittenKeys {
  /** Beyond so many keys, all keys of the shard are taken for written. */
  private static final int MOST = 256;

  private long[] keys = new long[4];
  private int count;
  private boolean isAnything;
  private boolean areOthers;

  void add(long key) {
    isAnything = true;
    if (key == Router.NO_KEY || count == MOST) {
      areOthers = true;
      return;
    }
    if (count > 0 && keys[count - 1] == key) {
      return;
    }
    if (count == keys.length) {
      keys = Arrays.copyOf(keys, count * 2);
    }
    keys[count++] = key;
  }

  /** Keys that are not told. */
  void addOthers() {
    isAnything = true;
    areOthers = true;
  }

  /** Whether nothing was written. */
  boolean isEmpty() {
    return !isAnything;
  }

  /** Makes the writes known before their caller hears of the commit. */
  void committed(RecentWrites recent, Session session, LogPosition position) {
    if (areOthers) {
      recent.wroteOthers(position);
    }
    for (int i = 0; i < count; i++) {
      recent.wrote(keys[i], position);
    }
    session.wrote(position);
  }
}

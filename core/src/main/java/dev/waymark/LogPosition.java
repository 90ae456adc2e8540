package dev.waymark;

/**
 * A place in the write-ahead log of one shard.
 *
 * <p>Positions of different systems cannot be compared; positions of different timelines only by
 * who knows where one timeline left the other.
 *
 * @param systemId PostgreSQL's system identifier: the same on a primary and all its replicas,
 *     different for every other cluster
 * @param timeline grows by one with each promotion; at least 1
 * @param lsn the log sequence number, an unsigned 64-bit count of bytes
 */
public record LogPosition(long systemId, int timeline, long lsn) {
  /** Checks the timeline. */
  public LogPosition {
    if (timeline < 1) {
      throw new IllegalArgumentException("A timeline is at least 1, not " + timeline);
    }
  }

  /** Whether both positions lie on the same timeline of the same system, so that LSNs compare. */
  public boolean isComparableTo(LogPosition other) {
    return systemId == other.systemId && timeline == other.timeline;
  }

  /** Whether this position is known to be at or after the other: same timeline, LSN not smaller. */
  public boolean covers(LogPosition other) {
    return isComparableTo(other) && Long.compareUnsigned(lsn, other.lsn) >= 0;
  }

  /** Whether this position is known to be after the other: same timeline, LSN greater. */
  public boolean isBeyond(LogPosition other) {
    return isComparableTo(other) && Long.compareUnsigned(lsn, other.lsn) > 0;
  }

  /** The number that PostgreSQL prints as {@code 16/B374D848}. */
  public static long parseLsn(String text) {
    int slash = text.indexOf('/');
    if (slash < 1 || slash > 8 || text.length() - slash < 2 || text.length() - slash > 9) {
      throw new IllegalArgumentException("Not a log sequence number: " + text);
    }
    // Both halves have at most eight digits, so that neither can spill into the other; a sign,
    // which
    // the platform's parser would take, leaves fewer digits and does no harm.
    try {
      return Long.parseUnsignedLong(text, 0, slash, 16) << 32
          | Long.parseUnsignedLong(text, slash + 1, text.length(), 16);
    } catch (NumberFormatException notHexadecimal) {
      throw new IllegalArgumentException("Not a log sequence number: " + text, notHexadecimal);
    }
  }

  /** An LSN the way PostgreSQL prints it, such as {@code 16/B374D848}. */
  public static String printLsn(long lsn) {
    return Long.toHexString(lsn >>> 32).toUpperCase(java.util.Locale.ROOT)
        + "/"
        + Long.toHexString(lsn & 0xFFFF_FFFFL).toUpperCase(java.util.Locale.ROOT);
  }

  @Override
  public String toString() {
    return Long.toUnsignedString(systemId) + "@" + timeline + ":" + printLsn(lsn);
  }
}

package dev.waymark;

import java.util.Locale;

/** How keys appear in errors and logs. Keys may be personal data. */
public enum KeyRendering {
  /** Keys do not appear. */
  NONE {
    @Override
    public String render(long key) {
      return "(hidden)";
    }
  },
  /** Keys appear as a short fingerprint: enough to see that two lines speak of the same key. */
  FINGERPRINT {
    @Override
    public String render(long key) {
      // The finalizer of SplitMix64 (Steele, Lea, Flood 2014): spreads neighbouring keys.
      long mixed = (key ^ (key >>> 30)) * 0xBF58476D1CE4E5B9L;
      mixed = (mixed ^ (mixed >>> 27)) * 0x94D049BB133111EBL;
      mixed ^= mixed >>> 31;
      return String.format(Locale.ROOT, "#%06x", mixed & 0xFF_FFFF);
    }
  },
  /** Keys appear as they are. */
  FULL {
    @Override
    public String render(long key) {
      return Long.toString(key);
    }
  };

  /** The key as text. */
  public abstract String render(long key);
}

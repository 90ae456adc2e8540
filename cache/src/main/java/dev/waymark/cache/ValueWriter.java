package dev.waymark.cache;

import dev.waymark.LogPosition;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes bytes for Redis of values, and tells of those of which it cannot. Shared between threads.
 */
final class ValueWriter<V> {
  private static final Logger log = LoggerFactory.getLogger(TieredCache.class);

  private final String cache;
  private final @Nullable ValueFormat<V> format;
  private final int maximumBytes;
  private final Counters counters;
  private final CacheListener listener;
  private final AtomicBoolean toldOfUnencodable = new AtomicBoolean();
  private final AtomicBoolean toldOfOversized = new AtomicBoolean();

  /**
   * A writer.
   *
   * @param format null where nothing is ever written
   */
  ValueWriter(
      String cache,
      @Nullable ValueFormat<V> format,
      int maximumBytes,
      Counters counters,
      CacheListener listener) {
    this.cache = cache;
    this.format = format;
    this.maximumBytes = maximumBytes;
    this.counters = counters;
    this.listener = listener;
  }

  /** A value that was loaded, or a word in its place if it cannot be encoded. */
  ValueFormat.Encoded encode(@Nullable V value, @Nullable LogPosition position) {
    return encode(value, position, ValueFormat.Origin.READ);
  }

  /** A word in place of a value that is not kept. */
  ValueFormat.Encoded unkept() {
    return format().unkept();
  }

  private ValueFormat<V> format() {
    return Objects.requireNonNull(format, "Only who has a Redis writes, and that needs a codec");
  }

  private ValueFormat.Encoded encode(
      @Nullable V value, @Nullable LogPosition position, ValueFormat.Origin origin) {
    ValueFormat<V> format = format();
    try {
      ValueFormat.Encoded encoded = format.encode(value, position, origin);
      if (encoded instanceof ValueFormat.Encoded.TooLarge tooLarge) {
        counters.oversized.increment();
        listener.notKept(cache, CacheListener.NotKept.OVERSIZED);
        if (toldOfOversized.compareAndSet(false, true)) {
          log.warn(
              "Cache {} does not keep a value of {} bytes: maximumValueBytes is {}. Such values are"
                  + " loaded each time",
              cache,
              tooLarge.size(),
              maximumBytes);
        }
      }
      return encoded;
    } catch (RuntimeException | StackOverflowError unencodable) {
      listener.notKept(cache, CacheListener.NotKept.UNENCODABLE);
      if (toldOfUnencodable.compareAndSet(false, true)) {
        log.warn(
            "Cache {} cannot encode a value for Redis; such values are loaded each time. Give its"
                + " codec a type that it can write",
            cache,
            unencodable);
      }
      return format.unkept();
    }
  }

  /** The bytes of a value that may take another one's place; null if it cannot. */
  byte @Nullable [] bytesOf(@Nullable V value, @Nullable LogPosition position) {
    return encode(value, position, ValueFormat.Origin.PUT)
            instanceof ValueFormat.Encoded.Whole whole
        ? whole.bytes()
        : null;
  }
}

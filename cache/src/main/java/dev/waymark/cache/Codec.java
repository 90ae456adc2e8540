package dev.waymark.cache;

import java.util.List;

/**
 * Turns values into bytes for Redis and back. Shared between threads.
 *
 * @param <V> the type of the values
 */
public interface Codec<V> {
  /**
   * The value as bytes.
   *
   * @throws RuntimeException if it cannot be; the value is then not cached, and returned all the
   *     same
   */
  byte[] encode(V value);

  /**
   * The value that bytes stand for.
   *
   * @throws RuntimeException if they stand for none; the bytes are then passed over and the
   *     database is asked
   */
  V decode(byte[] bytes);

  /**
   * Names the form of the bytes: of any length, the same in every process. A value that was stored
   * under another fingerprint counts as absent: change it whenever old bytes would be misread.
   */
  String fingerprint();

  /** Lists of such values: for the rows of a query. Elements are never null. */
  default Codec<List<V>> ofLists() {
    return new ListCodec<>(this);
  }

  /**
   * Values as JSON, through Jackson, with the types of {@code java.time} and {@code Optional}.
   *
   * <p>Bytes never say which class to build: type information by class name is refused. The names
   * and types of the properties, all the way down, are part of the fingerprint: what was written by
   * a class with other fields counts as absent, so that a new field never reads as null or zero.
   *
   * @param type the class of the values; a record or a bean
   * @param schemaVersion to be raised when the meaning of a field changes; at least 1
   */
  static <V> Codec<V> json(Class<V> type, int schemaVersion) {
    return JacksonCodec.of(JacksonCodec.Form.JSON, type, schemaVersion);
  }

  /**
   * As {@link #json}, in Smile: a binary form of JSON, for values that are large or many. Smaller
   * where numbers, bytes or lists of like objects prevail; not for a person to read.
   *
   * @param type the class of the values; a record or a bean
   * @param schemaVersion to be raised when the meaning of a field changes; at least 1
   */
  static <V> Codec<V> smile(Class<V> type, int schemaVersion) {
    return JacksonCodec.of(JacksonCodec.Form.SMILE, type, schemaVersion);
  }
}

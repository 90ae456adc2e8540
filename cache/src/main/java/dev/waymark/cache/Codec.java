package dev.waymark.cache;

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
   * Names the form of the bytes, in at most 255 ASCII characters. A value that was stored under
   * another fingerprint counts as absent: change it whenever old bytes would be misread.
   */
  String fingerprint();

  /**
   * Values as JSON, through Jackson, with the types of {@code java.time} and {@code Optional}.
   *
   * <p>Bytes never say which class to build: type information by class name is refused. Fields that
   * the class does not know are passed over.
   *
   * @param type the class of the values; a record or a bean
   * @param schemaVersion to be raised when the meaning of a field changes; at least 1
   */
  static <V> Codec<V> json(Class<V> type, int schemaVersion) {
    return new JacksonCodec<>(type, schemaVersion);
  }
}

package dev.waymark;

import java.util.Map;
import java.util.Optional;

/**
 * What is told of one row. Not every column is: the replica identity leaves columns of an old row
 * out, a long value that an update did not touch is not sent again, and neither are generated
 * columns (but stored ones, where the publication says so). Values longer than {@value
 * #LONGEST_VALUE} characters are not kept.
 *
 * @param values by the column's name, as the server prints them; an empty one is NULL
 */
public record RowImage(Map<String, Optional<String>> values) {
  /** Values with more characters are not told. */
  public static final int LONGEST_VALUE = 256;

  /** Copies the map. */
  public RowImage {
    values = Map.copyOf(values);
  }

  /** Whether the value of a column is told; NULL is a value. */
  public boolean tells(String column) {
    return values.containsKey(column);
  }

  /**
   * The value of a column, empty for NULL.
   *
   * @throws IllegalArgumentException if it is not {@linkplain #tells told}
   */
  public Optional<String> value(String column) {
    Optional<String> value = values.get(column);
    if (value == null) {
      throw new IllegalArgumentException(
          "Column "
              + column
              + " is not told; told are "
              + values.keySet().stream().sorted().toList());
    }
    return value;
  }
}

package dev.waymark.routing;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Some rows of a longer list over all shards.
 *
 * @param rows in the order of the list
 * @param next what the next page is asked for with, URL-safe text; null if this is the last one
 */
public record Page<T>(List<T> rows, @Nullable String next) {
  /** Copies the rows. */
  public Page {
    rows = List.copyOf(rows);
  }
}

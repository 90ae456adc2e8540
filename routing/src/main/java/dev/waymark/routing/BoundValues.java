package dev.waymark.routing;

import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * What a statement's parameters hold. Gives each value by its number, counted from 1, as far as
 * keys and bounds are read from it; and can be bound to any number of statements.
 */
interface BoundValues extends IntFunction<@Nullable Object> {
  /** How many there are. */
  int count();

  /**
   * Binds one of them to a statement.
   *
   * @param number of the value here
   * @param at its place there
   */
  void set(PreparedStatement statement, int number, int at) throws SQLException;

  /** No parameters. */
  static BoundValues none() {
    return new BoundValues() {
      @Override
      public int count() {
        return 0;
      }

      @Override
      public void set(PreparedStatement statement, int number, int at) {
        throw new IllegalArgumentException("There are no parameters");
      }

      @Override
      public @Nullable Object apply(int number) {
        throw new IllegalArgumentException("There are no parameters");
      }
    };
  }
}

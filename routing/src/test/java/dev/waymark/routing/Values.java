package dev.waymark.routing;

import java.sql.PreparedStatement;
import java.sql.SQLException;
import org.jspecify.annotations.Nullable;

/** Parameters of a test's statement. */
record Values(@Nullable Object... all) implements BoundValues {
  static Values of(@Nullable Object... all) {
    return new Values(all);
  }

  @Override
  public int count() {
    return all.length;
  }

  @Override
  public void set(PreparedStatement statement, int number, int at) throws SQLException {
    Object value = all[number - 1];
    if (value instanceof Long[] keys) {
      statement.setArray(at, statement.getConnection().createArrayOf("bigint", keys));
    } else {
      statement.setObject(at, value);
    }
  }

  @Override
  public @Nullable Object apply(int number) {
    return all[number - 1];
  }
}

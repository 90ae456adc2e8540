package dev.waymark;

import java.util.Locale;
import java.util.Objects;

/**
 * The full name of a table in a database.
 *
 * @param schema as the catalogue holds it
 * @param name as the catalogue holds it
 */
public record TableName(String schema, String name) {
  /** Checks that both are present. */
  public TableName {
    Objects.requireNonNull(schema, "schema");
    Objects.requireNonNull(name, "name");
  }

  /**
   * Whether SQL may mean this table by what it writes without quotes: {@code Users} means {@code
   * users} in any schema, for the search path is not known; {@code app.users} in that one.
   */
  public boolean isCalled(String written) {
    String folded = written.toLowerCase(Locale.ROOT);
    return folded.equals(name) || folded.equals(schema + "." + name);
  }

  @Override
  public String toString() {
    return schema + "." + name;
  }
}

package dev.waymark.routing;

import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/**
 * What a statement's results are to be like, in JDBC's constants. An immutable value.
 *
 * @param type of {@link ResultSet}'s TYPE_ constants
 * @param concurrency of its CONCUR_ constants
 * @param holdability of its cursors over commit constants
 */
record Form(int type, int concurrency, int holdability) {
  /** What JDBC means if nothing is said. */
  static final Form USUAL =
      new Form(
          ResultSet.TYPE_FORWARD_ONLY,
          ResultSet.CONCUR_READ_ONLY,
          ResultSet.CLOSE_CURSORS_AT_COMMIT);

  boolean isUpdatable() {
    return concurrency == ResultSet.CONCUR_UPDATABLE;
  }

  /** Whether nothing was said. Spelt out: a record's own equals is slow to make at start-up. */
  private boolean isUsual() {
    return type == USUAL.type
        && concurrency == USUAL.concurrency
        && holdability == USUAL.holdability;
  }

  Statement statement(Connection server) throws SQLException {
    return isUsual()
        ? server.createStatement()
        : server.createStatement(type, concurrency, holdability);
  }

  PreparedStatement prepare(Connection server, String sql) throws SQLException {
    return isUsual()
        ? server.prepareStatement(sql)
        : server.prepareStatement(sql, type, concurrency, holdability);
  }

  CallableStatement call(Connection server, String sql) throws SQLException {
    return isUsual()
        ? server.prepareCall(sql)
        : server.prepareCall(sql, type, concurrency, holdability);
  }
}

package dev.waymark.routing;

import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Objects;

/**
 * A query that every shard is asked, and what becomes of its rows. A value, if its parts are.
 *
 * @param sql one SELECT; values belong into parameters
 * @param parameters sets them
 * @param row makes a row of the result set's current one; it must not move on
 * @param fetchSize how many rows a server sends at a time, and how many wait here for the reader,
 *     at least 1
 */
public record ShardQuery<T>(String sql, Parameters parameters, Row<T> row, int fetchSize) {
  /** Sets the parameters of a statement. */
  @FunctionalInterface
  public interface Parameters {
    /** Sets them. */
    void set(PreparedStatement statement) throws SQLException;
  }

  /** Makes a row. */
  @FunctionalInterface
  public interface Row<T> {
    /** The row that the result set stands on. */
    T of(ResultSet row) throws SQLException;
  }

  /** Checks each value. */
  public ShardQuery {
    Objects.requireNonNull(sql, "sql");
    Objects.requireNonNull(parameters, "parameters");
    Objects.requireNonNull(row, "row");
    if (fetchSize < 1) {
      throw new IllegalArgumentException("fetchSize must be at least 1, not " + fetchSize);
    }
  }

  /** A query without parameters, 200 rows at a time. */
  public static <T> ShardQuery<T> of(String sql, Row<T> row) {
    return new ShardQuery<>(sql, statement -> {}, row, 200);
  }

  /** This query with parameters. */
  public ShardQuery<T> with(Parameters parameters) {
    return new ShardQuery<>(sql, parameters, row, fetchSize);
  }

  /** This query with so many rows at a time. */
  public ShardQuery<T> fetching(int rows) {
    return new ShardQuery<>(sql, parameters, row, rows);
  }
}

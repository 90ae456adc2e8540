package dev.waymark.benchmarks;

import java.sql.SQLException;

/** A way to the users of several shards. Threads share it. */
interface Contender extends AutoCloseable {

  /** One user by key, from a replica. */
  User find(long key) throws SQLException;

  /** One row changed by key: on the primary, as one statement. */
  int rename(long key) throws SQLException;

  /** One row inserted by key: on the primary, as one statement. */
  int visit(long key) throws SQLException;

  /** One transaction of three statements for a key, on the primary. */
  int checkIn(long key) throws SQLException;

  /**
   * Its way to several shards at once.
   *
   * @throws UnsupportedOperationException if it has none, so that an application would do it by
   *     hand
   */
  default Scatter scatter() {
    throw new UnsupportedOperationException("It asks one shard at a time");
  }

  @Override
  void close();
}

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

  @Override
  void close();
}

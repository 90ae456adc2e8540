package dev.waymark.benchmarks;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A contender that hands out connections: everything with a {@code DataSource}. */
final class ByConnection implements Contender {
  private final Opener reads;
  private final Opener writes;
  private final @Nullable Scatter scatter;
  private final List<? extends AutoCloseable> closedWithIt;

  /** The connection on which a key's rows are read or written. */
  interface Opener {
    Connection open(long key) throws SQLException;
  }

  ByConnection(Opener reads, Opener writes, List<? extends AutoCloseable> closedWithIt) {
    this(reads, writes, null, closedWithIt);
  }

  /** One that also has a way to several shards. */
  ByConnection(
      Opener reads,
      Opener writes,
      @Nullable Scatter scatter,
      List<? extends AutoCloseable> closedWithIt) {
    this.reads = reads;
    this.writes = writes;
    this.scatter = scatter;
    this.closedWithIt = List.copyOf(closedWithIt);
  }

  @Override
  public User find(long key) throws SQLException {
    try (Connection connection = reads.open(key)) {
      return Users.find(connection, key);
    }
  }

  @Override
  public int rename(long key) throws SQLException {
    try (Connection connection = writes.open(key)) {
      return Users.rename(connection, key);
    }
  }

  @Override
  public int visit(long key) throws SQLException {
    try (Connection connection = writes.open(key)) {
      return Users.visit(connection, key);
    }
  }

  @Override
  public int checkIn(long key) throws SQLException {
    try (Connection connection = writes.open(key)) {
      connection.setAutoCommit(false);
      try {
        int changed = Users.checkIn(connection, key);
        connection.commit();
        return changed;
      } catch (SQLException | RuntimeException failed) {
        connection.rollback();
        throw failed;
      } finally {
        connection.setAutoCommit(true);
      }
    }
  }

  @Override
  public Scatter scatter() {
    return scatter == null ? Contender.super.scatter() : scatter;
  }

  @Override
  public void close() {
    for (AutoCloseable each : closedWithIt) {
      try {
        each.close();
      } catch (Exception failed) {
        throw new IllegalStateException("Closing a contender", failed);
      }
    }
  }
}

package dev.waymark.routing;

import dev.waymark.Consistency;
import dev.waymark.LogPosition;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Objects;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A transaction that is its user's to end, on the shard of its first statement. Belongs to its
 * connection.
 */
final class BoundTransaction {
  /** What is done first on the server: what was asked for before it was known which. */
  interface Preparation {
    void on(Connection server) throws SQLException;
  }

  private final LiveShard shard;
  private final int place;
  private final NodeView node;
  private final Lane lane;
  private final Connection server;
  private final Session owner;
  private final @Nullable Session bound;
  private final Writes.@Nullable Writer writer;
  private final @Nullable OpenTransaction transaction;
  private final WrittenKeys written = new WrittenKeys();
  private boolean leavesState;

  private BoundTransaction(
      LiveShard shard,
      int place,
      NodeView node,
      Lane lane,
      Connection server,
      Session owner,
      @Nullable Session bound,
      Writes.@Nullable Writer writer,
      @Nullable OpenTransaction transaction) {
    this.shard = shard;
    this.place = place;
    this.node = node;
    this.lane = lane;
    this.server = server;
    this.owner = owner;
    this.bound = bound;
    this.writer = writer;
    this.transaction = transaction;
  }

  /** Begins one on a shard's primary. */
  static BoundTransaction writing(
      ShardedDatabase database, int place, long key, List<Preparation> first) throws SQLException {
    LiveShard shard = database.shards().get(place);
    Session bound = database.bound().get();
    Writes.Writer writer = database.writes().connect(shard, key, bound);
    try {
      // The user's own transactions last as long as they last.
      writer.lane().noDeadline();
      BoundTransaction begun =
          new BoundTransaction(
              shard,
              place,
              writer.primary(),
              writer.lane(),
              writer.connection(),
              database.currentSession(),
              bound,
              writer,
              new OpenTransaction(shard.name(), writer.position().systemId(), writer.connection()));
      for (Preparation each : first) {
        each.on(begun.server);
      }
      return begun;
    } catch (SQLException | RuntimeException | Error failure) {
      writer.lane().close();
      throw failure;
    }
  }

  /** Begins one that only reads, on a node that is fresh enough. */
  static BoundTransaction reading(
      ShardedDatabase database,
      int place,
      long key,
      Consistency consistency,
      List<Preparation> first)
      throws SQLException {
    LiveShard shard = database.shards().get(place);
    Session bound = database.bound().get();
    Beginning beginning = new Beginning(first);
    database.reads().hold(shard, key, consistency, bound, beginning, 0);
    Lane lane = beginning.lane();
    lane.noDeadline();
    return new BoundTransaction(
        shard,
        place,
        beginning.node(),
        lane,
        beginning.server(),
        database.currentSession(),
        bound,
        null,
        null);
  }

  /** Begins a transaction on whatever node the read goes to. */
  private static final class Beginning
      implements PlacedWork<Boolean, SQLException>, HeldWork<Boolean, SQLException> {
    private final List<Preparation> first;
    private @Nullable NodeView node;
    private @Nullable Connection server;
    private @Nullable Lane lane;

    Beginning(List<Preparation> first) {
      this.first = first;
    }

    @Override
    public Boolean run(Connection connection, NodeView chosen) throws SQLException {
      connection.setAutoCommit(false);
      for (Preparation each : first) {
        each.on(connection);
      }
      node = chosen;
      server = connection;
      return true;
    }

    @Override
    public void held(Lane own) {
      lane = own;
    }

    NodeView node() {
      return Objects.requireNonNull(node);
    }

    Connection server() {
      return Objects.requireNonNull(server);
    }

    Lane lane() {
      return Objects.requireNonNull(lane);
    }
  }

  LiveShard shard() {
    return shard;
  }

  NodeView node() {
    return node;
  }

  int place() {
    return place;
  }

  /** The server's connection. */
  Connection server() {
    return server;
  }

  WrittenKeys written() {
    return written;
  }

  /** The connection is not given to others as it is. */
  void leavesState() {
    leavesState = true;
  }

  /** Commits, and makes what was written known. */
  void commit(ShardedDatabase database, LongSupplier nanoClock) throws SQLException {
    try {
      lane.dueAt(database.dueAt());
      if (transaction == null || writer == null || written.isEmpty()) {
        server.commit();
        told(nanoClock);
        return;
      }
      LogPosition position = database.writes().commit(shard, Router.NO_KEY, writer, transaction);
      written.committed(shard.recentWrites(), owner, position);
    } finally {
      giveBack(lane, aftermath());
    }
  }

  /** Rolls back; the server does so itself if it has lost the connection. */
  void rollback(ShardedDatabase database, LongSupplier nanoClock) throws SQLException {
    try {
      lane.dueAt(database.dueAt());
      try {
        server.rollback();
      } catch (SQLException failure) {
        if (!server.isClosed()) {
          throw failure;
        }
      }
      told(nanoClock);
    } finally {
      giveBack(lane, aftermath());
    }
  }

  /** What it has read, the session has seen. */
  private void told(LongSupplier nanoClock) {
    if (bound != null) {
      bound.read(node, nanoClock.getAsLong());
    }
  }

  /**
   * Closes the connection under whoever waits for it, from any thread. If the transaction is over
   * by then, its lane may be another call's, which is left alone.
   */
  void abort() {
    lane.cutOffAndCancelIfStill(server);
  }

  private Aftermath aftermath() {
    if (!leavesState) {
      return Aftermath.NONE;
    }
    return writer == null ? Aftermath.CLOSE : Aftermath.DISCARD;
  }

  /** What is to be done to a session before others use it. */
  enum Aftermath {
    NONE,
    /** Everything that was set or made in it is undone, in one round trip. */
    DISCARD,
    /** It is closed: it had settings of ours, which a DISCARD would undo as well. */
    CLOSE
  }

  /** Gives a lane back. Never throws. */
  static void giveBack(Lane lane, Aftermath aftermath) {
    Connection server = aftermath == Aftermath.NONE ? null : lane.connection();
    if (server != null) {
      try {
        if (aftermath == Aftermath.CLOSE) {
          lane.cutOff();
        } else if (NodePools.endOwnTransaction(server)) {
          server.setAutoCommit(true);
          try (Statement statement = server.createStatement()) {
            statement.execute("DISCARD ALL");
          }
        }
      } catch (SQLException broken) {
        lane.cutOff();
      }
    }
    lane.close();
  }
}

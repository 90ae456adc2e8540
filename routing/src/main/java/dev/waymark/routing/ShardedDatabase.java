package dev.waymark.routing;

import dev.waymark.ConfigurationException;
import dev.waymark.ConfigurationException.Problem;
import dev.waymark.Consistency;
import dev.waymark.InvalidSessionTokenException;
import dev.waymark.LogPosition;
import dev.waymark.NoShardForKeyException;
import dev.waymark.Outcome;
import dev.waymark.PositionedRead;
import dev.waymark.Route;
import dev.waymark.SessionToken;
import dev.waymark.ShardMap;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkException;
import dev.waymark.routing.Router.Choice;
import dev.waymark.routing.Router.Need;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/**
 * A database partitioned over shards by key range: each read goes to a replica that is known to be
 * fresh enough, each write to the primary of the shard that owns the key.
 *
 * <p>Safe to share; one instance serves a whole process. Calls block and hold no lock while they
 * wait for a server, so they are at ease on virtual threads.
 *
 * <p>Work that is handed in may run a second time on another node if the first one went away under
 * a read. A write's work runs once.
 */
public final class ShardedDatabase implements AutoCloseable {
  /** How often one read's work may lose its node: the second time the work itself is suspect. */
  private static final int MAXIMUM_LOST_NODES = 2;

  private final WaymarkConfig config;
  private final ShardMap map;
  private final List<LiveShard> shards;
  private final LongSupplier nanoClock;
  private final ExecutorService fanOut;

  /**
   * One for each database and not static: two databases in one process have sessions of their own.
   */
  @SuppressWarnings("ThreadLocalUsage")
  private final ThreadLocal<@Nullable Session> bound = new ThreadLocal<>();

  /** The session of every thread that has bound none: covers all that such threads have written. */
  private final Session ambient;

  private final KeyAllocator keys;

  private ShardedDatabase(WaymarkConfig config, LongSupplier nanoClock) {
    this.config = config;
    this.map = config.map();
    this.nanoClock = nanoClock;
    ConcurrentMap<Long, String> systems = new ConcurrentHashMap<>();
    this.shards =
        map.shards().stream()
            .map(shard -> new LiveShard(shard, config, systems, nanoClock))
            .toList();
    this.ambient =
        new Session(bound, config.tokens(), config.calls().consistency(), SessionToken.empty());
    AtomicInteger threads = new AtomicInteger();
    this.fanOut =
        Executors.newCachedThreadPool(
            task -> {
              Thread thread = new Thread(task, "waymark-fan-out-" + threads.incrementAndGet());
              thread.setDaemon(true);
              return thread;
            });
    this.keys = new KeyAllocator(this, Placement.roundRobin());
  }

  /**
   * Opens a database and looks at every node once. Nodes that are down do not hinder it.
   *
   * @throws ConfigurationException if a node's answer shows that the configuration is wrong: the
   *     log-in is refused, the database does not exist, the server is no PostgreSQL or belongs to
   *     two shards. Everything that was opened is closed again
   */
  public static ShardedDatabase open(WaymarkConfig config) {
    return open(config, System::nanoTime);
  }

  static ShardedDatabase open(WaymarkConfig config, LongSupplier nanoClock) {
    ShardedDatabase database = new ShardedDatabase(config, nanoClock);
    try {
      database.start();
      return database;
    } catch (RuntimeException | Error failure) {
      database.close();
      throw failure;
    }
  }

  private void start() {
    shards.forEach(LiveShard::start);
    Deadline deadline =
        new Deadline(nanoClock, config.pool().connectTimeout().plus(config.monitor().timeout()));
    List<Problem> problems = new ArrayList<>();
    try {
      for (LiveShard shard : shards) {
        for (String problem : shard.awaitFirstLook(deadline)) {
          problems.add(new Problem(shard.name(), 0, 0, problem));
        }
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new WaymarkException(
          "Opening was interrupted. Nothing was sent.", Outcome.NOT_SENT, interrupted);
    }
    if (!problems.isEmpty()) {
      throw new ConfigurationException(problems);
    }
  }

  // ---- reading and writing one key ----------------------------------------------------------

  /**
   * Reads with the consistency of the current session.
   *
   * @throws NoShardForKeyException if no shard owns the key
   * @throws UnavailableException if no node could answer within the deadline
   */
  public <T extends @Nullable Object, X extends Exception> T read(long key, Work<T, X> work)
      throws X {
    return readPositioned(key, work).value();
  }

  /** Reads with a consistency of its own; otherwise as {@link #read(long, Work)}. */
  public <T extends @Nullable Object, X extends Exception> T read(
      long key, Consistency consistency, Work<T, X> work) throws X {
    return readPositioned(key, consistency, work).value();
  }

  /**
   * Reads like {@link #read(long, Work)} and also tells which node answered, and how new the answer
   * is known to be.
   */
  public <T extends @Nullable Object, X extends Exception> PositionedRead<T> readPositioned(
      long key, Work<T, X> work) throws X {
    return readPositioned(key, currentSession().consistency(), work);
  }

  /** Reads with a consistency of its own; otherwise as {@link #readPositioned(long, Work)}. */
  public <T extends @Nullable Object, X extends Exception> PositionedRead<T> readPositioned(
      long key, Consistency consistency, Work<T, X> work) throws X {
    LiveShard shard = shardFor(key);
    return readOn(shard, key, consistency, seenByBoundSession(), work);
  }

  /**
   * The way of every read: choose a node from the shard's current view, run the work there, and if
   * the node goes away, once more elsewhere.
   */
  private <T extends @Nullable Object, X extends Exception> PositionedRead<T> readOn(
      LiveShard shard,
      @Nullable Long key,
      Consistency consistency,
      SessionToken seen,
      Work<T, X> work)
      throws X {
    Deadline deadline = new Deadline(nanoClock, config.calls().deadline());
    long avoided = 0;
    int lostNodes = 0;
    Throwable lastFailure = null;
    while (true) {
      // The view first: what is required of all keys is raised before the view that needs it.
      ShardView view = shard.view();
      Need need = new Need(consistency, seen, shard.recentWrites().neededFor(key), avoided);
      Choice choice = Router.choose(view, need, deadline.nowNanos(), shard.nextTurn());
      if (choice == null) {
        if (!awaitOtherView(shard, view, deadline)) {
          Outcome outcome = lostNodes == 0 ? Outcome.NOT_SENT : Outcome.REJECTED;
          throw unavailable(
              shard, "no node that may answer a read", outcome, key, deadline, lastFailure);
        }
        avoided = 0;
        continue;
      }
      NodeView node = choice.node();
      Connection connection;
      try {
        connection = shard.pools(node).forReading();
      } catch (SQLException failure) {
        blame(shard, node, failure);
        if (deadline.nanosLeft() <= 0) {
          Outcome outcome = lostNodes == 0 ? Outcome.NOT_SENT : Outcome.REJECTED;
          throw unavailable(
              shard, "no free connection for a read", outcome, key, deadline, failure);
        }
        lastFailure = failure;
        avoided |= Need.bit(node);
        continue;
      }
      try {
        T value = work.run(connection);
        return new PositionedRead<>(value, route(shard, choice), need.provenBy(node));
      } catch (Throwable failure) {
        boolean lost = Failures.tookNodeAway(failure, connection);
        if (!lost && !Failures.isTimeout(failure)) {
          throw failure;
        }
        if (lost) {
          shard.suspect(node, failure);
        }
        if (!lost || ++lostNodes >= MAXIMUM_LOST_NODES || deadline.nanosLeft() <= 0) {
          String what = lost ? "no answer: nodes went away under the read" : "no answer in time";
          throw unavailable(shard, what, Outcome.REJECTED, key, deadline, failure);
        }
        lastFailure = failure;
        avoided |= Need.bit(node);
      } finally {
        NodePools.giveBack(connection);
      }
    }
  }

  /**
   * Runs work on the shard's primary in one transaction, commits it when the work returns and rolls
   * it back when it throws.
   *
   * <p>The current session, and every later read of the key in this process with strong or session
   * consistency, sees the write.
   *
   * @throws NoShardForKeyException if no shard owns the key
   * @throws UnavailableException if there was no primary within the deadline, or it went away; its
   *     {@linkplain WaymarkException#outcome() outcome} says whether anything was written
   * @throws WaymarkException if the server refused the commit: nothing was written
   */
  public <T extends @Nullable Object, X extends Exception> T write(long key, Work<T, X> work)
      throws X {
    return transaction(key, transaction -> work.run(transaction.connection()));
  }

  /** Writes like {@link #write(long, Work)}, with the transaction's hooks and id within reach. */
  public <T extends @Nullable Object, X extends Exception> T transaction(
      long key, TransactionWork<T, X> work) throws X {
    LiveShard shard = shardFor(key);
    return writeOn(shard, key, work);
  }

  /**
   * One transaction on a shard's primary.
   *
   * @param key null for work of our own that changes no row of a key: no later read waits for it
   */
  <T extends @Nullable Object, X extends Exception> T writeOn(
      LiveShard shard, @Nullable Long key, TransactionWork<T, X> work) throws X {
    Deadline deadline = new Deadline(nanoClock, config.calls().deadline());
    Writer writer = connectForWriting(shard, key, deadline);
    try {
      return inTransaction(shard, writer, key, deadline, work);
    } finally {
      NodePools.giveBack(writer.connection());
    }
  }

  /** A connection to a primary, and which node that is. */
  private record Writer(NodeView primary, LogPosition position, Connection connection) {}

  /** Nothing has been sent yet, so a write waits for a primary as long as its deadline allows. */
  private Writer connectForWriting(LiveShard shard, @Nullable Long key, Deadline deadline) {
    SessionToken seen = seenByBoundSession();
    Throwable lastFailure = null;
    while (true) {
      ShardView view = shard.view();
      NodeView primary = view.primary();
      if (primary != null && primary.position() != null && view.covers(primary, seen)) {
        try {
          return new Writer(primary, primary.position(), shard.pools(primary).forWriting());
        } catch (SQLException failure) {
          lastFailure = failure;
          blame(shard, primary, failure);
        }
      }
      if (!awaitOtherView(shard, view, deadline)) {
        String what =
            primary == null ? "no primary to write to" : "no free connection to write with";
        throw unavailable(shard, what, Outcome.NOT_SENT, key, deadline, lastFailure);
      }
    }
  }

  private <T extends @Nullable Object, X extends Exception> T inTransaction(
      LiveShard shard,
      Writer writer,
      @Nullable Long key,
      Deadline deadline,
      TransactionWork<T, X> work)
      throws X {
    OpenTransaction transaction =
        new OpenTransaction(shard.name(), writer.position().systemId(), writer.connection());
    T value;
    try {
      value = work.run(transaction);
    } catch (Throwable failure) {
      boolean lost = Failures.tookNodeAway(failure, writer.connection());
      boolean demoted = Failures.isReadOnly(failure) && transaction.runsOnReplica();
      rollback(transaction);
      if (lost || demoted) {
        shard.suspect(writer.primary(), failure);
      }
      if (lost || demoted || Failures.isTimeout(failure)) {
        throw lost(shard, writer, Outcome.REJECTED, key, deadline, failure);
      }
      throw failure;
    }
    LogPosition position = commit(shard, writer, transaction, key, deadline);
    if (key != null) {
      wrote(shard, currentSession(), key, position);
    }
    transaction.afterCommit(position);
    return value;
  }

  private LogPosition commit(
      LiveShard shard,
      Writer writer,
      OpenTransaction transaction,
      @Nullable Long key,
      Deadline deadline) {
    boolean sent = false;
    try {
      transaction.beforeCommit();
      if (shard.view().hasOvertaken(writer.position())) {
        throw new SQLException("another node has become the primary in the meantime", "25006");
      }
      sent = true;
      return transaction.commit();
    } catch (SQLException failure) {
      if (Failures.isOfNode(failure) && !Failures.isTimeout(failure)) {
        shard.suspect(writer.primary(), failure);
      }
      if (sent && !Failures.isOfCommitAlone(failure)) {
        transaction.outcomeUnknown();
        throw lost(shard, writer, Outcome.UNKNOWN, key, deadline, failure);
      }
      rollback(transaction);
      throw new WaymarkException(
          "Shard "
              + shard.name()
              + " refused the commit"
              + forKey(key)
              + ": "
              + failure.getMessage()
              + ". "
              + Outcome.REJECTED.sentence()
              + ".",
          Outcome.REJECTED,
          failure);
    } catch (RuntimeException | Error failure) {
      if (sent) {
        transaction.outcomeUnknown();
      } else {
        rollback(transaction);
      }
      throw failure;
    }
  }

  private static void rollback(OpenTransaction transaction) {
    transaction.rollback();
    transaction.afterRollback();
  }

  /** Makes a write known to whoever must not miss it, before its caller hears of it. */
  void wrote(LiveShard shard, Session session, long key, LogPosition position) {
    shard.recentWrites().wrote(key, position);
    session.wrote(position);
  }

  /**
   * Plain JDBC connections to the primary of the shard that owns the key, for code that wants a
   * data source. The session that is current when a connection is taken sees what is committed on
   * it, from {@code commit()} on, or with auto-commit from {@code close()} on.
   *
   * @throws NoShardForKeyException if no shard owns the key
   */
  public DataSource dataSource(long key) {
    return new KeyDataSource(this, shardFor(key), key);
  }

  Connection connectionTo(LiveShard shard, long key) throws SQLException {
    Deadline deadline = new Deadline(nanoClock, config.calls().deadline());
    try {
      return connectForWriting(shard, key, deadline).connection();
    } catch (UnavailableException unavailable) {
      throw new SQLTransientConnectionException(unavailable.getMessage(), "08001", unavailable);
    }
  }

  // ---- all shards ---------------------------------------------------------------------------

  /**
   * Runs a read on every shard at the same time, each on a node of its own choosing.
   *
   * <p>There is no common snapshot: each shard answers as of its own moment.
   *
   * @param work returns the shard's rows, sorted if they are to be merged
   * @throws UnavailableException if a shard could not answer within the deadline; there is no
   *     partial answer
   */
  public <T, X extends Exception> Scatter<T> onEveryShard(Work<List<T>, X> work) throws X {
    Session session = bound.get();
    SessionToken seen = seenByBoundSession();
    Consistency consistency = currentSession().consistency();
    return Scatter.run(
        shards,
        fanOut,
        shard -> {
          // The work may itself call this database, on a thread that has no session of its own.
          Session.Binding binding = session == null ? () -> {} : session.bind();
          try (binding) {
            return readOn(shard, null, consistency, seen, work).value();
          }
        });
  }

  // ---- sessions -----------------------------------------------------------------------------

  /**
   * The session bound to this thread, or else the one that all threads without a binding share.
   * Through the shared one a keyed read needs only what was written to its own key.
   */
  public Session currentSession() {
    Session mine = bound.get();
    return mine == null ? ambient : mine;
  }

  /** A new session that has seen nothing. */
  public Session newSession() {
    return newSession(config.calls().consistency());
  }

  /** A new session that has seen nothing and reads with a consistency of its own. */
  public Session newSession(Consistency consistency) {
    return new Session(bound, config.tokens(), consistency, SessionToken.empty());
  }

  /**
   * A session that has seen what a token tells.
   *
   * @param token as {@link Session#token()} printed it, in any process
   * @throws InvalidSessionTokenException if the token is malformed, forged, or of another database
   */
  public Session resumeSession(String token) {
    SessionToken seen = config.tokens().parse(token);
    List<Long> systems =
        shards.stream().map(shard -> shard.view().systemId()).filter(id -> id != null).toList();
    // While a shard has never answered, the position may be one of its own.
    if (systems.size() == shards.size()
        && !seen.positions().stream().allMatch(p -> systems.contains(p.systemId()))) {
      throw new InvalidSessionTokenException("it belongs to another database");
    }
    return new Session(bound, config.tokens(), config.calls().consistency(), seen);
  }

  private SessionToken seenByBoundSession() {
    Session mine = bound.get();
    return mine == null ? SessionToken.empty() : mine.seen();
  }

  // ---- looking in ---------------------------------------------------------------------------

  /**
   * Where a read of the key would go now, and why; nothing is sent.
   *
   * @throws NoShardForKeyException if no shard owns the key
   * @throws UnavailableException if no node may answer it now
   */
  public Route explain(long key) {
    LiveShard shard = shardFor(key);
    ShardView view = shard.view();
    Need need =
        new Need(
            currentSession().consistency(),
            seenByBoundSession(),
            shard.recentWrites().neededFor(key),
            0);
    Deadline now = new Deadline(nanoClock, config.calls().deadline());
    Choice choice = Router.choose(view, need, now.nowNanos(), 0);
    if (choice == null) {
      throw unavailable(shard, "no node that may answer a read", Outcome.NOT_SENT, key, now, null);
    }
    return route(shard, choice);
  }

  /** Every node as last observed, shard by shard. */
  public List<NodeStatus> nodes() {
    return shards.stream()
        .map(LiveShard::view)
        .flatMap(view -> view.nodes().stream().map(node -> NodeStatus.of(view, node)))
        .toList();
  }

  /** The shard map in force. */
  public ShardMap map() {
    return map;
  }

  /** New keys, spread over the shards. */
  public KeyAllocator keys() {
    return keys;
  }

  /**
   * What each shard's own schema must hold: constraints against misplaced rows, and key sequences.
   */
  public ShardSchema schema() {
    return new ShardSchema(this);
  }

  List<LiveShard> shards() {
    return shards;
  }

  /**
   * Ends the monitor and closes every pool. Calls in flight may fail, later ones do. Closing again
   * does nothing.
   */
  @Override
  public void close() {
    // The pools wait for their threads, and would not if this one came interrupted.
    boolean interrupted = Thread.interrupted();
    try {
      fanOut.shutdownNow();
      shards.forEach(LiveShard::close);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  // ---- the rest -----------------------------------------------------------------------------

  private LiveShard shardFor(long key) {
    return shards.get(map.indexOfShardFor(key));
  }

  private Route route(LiveShard shard, Choice choice) {
    NodeView node = choice.node();
    return new Route(
        shard.name(),
        node.node().name(),
        Objects.requireNonNull(node.role()),
        choice.reason(),
        map.version());
  }

  /** A connection was not to be had: is it the node, or is its pool just busy? */
  private static void blame(LiveShard shard, NodeView node, SQLException failure) {
    // A busy pool gives no cause. A pool that cannot connect tells why, and a server that has no
    // room
    // for one connection more is not down.
    Throwable cause = failure.getCause();
    if (cause instanceof SQLException && Failures.isOfNode(cause)) {
      shard.suspect(node, failure);
    }
  }

  private boolean awaitOtherView(LiveShard shard, ShardView seen, Deadline deadline) {
    try {
      return shard.state().awaitOther(seen, deadline.nanosLeft()) && deadline.nanosLeft() > 0;
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private UnavailableException unavailable(
      LiveShard shard,
      String what,
      Outcome outcome,
      @Nullable Long key,
      Deadline deadline,
      @Nullable Throwable cause) {
    if (shard.state().isClosed()) {
      throw new IllegalStateException("The database is closed", cause);
    }
    return new UnavailableException(
        shard.name(),
        String.format(
            Locale.ROOT,
            "Shard %s had %s%s after %d ms (%s; shard map version %d). %s.",
            shard.name(),
            what,
            forKey(key),
            deadline.waited().toMillis(),
            shard.describe(),
            map.version(),
            outcome.sentence()),
        outcome,
        cause);
  }

  private UnavailableException lost(
      LiveShard shard,
      Writer writer,
      Outcome outcome,
      @Nullable Long key,
      Deadline deadline,
      Throwable cause) {
    return new UnavailableException(
        shard.name(),
        String.format(
            Locale.ROOT,
            "Shard %s lost the answer of its primary %s to a write%s after %d ms: %s. %s.",
            shard.name(),
            writer.primary().node().name(),
            forKey(key),
            deadline.waited().toMillis(),
            cause.getMessage(),
            outcome == Outcome.REJECTED
                ? outcome.sentence() + ", so the call may be repeated"
                : outcome.sentence()),
        outcome,
        cause);
  }

  private String forKey(@Nullable Long key) {
    return key == null ? "" : " for key " + config.keys().render(key);
  }
}

package dev.waymark.routing;

import dev.waymark.ChangeConsumer;
import dev.waymark.ConfigurationException;
import dev.waymark.ConfigurationException.Problem;
import dev.waymark.Consistency;
import dev.waymark.Horizon;
import dev.waymark.InvalidSessionTokenException;
import dev.waymark.LogPosition;
import dev.waymark.NoShardForKeyException;
import dev.waymark.Outcome;
import dev.waymark.PositionedRead;
import dev.waymark.Route;
import dev.waymark.RoutingListener;
import dev.waymark.SessionToken;
import dev.waymark.ShardMap;
import dev.waymark.UnavailableException;
import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkException;
import dev.waymark.routing.NodeView.Choice;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
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
 * a read (at the same time with {@code hedging}). A write's work runs once, except where the server
 * turned out to be no primary any more and refused to write: what the work did there is rolled
 * back, and it runs again on the new primary.
 */
public final class ShardedDatabase implements AutoCloseable {
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

  private final Consistency usual;
  private final Reads reads;
  private final Writes writes;
  private final FanOut queries;
  private final @Nullable EngineQueries engineQueries;
  private final CrossShardCommits crossShard;
  private final Watchdog watchdog;
  private final ScheduledExecutorService timer;
  private final Unavailability unavailability;
  private final KeyAllocator keys;
  private final RoutingListener listener;
  private final Object plansLock = new Object();

  /** Made when the data source is first asked for; guarded by its lock. */
  private @Nullable Plans plans;

  /** Those that may still be open; closing one again does nothing. */
  private final List<ChangeStream> changeStreams = new CopyOnWriteArrayList<>();

  private ShardedDatabase(
      WaymarkConfig config,
      RoutingListener given,
      LongSupplier nanoClock,
      @Nullable CrossShardEngine engine) {
    this.config = config;
    this.map = config.map();
    this.nanoClock = nanoClock;
    this.usual = config.calls().consistency();
    this.listener = CarefulListener.around(given);
    ConcurrentMap<Long, String> systems = new ConcurrentHashMap<>();
    this.shards =
        map.shards().stream()
            .map(shard -> new LiveShard(shard, config, systems, nanoClock, listener))
            .toList();
    this.ambient = new Session(bound, config.tokens(), usual, SessionToken.empty(), nanoClock);
    AtomicInteger threads = new AtomicInteger();
    this.fanOut =
        Executors.newCachedThreadPool(
            task -> daemon("waymark-fan-out-" + threads.incrementAndGet(), task));
    this.timer =
        Executors.newSingleThreadScheduledExecutor(task -> daemon("waymark-hedging", task));
    this.watchdog =
        new Watchdog(
            shards.stream().flatMap(shard -> shard.pools().stream()).toList(),
            nanoClock,
            fanOut,
            config.calls().deadline());
    this.unavailability = new Unavailability(config, listener);
    Hedging hedging =
        config.hedging().budget() == 0
            ? null
            : new Hedging(config.hedging(), nanoClock, listener, timer, fanOut);
    this.reads =
        new Reads(config, nanoClock, watchdog::recentNanos, listener, unavailability, hedging);
    this.writes = new Writes(config, nanoClock, listener, unavailability);
    this.queries =
        new FanOut(
            map,
            shards,
            reads,
            fanOut,
            nanoClock,
            config.calls().deadline(),
            SqlScanner.Backslash.LITERAL,
            config.pool().size());
    this.engineQueries =
        engine == null
            ? null
            : new EngineQueries(engine, map, shards, reads, nanoClock, config.calls().deadline());
    this.crossShard = crossShard(step -> {});
    this.keys = new KeyAllocator(this, Placement.roundRobin());
  }

  private static Thread daemon(String name, Runnable task) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    return thread;
  }

  /**
   * Opens a database and looks at every node once. Nodes that are down do not hinder it.
   *
   * @throws ConfigurationException if a node's answer shows that the configuration is wrong: the
   *     log-in is refused, the database does not exist, the server is no PostgreSQL or belongs to
   *     two shards. Everything that was opened is closed again
   */
  public static ShardedDatabase open(WaymarkConfig config) {
    return open(config, RoutingListener.none());
  }

  /** Opens a database as {@link #open(WaymarkConfig)}, with somebody who listens. */
  public static ShardedDatabase open(WaymarkConfig config, RoutingListener listener) {
    return open(config, listener, System::nanoTime);
  }

  static ShardedDatabase open(WaymarkConfig config, LongSupplier nanoClock) {
    return open(config, RoutingListener.none(), nanoClock);
  }

  private static ShardedDatabase open(
      WaymarkConfig config, RoutingListener listener, LongSupplier nanoClock) {
    // First, as a file that names a class which is not there throws.
    CrossShardEngine engine =
        ServiceLoader.load(CrossShardEngine.class, ShardedDatabase.class.getClassLoader())
            .findFirst()
            .orElse(null);
    ShardedDatabase database = new ShardedDatabase(config, listener, nanoClock, engine);
    try {
      database.start();
      return database;
    } catch (RuntimeException | Error failure) {
      database.close();
      throw failure;
    }
  }

  private void start() {
    watchdog.start();
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
    Session session = bound.get();
    Consistency consistency = session == null ? usual : session.consistency();
    return reads.read(
        shardFor(key), key, consistency, session, work, (value, node, route) -> value);
  }

  /** Reads with a consistency of its own; otherwise as {@link #read(long, Work)}. */
  public <T extends @Nullable Object, X extends Exception> T read(
      long key, Consistency consistency, Work<T, X> work) throws X {
    return reads.read(
        shardFor(key), key, consistency, bound.get(), work, (value, node, route) -> value);
  }

  /**
   * Reads like {@link #read(long, Work)} and also tells which node answered, and how new the answer
   * is known to be. On the primary that is asked first, which costs one round trip more.
   */
  public <T extends @Nullable Object, X extends Exception> PositionedRead<T> readPositioned(
      long key, Work<T, X> work) throws X {
    return readPositioned(key, currentSession().consistency(), work);
  }

  /** Reads with a consistency of its own; otherwise as {@link #readPositioned(long, Work)}. */
  public <T extends @Nullable Object, X extends Exception> PositionedRead<T> readPositioned(
      long key, Consistency consistency, Work<T, X> work) throws X {
    LiveShard shard = shardFor(key);
    Session session = bound.get();
    Router.Needed needed = shard.router().needed(shard.view(), consistency, session, key);
    return reads.read(
        shard,
        key,
        consistency,
        session,
        Label.before(work),
        (labelled, node, route) -> {
          Label label = labelled.label();
          return new PositionedRead<>(
              labelled.value(),
              route,
              label == null ? Router.provenBy(node, needed) : label.position(),
              label == null ? null : label.snapshot(),
              node.mark());
        });
  }

  /**
   * What the current session has seen, as far as it is known by now: servers that it has read from
   * and whose place has been looked up since stand as positions.
   */
  public SessionToken seen() {
    Session session = currentSession();
    for (int i = 0; i < shards.size(); i++) {
      session.settle(shards.get(i).view());
    }
    return session.seen();
  }

  /** A read on a shard that is not of one key, for a scatter. */
  <T extends @Nullable Object, X extends Exception> T readOn(
      LiveShard shard,
      Consistency consistency,
      @Nullable Session session,
      Work<T, X> work,
      Deadline deadline)
      throws X {
    return reads.read(
        shard,
        Router.NO_KEY,
        consistency,
        session,
        work,
        (value, node, route) -> value,
        deadline.startedAt(),
        deadline.dueAt());
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
    return writes.write(shardFor(key), key, currentSession(), bound.get(), work);
  }

  /** One transaction on a shard for work of our own that changes no row of a key. */
  <T extends @Nullable Object, X extends Exception> T writeOn(
      LiveShard shard, TransactionWork<T, X> work) throws X {
    return writes.write(shard, Router.NO_KEY, currentSession(), bound.get(), work);
  }

  /**
   * Draws a line through the transactions of a shard: see {@link Horizon}. What a cache needs after
   * its Redis has lost data. Takes one transaction on the primary, which writes nothing.
   *
   * @param shard the name of the shard
   * @throws IllegalArgumentException if the map has no shard of this name
   * @throws UnavailableException if there was no primary within the deadline
   * @throws WaymarkException if the server did not say
   */
  public Horizon horizon(String shard) {
    LiveShard asked =
        shards.stream()
            .filter(each -> each.name().equals(shard))
            .findFirst()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "The shard map has no shard '" + shard + "'; it has " + shardNames()));
    try {
      return writes.write(
          asked,
          Router.NO_KEY,
          currentSession(),
          null,
          transaction -> Label.drawnIn((OpenTransaction) transaction));
    } catch (SQLException failure) {
      throw new WaymarkException(
          "Shard "
              + shard
              + " did not say which transactions are over: "
              + failure.getMessage()
              + ". Nothing was written; the call may be repeated.",
          Outcome.REJECTED,
          failure);
    }
  }

  private List<String> shardNames() {
    return shards.stream().map(LiveShard::name).toList();
  }

  /** The same for work on whole tables, which takes as long as it takes. */
  <T extends @Nullable Object, X extends Exception> T writeWithoutDeadlineOn(
      LiveShard shard, TransactionWork<T, X> work) throws X {
    return writes.writeWithoutDeadline(shard, currentSession(), bound.get(), work);
  }

  /** When a call that begins now must be over. */
  long dueAt() {
    return nanoClock.getAsLong() + config.calls().deadline().toNanos();
  }

  /** Makes a write known to whoever must not miss it, before its caller hears of it. */
  void wrote(LiveShard shard, Session session, long key, LogPosition position) {
    writes.wrote(shard, session, key, position);
  }

  /**
   * Plain JDBC connections to the primary of the shard that owns the key, for code that wants a
   * data source. The session that is current when a connection is taken sees what is committed on
   * it, from {@code commit()} on, or with auto-commit from {@code close()} on.
   *
   * <p>Only taking a connection is bound by {@code calls.deadline}. What is done with it takes as
   * long as it takes; {@link java.sql.Connection#setNetworkTimeout} and {@link
   * java.sql.Statement#setQueryTimeout} limit it.
   *
   * <p>{@code commit()} and {@code close()} throw SQLSTATE 08007 if all that was committed is
   * committed, but the session could not learn that in time.
   *
   * @throws NoShardForKeyException if no shard owns the key
   */
  public DataSource dataSource(long key) {
    return new KeyDataSource(this, shardFor(key), key);
  }

  /**
   * The whole database as one standard JDBC data source: each statement goes to the shard that its
   * keys lie on, reads to a replica that is fresh enough, and with auto-commit off a transaction
   * stays on the shard of its first statement. What cannot be answered exactly is refused with a
   * code and what to do instead. Nothing is sent before a statement runs; the current session is
   * that of the thread which runs it.
   *
   * <p>With auto-commit, a statement has {@code calls.deadline}, or its own query time-out if it
   * has one. Within a transaction it takes as long as it takes.
   *
   * @throws IllegalStateException if the parser of SQL is not on the class path: {@code
   *     org.pgcodekeeper:pgcodekeeper-core} and {@code org.antlr:antlr4-runtime}
   */
  public DataSource dataSource() {
    return new ShardedDataSource(this, plans(), ShardedConnection.Crossing.REFUSED);
  }

  /**
   * The same data source, but that a transaction with auto-commit off may concern several shards:
   * all of it is committed or none, as {@link #acrossShards} has it. The transaction lasts as long
   * as its user, its commit {@code calls.deadline}; it is read committed and has no SET LOCAL. It
   * costs two more round trips on each shard, if it has written to several; of one shard, next to
   * nothing. With auto-commit, and where the connection is read-only, the two are the same.
   *
   * @throws IllegalStateException as {@link #dataSource()} does
   */
  public DataSource dataSourceAcrossShards() {
    return new ShardedDataSource(this, plans(), ShardedConnection.Crossing.ALLOWED);
  }

  /**
   * One plain data source for the primary of each shard, by the shards' names in the order of the
   * map: for schema migrations, which every shard needs. Connections are as those of {@link
   * #dataSource(long)}.
   */
  public Map<String, DataSource> shardDataSources() {
    Map<String, DataSource> sources = new LinkedHashMap<>();
    for (LiveShard shard : shards) {
      sources.put(shard.name(), new KeyDataSource(this, shard, Router.NO_KEY));
    }
    return Collections.unmodifiableMap(sources);
  }

  Plans plans() {
    synchronized (plansLock) {
      Plans known = plans;
      if (known == null) {
        try {
          known =
              new Plans(map.tables(), new CatalogueSource(this, nanoClock), watchdog::recentNanos);
        } catch (NoClassDefFoundError | ExceptionInInitializerError absent) {
          throw new IllegalStateException(
              "The data source reads SQL with org.pgcodekeeper:pgcodekeeper-core and"
                  + " org.antlr:antlr4-runtime, which are not on the class path; add them, or use"
                  + " read(key, …), write(key, …) and dataSource(key), which need no parser",
              absent);
        }
        plans = known;
      }
      return known;
    }
  }

  /** Plans are made anew by the catalogue as it is then. */
  void schemaMayHaveChanged() {
    synchronized (plansLock) {
      if (plans != null) {
        plans.changed();
      }
    }
  }

  Reads reads() {
    return reads;
  }

  Writes writes() {
    return writes;
  }

  Consistency usualConsistency() {
    return usual;
  }

  LongSupplier nanoClock() {
    return nanoClock;
  }

  /** Who it logs in as. */
  String user() {
    return config.credentials().user();
  }

  boolean isClosed() {
    return shards.get(0).state().isClosed();
  }

  Writes.Writer connectionTo(LiveShard shard, long key) throws SQLException {
    try {
      return writes.connect(shard, key, bound.get());
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
    return onEveryShard(ScatterOptions.within(config.calls().deadline()), work);
  }

  /** The same with a deadline, and a rule for shards that do not answer, of its own. */
  public <T, X extends Exception> Scatter<T> onEveryShard(
      ScatterOptions options, Work<List<T>, X> work) throws X {
    Session session = bound.get();
    Consistency consistency = currentSession().consistency();
    Deadline deadline = new Deadline(nanoClock, options.deadline());
    return Scatter.run(
        shards,
        fanOut,
        deadline,
        options.missing(),
        shard -> {
          // The work may itself call this database, on a thread that has no session of its own.
          Session.Binding binding = session == null ? () -> {} : session.bind();
          try (binding) {
            return readOn(shard, consistency, session, work, deadline);
          }
        });
  }

  /**
   * Asks every shard for rows and gives them in one order as they are wanted, without holding them
   * all. Stop reading at any row and close the stream.
   *
   * @param query sorted by the order
   * @param order the order that each shard's rows are in
   */
  public <T> RowStream<T> streamFromEveryShard(
      ScatterOptions options, ShardQuery<T> query, Comparator<? super T> order) {
    Session session = bound.get();
    Consistency consistency = currentSession().consistency();
    Deadline deadline = new Deadline(nanoClock, options.deadline());
    return new RowStream<>(
        shards,
        query,
        order,
        options,
        deadline,
        fanOut,
        (shard, work) -> {
          Session.Binding binding = session == null ? () -> {} : session.bind();
          try (binding) {
            // Two runs at the same time would send their rows into one stream.
            reads.readUnhedged(
                shard,
                Router.NO_KEY,
                consistency,
                session,
                work,
                (value, node, route) -> value,
                deadline.startedAt(),
                deadline.dueAt());
          }
        });
  }

  /**
   * One page of a list over all shards. Each shard sends at most one row more than the page holds.
   *
   * @param token {@link Page#next()} of the page before, or null for the first one
   * @param rows how many rows a page holds at most, at least 1
   * @throws IllegalArgumentException if the token is damaged or of another list
   * @throws UnavailableException if a shard could not answer: a page without its rows would be
   *     wrong
   */
  public <T> Page<T> page(Keyset<T> keyset, @Nullable String token, int rows) {
    if (rows < 1) {
      throw new IllegalArgumentException("A page must hold at least 1 row, not " + rows);
    }
    ShardQuery<T> query = keyset.page(token == null ? null : keyset.parse(token), rows + 1);
    List<T> found;
    try {
      Scatter<T> answers =
          onEveryShard(
              connection -> {
                try (var statement = connection.prepareStatement(query.sql())) {
                  query.parameters().set(statement);
                  List<T> some = new ArrayList<>();
                  try (var answer = statement.executeQuery()) {
                    while (answer.next()) {
                      some.add(query.row().of(answer));
                    }
                  }
                  return some;
                }
              });
      found = answers.merge(keyset.order(), rows + 1);
    } catch (SQLException refused) {
      throw new WaymarkException(
          "A shard refused the query of a page: "
              + refused.getMessage()
              + ". "
              + Outcome.REJECTED.sentence()
              + ".",
          Outcome.REJECTED,
          refused);
    }
    return found.size() <= rows
        ? new Page<>(found, null)
        : new Page<>(found.subList(0, rows), keyset.tokenBehind(found.get(rows - 1)));
  }

  /**
   * Runs work in one transaction with a part on each shard that it uses, and commits all parts when
   * the work returns, or rolls all back when it throws. Where only one shard was written to, that
   * is an ordinary commit; else each but one is prepared first ({@code PREPARE TRANSACTION}).
   *
   * <p>All or nothing, whatever dies when: what a process leaves behind is finished by any other
   * one, see {@link #recoverAcrossShards}. But others may see one part before another. All of it
   * must be done within {@code calls.deadline}.
   *
   * @throws UnavailableException if a shard had no primary within the deadline
   * @throws WaymarkException if nothing was committed, or that is not known, by its {@linkplain
   *     WaymarkException#outcome() outcome}
   */
  public <T extends @Nullable Object, X extends Exception> T acrossShards(CrossShardWork<T, X> work)
      throws X {
    return acrossShards(crossShard, work);
  }

  private <T extends @Nullable Object, X extends Exception> T acrossShards(
      CrossShardCommits commits, CrossShardWork<T, X> work) throws X {
    CrossShardTransaction transaction =
        commits.begin(
            currentSession(), bound.get(), new Deadline(nanoClock, config.calls().deadline()));
    T value;
    try {
      value = work.run(transaction);
    } catch (Throwable failure) {
      transaction.rollback();
      throw failure;
    }
    transaction.commit();
    return value;
  }

  /** The same with somebody who is told of each step of the commit. */
  <T extends @Nullable Object, X extends Exception> T acrossShards(
      CrossShardStep.Observer observer, CrossShardWork<T, X> work) throws X {
    return acrossShards(crossShard(observer), work);
  }

  /** A transaction over several shards that its user ends, whenever that is. */
  CrossShardTransaction beginAcrossShards() {
    return crossShard.begin(currentSession(), bound.get(), null);
  }

  private CrossShardCommits crossShard(CrossShardStep.Observer observer) {
    return new CrossShardCommits(
        map,
        shards,
        writes,
        queries,
        fanOut,
        timer,
        nanoClock,
        config.calls().deadline(),
        observer);
  }

  /**
   * Looks on every shard for parts of cross-shard transactions whose process has died, and commits
   * or rolls back each as was decided. A process that uses {@link #acrossShards} does so by itself
   * every 30 seconds; call it when a service starts, so that what its predecessor left behind holds
   * its locks no longer. Any number of processes may do it at the same time. Takes two short
   * queries on each primary, and nothing while there is nothing to do.
   */
  public CrossShardRecovery recoverAcrossShards() {
    return crossShard.recover();
  }

  Unavailability unavailability() {
    return unavailability;
  }

  /** Runs what a plan says is merged from several shards. */
  FanOut queries() {
    return queries;
  }

  /** Runs what a plan leaves to an engine; null if there is none. */
  @Nullable EngineQueries engineQueries() {
    return engineQueries;
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
    return new Session(bound, config.tokens(), consistency, SessionToken.empty(), nanoClock);
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
        && !(seen.positions().stream().allMatch(p -> systems.contains(p.systemId()))
            && seen.reads().stream().allMatch(p -> systems.contains(p.systemId()))
            && seen.marks().stream().allMatch(mark -> systems.contains(mark.systemId())))) {
      throw new InvalidSessionTokenException("it belongs to another database");
    }
    return new Session(bound, config.tokens(), config.calls().consistency(), seen, nanoClock);
  }

  /** The thread's binding, for whatever carries sessions from thread to thread. */
  ThreadLocal<@Nullable Session> bound() {
    return bound;
  }

  // ---- looking in ---------------------------------------------------------------------------

  /**
   * Where a read of the key would go now, and why; nothing is sent. Where no replica is known to be
   * fresh, a read would ask one first and let it answer if it has caught up; what it would say is
   * not known here, so this tells the primary.
   *
   * @throws NoShardForKeyException if no shard owns the key
   * @throws UnavailableException if no node may answer it now
   */
  public Route explain(long key) {
    LiveShard shard = shardFor(key);
    ShardView view = shard.view();
    Router router = shard.router();
    Session session = bound.get();
    Consistency consistency = currentSession().consistency();
    long now = nanoClock.getAsLong();
    if (session != null) {
      session.settle(view);
    }
    Choice choice = router.choose(view, consistency, session, key, 0, now, 0);
    if (choice == null) {
      choice = router.instead(view, consistency, session, key, 0, now, 0);
    }
    if (choice == null) {
      throw unavailability.of(
          shard, "no node that may answer a read", Outcome.NOT_SENT, key, 0, null);
    }
    return choice.route();
  }

  /** Every node as last observed, shard by shard. */
  public List<NodeStatus> nodes() {
    return shards.stream().flatMap(shard -> shard.status().stream()).toList();
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

  /**
   * Follows what is committed on every shard, by this library or past it, from now until the stream
   * or this database is closed. Returns at once, and always: with {@code changes.enabled} off, or
   * where a server will not be followed, the stream's state says so.
   *
   * @param consumer what takes the changes over
   */
  public ChangeStream changes(ChangeConsumer consumer) {
    changeStreams.removeIf(ChangeStream::isClosed);
    ChangeStream stream = new ChangeStream(shards, config, consumer, listener, nanoClock);
    changeStreams.add(stream);
    return stream;
  }

  /**
   * What an operator runs once on each shard's primary who makes the publication for {@link
   * #changes} and sets {@code changes.tables} to {@code given}.
   */
  public List<String> changesSql() {
    WaymarkConfig.Changes changes = config.changes();
    return new Publication(changes.publication(), changes.tables(), map).sql();
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
      changeStreams.forEach(ChangeStream::close);
      if (engineQueries != null) {
        engineQueries.close();
      }
      watchdog.close();
      timer.shutdownNow();
      shards.forEach(LiveShard::close);
      fanOut.shutdownNow();
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
}

package dev.waymark.routing;

import dev.waymark.ShardMap;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Runs a query over several shards through a {@link CrossShardEngine}: the engine says what to ask,
 * each question is a read as all others are, and the rows that it puts together become a result set
 * of the driver's. Safe to share.
 *
 * <p>Each shard's rows are read to their end and its connection is given back before the engine
 * goes on, so nobody holds one shard's connection while it waits for another's.
 */
final class EngineQueries implements AutoCloseable {
  private final EngineKeeper engines;
  private final ShardMap map;

  /** In the order of the map. */
  private final Map<String, LiveShard> shards = new LinkedHashMap<>();

  private final Reads reads;
  private final LongSupplier nanoClock;
  private final Duration usualDeadline;
  private final EngineQuestions.KnownKinds kinds = new EngineQuestions.KnownKinds();

  /** Queries through an engine that has not started. */
  EngineQueries(
      CrossShardEngine engine,
      ShardMap map,
      List<LiveShard> shards,
      Reads reads,
      LongSupplier nanoClock,
      Duration usualDeadline) {
    this.map = map;
    shards.forEach(shard -> this.shards.put(shard.name(), shard));
    this.reads = reads;
    this.nanoClock = nanoClock;
    this.usualDeadline = usualDeadline;
    this.engines = new EngineKeeper(engine, new Catalogues(map, this.shards, reads), nanoClock);
  }

  /** What an engine is started over. */
  private record Catalogues(ShardMap map, Map<String, LiveShard> shards, Reads reads)
      implements CrossShardEngine.Layout {
    @Override
    public Connection connect(String shard) throws SQLException {
      return ReadConnection.of(reads, Objects.requireNonNull(shards.get(shard), shard));
    }
  }

  /** The refusal where there is no engine. */
  static SQLException absent(Refusal unless) {
    return unless.exceptionWith(
        "Or add dev.waymark:waymark-shardingsphere to the class path, which may answer it.");
  }

  /**
   * Runs a query. The time for it begins when the engine has started.
   *
   * @return the rows; until they are closed, a connection to one shard is in use
   * @throws SQLException as {@link FanOut#query} does, or if the engine does not start or does not
   *     understand the query. Nothing is held then
   */
  ResultSet query(
      String sql,
      Plan plan,
      Delegated delegated,
      BoundValues values,
      FanOut.Options options,
      Refusal unless)
      throws SQLException {
    EngineKeeper.Started by =
        engines.enter(
            delegated,
            plan.catalogueVersion(),
            options.canceller(),
            options.deadline(nanoClock, usualDeadline));
    try {
      return query(by.merger(), sql, plan, delegated, values, options, unless);
    } finally {
      by.leave();
    }
  }

  private ResultSet query(
      CrossShardEngine.Merger engine,
      String sql,
      Plan plan,
      Delegated delegated,
      BoundValues values,
      FanOut.Options options,
      Refusal unless)
      throws SQLException {
    Deadline deadline = options.deadline(nanoClock, usualDeadline);
    int[] concerned = FanOut.concerned(map, plan, values);
    Bounds bounds =
        Bounds.of(new Merged(List.of(), List.of(), delegated.limit(), delegated.offset()), values);
    List<Object> parameters = parameters(delegated, bounds, values);
    EngineQuestions asking =
        new EngineQuestions(
            shards, reads, kinds, plan.catalogueVersion(), values, options, deadline, unless);
    options.canceller().runs(List.of(asking));
    List<List<@Nullable Object>> rows;
    try {
      rows = engine.merge(delegated.sql(), parameters, asking);
    } catch (Exception | LinkageError broken) {
      // Of any kind: ShardingSphere throws checked ones that it does not declare, and parts of it
      // may be missing.
      if (Thread.currentThread().isInterrupted()) {
        asking.stop();
        SQLException interrupted = interrupted();
        interrupted.initCause(broken);
        throw interrupted;
      }
      SQLException failure = asking.failure(broken);
      if (asking.isMiswritten()) {
        // Or the application's own text is wrong: then this says so.
        EngineResult none = EngineResult.of(sql, values, List.of());
        open(none, concerned[0], options, deadline).close();
      }
      throw failure;
    } catch (Error broken) {
      asking.stop();
      throw broken;
    }
    if (Thread.currentThread().isInterrupted()) {
      // Then ShardingSphere has gone on without the shards that it was still waiting for.
      asking.stop();
      throw interrupted();
    }
    asking.check(needed(plan, delegated, values), bounds, rows);
    // The server only says what the columns are, so any of them will do, and not always the first.
    int described = concerned[ThreadLocalRandom.current().nextInt(concerned.length)];
    EngineResult result = EngineResult.of(sql, values, rows);
    return open(result, described, options, deadline);
  }

  static SQLException interrupted() {
    return new SQLException("The query was interrupted. Nothing was written", "57014");
  }

  /** The shards that hold something of the answer, if anybody does. */
  private Set<String> needed(Plan plan, Delegated delegated, BoundValues values)
      throws SQLException {
    try {
      Set<String> needed = names(Concerned.shards(map, plan.keys(), values));
      for (KeySource.Keys keys : delegated.conditions()) {
        needed.retainAll(names(Concerned.shards(map, keys, values)));
      }
      return needed;
    } catch (KeyTerm.NotAKeyException wrong) {
      throw Refusal.of(wrong).exception();
    }
  }

  private Set<String> names(int[] places) {
    return IntStream.of(places)
        .mapToObj(place -> map.shards().get(place).name())
        .collect(Collectors.toCollection(HashSet::new));
  }

  /**
   * Bounds are numbers to an engine, whatever they were set as; all others are no such numbers, so
   * that an engine which miscounts the question marks fails.
   */
  private static List<Object> parameters(Delegated delegated, Bounds bounds, BoundValues values)
      throws SQLException {
    List<Object> parameters = new ArrayList<>();
    for (int i = 1; i <= values.count(); i++) {
      parameters.add(EngineParameter.of(values, i));
    }
    if (delegated.limit() instanceof SqlTree.Parameter limit) {
      if (bounds.limit() < 0) {
        throw EngineQuestions.notUnderstood("LIMIT is null").exception();
      }
      parameters.set(limit.number() - 1, bounds.limit());
    }
    if (delegated.offset() instanceof SqlTree.Parameter offset) {
      parameters.set(offset.number() - 1, bounds.offset());
    }
    // The two are added up, and cut to 32 bits.
    if (bounds.limit() > Integer.MAX_VALUE / 2 || bounds.offset() > Integer.MAX_VALUE / 2) {
      throw EngineQuestions.notUnderstood("LIMIT or OFFSET is too large for ShardingSphere")
          .exception();
    }
    return parameters;
  }

  /** The rows as the driver's own, for which they need a connection of one of the shards. */
  private ResultSet open(EngineResult result, int place, FanOut.Options options, Deadline deadline)
      throws SQLException {
    LiveShard shard = Objects.requireNonNull(shards.get(map.shards().get(place).name()));
    ShardRows only = new ShardRows(shard, result, key -> true, ShardRows.Owner.THE_ROWS);
    options.canceller().runs(List.of(only));
    only.ask(
        work ->
            reads.readUnhedged(
                shard,
                Router.NO_KEY,
                options.consistency(),
                options.session(),
                work,
                (value, node, route) -> value,
                deadline.startedAt(),
                deadline.dueAt()),
        List.of(only));
    SQLException failure = only.await(deadline);
    if (failure != null) {
      only.close();
      throw options.canceller().told(options.inTime(failure, deadline));
    }
    try {
      return new SortedRows(
          MergeShape.ofPlainRows(
              new ShardText(result.sql(), ShardText.Bound.OWN, List.of(), List.of(), List.of()),
              new Merged(List.of(), List.of(), null, null)),
          new Bounds(-1, 0),
          new ShardAnswers(List.of(only), options.canceller(), () -> {}),
          options.maxRows());
    } catch (SQLException | RuntimeException | Error broken) {
      only.close();
      throw broken;
    }
  }

  @Override
  public void close() {
    engines.close();
  }
}

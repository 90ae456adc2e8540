package dev.waymark.routing;

import dev.waymark.ShardMap;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
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
  private final List<LiveShard> shards;
  private final Reads reads;
  private final LongSupplier nanoClock;
  private final Duration usualDeadline;
  private final EngineQuestions.KnownKinds kinds = new EngineQuestions.KnownKinds();

  /**
   * Queries through an engine.
   *
   * @param engine null if there is none: then none of them is run
   */
  EngineQueries(
      @Nullable CrossShardEngine engine,
      ShardMap map,
      List<LiveShard> shards,
      Reads reads,
      LongSupplier nanoClock,
      Duration usualDeadline) {
    this.engines = new EngineKeeper(engine, map, shards, reads, nanoClock);
    this.map = map;
    this.shards = shards;
    this.reads = reads;
    this.nanoClock = nanoClock;
    this.usualDeadline = usualDeadline;
  }

  /** The refusal where there is no engine. */
  static SQLException absent(Refusal unless) {
    return unless.exceptionWith(
        "Or add dev.waymark:waymark-shardingsphere to the class path, which may answer it.");
  }

  /** Whether there is an engine, started or not. */
  boolean isThere() {
    return engines.isThere();
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
    EngineKeeper.Started by = engines.enter(delegated, plan.catalogueVersion(), deadline(options));
    try {
      return query(by.merger(), sql, plan, delegated, values, options);
    } catch (EngineQuestions.NotUnderstoodException unknown) {
      SQLException refused =
          new Refusal(unless.code(), unless.reason() + "; and ShardingSphere does not answer it")
              .exception();
      refused.initCause(unknown.getCause());
      throw refused;
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
      FanOut.Options options)
      throws SQLException {
    Deadline deadline = deadline(options);
    int[] concerned = FanOut.concerned(map, plan, values);
    Bounds bounds =
        Bounds.of(new Merged(List.of(), List.of(), delegated.limit(), delegated.offset()), values);
    List<Object> parameters = parameters(delegated, bounds, values);
    EngineQuestions asking =
        new EngineQuestions(
            shards, reads, kinds, plan.catalogueVersion(), values, options, deadline);
    options.canceller().runs(List.of(asking));
    List<List<@Nullable Object>> rows;
    try {
      rows = engine.merge(delegated.sql(), parameters, asking);
    } catch (Exception broken) {
      // Of any kind: ShardingSphere throws checked ones that it does not declare.
      if (Thread.currentThread().isInterrupted()) {
        asking.stop();
        SQLException interrupted = interrupted();
        interrupted.initCause(broken);
        throw interrupted;
      }
      throw asking.failure(broken);
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
    return result(sql, concerned[0], values, options, deadline, rows);
  }

  private Deadline deadline(FanOut.Options options) {
    return new Deadline(
        nanoClock,
        options.queryTimeoutSeconds() == 0
            ? usualDeadline
            : Duration.ofSeconds(options.queryTimeoutSeconds()));
  }

  static SQLException interrupted() {
    return new SQLException("The query was interrupted. Nothing was written", "57014");
  }

  /** The places of the shards that hold something of the answer, if anybody does. */
  private Set<Integer> needed(Plan plan, Delegated delegated, BoundValues values)
      throws SQLException {
    Set<Integer> needed = new HashSet<>();
    try {
      for (int place : Concerned.shards(map, plan.keys(), values)) {
        needed.add(place);
      }
      for (KeySource.Keys keys : delegated.conditions()) {
        needed.retainAll(
            IntStream.of(Concerned.shards(map, keys, values)).boxed().collect(Collectors.toSet()));
      }
    } catch (KeyTerm.NotAKeyException wrong) {
      throw Refusal.of(wrong).exception();
    }
    return needed;
  }

  /** Bounds are numbers to an engine, whatever they were set as. */
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

  // ---- the result -----------------------------------------------------------------------------

  private ResultSet result(
      String sql,
      int shard,
      BoundValues values,
      FanOut.Options options,
      Deadline deadline,
      List<List<@Nullable Object>> rows)
      throws SQLException {
    LiveShard live = shards.get(shard);
    ShardRows only =
        new ShardRows(
            live, new EngineResult(sql, values, rows), key -> true, ShardRows.Owner.THE_ROWS);
    options.canceller().runs(List.of(only));
    only.ask(
        work ->
            reads.readUnhedged(
                live,
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
      boolean isOwn = Failures.isCancelled(failure) && !options.canceller().isCancelled();
      throw isOwn ? FanOut.inTime(failure, deadline, "") : options.canceller().told(failure);
    }
    return new SortedRows(
        MergeShape.ofPlainRows(
            new ShardText(sql, ShardText.Bound.OWN, List.of(), List.of(), List.of()),
            new Merged(List.of(), List.of(), null, null)),
        new Bounds(-1, 0),
        new ShardAnswers(List.of(only), options.canceller(), () -> {}),
        options.maxRows());
  }

  @Override
  public void close() {
    engines.close();
  }
}

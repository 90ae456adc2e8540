package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.Role;
import dev.waymark.RowChange;
import dev.waymark.RowImage;
import dev.waymark.ShardChange;
import dev.waymark.TableName;
import dev.waymark.WaymarkException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A cache of users, and a stream that tells of the table that they are in. */
class CacheChangesTest {
  private static final TableName USERS = new TableName("public", "users");

  private final TestTime time = new TestTime();
  private final FakeRedis redis = new FakeRedis(time);
  private final FakeRedis.Process client = redis.process();
  private final TestBackground background = new TestBackground();
  private final RedisTier tier = new RedisTier(client, "redis://fake:6379", background, time);
  private final Rows database = new Rows();
  private final LogWatch log = new LogWatch();
  private TieredCache<Long, String> cache;

  @BeforeEach
  void start() {
    FakeTransaction.endAll();
    tier.start(Duration.ofSeconds(1));
    cache =
        TieredCache.builder("users", database)
            .redis(tier)
            .codec(Codec.json(String.class, 1))
            .horizons(database::horizon)
            .madeOf("users", row -> List.of(Long.valueOf(row.value("id").orElseThrow())))
            .time(time)
            .build();
    database.rows.put(7L, "old");
    database.rows.put(8L, "eight");
    cache.get(7L);
    cache.get(8L);
  }

  @AfterEach
  void stop() {
    log.close();
  }

  private static RowImage row(String column, Object value) {
    return new RowImage(Map.of(column, Optional.of(value.toString())));
  }

  private static RowChange update(RowImage after) {
    return new RowChange(USERS, RowChange.Kind.UPDATED, null, after);
  }

  private static ShardChange committed(FakeTransaction by, long lsn, RowChange... rows) {
    return new ShardChange.Committed(
        by.shard(), by.transactionId(), Rows.at(lsn), List.of(rows), List.of(), List.of());
  }

  private void take(ShardChange... changes) {
    try {
      tier.changes().take(List.of(changes));
    } catch (RuntimeException failure) {
      throw failure;
    } catch (Exception unexpected) {
      throw new AssertionError(unexpected);
    }
  }

  private CacheAnswer.Tier tierOf(long key) {
    return cache.lookup(key).tier();
  }

  @Test
  void changeByAStrangerIsNotCachedBeforeItIsVisible() {
    FakeTransaction psql = new FakeTransaction();
    // In the log, and its backend still waits for a synchronous replica.
    take(committed(psql, 200, update(row("id", 7))));
    assertThat(cache.get(7L)).isEqualTo("old");
    assertThat(tierOf(7)).isEqualTo(CacheAnswer.Tier.DATABASE);
    database.rows.put(7L, "new");
    psql.end();
    assertThat(cache.get(7L)).isEqualTo("new");
    assertThat(tierOf(7)).isEqualTo(CacheAnswer.Tier.L1);
    assertThat(tierOf(8)).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void replicaThatLacksTheChangeDoesNotBringTheOldValueBack() {
    FakeTransaction psql = new FakeTransaction();
    take(committed(psql, 200, update(row("id", 7))));
    psql.end();
    database.role = Role.REPLICA;
    database.position = Rows.at(199);
    assertThat(cache.get(7L)).isEqualTo("old");
    background.runNext(); // sweeps
    assertThat(tierOf(7)).isEqualTo(CacheAnswer.Tier.DATABASE);
    database.position = Rows.at(300);
    database.rows.put(7L, "new");
    assertThat(cache.get(7L)).isEqualTo("new");
  }

  @Test
  void changeThatWasAnnouncedCostsNoSecondLoad() {
    FakeTransaction write = new FakeTransaction();
    cache.invalidate(write, 7L);
    database.rows.put(7L, "new");
    write.commit(Rows.at(200));
    take(committed(write, 200, update(row("id", 7))));
    assertThat(cache.get(7L)).isEqualTo("new");
    take(committed(write, 200, update(row("id", 7))));
    assertThat(tierOf(7)).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void bothKeysOfARowThatMovedAreDropped() {
    FakeTransaction psql = new FakeTransaction();
    take(
        committed(
            psql, 200, new RowChange(USERS, RowChange.Kind.UPDATED, row("id", 7), row("id", 8))));
    psql.end();
    assertThat(tierOf(7)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(tierOf(8)).isEqualTo(CacheAnswer.Tier.DATABASE);
  }

  @Test
  void rowOfAnotherTableDoesNotMatter() {
    FakeTransaction psql = new FakeTransaction();
    take(
        committed(
            psql,
            200,
            new RowChange(
                new TableName("public", "orders"), RowChange.Kind.INSERTED, null, row("id", 7))));
    assertThat(tierOf(7)).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void rowThatDoesNotTellItsKeyDropsAllAndIsToldOfOnce() {
    FakeTransaction psql = new FakeTransaction();
    take(committed(psql, 200, update(row("name", "new")), update(row("name", "newer"))));
    psql.end();
    assertThat(tierOf(7)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(tierOf(8)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(log.warnings())
        .containsExactly(
            "Cache users cannot tell which keys a change of public.users touches (Column id is not"
                + " told; told are [name]); it drops all of them each time. Give the table a"
                + " REPLICA IDENTITY that has the columns, or ask for columns that every change"
                + " tells");
  }

  @Test
  void wholeTableIsFencedUntilItsTransactionIsOver() {
    FakeTransaction psql = new FakeTransaction();
    take(
        new ShardChange.Committed(
            psql.shard(),
            psql.transactionId(),
            Rows.at(200),
            List.of(),
            List.of(new ShardChange.WholeTable(USERS, ShardChange.WholeTable.Cause.TRUNCATED)),
            List.of()));
    assertThat(cache.get(7L)).isEqualTo("old");
    assertThat(tierOf(7)).isEqualTo(CacheAnswer.Tier.DATABASE);
    database.rows.put(7L, "new");
    psql.end();
    assertThat(cache.get(7L)).isEqualTo("new");
    assertThat(tierOf(7)).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void streamThatStartsAnewAndAlteredTablesDropEverything() {
    take(new ShardChange.Altered("shard-1", Rows.at(200), List.of(USERS)));
    assertThat(tierOf(7)).isEqualTo(CacheAnswer.Tier.DATABASE);
    take(
        new ShardChange.StartedAnew(
            "shard-1", Rows.at(300), ShardChange.StartedAnew.Cause.PROMOTION));
    assertThat(tierOf(7)).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(tierOf(8)).isEqualTo(CacheAnswer.Tier.DATABASE);
  }

  @Test
  void changesAreRefusedWhileRedisIsAwayAndTakenWhenTheyComeAgain() {
    FakeTransaction psql = new FakeTransaction();
    ShardChange change = committed(psql, 200, update(row("id", 7)));
    redis.down = true;
    assertThatThrownBy(() -> take(change))
        .isInstanceOf(WaymarkException.class)
        .hasMessage(
            "Redis cannot be used, so changes from the stream were not taken over. They are kept"
                + " by the shard's slot and will be given again.");
    redis.down = false;
    background.runNext();
    take(change);
    database.rows.put(7L, "new");
    psql.end();
    assertThat(cache.get(7L)).isEqualTo("new");
  }
}

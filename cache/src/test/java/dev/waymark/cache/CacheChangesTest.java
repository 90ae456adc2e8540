package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.RowChange;
import dev.waymark.RowImage;
import dev.waymark.ShardChange;
import dev.waymark.ShardChange.Altered;
import dev.waymark.ShardChange.Committed;
import dev.waymark.ShardChange.Reached;
import dev.waymark.ShardChange.StartedAnew;
import dev.waymark.ShardChange.WholeTable;
import dev.waymark.TableName;
import dev.waymark.cache.CacheChanges.Statistics;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is told of a database's log, on a fake Redis. Changes told are of nobody's announcing. */
class CacheChangesTest {
  private static final TableName USERS = new TableName("public", "users");
  private static final TableName ORDERS = new TableName("public", "orders");

  private final TestTime time = new TestTime();
  private final FakeRedis redis = new FakeRedis(time);
  private final FakeRedis.Process client = redis.process();
  private final TestBackground background = new TestBackground();
  private final RedisTier tier = new RedisTier(client, "redis://fake:6379", background, time);
  private final Rows users = new Rows();
  private final Rows lists = new Rows();
  private final LogWatch log = new LogWatch();
  private TieredCache<Long, String> userCache;
  private TieredCache<Long, String> listCache;
  private CacheChanges changes;
  private long lsn = 1_000;
  private int lastId = 500;

  @BeforeEach
  void start() throws Exception {
    FakeTransaction.endAll();
    tier.start(Duration.ofSeconds(1));
    userCache = userCache(tier).build();
    listCache =
        TieredCache.<Long, String>builder("lists", lists)
            .redis(tier)
            .codec(new Text())
            .horizons(lists::horizon)
            .changedBy("orders", CacheChangesTest::owner)
            .changedBy("users", row -> id(row))
            .time(time)
            .build();
    changes = tier.changes();
    for (long key = 7; key <= 9; key++) {
      users.rows.put(key, "user " + key);
      lists.rows.put(key, "list " + key);
    }
    take(new StartedAnew("shard-1", Rows.at(lsn), StartedAnew.Cause.NO_SLOT));
    warm();
  }

  @AfterEach
  void stop() {
    log.close();
  }

  private TieredCache.Builder<Long, String> userCache(RedisTier tier) {
    return TieredCache.<Long, String>builder("users", users)
        .redis(tier)
        .codec(new Text())
        .horizons(users::horizon)
        .changedBy("users", CacheChangesTest::id)
        .time(time);
  }

  private static final class Text implements Codec<String> {
    @Override
    public byte[] encode(String value) {
      return value.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public String decode(byte[] bytes) {
      return new String(bytes, StandardCharsets.UTF_8);
    }

    @Override
    public String fingerprint() {
      return "text 1";
    }
  }

  private static List<Long> id(RowImage row) {
    return List.of(Long.valueOf(row.value("id").orElseThrow()));
  }

  private static List<Long> owner(RowImage row) {
    return row.value("user_id").map(Long::valueOf).stream().toList();
  }

  private static RowImage row(String... namesAndValues) {
    Map<String, Optional<String>> values = new HashMap<>();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      values.put(namesAndValues[i], Optional.ofNullable(namesAndValues[i + 1]));
    }
    return new RowImage(values);
  }

  private static RowChange updated(TableName table, @Nullable RowImage before, RowImage after) {
    return new RowChange(table, RowChange.Kind.UPDATED, before, after);
  }

  private Committed committed(RowChange... rows) {
    return new Committed(
        "shard-1", ++lastId, Rows.at(lsn += 10), List.of(rows), List.of(), List.of());
  }

  private void take(ShardChange... each) {
    changes.take(List.of(each));
  }

  /** Until every value is there. */
  private void warm() {
    for (int i = 0; i < 3; i++) {
      for (long key = 7; key <= 9; key++) {
        userCache.get(key);
        listCache.get(key);
        background.tick();
      }
    }
    assertThat(served(userCache)).containsExactly(7L, 8L, 9L);
    assertThat(served(listCache)).containsExactly(7L, 8L, 9L);
  }

  /** The keys that are still cached, anywhere. */
  private List<Long> served(TieredCache<Long, String> cache) {
    String name = cache == userCache ? "users" : "lists";
    List<Long> served = new ArrayList<>();
    for (long key = 7; key <= 9; key++) {
      CacheKey address =
          new CacheKey(name, Long.toString(key), new KeyForm.Known<Long>().hash(key));
      if (client.read(address, "look", SharedTier.Asking.READ) instanceof SharedTier.Lookup.Hit) {
        served.add(key);
      } else {
        client.release(address, "look");
      }
    }
    return served;
  }

  @Test
  void changedRowLeavesBothTiersAndItsNeighboursStay() {
    users.rows.put(7L, "new");
    take(committed(updated(USERS, null, row("id", "7", "name", "new"))));
    assertThat(served(userCache)).containsExactly(8L, 9L);
    assertThat(userCache.get(7L)).isEqualTo("new");
    assertThat(userCache.get(8L)).isEqualTo("user 8");
    assertThat(changes.statistics()).isEqualTo(new Statistics(1, 2, 2, 2));
  }

  @Test
  void rowThatMovesChangesBothItsKeys() {
    take(
        committed(updated(ORDERS, row("id", "1", "user_id", "7"), row("id", "1", "user_id", "8"))));
    assertThat(served(listCache)).containsExactly(9L);
    assertThat(served(userCache)).containsExactly(7L, 8L, 9L);
  }

  @Test
  void deletedRowChangesTheKeyThatItHad() {
    take(committed(new RowChange(USERS, RowChange.Kind.DELETED, row("id", "8"), null)));
    assertThat(served(userCache)).containsExactly(7L, 9L);
  }

  @Test
  void newRowChangesTheKeyThatItHas() {
    take(committed(new RowChange(USERS, RowChange.Kind.INSERTED, null, row("id", "8"))));
    assertThat(served(userCache)).containsExactly(7L, 9L);
  }

  @Test
  void rowThatBelongsToNoKeyChangesNothing() {
    take(committed(updated(ORDERS, null, row("id", "1", "user_id", null))));
    assertThat(served(listCache)).containsExactly(7L, 8L, 9L);
  }

  @Test
  void tableThatNoCacheDependsOnChangesNothing() {
    int before = redis.calls;
    take(committed(updated(new TableName("public", "logs"), null, row("id", "7"))));
    assertThat(served(userCache)).containsExactly(7L, 8L, 9L);
    // Who took over last is looked up each time; the rest is the looks of this test.
    assertThat(redis.calls - before).isEqualTo(1 + 3);
  }

  @Test
  void rowThatDoesNotTellItsKeyChangesAllOfThemAndIsWarnedOfOnce() {
    take(committed(new RowChange(ORDERS, RowChange.Kind.DELETED, row("id", "1"), null)));
    assertThat(served(listCache)).isEmpty();
    assertThat(served(userCache)).containsExactly(7L, 8L, 9L);
    take(committed(new RowChange(ORDERS, RowChange.Kind.DELETED, row("id", "1"), null)));
    assertThat(log.warnings())
        .singleElement()
        .asString()
        .isEqualTo(
            "Cache lists cannot tell which of its keys a change of public.orders is about, and"
                + " drops all of them for each such change (java.lang.IllegalArgumentException:"
                + " Column user_id is not told; told are [id]). If a column is missing from the"
                + " old row, give the table REPLICA IDENTITY FULL");
  }

  @Test
  void wholeTableEmptiesTheCachesThatDependOnIt() {
    take(
        new Committed(
            "shard-1",
            501,
            Rows.at(2_000),
            List.of(),
            List.of(new WholeTable(ORDERS, WholeTable.Cause.TRUNCATED)),
            List.of()));
    assertThat(served(listCache)).isEmpty();
    assertThat(served(userCache)).containsExactly(7L, 8L, 9L);
  }

  @Test
  void alteredTableEmptiesTheCachesThatDependOnIt() {
    take(new Altered("shard-1", Rows.at(2_000), List.of(ORDERS)));
    assertThat(served(listCache)).isEmpty();
    assertThat(served(userCache)).containsExactly(7L, 8L, 9L);
  }

  @Test
  void streamThatStartsAnewEmptiesEveryCache() {
    take(new StartedAnew("shard-1", Rows.at(2_000), StartedAnew.Cause.PROMOTION));
    assertThat(served(listCache)).isEmpty();
    assertThat(served(userCache)).isEmpty();
  }

  @Test
  void manyChangesOfOneKeyAreToldOnce() {
    int before = redis.calls;
    ShardChange[] many = new ShardChange[100];
    for (int i = 0; i < many.length; i++) {
      many[i] =
          committed(
              updated(USERS, null, row("id", "7", "name", "a")),
              updated(USERS, null, row("id", "7", "name", "b")));
    }
    take(many);
    // Who took over last, and one for each of the two caches.
    assertThat(redis.calls - before).isEqualTo(3);
    assertThat(changes.statistics()).isEqualTo(new Statistics(100, 2, 2, 2));
  }

  @Test
  void nothingIsTakenOverWhileRedisIsDownAndAllIsAfterwards() {
    Committed change = committed(updated(USERS, null, row("id", "7")));
    redis.down = true;
    assertThatThrownBy(() -> take(change)).isInstanceOf(SharedTierException.class);
    assertThatThrownBy(() -> changes.time()).isInstanceOf(SharedTierException.class);
    redis.down = false;
    take(change);
    assertThat(served(userCache)).containsExactly(8L, 9L);
  }

  @Test
  void changesToldTwiceOrLateDoNoHarm() {
    Committed first = committed(updated(USERS, null, row("id", "7")));
    Committed second = committed(updated(USERS, null, row("id", "7")));
    take(first, second);
    warm();
    take(first);
    assertThat(served(userCache)).containsExactly(8L, 9L);
    warm();
  }

  @Test
  void cacheThatTheOneBeforeDidNotKnowBeginsAnew() {
    RedisTier older = new RedisTier(redis.process(), "redis://fake:6379", background, time);
    older.start(Duration.ofSeconds(1));
    userCache(older).build();
    older.changes().take(List.of(committed(updated(ORDERS, null, row("id", "1", "user_id", "7")))));
    // It knew nothing of lists, and has let the change of one pass.
    assertThat(served(listCache)).containsExactly(7L, 8L, 9L);
    take(committed(updated(USERS, null, row("id", "9"))));
    assertThat(served(listCache)).isEmpty();
    assertThat(served(userCache)).containsExactly(7L, 8L);
  }

  @Test
  void takingOverFromOneThatKnewTheSameCachesEmptiesNothing() {
    CacheChanges other = tier.changes();
    other.take(List.of(committed(updated(USERS, null, row("id", "9")))));
    take(committed(updated(USERS, null, row("id", "8"))));
    assertThat(served(userCache)).containsExactly(7L);
  }

  @Test
  void ageIsKnownOnceTheStreamHasReachedAPoint() {
    assertThat(elsewhere().lookup(7L).age()).isNull();
    long now = changes.time();
    time.pass(Duration.ofMillis(300));
    take(new Reached("shard-1", Rows.at(2_000), now, Set.of(USERS)));
    assertThat(elsewhere().lookup(7L).age()).isEqualTo(Duration.ofMillis(300));
    assertThat(log.warnings())
        .singleElement()
        .asString()
        .startsWith("The change stream of shard-1 does not follow all tables that change cache");
  }

  @Test
  void hitThatMayBeTooOldIsAMiss() {
    long now = changes.time();
    take(new Reached("shard-1", Rows.at(2_000), now, Set.of(USERS, ORDERS)));
    TieredCache<Long, String> bounded = bounded();
    assertThat(bounded.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2);
    time.pass(Duration.ofMillis(500));
    assertThat(bounded.lookup(7L).age()).isNull(); // L1
    time.pass(Duration.ofMillis(501));
    // Neither L1 nor Redis may answer.
    assertThat(bounded.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
    take(new Reached("shard-1", Rows.at(2_000), changes.time(), Set.of(USERS, ORDERS)));
    assertThat(bounded().lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2);
  }

  private TieredCache<Long, String> elsewhere() {
    return another(Duration.ofDays(1));
  }

  private TieredCache<Long, String> bounded() {
    return another(Duration.ofSeconds(1));
  }

  /** In another process. */
  private TieredCache<Long, String> another(Duration bound) {
    RedisTier other = new RedisTier(redis.process(), "redis://fake:6379", background, time);
    other.start(Duration.ofSeconds(1));
    TieredCache.Builder<Long, String> builder = userCache(other);
    TieredCache<Long, String> cache =
        (bound.compareTo(Duration.ofHours(1)) < 0 ? builder.changesBound(bound) : builder).build();
    background.tick();
    return cache;
  }

  @Test
  void settingsThatContradictEachOtherAreRefused() {
    TieredCache.Builder<Long, String> plain = TieredCache.builder("x", users);
    assertThatThrownBy(() -> plain.changedBy("users", CacheChangesTest::id).build())
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("changedBy(...) needs redis(...)");
    assertThatThrownBy(() -> plain.changedBy("users", CacheChangesTest::id))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("changedBy(...) was already told of table users");
    assertThatThrownBy(() -> plain.changesBound(Duration.ofMillis(99)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("changesBound must be at least 100 ms, not PT0.099S");
    assertThatThrownBy(
            () -> TieredCache.builder("y", users).changesBound(Duration.ofSeconds(1)).build())
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("changesBound(...) needs changedBy(...)");
    assertThatThrownBy(
            () ->
                userCache(tier)
                    .changesBound(Duration.ofSeconds(1))
                    .staleWhileRevalidate(Duration.ofSeconds(1), Runnable::run)
                    .build())
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "changesBound(...) contradicts staleWhileRevalidate(...), which serves what is older");
    assertThatThrownBy(() -> userCache(tier).tagsChangedBy("orders", row -> List.of("a")).build())
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("tagsChangedBy(...) needs tag(...)");
    assertThatThrownBy(
            () -> TieredCache.builder("z", users).changesBound(Duration.ofSeconds(1)).unfenced())
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("unfenced() contradicts changesBound(...)");
  }

  @Test
  void changedRowDropsEverythingThatCarriesItsTag() {
    TieredCache<Long, String> pages =
        TieredCache.<Long, String>builder("pages", lists)
            .redis(tier)
            .codec(new Text())
            .horizons(lists::horizon)
            .tag(page -> "orders of " + page / 10)
            .tagsChangedBy(
                "orders", row -> owner(row).stream().map(user -> "orders of " + user).toList())
            .time(time)
            .build();
    take(new StartedAnew("shard-1", Rows.at(lsn), StartedAnew.Cause.NO_SLOT));
    for (int round = 0; round < 3; round++) {
      for (long page : new long[] {70, 71, 80}) {
        lists.rows.put(page, "page " + page);
        pages.get(page);
      }
      background.tick();
    }
    take(committed(updated(ORDERS, null, row("id", "1", "user_id", "7"))));
    assertThat(pages.lookup(70L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(pages.lookup(71L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(pages.lookup(80L).tier()).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void cacheThatAsksForNoProofIsPutInNoDoubtAndKnowsNoAge() {
    TieredCache<Long, String> plain =
        TieredCache.<Long, String>builder("plain", users)
            .redis(tier)
            .codec(new Text())
            .unfenced()
            .changedBy("users", CacheChangesTest::id)
            .time(time)
            .build();
    take(new StartedAnew("shard-1", Rows.at(lsn), StartedAnew.Cause.NO_SLOT));
    plain.get(7L);
    take(
        committed(updated(USERS, null, row("id", "7"))),
        new Reached("shard-1", Rows.at(2_000), changes.time(), Set.of(USERS, ORDERS)));
    CacheKey seven = new CacheKey("plain", "7", new KeyForm.Known<Long>().hash(7L));
    // Nobody would ever prove the transaction over.
    assertThat(client.read(seven, "look", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.Leased(SharedTier.Doubt.NONE));
    client.release(seven, "look");
    plain.get(7L);
    assertThat(client.read(seven, "look", SharedTier.Asking.READ_WITH_AGE))
        .isInstanceOfSatisfying(SharedTier.Lookup.Hit.class, hit -> assertThat(hit.age()).isNull());
  }
}

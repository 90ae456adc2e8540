package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Values that Redis does not keep, in two processes. */
class UnkeptValuesTest {
  private final TestTime time = new TestTime();
  private final FakeRedis redis = new FakeRedis(time);
  private final Rows database = new Rows();
  private final LogWatch log = new LogWatch();
  private final TieredCache<Long, String> one = cache();
  private final TieredCache<Long, String> two = cache();

  private TieredCache<Long, String> cache() {
    RedisTier tier =
        new RedisTier(redis.process(), "redis://fake:6379", new TestBackground(), time);
    tier.start(Duration.ofSeconds(1));
    return TieredCache.builder("users", database)
        .redis(tier)
        .horizons(database::horizon)
        .codec(new Text())
        .maximumValueBytes(10)
        .time(time)
        .build();
  }

  private static final class Text implements Codec<String> {
    @Override
    public byte[] encode(String value) {
      if (value.equals("unencodable")) {
        throw new IllegalArgumentException("no bytes for this");
      }
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

  @BeforeEach
  void fill() {
    database.rows.put(7L, "eleven byte");
  }

  @AfterEach
  void stop() {
    log.close();
  }

  @Test
  void oversizedValueIsServedCountedAndNotKept() {
    assertThat(one.get(7L)).isEqualTo("eleven byte");
    assertThat(one.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(two.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(database.loads).hasValue(3);
    assertThat(one.statistics().oversized()).isEqualTo(1);
    assertThat(log.warnings())
        .containsExactly(
            "Cache users does not keep a value of 11 bytes: maximumValueBytes is 10. Such values"
                + " are loaded each time");
  }

  @Test
  void nobodyWaitsForAnothersLoadOfAnOversizedValue() {
    nobodyWaitsForAnothersLoad();
  }

  @Test
  void nobodyWaitsForAnothersLoadOfAValueThatCannotBeEncoded() {
    database.rows.put(7L, "unencodable");
    nobodyWaitsForAnothersLoad();
  }

  @Test
  void nobodyWaitsForAnothersLoadOfAnAbsentValue() {
    database.rows.clear();
    nobodyWaitsForAnothersLoad();
    assertThat(one.statistics().unshared() + two.statistics().unshared()).isZero();
  }

  private void nobodyWaitsForAnothersLoad() {
    one.get(7L);
    long before = time.nanos();
    int calls = redis.calls;
    database.afterReading =
        () -> {
          database.afterReading = () -> {};
          two.get(7L);
        };
    one.get(7L);
    assertThat(time.nanos()).isEqualTo(before);
    // One look each, no lease to give back.
    assertThat(redis.calls - calls).isEqualTo(2);
  }

  @Test
  void absentValueIsKeptAsSoonAsItIsThereAndAtTheLatestAfterALease() {
    database.rows.clear();
    one.get(7L);
    database.rows.put(7L, "born"); // and nobody says so
    assertThat(two.lookup(7L).value()).isEqualTo("born");
    assertThat(two.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
    time.pass(SharedTier.LEASE);
    assertThat(one.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
    assertThat(two.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2);
  }

  @Test
  void absentValueThatIsAnnouncedIsKeptAtOnce() {
    database.rows.clear();
    one.get(7L);
    FakeTransaction write = new FakeTransaction();
    two.invalidate(write, 7L);
    write.beforeCommit();
    database.rows.put(7L, "born");
    write.afterCommit(Rows.at(100));
    assertThat(one.get(7L)).isEqualTo("born");
    assertThat(two.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2);
  }

  @Test
  void oversizedValueThatIsChangedToASmallOneIsKeptAgain() {
    one.get(7L);
    FakeTransaction write = new FakeTransaction();
    two.invalidate(write, 7L);
    write.beforeCommit();
    database.rows.put(7L, "small");
    write.afterCommit(Rows.at(100));
    assertThat(one.get(7L)).isEqualTo("small");
    assertThat(two.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2);
  }
}

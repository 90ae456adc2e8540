package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class FakeRedisTest extends SharedTierContract {
  private final TestTime time = new TestTime();
  private final FakeRedis redis = new FakeRedis(time);

  @Override
  SharedTier process() {
    return redis.process();
  }

  @Override
  void letPass(Duration duration) {
    time.pass(duration);
  }

  @Override
  void flush() {
    redis.flush();
  }

  // Half a minute and more: on the fake only. The real ones are looked at in Redis' own words.
  @Test
  void marksRunOutOneByOne() {
    one.announce(List.of(key), "shard-1/700", "i1");
    time.pass(Duration.ofSeconds(20));
    one.announce(List.of(key), "shard-1/701", "i2");
    time.pass(Duration.ofSeconds(15));
    one.withdraw(List.of(key), "shard-1/701");
    assertThat(one.read(key, "t1", SharedTier.Asking.READ))
        .isEqualTo(new SharedTier.Lookup.Leased());
  }
}

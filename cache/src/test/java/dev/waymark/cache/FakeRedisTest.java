package dev.waymark.cache;

import java.time.Duration;

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
}

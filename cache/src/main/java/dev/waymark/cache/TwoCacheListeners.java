package dev.waymark.cache;

import dev.waymark.Route;
import java.time.Duration;

/** Tells two listeners, in order. */
record TwoCacheListeners(CacheListener first, CacheListener second) implements CacheListener {
  @Override
  public void loaded(String cache, Route route, long nanos) {
    first.loaded(cache, route, nanos);
    second.loaded(cache, route, nanos);
  }

  @Override
  public void loadFailed(String cache, Throwable failure, long nanos) {
    first.loadFailed(cache, failure, nanos);
    second.loadFailed(cache, failure, nanos);
  }

  @Override
  public void loadRefused(String cache) {
    first.loadRefused(cache);
    second.loadRefused(cache);
  }

  @Override
  public void waited(String cache, Wait reason, long nanos) {
    first.waited(cache, reason, nanos);
    second.waited(cache, reason, nanos);
  }

  @Override
  public void notKept(String cache, NotKept reason) {
    first.notKept(cache, reason);
    second.notKept(cache, reason);
  }

  @Override
  public void unreadable(String cache) {
    first.unreadable(cache);
    second.unreadable(cache);
  }

  @Override
  public void redisLost(String redis, String trouble) {
    first.redisLost(redis, trouble);
    second.redisLost(redis, trouble);
  }

  @Override
  public void redisBack(String redis, Duration away) {
    first.redisBack(redis, away);
    second.redisBack(redis, away);
  }
}

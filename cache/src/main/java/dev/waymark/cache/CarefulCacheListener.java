package dev.waymark.cache;

import dev.waymark.Route;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Keeps what a listener throws from the calls it is told about; the first failure is logged. */
final class CarefulCacheListener implements CacheListener {
  private static final Logger log = LoggerFactory.getLogger(TieredCache.class);

  private final CacheListener listener;
  private final AtomicBoolean complained = new AtomicBoolean();

  private CarefulCacheListener(CacheListener listener) {
    this.listener = listener;
  }

  static CacheListener around(CacheListener listener) {
    return listener.equals(CacheListener.none()) ? listener : new CarefulCacheListener(listener);
  }

  private void tell(Runnable what) {
    try {
      what.run();
    } catch (RuntimeException | Error failure) {
      if (complained.compareAndSet(false, true)) {
        log.warn("A listener failed; later failures of it are not logged", failure);
      }
    }
  }

  @Override
  public void loaded(String cache, Route route, long nanos) {
    tell(() -> listener.loaded(cache, route, nanos));
  }

  @Override
  public void loadFailed(String cache, Throwable failure, long nanos) {
    tell(() -> listener.loadFailed(cache, failure, nanos));
  }

  @Override
  public void loadRefused(String cache) {
    tell(() -> listener.loadRefused(cache));
  }

  @Override
  public void waited(String cache, Wait reason, long nanos) {
    tell(() -> listener.waited(cache, reason, nanos));
  }

  @Override
  public void notKept(String cache, NotKept reason) {
    tell(() -> listener.notKept(cache, reason));
  }

  @Override
  public void unreadable(String cache) {
    tell(() -> listener.unreadable(cache));
  }

  @Override
  public void redisLost(String redis, String trouble) {
    tell(() -> listener.redisLost(redis, trouble));
  }

  @Override
  public void redisBack(String redis, Duration away) {
    tell(() -> listener.redisBack(redis, away));
  }
}

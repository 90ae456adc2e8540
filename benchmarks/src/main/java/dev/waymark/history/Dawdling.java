package dev.waymark.history;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;

/**
 * Now and then somebody is slow, between what was read and what is made of it; and for a time, on
 * demand, nearly everybody is. Safe to share.
 */
final class Dawdling implements CachedRegisters.Dawdle {
  private static final int SHORT_MICROS = 4_000;
  private static final int LONG_MICROS = 60_000;

  private volatile long slowUntilNanos = System.nanoTime();

  /** From now on, for a while, whoever comes here is likely to stay. */
  void slowFor(Duration time) {
    slowUntilNanos = System.nanoTime() + time.toNanos();
  }

  @Override
  public void dawdle() {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    int dice = random.nextInt(40);
    if (dice < 20 && System.nanoTime() - slowUntilNanos < 0) {
      pause(LONG_MICROS / 4 + random.nextInt(LONG_MICROS));
    } else if (dice < 10) {
      pause(random.nextInt(dice == 0 ? LONG_MICROS : SHORT_MICROS));
    }
  }

  private static void pause(int micros) {
    LockSupport.parkNanos(micros * 1_000L);
  }
}
